//! The command `check`: what a run would fetch, and how its first records read.

use std::fmt;

use activity_tracker::activity::Resource;
use activity_tracker::api::{Outlook, Policy};
use activity_tracker::concurrency::Stop;
use activity_tracker::error::Error;
use activity_tracker::flow::{self, Check, Finding, FirstPage, Look};
use activity_tracker::source::{Auth, Source};
use activity_tracker::text::{Printable, count};
use anstyle::{AnsiColor, Style};
use clap::Args;

use crate::cli::{EXIT_CODES, PatienceArgs};
use crate::source_argument::SourceArgs;
use crate::{printing, signals};

const HEAD: Style = Style::new().bold();
const BAD: Style = AnsiColor::Red.on_default();

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
/// When there is no such source or it cannot be fetched from; when a record that was looked at
/// does not map, after all is printed.
pub(crate) fn run(args: &CheckArgs) -> Result<(), Error> {
    let stop = Stop::new();
    signals::watch(&stop, signals::EndOfRun)?;
    let (source, _sample_server) = args.source.load()?;
    let policy = Policy {
        retries: args.patience.retries,
        ..Policy::default()
    };
    let transport = args.patience.transport(&source)?;
    let check = flow::check(&source, policy, &transport, &stop)?;
    printing::print_text(&Shown(&source, &check).to_string())?;
    Ok(check.verdict()?)
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
            write_finding(f, finding)?;
        }
        if let Some(reason) = &check.unlinked {
            writeln!(
                f,
                "\n{HEAD}note{HEAD:#}: a report will not tell which posts have an answer: {reason}"
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

fn write_finding(f: &mut fmt::Formatter<'_>, finding: &Finding) -> fmt::Result {
    match finding {
        Finding::FirstPage(page) => writeln!(f, "  {}\n  {}", page.url, extent(page))?,
        Finding::Children { parent, url } => {
            let parent = one_of(*parent);
            writeln!(f, "  {}", Printable(url))?;
            writeln!(f, "  asked for by {parent}: one request for each")?;
        }
        Finding::Within { places, first } => {
            let places = places.iter().map(|(resource, path)| {
                let path = path.to_string();
                format!("`{}` of each {}", Printable(&path), one_of(*resource))
            });
            let places: Vec<_> = places.collect();
            writeln!(f, "  not asked for: taken from {}", places.join(" and "))?;
            if first.is_empty() {
                writeln!(f, "  none in the records that were looked at")?;
            }
        }
    }
    for look in finding.first() {
        match look {
            Look::Mapped(record) => writeln!(f, "  {record}")?,
            Look::TooLong { index, bytes } => {
                let length = count(*bytes, "byte");
                writeln!(f, "  record {index}: {length} long, not looked at")?;
            }
            Look::Rejected(_) => {}
        }
    }
    write_rejects(f, finding)
}

fn write_rejects(f: &mut fmt::Formatter<'_>, finding: &Finding) -> fmt::Result {
    let rejects: Vec<_> = finding.rejects().collect();
    let which = match (rejects.len(), finding.first().len()) {
        (0, _) => return Ok(()),
        (_, 1) => "the first record".to_owned(),
        (failed, looked_at) => format!("{failed} of the first {looked_at}"),
    };
    writeln!(f, "  {BAD}{which} did not map:{BAD:#}")?;
    for reject in rejects {
        writeln!(f, "    {}", Printable(&reject.to_string()))?;
    }
    Ok(())
}

/// What one record of a resource is called.
fn one_of(resource: Resource) -> &'static str {
    resource.name().trim_end_matches('s')
}

/// How much there is, by the first page.
fn extent(page: &FirstPage) -> String {
    let records = count(page.records, "record");
    let Outlook { total, pages, more } = page.outlook;
    let rest = match (total, pages.map(|pages| count(pages, "page"))) {
        _ if !page.paged => ", all in one answer".to_owned(),
        _ if !more && page.by_link => {
            ", all on one page, for no Link header names a next one".to_owned()
        }
        _ if !more => ", all on one page".to_owned(),
        (Some(total), Some(pages)) => format!(" on the first page, {total} in {pages}"),
        (Some(total), None) => format!(" on the first page, {total} in all"),
        (None, Some(pages)) => format!(" on the first page of {pages}"),
        (None, None) => " on the first page, and more may follow".to_owned(),
    };
    match total {
        None if page.tells_total => {
            format!("{records}{rest}; no total is where the source says that it is")
        }
        Some(total) if !more && total != page.records => {
            format!("{records}{rest}, but the server speaks of {total}")
        }
        _ => records + &rest,
    }
}
