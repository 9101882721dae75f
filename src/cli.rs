//! What a person may type, and the settings made from it.

use std::fmt::Display;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use activity_tracker::activity::{EmailDomain, Mappings};
use activity_tracker::api::{Authorities, Policy, Transport};
use activity_tracker::error::Error;
use activity_tracker::regular_file;
use activity_tracker::sample::Sample;
use activity_tracker::source::Source;
use activity_tracker::text::Printable;
use bytesize::ByteSize;
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::{Span, SpanRelativeTo};
use url::{Host, Url};

use crate::changes::ChangesArgs;
use crate::check::CheckArgs;
use crate::report_command::ReportArgs;
use crate::run_command::RunArgs;
use crate::serve_command::ServeArgs;
use crate::sources::SourcesArgs;
use crate::watch_command::WatchArgs;

/// The longest file of certificate authorities, in bytes: a system has about 250 kB of them.
const LONGEST_CA_FILE: u64 = 16 << 20;

pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done, complete
  1    an error that is none of the below
  2    wrong usage or configuration
  3    the API cannot be fetched from; nothing was changed in the data directory
  4    records were rejected, or the server refused a part, more often than --max-rejects:
       the others are stored; or the data cannot be read: nothing was changed
  5    a file cannot be read or written; the last snapshot stands
  130  interrupted (Ctrl-C); 143 terminated; 129 hung up (the terminal was closed)";

/// Who does what on this platform? Fetches users, posts and comments from a
/// REST API, works out who is active, and keeps the result in files that can
/// be trusted.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fetch, process and store once
    Run(Box<RunArgs>),
    /// Run again and again, and tell what changed
    Watch(Box<WatchArgs>),
    /// Print who is active, from the files that runs left; needs no network
    Report(ReportArgs),
    /// Print what changed from run to run, newest first; needs no network
    Changes(ChangesArgs),
    /// Serve the report as a live page, with metrics and JSON, on this machine
    Serve(ServeArgs),
    /// Look at the first pages of a source, say what is likely wrong, and write nothing
    Check(CheckArgs),
    /// List the built-in sources, show one, or print the schema of source files
    Sources(SourcesArgs),
    /// Serve the embedded sample API for trying things out
    SampleApi(SampleApiArgs),
    /// Hold the files of the data directory against their sizes and checksums
    Verify(VerifyArgs),
    /// Process slices given on standard input (what `run` starts its workers with)
    #[command(hide = true)]
    Worker(Box<WorkerArgs>),
}

#[derive(Debug, Args)]
pub(crate) struct PatienceArgs {
    /// Longest silence of a server: until it is connected, until it answers,
    /// and between two pieces of its answer; as long may 1 KiB of that take
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = positive_duration)]
    timeout: Duration,

    /// Longest answer, decoded: 500kB, 10MiB, 4GiB
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = size)]
    max_body: ByteSize,

    /// Trust the certificate authorities in this PEM file, and no others
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// How many times a request that failed in passing is sent again
    #[arg(long, value_name = "N", default_value_t = Policy::default().retries)]
    pub(crate) retries: u32,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogArgs {
    /// Where the log goes; it is appended to
    #[arg(
        long = "log-file",
        value_name = "FILE",
        default_value = "logs/app.log",
        env = "ACTIVITY_TRACKER_LOG_FILE"
    )]
    pub(crate) file: PathBuf,

    /// How much is logged
    #[arg(
        long = "log-level",
        value_name = "LEVEL",
        default_value = "info",
        env = "ACTIVITY_TRACKER_LOG_LEVEL"
    )]
    pub(crate) level: LogLevel,

    /// How a line of the log looks
    #[arg(long = "log-format", value_name = "FORMAT", default_value = "text")]
    pub(crate) format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct SampleApiArgs {
    /// Where to listen on 127.0.0.1; 0 takes a free port
    #[arg(long, default_value_t = 4000)]
    pub(crate) port: u16,

    /// How many users there are
    #[arg(long, value_name = "N", default_value_t = Sample::default().users)]
    users: u64,

    /// How many posts there are
    #[arg(long, value_name = "N", default_value_t = Sample::default().posts)]
    posts: u64,

    /// How many comments there are
    #[arg(long, value_name = "N", default_value_t = Sample::default().comments)]
    comments: u64,

    /// Wait before each answer
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    latency: Duration,

    /// The same seed gives the same data
    #[arg(long, value_name = "N", default_value_t = Sample::default().seed)]
    seed: u64,
}

/// The data directory. Those who write to it, or read something else than the snapshot, say so in
/// its help.
#[derive(Debug, Args)]
pub(crate) struct DataDir {
    /// Where the snapshot is
    #[arg(
        id = "data_dir",
        long = "data-dir",
        value_name = "DIR",
        default_value = "data",
        env = "ACTIVITY_TRACKER_DATA_DIR"
    )]
    pub(crate) path: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) data_dir: DataDir,

    /// Compare the indexes of the history with its tables too, which takes longer
    #[arg(long)]
    pub(crate) full: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    #[arg(long)]
    pub(crate) email_domain: EmailDomain,

    /// As JSON
    #[arg(long, value_parser = mappings)]
    pub(crate) mappings: Mappings,

    /// Note down each record for the history
    #[arg(long)]
    pub(crate) history: bool,
}

