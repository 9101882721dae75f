//! The command `check`: what a run would fetch and why, how its first records read, and what is
//! likely wrong.

mod plan;

use std::fmt;

use activity_tracker::concurrency::Stop;
use activity_tracker::error::Error;
use activity_tracker::fetch::Policy;
use activity_tracker::pipeline::{self, Check, Finding, Lacks, Looked, PageSeen, Place};
use activity_tracker::record::Resource;
use activity_tracker::source::{Auth, Endpoint, Pagination, Source};
use activity_tracker::text::{Printable, count};
use anstyle::{AnsiColor, Style};
use clap::Args;
use tracing::Span;

use crate::cli::args::{EXIT_CODES, PatienceArgs};
use crate::cli::run::EndOfRun;
use crate::cli::source_argument::SourceArgs;
use crate::cli::{printing, signals};

const HEAD: Style = Style::new().bold();
const BAD: Style = AnsiColor::Red.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    patience: PatienceArgs,
}

/// Looks at a source and prints what it found to stdout. Leaves no file behind, not even a log.
///
/// # Errors
/// When there is no such source. After all is printed: what a run would fail with, such as a page
/// that cannot be fetched, or a record that does not map.
pub(crate) fn run(args: &CheckArgs) -> Result<(), Error> {
    let stop = Stop::new();
    signals::watch(&stop, EndOfRun(Span::none()))?;
    let (source, _sample_server) = args.source.load()?;
    let policy = Policy {
        retries: args.patience.retries,
        ..Policy::default()
    };
    let transport = args.patience.transport(&source)?;
    let check = pipeline::check(&source, policy, &transport, &stop)?;
    printing::print_text(&Shown(&source, &check).to_string())?;
    check.verdict()
}

/// A check as a person reads it.
struct Shown<'a>(&'a Source, &'a Check);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(source, check) = self;
        let (name, url) = (Printable(&source.name), source.base_url.as_str());
        write!(f, "{HEAD}{name}{HEAD:#}")?;
        // A source that was named by its URL has no other name.
        if source.name.trim_end_matches('/') != url.trim_end_matches('/') {
            write!(f, "  {}", url.trim_end_matches('/'))?;
        }
        writeln!(f, "\ncredentials: {}", credentials(&source.auth))?;
        if source.allow_private {
            writeln!(f, "private addresses: allowed")?;
        }
        for (resource, finding) in &check.findings {
            write!(f, "\n{HEAD}{resource}{HEAD:#}")?;
            write_finding(f, source, *resource, finding)?;
        }
        if let Some(reason) = &check.unlinked {
            writeln!(
                f,
                "\n{HEAD}note{HEAD:#}: reports cannot show unanswered posts: {reason}"
            )?;
        }
        Ok(())
    }
}

/// Which credentials there are, and never what they are.
fn credentials(auth: &Auth) -> String {
    match auth {
        Auth::None => "none wanted".to_owned(),
        Auth::Absent(why) => format!("none found, and none needed: {}", Printable(why)),
        Auth::Bearer(_) => "bearer token found".to_owned(),
        Auth::Basic { .. } => "user name and password found".to_owned(),
        Auth::Header { name, .. } => format!("found, for the header `{name}`"),
        Auth::Query { parameter, .. } => {
            format!("found, for the query parameter `{}`", Printable(parameter))
        }
    }
}

fn write_finding(
    f: &mut fmt::Formatter<'_>,
    source: &Source,
    resource: Resource,
    finding: &Finding,
) -> fmt::Result {
    let looked = &finding.looked;
    match (&finding.place, source.endpoints.get(&resource)) {
        (Place::Pages { url, pages, .. }, Some(endpoint)) => {
            let url = pages.first().map_or(url, |page| &page.url);
            writeln!(f, "  {url}")?;
            write_pages(f, endpoint, &finding.place)?;
        }
        (
            Place::Children {
                parent,
                url,
                pages,
                unfinished,
            },
            Some(endpoint),
        ) => {
            writeln!(f, "  {}", Printable(url))?;
            writeln!(f, "  a run: {}", plan::of_children(endpoint, *parent))?;
            write_children(f, *parent, pages, *unfinished)?;
        }
        (Place::Within { places }, _) => {
            let places = places.iter().map(|(resource, path)| {
                let path = path.to_string();
                format!("`{}` of each {}", Printable(&path), plan::one_of(*resource))
            });
            let places: Vec<_> = places.collect();
            writeln!(f, "  not asked for: taken from {}", places.join(" and "))?;
            if looked.records == 0 {
                writeln!(f, "  none in the records that were looked at")?;
            }
        }
        _ => writeln!(f)?,
    }
    for record in &looked.first {
        writeln!(f, "  {record}")?;
    }
    write_lacks(f, &looked.lacks)?;
    write_rejects(f, looked)?;
    if let Some(missing) = &finding.missing {
        let missing = missing.to_string();
        writeln!(f, "  {BAD}missing:{BAD:#} {}", Printable(&missing))?;
    }
    let remarks = finding.remarks.iter().map(ToString::to_string);
    let doubts = finding.doubts.iter().map(ToString::to_string);
    for doubt in remarks.chain(doubts) {
        writeln!(f, "  {WARN}likely wrong:{WARN:#} {}", Printable(&doubt))?;
    }
    Ok(())
}

