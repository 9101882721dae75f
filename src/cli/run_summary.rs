//! What a run prints when it is done: what changed, what needs attention, and where the data is.

use std::fmt::{self, Display, Formatter};
use std::path::Path;

use activity_tracker::activity::UserPosts;
use activity_tracker::history::{ChangeCounts, Changes};
use activity_tracker::pipeline::{Recorded, RunOutcome};
use activity_tracker::record::Resource;
use activity_tracker::storage::Output;
use activity_tracker::text::{Printable, count, excerpt, grouped};
use anstyle::{AnsiColor, Style};
use indicatif::DecimalBytes;

/// How many of the most active users are listed.
const MOST_ACTIVE: usize = 5;

const HEAD: Style = Style::new().bold();
const WARN: Style = AnsiColor::Yellow.on_default();

/// A run as a person reads it.
///
/// One line if nothing changed; else what changed and where. Anything that needs attention follows
/// in either case.
pub(crate) struct RunSummary<'a> {
    pub(crate) report: &'a RunOutcome,
    pub(crate) log: &'a Path,
    /// Also list the files and the most active users.
    pub(crate) verbose: bool,
}

impl Display for RunSummary<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let report = self.report;
        let (source, found) = (Printable(&report.summary.source), found(report));
        let seconds = report.elapsed.as_secs_f64();
        let outcome = Outcome::of(report);
        match outcome {
            Outcome::Unchanged => writeln!(f, "{HEAD}Up to date{HEAD:#}: {found} ({source})")?,
            Outcome::Changed(changes) => {
                let changes = changed(changes);
                writeln!(f, "{HEAD}{changes}{HEAD:#} ({source}, {seconds:.2} s)")?;
            }
            Outcome::New => writeln!(f, "{HEAD}{found}{HEAD:#} from {source} in {seconds:.2} s")?,
        }
        write_warnings(f, report)?;
        if self.verbose || !matches!(outcome, Outcome::Unchanged) {
            write_filtered(f, report)?;
        }
        if self.verbose || matches!(outcome, Outcome::New) {
            write_most_active(f, report)?;
        }
        if self.verbose {
            write_files(f, report)?;
            writeln!(f, "\nLog: {}", shown(self.log))
        } else {
            let data_dir = shown(&report.snapshot.data_dir);
            match outcome {
                Outcome::Unchanged => return Ok(()),
                Outcome::Changed(_) => writeln!(f, "Saved to {data_dir}: {found}")?,
                Outcome::New => writeln!(f, "\nSaved to {data_dir} (-v lists the files)")?,
            }
            write_raw(f, report)
        }
    }
}

/// What a run did to the snapshot.
enum Outcome<'a> {
    /// The data is that of the previous run.
    Unchanged,
    /// Records differ from those of the previous run.
    Changed(&'a Changes),
    /// There is nothing to compare with.
    New,
}

impl<'a> Outcome<'a> {
    fn of(report: &'a RunOutcome) -> Self {
        if report.unchanged {
            return Self::Unchanged;
        }
        let Some(changes) = report.recorded.as_ref().map(|recorded| &recorded.changes) else {
            return Self::New;
        };
        let fetched = [Resource::Users, Resource::Posts, Resource::Comments]
            .into_iter()
            .filter(|it| has_file(report, it.name()) && !report.carried.contains_key(it));
        let mut known = fetched.map(|resource| changes.contains_key(&resource));
        if changes.is_empty() || !known.all(|known| known) {
            Self::New
        } else if changes.values().all(|counts| counts.total() == 0) {
            Self::Unchanged
        } else {
            Self::Changed(changes)
        }
    }
}

/// The numbers of records of a snapshot: `10 users, 100 posts`.
pub(crate) fn found(report: &RunOutcome) -> String {
    let summary = &report.summary;
    let mut counts = Vec::new();
    counts.extend(has_file(report, "users").then(|| count(summary.users, "user")));
    counts.extend(has_file(report, "posts").then(|| count(summary.posts, "post")));
    counts.extend(summary.comments.map(|comments| count(comments, "comment")));
    counts.join(", ")
}

