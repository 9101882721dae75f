//! The command `report`: who is active, from the stored files.

use std::io::{self, BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use activity_tracker::error::Error;
use activity_tracker::report::html::{self, PageContext};
use activity_tracker::report::{ActivityReport, Zone, csv, json, markdown, terminal};
use activity_tracker::storage;
use clap::{Args, ValueEnum};

use crate::cli::args::DataDir;
use crate::cli::catch_up::catch_up_or_warn;
use crate::cli::values::at_least_one;
use crate::cli::wrap::stdout_width;
use crate::cli::{help, printing};

/// The width of tables where stdout is no terminal.
const DEFAULT_WIDTH: usize = 100;

const EXAMPLES: &str = "\
activity-tracker report
activity-tracker report --html report.html
activity-tracker report --format json | jq '.users[0]'
activity-tracker report --format csv --table days --time-zone Europe/Berlin";

#[derive(Debug, Args)]
#[command(after_help = help::sections([("Examples", EXAMPLES)]))]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    data_dir: DataDir,

    /// Report on a snapshot that `run --keep-snapshots` kept: the one of this run, or the last one
    /// of this date (2026-11-01) or before this time (2026-11-01T08:00:00Z), in UTC
    #[arg(long, value_name = "RUN|DATE")]
    at: Option<String>,

    /// Output format: tables for people, or everything for programs [default: table, or
    /// nothing with --html]
    #[arg(long)]
    format: Option<Format>,

    /// Write the report as a single, self-contained HTML page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Which table to print as CSV [default: users]
    #[arg(long)]
    table: Option<Table>,

    /// Maximum number of rows of a list in a table or in Markdown, and of unanswered posts in any
    /// format
    #[arg(long, value_name = "N", default_value = "10", value_parser = at_least_one)]
    top: NonZeroUsize,

    /// Time zone of days, hours and all times shown: Europe/Berlin, +02:00 [default: UTC]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<Zone>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Table,
    Json,
    Csv,
    Markdown,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Table {
    Users,
    Domains,
    Unanswered,
    Days,
    Weeks,
    Hours,
    Runs,
}

impl From<Table> for csv::CsvTable {
    fn from(table: Table) -> Self {
        match table {
            Table::Users => Self::Users,
            Table::Domains => Self::Domains,
            Table::Unanswered => Self::Unanswered,
            Table::Days => Self::Days,
            Table::Weeks => Self::Weeks,
            Table::Hours => Self::Hours,
            Table::Runs => Self::Runs,
        }
    }
}

/// Prints a report on the data directory.
///
/// # Errors
/// When the options are invalid, there is no readable snapshot, or stdout cannot be written to.
pub(crate) fn run(args: &ReportArgs) -> Result<(), Error> {
    if args.table.is_some() && args.format != Some(Format::Csv) {
        let problem = "--table chooses what --format csv prints; other formats print all tables";
        return Err(Error::Usage(problem.to_owned()));
    }
    catch_up_or_warn(&args.data_dir.path)?;
    let zone = args.time_zone.clone().unwrap_or_default();
    let (data_dir, top) = (&args.data_dir.path, args.top.get());
    let report = match &args.at {
        Some(at) => ActivityReport::at(data_dir, top, &zone, at)?,
        None => ActivityReport::in_zone(data_dir, top, &zone)?,
    };
    let format = match &args.html {
        Some(file) => {
            storage::replace(file, html::page(&report, PageContext::File).as_bytes())?;
            printing::print_note(&format!("Report saved to {}", file.display()));
            args.format
        }
        None => Some(args.format.unwrap_or_default()),
    };
    let Some(format) = format else { return Ok(()) };
    if let (Some(reason), Some(Table::Unanswered)) = (report.unanswered_reason, args.table) {
        // CSV has no place for a note.
        printing::print_note(&format!("unanswered posts are unknown: {reason}"));
    }
    printing::stdout_result(print(args, format, &report))
}

fn print(args: &ReportArgs, format: Format, report: &ActivityReport) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match format {
        Format::Table => {
            // anstream strips colours where they are not wanted.
            let mut out = BufWriter::new(anstream::stdout().lock());
            terminal::write(&mut out, report, width(), args.top.get())?;
            return out.flush();
        }
        Format::Json => json::write(&mut out, report)?,
        Format::Csv => {
            let table = args.table.map(csv::CsvTable::from).unwrap_or_default();
            csv::write(&mut out, report, table)?;
        }
        Format::Markdown => markdown::write(&mut out, report, args.top.get())?,
    }
    out.flush()
}

/// The width of tables on stdout, in columns.
pub(crate) fn width() -> usize {
    stdout_width().unwrap_or(DEFAULT_WIDTH)
}