/// What a run would ask for, and the pages that were looked at.
fn write_pages(f: &mut fmt::Formatter<'_>, endpoint: &Endpoint, place: &Place) -> fmt::Result {
    let Place::Pages {
        pages,
        estimate,
        unfinished,
        ..
    } = place
    else {
        return Ok(());
    };
    let records = |page: &PageSeen| count(page.records, "record");
    if !unfinished && !pages.is_empty() {
        writeln!(f, "  a run: {}", plan::of_pages(endpoint, estimate))?;
    }
    match pages.as_slice() {
        [] => writeln!(f, "  no page that can be used: see the error below"),
        [only] if endpoint.pagination == Pagination::None => {
            writeln!(f, "  {}, all in one response", records(only))
        }
        [only] if *unfinished => {
            let records = records(only);
            writeln!(
                f,
                "  {records} on page 1, no page 2 to tell of: see the error below"
            )
        }
        [only] => writeln!(f, "  {}, all on one page", records(only)),
        [first, second, ..] => {
            let of_second = match second.records {
                0 => "none on page 2, which is the end".to_owned(),
                number if second.more => format!("{number} on page 2, and more follow"),
                number => format!("{number} on page 2, which is the last"),
            };
            writeln!(f, "  {} on page 1, {of_second}", records(first))
        }
    }
}

/// What came of the first parents.
fn write_children(
    f: &mut fmt::Formatter<'_>,
    parent: Resource,
    pages: &[PageSeen],
    unfinished: bool,
) -> fmt::Result {
    match (pages, unfinished) {
        ([], true) => writeln!(f, "  not looked at, because of the error below")?,
        ([], false) => {
            let parent = plan::one_of(parent);
            writeln!(f, "  none was asked for: there is no {parent} to ask with")?;
        }
        _ => {}
    }
    for page in pages {
        let more = if page.more { ", and more follow" } else { "" };
        let records = count(page.records, "record");
        writeln!(f, "  {}: {records}{more}", page.url)?;
    }
    Ok(())
}

/// Fields that are not always there. Those that nobody has stand in one line.
fn write_lacks(f: &mut fmt::Formatter<'_>, lacks: &[Lacks]) -> fmt::Result {
    let never = |lacks: &&Lacks| lacks.absent == lacks.of;
    let (none, some): (Vec<_>, Vec<_>) = lacks.iter().partition(never);
    let quoted = |lacks: &Lacks| format!("`{}`", Printable(&lacks.path));
    if let Some(first) = none.first() {
        let names: Vec<_> = none.iter().map(|lacks| quoted(lacks)).collect();
        let of = match first.of {
            1 => "the record".to_owned(),
            of => format!("any of {}", count(of, "record")),
        };
        writeln!(f, "  not there in {of}: {}", names.join(", "))?;
    }
    for lacks in some {
        let kinds = [
            (lacks.absent, "absent"),
            (lacks.null, "null"),
            (lacks.empty, "empty"),
        ];
        let kinds = kinds.iter().filter(|(number, _)| *number > 0);
        let kinds: Vec<_> = kinds
            .map(|(number, kind)| format!("{kind} in {number}"))
            .collect();
        let of = count(lacks.of, "record");
        writeln!(f, "  {}: {} of {of}", quoted(lacks), kinds.join(", "))?;
    }
    Ok(())
}

fn write_rejects(f: &mut fmt::Formatter<'_>, looked: &Looked) -> fmt::Result {
    let which = match (looked.rejects, looked.records) {
        (0, _) => return Ok(()),
        (1, 1) => "the only record".to_owned(),
        (rejects, 0) => count(rejects, "parent"),
        (rejects, records) => format!("{rejects} of {}", count(records, "record")),
    };
    writeln!(f, "  {BAD}{which} did not map:{BAD:#}")?;
    for rejected in &looked.first_rejects {
        let reject = rejected.reject.to_string();
        let page = match rejected.page {
            0 => String::new(),
            page => format!("page {}, ", page.saturating_add(1)),
        };
        writeln!(f, "    {page}{}", Printable(&reject))?;
    }
    if looked.rejects > looked.first_rejects.len() as u64 {
        writeln!(f, "    and so on")?;
    }
    Ok(())
}