/// Whether the snapshot has a file of this resource: there is none if the source lacks it.
fn has_file(report: &RunOutcome, stem: &str) -> bool {
    let mut files = report.snapshot.files.iter();
    files.any(|file| file.name.starts_with(stem))
}

/// What changed, in a few words: `12 new posts, 1 removed; 2 changed users`.
pub(crate) fn changed(changes: &Changes) -> String {
    let of_resource = |(resource, counts): (&Resource, &ChangeCounts)| {
        let kinds = [
            (counts.added, "new"),
            (counts.changed, "changed"),
            (counts.removed, "removed"),
        ];
        let mut words = Vec::new();
        for (number, kind) in kinds.into_iter().filter(|(number, _)| *number > 0) {
            words.push(if words.is_empty() {
                let one = resource.name().trim_end_matches('s');
                count(number, &format!("{kind} {one}"))
            } else {
                format!("{} {kind}", grouped(number))
            });
        }
        (!words.is_empty()).then(|| words.join(", "))
    };
    let all: Vec<_> = changes.iter().filter_map(of_resource).collect();
    if all.is_empty() {
        "no changes".to_owned()
    } else {
        all.join("; ")
    }
}

/// The path of the file of rejected records.
pub(crate) fn rejected_file(report: &RunOutcome) -> String {
    let snapshot = &report.snapshot;
    let mut names = snapshot.files.iter().map(|file| file.name.as_str());
    let name = names.find(|name| name.starts_with(Output::Rejected.stem()));
    let path = snapshot.data_dir.join(name.unwrap_or_default());
    path.display().to_string()
}

/// Why a history does not belong to the snapshot beside it.
pub(crate) fn lacks_run(run: &str) -> String {
    let run = Printable(run);
    format!("the last run, {run}, is missing: it was emptied or belongs to another data directory")
}

/// Everything about the run that needs attention.
fn write_warnings(f: &mut Formatter<'_>, report: &RunOutcome) -> fmt::Result {
    write_completeness(f, report)?;
    if let Some(recorded) = &report.recorded {
        write_history(f, recorded)?;
    }
    for (resource, records) in &report.summary.duplicate_ids {
        let records = count(*records, "record");
        writeln!(f, "{WARN}{resource}{WARN:#}: {records} with a duplicate id")?;
    }
    if report.rejects.total() > 0 {
        let records = count(report.rejects.total(), "record");
        let file = rejected_file(report);
        writeln!(f, "{WARN}rejected{WARN:#}: {records}, saved to {file}")?;
    }
    Ok(())
}

/// Resources that come from another run, or may be incomplete.
fn write_completeness(f: &mut Formatter<'_>, report: &RunOutcome) -> fmt::Result {
    for (resource, from) in &report.carried {
        let at = from.finished_at.strftime("%Y-%m-%d %H:%M:%S UTC");
        writeln!(f, "{resource}: not fetched, kept from the run of {at}")?;
    }
    for (resource, missing) in &report.missing {
        let reason = missing.to_string();
        let reason = Printable(&reason);
        if missing.is_lacking() {
            writeln!(f, "{WARN}missing{WARN:#}: {resource}: {reason}")?;
        } else {
            writeln!(f, "{WARN}{resource}{WARN:#}: {reason}")?;
        }
    }
    for resource in &report.incomplete {
        writeln!(
            f,
            "{WARN}{resource}{WARN:#}: incomplete: records moved between pages during each attempt"
        )?;
    }
    for (resource, repeated) in &report.repeated {
        let records = count(*repeated, "record");
        writeln!(
            f,
            "{WARN}{resource}{WARN:#}: {records} appeared again on a later page and stored once; \
             the data probably changed during the run"
        )?;
    }
    for (resource, (received, total)) in &report.hidden {
        let (received, total) = (grouped(*received), count(*total, "record"));
        writeln!(
            f,
            "{WARN}{resource}{WARN:#}: received {received} of {total}; the source declares that \
             the total counts hidden records"
        )?;
    }
    for (resource, remarks) in &report.remarks {
        for remark in remarks {
            let remark = remark.to_string();
            writeln!(f, "{WARN}{resource}{WARN:#}: {}", Printable(&remark))?;
        }
    }
    Ok(())
}

