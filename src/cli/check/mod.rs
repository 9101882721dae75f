//! The command `check`: a dry run that shows the plan, the first records, and likely mistakes.

mod plan;

use std::fmt;

use activity_tracker::concurrency::Stop;
use activity_tracker::error::Error;
use activity_tracker::fetch::Policy;
use activity_tracker::pipeline::{
    self, AbsentField, Check, Finding, PageSeen, Place, SampledRecords,
};
use activity_tracker::record::Resource;
use activity_tracker::source::{Auth, Endpoint, Pagination, Source};
use activity_tracker::text::{Printable, count};
use anstyle::{AnsiColor, Style};
use clap::Args;
use tracing::Span;

use crate::cli::args::NetworkArgs;
use crate::cli::help::{self, EXIT_CODES};
use crate::cli::run::StopRun;
use crate::cli::source_argument::SourceArgs;
use crate::cli::{printing, signals};

const HEAD: Style = Style::new().bold();
const BAD: Style = AnsiColor::Red.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();

const EXAMPLES: &str = "\
activity-tracker check ./forum.toml
activity-tracker check wordpress --var site=https://example.org";

#[derive(Debug, Args)]
#[command(after_help = help::sections([("Examples", EXAMPLES), ("Exit codes", EXIT_CODES)]))]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    network: NetworkArgs,
}

/// Checks a source and prints the findings to stdout. Writes no file, not even a log.
///
/// # Errors
/// When there is no such source. After the findings are printed: the error that a run would end
/// with, such as a page that cannot be fetched, or an invalid record.
pub(crate) fn run(args: &CheckArgs) -> Result<(), Error> {
    let stop = Stop::new();
    signals::watch(&stop, StopRun(Span::none()))?;
    let (source, _sample_server) = args.source.load()?;
    let policy = Policy {
        retries: args.network.retries,
        ..Policy::default()
    };
    let transport = args.network.transport(&source)?;
    let check = pipeline::check(&source, policy, &transport, &stop)?;
    printing::print_text(&CheckReport(&source, &check).to_string())?;
    check.verdict()
}

/// The findings as a person reads them.
struct CheckReport<'a>(&'a Source, &'a Check);

impl fmt::Display for CheckReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(source, check) = self;
        let (name, url) = (Printable(&source.name), source.base_url.as_str());
        write!(f, "{HEAD}{name}{HEAD:#}")?;
        // A source given by its URL has that as its name.
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

/// Which credentials were found; never their values.
fn credentials(auth: &Auth) -> String {
    match auth {
        Auth::None => "none required".to_owned(),
        Auth::Absent(why) => format!("none found (optional): {}", Printable(why)),
        Auth::Bearer(_) => "bearer token found".to_owned(),
        Auth::Basic { .. } => "user name and password found".to_owned(),
        Auth::Header { name, .. } => format!("header `{name}` found"),
        Auth::Query { parameter, .. } => {
            format!("query parameter `{}` found", Printable(parameter))
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
            writeln!(f, "  plan: {}", plan::of_children(endpoint, *parent))?;
            write_children(f, *parent, pages, *unfinished)?;
        }
        (Place::Within { places }, _) => {
            let places = places.iter().map(|(resource, path)| {
                let path = path.to_string();
                format!("`{}` of each {}", Printable(&path), plan::one_of(*resource))
            });
            let places: Vec<_> = places.collect();
            writeln!(f, "  no request: extracted from {}", places.join(" and "))?;
            if looked.records == 0 {
                writeln!(f, "  none in the records fetched")?;
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
    let warnings = finding.warnings.iter().map(ToString::to_string);
    for warning in remarks.chain(warnings) {
        writeln!(f, "  {WARN}likely wrong:{WARN:#} {}", Printable(&warning))?;
    }
    Ok(())
}

/// The plan of a run, and the pages fetched.
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
        writeln!(f, "  plan: {}", plan::of_pages(endpoint, estimate))?;
    }
    match pages.as_slice() {
        [] => writeln!(f, "  no usable page: see the error below"),
        [only] if endpoint.pagination == Pagination::None => {
            writeln!(f, "  {} in a single response", records(only))
        }
        [only] if *unfinished => {
            let records = records(only);
            writeln!(
                f,
                "  {records} on page 1; page 2 failed: see the error below"
            )
        }
        [only] => writeln!(f, "  {} on 1 page", records(only)),
        [first, second, ..] => {
            let of_second = match second.records {
                0 => "none on page 2, the end".to_owned(),
                number if second.more => format!("{number} on page 2, more pages follow"),
                number => format!("{number} on page 2, the last page"),
            };
            writeln!(f, "  {} on page 1, {of_second}", records(first))
        }
    }
}

/// The child records of the first parents.
fn write_children(
    f: &mut fmt::Formatter<'_>,
    parent: Resource,
    pages: &[PageSeen],
    unfinished: bool,
) -> fmt::Result {
    match (pages, unfinished) {
        ([], true) => writeln!(f, "  not checked because of the error below")?,
        ([], false) => {
            let parent = plan::one_of(parent);
            writeln!(f, "  no request: there is no {parent}")?;
        }
        _ => {}
    }
    for page in pages {
        let more = if page.more { ", more pages follow" } else { "" };
        let records = count(page.records, "record");
        writeln!(f, "  {}: {records}{more}", page.url)?;
    }
    Ok(())
}

/// Fields that some records lack. Those that all lack share one line.
fn write_lacks(f: &mut fmt::Formatter<'_>, lacks: &[AbsentField]) -> fmt::Result {
    let never = |lacks: &&AbsentField| lacks.absent == lacks.of;
    let (none, some): (Vec<_>, Vec<_>) = lacks.iter().partition(never);
    let quoted = |lacks: &AbsentField| format!("`{}`", Printable(&lacks.path));
    if let Some(first) = none.first() {
        let names: Vec<_> = none.iter().map(|lacks| quoted(lacks)).collect();
        let of = match first.of {
            1 => "the record".to_owned(),
            of => format!("all {}", count(of, "record")),
        };
        writeln!(f, "  absent in {of}: {}", names.join(", "))?;
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

fn write_rejects(f: &mut fmt::Formatter<'_>, looked: &SampledRecords) -> fmt::Result {
    let which = match (looked.rejects, looked.records) {
        (0, _) => return Ok(()),
        (1, 1) => "the only record".to_owned(),
        (rejects, 0) => count(rejects, "parent"),
        (rejects, records) => format!("{rejects} of {}", count(records, "record")),
    };
    writeln!(f, "  {BAD}{which} rejected:{BAD:#}")?;
    for rejected in &looked.first_rejects {
        let reject = rejected.reject.to_string();
        let page = match rejected.page {
            0 => String::new(),
            page => format!("page {}, ", page.saturating_add(1)),
        };
        writeln!(f, "    {page}{}", Printable(&reject))?;
    }
    if looked.rejects > looked.first_rejects.len() as u64 {
        writeln!(f, "    …")?;
    }
    Ok(())
}
