//! What is printed: data to stdout, everything for people to stderr.

use std::error::Error as _;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use activity_tracker::activity::UserPosts;
use activity_tracker::error::{Error, chain};
use activity_tracker::history::{ChangeCounts, Changes};
use activity_tracker::pipeline::{Recorded, Report};
use activity_tracker::record::Resource;
use activity_tracker::report::json;
use activity_tracker::source::InvalidSource;
use activity_tracker::storage::Output;
use activity_tracker::text::{Printable, count, excerpt};
use annotate_snippets::Renderer;
use anstyle::{AnsiColor, Style};
use indicatif::DecimalBytes;

use crate::cli::diagnostics;

/// How many users the summary names.
const MOST_ACTIVE: usize = 5;

/// Whether the end of the run is being told already.
static TOLD: AtomicBool = AtomicBool::new(false);

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();
const HEAD: Style = Style::new().bold();

/// What is wrong with a history that is another one than that of the snapshot.
pub(crate) fn lacking(run: &str) -> String {
    let run = Printable(run);
    format!("it lacks the last run, {run}: it was emptied, or is of another data directory")
}

/// How a run's end is printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    /// The summary as JSON, on stdout.
    pub(crate) json: bool,
    /// Nothing for people but what was lost.
    pub(crate) quiet: bool,
    /// Where the log is.
    pub(crate) log: &'a Path,
}

/// Prints what a run gave: for scripts on stdout, for people on stderr.
pub(crate) fn print_run(report: &Report, shown: Shown<'_>) -> Result<(), Error> {
    if shown.json {
        print_json(report)?;
    }
    if shown.quiet {
        // What was lost is told all the same.
        let set_aside = report.recorded.iter().flat_map(|it| &it.set_aside);
        set_aside.for_each(|aside| print_note(&format!("warning: {aside}")));
        let lacks = report.recorded.iter().filter_map(|it| it.lacks.as_ref());
        lacks.for_each(|run| print_note(&format!("warning: history: {}", lacking(run))));
    } else {
        // stderr may be closed, and there is nobody to tell then.
        let _ = write_summary(&mut anstream::stderr().lock(), shown.log, report);
    }
    Ok(())
}

fn print_json(report: &Report) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    let printed = json::print(&mut out, &report.summary).and_then(|()| out.flush());
    read_enough(printed).map_err(Error::PrintSummary)
}

