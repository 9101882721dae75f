//! The log: one file, one line per event, times in RFC 3339 (UTC).

use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Mutex;

use activity_tracker::error::{Error, StorageError, chain};
use activity_tracker::storage::Readers;
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::{Span, error_span};
use tracing_subscriber::fmt;

use crate::cli::args::{LogArgs, LogFormat, LogLevel};

/// Opens the log file and sends all events of the program to it.
///
/// # Errors
/// When the file or its folder cannot be created or opened.
pub(crate) fn start(args: &LogArgs, readers: Readers) -> Result<(), StorageError> {
    let path = &args.file;
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(readers.folder_mode())
        .create(folder)
        .map_err(StorageError::io("create the log folder", folder))?;
    let file = File::options()
        .append(true)
        .create(true)
        // The log quotes rejected records.
        .mode(readers.file_mode())
        .open(path)
        .map_err(StorageError::io("open the log file", path))?;
    let log = fmt::Subscriber::builder()
        .with_max_level(filter(args.level))
        .with_ansi(false)
        // On a full disk, errors of the log itself would fill the terminal.
        .log_internal_errors(false)
        .with_target(false)
        .with_writer(Mutex::new(file));
    match args.format {
        LogFormat::Text => log.init(),
        LogFormat::Json => {
            let log = log.json().flatten_event(true).with_span_list(false);
            log.init();
        }
    }
    Ok(())
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// A span for one run. The run records its id in it, and every log line in it shows both. It has
/// the highest level, so that no `--log-level` omits it.
pub(crate) fn run_span(async_flow: bool) -> Span {
    let flow = if async_flow { "async" } else { "main" };
    error_span!("run", id = Empty, flow)
}

/// Logs the error that ended the run, with its causes.
pub(crate) fn log_error(error: &Error) {
    tracing::error!(exit_code = error.exit_code(), "{}", chain(error));
}
