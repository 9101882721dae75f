//! The command `changes`: what changed between runs, from the history.

use std::io::{self, BufWriter, Write};

use activity_tracker::error::Error;
use activity_tracker::record::Resource;
use activity_tracker::report::changes::{self, ChangeList, ChangeQuery, WriteError};
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use jiff::Timestamp;

use crate::cli::args::DataDir;
use crate::cli::catch_up::catch_up;
use crate::cli::help;
use crate::cli::printing::stdout_result;
use crate::cli::report::width;
use crate::cli::source_argument::ResourceParser;
use crate::cli::values::number;

/// The default number of changes in a table.
const DEFAULT_LIMIT: u64 = 50;

const EXAMPLES: &str = "\
activity-tracker changes
activity-tracker changes --since 7d
activity-tracker changes --user \"ervin howell\"
activity-tracker changes --resource posts --format ndjson";

#[derive(Debug, Args)]
#[command(
    after_help = help::sections([("Examples", EXAMPLES)]),
    mut_arg("data_dir", |arg| arg.help("The data directory with the history"))
)]
pub(crate) struct ChangesArgs {
    #[command(flatten)]
    data_dir: DataDir,

    /// Only changes after this: an age (7d, 12h, `1h 30m`), a date or time in UTC (2026-11-01,
    /// 2026-11-01T08:00:00Z), or a run, by its number or id [default: all]
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,

    /// Only this user, by id, name, username or e-mail address, and what the user wrote
    #[arg(long, value_name = "ID|NAME", value_parser = NonEmptyStringValueParser::new())]
    user: Option<String>,

    /// Only records of this resource
    #[arg(long, value_name = "NAME", value_parser = ResourceParser)]
    resource: Option<Resource>,

    /// Output format: a table for people, or everything for programs
    #[arg(long, default_value = "table")]
    format: Format,

    /// Show only the N newest changes [default: 50 in a table, all in other formats]
    #[arg(long, value_name = "N", value_parser = number)]
    limit: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Ndjson,
    Csv,
    Markdown,
}

/// Prints the selected changes from the history.
///
/// # Errors
/// When the options are invalid, there is no readable history, or stdout cannot be written to.
pub(crate) fn run(args: &ChangesArgs) -> Result<(), Error> {
    let default = (args.format == Format::Table).then_some(DEFAULT_LIMIT);
    let query = ChangeQuery {
        since: args.since.clone(),
        user: args.user.clone(),
        resource: args.resource,
        limit: args.limit.or(default),
    };
    catch_up(&args.data_dir.path)?;
    let list = ChangeList::of(&args.data_dir.path, query, Timestamp::now())?;
    match print(args.format, &list) {
        Ok(()) => Ok(()),
        Err(WriteError::History(error)) => Err(error.into()),
        Err(WriteError::Output(error)) => stdout_result(Err(error)),
    }
}

fn print(format: Format, list: &ChangeList) -> Result<(), WriteError> {
    let mut out = BufWriter::new(io::stdout().lock());
    match format {
        Format::Table => {
            drop(out);
            // anstream strips colours where they are not wanted.
            let mut out = BufWriter::new(anstream::stdout().lock());
            changes::table(&mut out, list, width())?;
            return Ok(out.flush()?);
        }
        Format::Json => changes::json(&mut out, list)?,
        Format::Ndjson => changes::ndjson(&mut out, list)?,
        Format::Csv => changes::csv(&mut out, list)?,
        Format::Markdown => changes::markdown(&mut out, list)?,
    }
    Ok(out.flush()?)
}