/// Prints what a command was asked for to stdout. Colours are taken out again
/// where they are not wanted.
///
/// # Errors
/// When stdout cannot be written to.
pub(crate) fn print_text(text: &str) -> Result<(), Error> {
    let mut out = anstream::stdout().lock();
    told_to_stdout(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// What writing the result to stdout means for the command that did.
///
/// # Errors
/// When stdout cannot be written to.
pub(crate) fn told_to_stdout(written: io::Result<()>) -> Result<(), Error> {
    read_enough(written).map_err(Error::Print)
}

/// Whoever closes the pipe has read enough: that is no error.
fn read_enough(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn write_summary(out: &mut impl Write, log: &Path, report: &Report) -> io::Result<()> {
    let Report {
        summary,
        snapshot,
        rejects,
        recorded,
        unchanged,
        elapsed,
        ..
    } = report;
    let source = Printable(&summary.source);
    let seconds = elapsed.as_secs_f64();
    let what = found(report);
    if *unchanged {
        writeln!(
            out,
            "{HEAD}Nothing changed{HEAD:#} at {source}: {what} as before, in {seconds:.2} s"
        )?;
    } else {
        writeln!(out, "{HEAD}{what}{HEAD:#} from {source} in {seconds:.2} s")?;
    }
    write_completeness(out, report)?;
    if let Some(recorded) = recorded {
        write_recorded(out, recorded)?;
    }
    if has(report, "users") {
        let filtered = count(summary.filtered_users, "user");
        let domain = &summary.email_domain;
        writeln!(out, "{filtered} with an e-mail address in {domain}")?;
    }
    for (resource, records) in &summary.duplicate_ids {
        let records = count(*records, "record");
        writeln!(
            out,
            "{WARN}{resource}{WARN:#}: {records} with an id that another one had before"
        )?;
    }
    if rejects.total() > 0 {
        let records = count(rejects.total(), "record");
        let file = self::rejected(report);
        writeln!(out, "{WARN}rejected{WARN:#}: {records}, kept in {file}")?;
    }
    if !summary.posts_per_user.is_empty() {
        writeln!(out, "\n{HEAD}Most posts{HEAD:#}")?;
    }
    for UserPosts {
        user_id,
        name,
        posts,
    } in summary.posts_per_user.iter().take(MOST_ACTIVE)
    {
        let name = name.map_or_else(|| "unknown user".to_owned(), |name| excerpt(name, 40));
        writeln!(
            out,
            "{posts:>6}  {name} ({})",
            excerpt(&user_id.0.to_string(), 40)
        )?;
    }
    writeln!(
        out,
        "\n{HEAD}Files in {}{HEAD:#}",
        snapshot.data_dir.display()
    )?;
    let width = snapshot
        .files
        .iter()
        .map(|file| file.name.len())
        .max()
        .unwrap_or_default();
    for file in &snapshot.files {
        let records = file
            .records
            .map(|records| count(records, "record"))
            .unwrap_or_default();
        let size = DecimalBytes(file.bytes).to_string();
        let line = format!("  {:width$}  {size:>10}  {records}", file.name);
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(
        out,
        "  {:width$}  {:>10}  sizes and checksums of the above",
        snapshot.manifest, ""
    )?;
    if let Some(raw) = &snapshot.raw {
        let folder = snapshot.data_dir.join(raw);
        writeln!(out, "\nPages as they came: {}", folder.display())?;
    }
    writeln!(out, "\nLog: {}", log.display())
}

/// What a snapshot holds, in a few words: `10 users, 100 posts`.
pub(crate) fn found(report: &Report) -> String {
    let summary = &report.summary;
    let mut counts = Vec::new();
    counts.extend(has(report, "users").then(|| count(summary.users, "user")));
    counts.extend(has(report, "posts").then(|| count(summary.posts, "post")));
    counts.extend(summary.comments.map(|comments| count(comments, "comment")));
    counts.join(", ")
}

/// Whether there is such a file. What the source does not offer has none.
fn has(report: &Report, stem: &str) -> bool {
    let mut files = report.snapshot.files.iter();
    files.any(|file| file.name.starts_with(stem))
}

/// What of the snapshot is of another run, or may lack records.
fn write_completeness(out: &mut impl Write, report: &Report) -> io::Result<()> {
    for (resource, from) in &report.carried {
        let at = from.finished_at.strftime("%Y-%m-%d %H:%M:%S UTC");
        writeln!(out, "{resource}: not fetched, kept from the run of {at}")?;
    }
    for (resource, missing) in &report.missing {
        let told = missing.to_string();
        let told = Printable(&told);
        if missing.is_lacking() {
            writeln!(out, "{WARN}missing{WARN:#}: {resource}: {told}")?;
        } else {
            writeln!(out, "{WARN}{resource}{WARN:#}: {told}")?;
        }
    }
    for resource in &report.incomplete {
        writeln!(
            out,
            "{WARN}{resource}{WARN:#}: incomplete: records moved from page to page each time they were fetched"
        )?;
    }
    for (resource, repeated) in &report.repeated {
        let came = count(*repeated, "record");
        writeln!(
            out,
            "{WARN}{resource}{WARN:#}: {came} came again on a later page, as happens when the data changes meanwhile; stored once"
        )?;
    }
    for (resource, (came, total)) in &report.hidden {
        let came = count(*came, "record");
        writeln!(
            out,
            "{WARN}{resource}{WARN:#}: {came} came of the {total} that the server counts; the source says that it counts hidden ones"
        )?;
    }
    for (resource, remarks) in &report.remarks {
        for remark in remarks {
            let remark = remark.to_string();
            writeln!(out, "{WARN}{resource}{WARN:#}: {}", Printable(&remark))?;
        }
    }
    Ok(())
}

fn write_recorded(out: &mut impl Write, recorded: &Recorded) -> io::Result<()> {
    if !recorded.changes.is_empty() {
        writeln!(out, "Since the run before: {}", changed(&recorded.changes))?;
    }
    for (resource, counts) in recorded
        .changes
        .iter()
        .filter(|(_, counts)| counts.retyped > 0)
    {
        let records = count(counts.retyped, "record");
        writeln!(
            out,
            "{WARN}{resource}{WARN:#}: {records} with an id that was a number and is a text now, or the other way round; they count as the same"
        )?;
    }
    for aside in &recorded.set_aside {
        let aside = aside.to_string();
        writeln!(out, "{WARN}history{WARN:#}: {}", Printable(&aside))?;
    }
    if let Some(run) = &recorded.lacks {
        writeln!(out, "{WARN}history{WARN:#}: {}", lacking(run))?;
    }
    match &recorded.behind {
        Some(reason) => {
            let reason = Printable(reason);
            writeln!(
                out,
                "{WARN}history{WARN:#}: a run behind, which the next command mends: {reason}"
            )
        }
        None => Ok(()),
    }
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
                let name = resource.name();
                let name = if number == 1 {
                    &name[..name.len() - 1]
                } else {
                    name
                };
                format!("{number} {kind} {name}")
            } else {
                format!("{number} {kind}")
            });
        }
        (!words.is_empty()).then(|| words.join(", "))
    };
    let all: Vec<_> = changes.iter().filter_map(of_resource).collect();
    if all.is_empty() {
        "nothing changed".to_owned()
    } else {
        all.join("; ")
    }
}

