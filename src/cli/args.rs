//! Options shared by several commands, and the settings made from them.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use activity_tracker::error::Error;
use activity_tracker::fetch::{Authorities, Policy, Transport};
use activity_tracker::regular_file;
use activity_tracker::source::Source;
use activity_tracker::text::Printable;
use bytesize::ByteSize;
use clap::{Args, ValueEnum};

use crate::cli::values::{positive_duration, size, small_number};

/// The maximum size of a CA file in bytes; a system's own is about 250 kB.
const LONGEST_CA_FILE: u64 = 16 << 20;

#[derive(Debug, Args)]
pub(crate) struct NetworkArgs {
    /// Timeout for connecting, for the response headers and between two reads; also the longest
    /// time for each 1 KiB of the body
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = positive_duration)]
    timeout: Duration,

    /// Maximum response size, decompressed: 500kB, 10MiB, 4GiB
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = size)]
    max_body: ByteSize,

    /// Trust the certificate authorities in this PEM file, and no others
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Maximum retries of a request after a transient failure
    #[arg(long, value_name = "N", default_value_t = Policy::default().retries, value_parser = small_number)]
    pub(crate) retries: u32,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogArgs {
    /// Append the log to this file
    #[arg(
        long = "log-file",
        value_name = "FILE",
        default_value = "logs/app.log",
        env = "ACTIVITY_TRACKER_LOG_FILE"
    )]
    pub(crate) file: PathBuf,

    /// Log level
    #[arg(
        long = "log-level",
        value_name = "LEVEL",
        default_value = "info",
        env = "ACTIVITY_TRACKER_LOG_LEVEL"
    )]
    pub(crate) level: LogLevel,

    /// Log format
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

/// The data directory; commands may replace the help of this option.
#[derive(Debug, Args)]
pub(crate) struct DataDir {
    /// The data directory
    #[arg(
        id = "data_dir",
        long = "data-dir",
        value_name = "DIR",
        default_value = "data",
        env = "ACTIVITY_TRACKER_DATA_DIR"
    )]
    pub(crate) path: PathBuf,
}

impl NetworkArgs {
    /// The connection settings for this source.
    ///
    /// # Errors
    /// When the CA file cannot be read, or holds no usable certificate.
    pub(crate) fn transport(&self, source: &Source) -> Result<Transport, Error> {
        Ok(Transport {
            timeout: self.timeout,
            max_body: self.max_body.as_u64(),
            authorities: self.ca_file.as_deref().map(authorities).transpose()?,
            ..Transport::of(source)
        })
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