fn mappings(text: &str) -> Result<Mappings, serde_json::Error> {
    serde_json::from_str(text)
}

impl PatienceArgs {
    /// How to talk to the servers of this source.
    ///
    /// # Errors
    /// When there is a file of authorities and they cannot be had from it.
    pub(crate) fn transport(&self, source: &Source) -> Result<Transport, Error> {
        Ok(Transport {
            timeout: self.timeout,
            max_body: self.max_body.as_u64(),
            authorities: self.ca_file.as_deref().map(authorities).transpose()?,
            proxy: !is_loopback(&source.base_url),
        })
    }
}

impl SampleApiArgs {
    pub(crate) fn sample(&self) -> Sample {
        let Self {
            users,
            posts,
            comments,
            latency,
            seed,
            ..
        } = *self;
        Sample {
            users,
            posts,
            comments,
            seed,
            latency,
        }
    }
}

fn authorities(file: &Path) -> Result<Authorities, Error> {
    let shown = file.display().to_string();
    let wrong = |reason: &dyn Display| {
        let shown = Printable(&shown);
        Error::Usage(format!("cannot use the CA file {shown}: {reason}"))
    };
    let text = regular_file::read(file, LONGEST_CA_FILE).map_err(|error| wrong(&error))?;
    Authorities::from_pem(&text).map_err(|error| wrong(&error))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a time such as 30s, 5min or 50ms".to_owned();
    let span: Span = text.parse().map_err(|_| expected())?;
    if span.get_years() != 0 || span.get_months() != 0 {
        let problem =
            "years and months are not all of one length: expected a time such as 7d or 6h";
        return Err(problem.to_owned());
    }
    // Nothing is said of a place, so no clock is set there meanwhile.
    let signed = span.to_duration(SpanRelativeTo::days_are_24_hours());
    let time = Duration::try_from(signed.map_err(|_| expected())?).map_err(|_| expected())?;
    // Longer than any wait can be meant, and short enough for every clock.
    if time > LONGEST {
        return Err("expected at most 30 days".to_owned());
    }
    Ok(time)
}

pub(crate) fn size(text: &str) -> Result<ByteSize, String> {
    match text.parse() {
        Ok(ByteSize(0)) => Err("expected more than nothing".to_owned()),
        Ok(size) => Ok(size),
        Err(_) => Err("expected a size such as 500kB, 10MiB or 4GiB".to_owned()),
    }
}

/// A number of things of which there must be one.
pub(crate) fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse() {
        Ok(number) => NonZeroUsize::new(number).ok_or_else(|| "expected at least 1".to_owned()),
        Err(_) => Err("expected a number, 1 or more".to_owned()),
    }
}

/// The most worker processes: each has a thread that hands it its tasks.
const MOST_WORKERS: usize = 1000;

/// How many worker processes there may be.
pub(crate) fn workers(text: &str) -> Result<NonZeroUsize, String> {
    match at_least_one(text)? {
        number if number.get() > MOST_WORKERS => Err(format!("expected at most {MOST_WORKERS}")),
        number => Ok(number),
    }
}

const LONGEST: Duration = Duration::from_hours(30 * 24);

pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("expected more than no time".to_owned()),
        time => Ok(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use activity_tracker::api::Quota;
    use activity_tracker::settings::Settings;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_read_with_their_units() {
        let cases = [
            ("30s", Some(30_000)),
            ("5min", Some(300_000)),
            ("5 m", Some(300_000)),
            ("50ms", Some(50)),
            ("1h 30m", Some(5_400_000)),
            ("0s", Some(0)),
            ("30", None),
            ("-1s", None),
            ("soon", None),
            ("720h", Some(2_592_000_000)),
            ("1d", Some(86_400_000)),
            ("2 days, 12h", Some(216_000_000)),
            ("1w", Some(604_800_000)),
            ("4w 2d", Some(2_592_000_000)),
            ("P1DT12H", Some(129_600_000)),
            ("1.5h", Some(5_400_000)),
            ("4w 2d 1ns", None),
            ("-1d", None),
            ("1d ago", None),
            ("1mo", None),
            ("1y", None),
            ("1y 1d", None),
            ("1.5d", None),
            ("9223372036854775807s", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let found = duration(text).ok().map(|time| time.as_millis());
            assert_eq!(found, expected, "{text:?}");
        }
        assert!(positive_duration("0s").is_err());
    }

    #[test]
    fn the_sizes_that_the_help_names_are_the_defaults() {
        let bytes = |text: &str| size(text).unwrap().as_u64();
        assert_eq!(bytes("4MiB"), Settings::MAX_RECORD);
        assert_eq!(bytes("4GiB"), Transport::default().max_body);
        assert_eq!(bytes("1TiB"), Quota::default().bytes);
    }

    #[test]
    fn sizes_are_read_with_their_units() {
        let cases = [
            ("500kB", Some(500_000)),
            ("10MiB", Some(10 << 20)),
            ("4GiB", Some(4 << 30)),
            ("1.5 MB", Some(1_500_000)),
            ("1000", Some(1000)),
            ("0", None),
            ("0kB", None),
            ("0.1B", None),
            ("-1", None),
            ("-1kB", None),
            ("much", None),
            ("NaN", None),
            ("infMB", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let found = size(text).ok().map(|size| size.as_u64());
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