/// Where the records are that did not map.
pub(crate) fn rejected(report: &Report) -> String {
    let snapshot = &report.snapshot;
    let mut names = snapshot.files.iter().map(|file| file.name.as_str());
    let name = names.find(|name| name.starts_with(Output::Rejected.stem()));
    let path = snapshot.data_dir.join(name.unwrap_or_default());
    path.display().to_string()
}

/// Gives true to the first who asks: only one tells how the run ended.
pub(crate) fn first_to_tell() -> bool {
    !TOLD.swap(true, Ordering::SeqCst)
}

/// Prints the error that ended the program: what, why, and what to do.
pub(crate) fn print_error(error: &Error) {
    if !first_to_tell() {
        return;
    }
    let mut out = anstream::stderr().lock();
    if let Error::Source(InvalidSource::Mistake(mistake)) = error {
        // anstream takes the colours out again where they are not wanted.
        let shown = diagnostics::render(mistake, &Renderer::styled());
        let _ = writeln!(out, "{shown}");
        return;
    }
    // stderr may be closed; the exit code tells all the same.
    let _ = writeln!(
        out,
        "{ERROR}error{ERROR:#}: {}",
        Printable(&error.to_string())
    );
    if let Some(cause) = deepest(error) {
        let _ = writeln!(out, "  cause: {cause}");
    }
    if let Some(hint) = error.hint() {
        let _ = writeln!(out, "  {HINT}try{HINT:#}: {hint}");
    }
}

/// The causes of an error that its own words do not tell yet.
fn deepest(error: &Error) -> Option<String> {
    let told = error.to_string();
    let mut cause = error.source()?;
    while told.contains(&cause.to_string()) {
        cause = cause.source()?;
    }
    Some(chain(cause))
}

/// Prints a note for people on stderr: it is no part of the result.
pub(crate) fn print_note(text: &str) {
    // stderr may be closed, and there is nobody to tell then.
    let _ = writeln!(anstream::stderr().lock(), "{}", Printable(text));
}

/// Asks a question on stderr; the reply is typed after it.
pub(crate) fn print_prompt(question: &str) {
    let mut out = anstream::stderr().lock();
    let _ = write!(out, "{question}").and_then(|()| out.flush());
}

/// Tells people something in a line that is safe to show and may have colours.
pub(crate) fn print_line(line: &impl Display) {
    // stderr may be closed, and there is nobody to tell then.
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// Tells where the sample API is.
pub(crate) fn print_sample_api(base_url: &str) {
    let mut out = anstream::stderr().lock();
    let _ = writeln!(
        out,
        "{HEAD}sample API{HEAD:#} at {base_url} (/users, /posts, /comments); Ctrl-C ends it"
    );
    let _ = writeln!(out, "{HINT}try{HINT:#}: activity-tracker run {base_url}");
}

/// Tells where the report is served.
pub(crate) fn print_serving(url: &str, data_dir: &Path) {
    let mut out = anstream::stderr().lock();
    let folder = data_dir.display().to_string();
    let folder = Printable(&folder);
    let _ = writeln!(
        out,
        "{HEAD}report{HEAD:#} of {folder} at {url} ({url}runs, {url}metrics); Ctrl-C ends it"
    );
}