fn write_history(f: &mut Formatter<'_>, recorded: &Recorded) -> fmt::Result {
    let retyped = recorded.changes.iter();
    for (resource, counts) in retyped.filter(|(_, counts)| counts.retyped > 0) {
        let records = count(counts.retyped, "record");
        writeln!(
            f,
            "{WARN}{resource}{WARN:#}: the id of {records} changed between number and string; \
             treated as the same record"
        )?;
    }
    for aside in &recorded.set_aside {
        let aside = aside.to_string();
        writeln!(f, "{WARN}history{WARN:#}: {}", Printable(&aside))?;
    }
    if let Some(run) = &recorded.lacks {
        writeln!(f, "{WARN}history{WARN:#}: {}", lacks_run(run))?;
    }
    if let Some(reason) = &recorded.behind {
        let reason = Printable(reason);
        writeln!(
            f,
            "{WARN}history{WARN:#}: one run behind; repaired by the next command: {reason}"
        )?;
    }
    Ok(())
}

fn write_filtered(f: &mut Formatter<'_>, report: &RunOutcome) -> fmt::Result {
    if !has_file(report, "users") {
        return Ok(());
    }
    let summary = &report.summary;
    let matches = if summary.filtered_users == 1 {
        "matches"
    } else {
        "match"
    };
    let (users, domain) = (count(summary.filtered_users, "user"), &summary.email_domain);
    writeln!(f, "{users} {matches} e-mail domain {domain}")
}

fn write_most_active(f: &mut Formatter<'_>, report: &RunOutcome) -> fmt::Result {
    let ranking = &report.summary.posts_per_user;
    if !ranking.is_empty() {
        writeln!(f, "\n{HEAD}Most posts{HEAD:#}")?;
    }
    for UserPosts {
        user_id,
        name,
        posts,
    } in ranking.iter().take(MOST_ACTIVE)
    {
        let name = name.map_or_else(|| "unknown user".to_owned(), |name| excerpt(name, 40));
        let (posts, id) = (grouped(posts), excerpt(&user_id.0.to_string(), 40));
        writeln!(f, "{posts:>6}  {name} ({id})")?;
    }
    Ok(())
}

fn write_files(f: &mut Formatter<'_>, report: &RunOutcome) -> fmt::Result {
    let snapshot = &report.snapshot;
    writeln!(f, "\n{HEAD}Files in {}{HEAD:#}", shown(&snapshot.data_dir))?;
    let names = snapshot.files.iter().map(|file| file.name.len());
    let width = names.max().unwrap_or_default();
    for file in &snapshot.files {
        let records = file.records.map(|records| count(records, "record"));
        let size = DecimalBytes(file.bytes).to_string();
        let records = records.unwrap_or_default();
        let line = format!("  {:width$}  {size:>10}  {records}", file.name);
        writeln!(f, "{}", line.trim_end())?;
    }
    let (name, size) = (&snapshot.manifest, "");
    writeln!(f, "  {name:width$}  {size:>10}  sizes and checksums")?;
    write_raw(f, report)
}

fn write_raw(f: &mut Formatter<'_>, report: &RunOutcome) -> fmt::Result {
    match &report.snapshot.raw {
        Some(raw) => {
            let folder = report.snapshot.data_dir.join(raw);
            writeln!(f, "Raw responses: {}", shown(&folder))
        }
        None => Ok(()),
    }
}

fn shown(path: &Path) -> String {
    Printable(&path.display().to_string()).to_string()
}
