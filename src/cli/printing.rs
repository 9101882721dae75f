//! Printing: data to stdout, everything for people to stderr, where it may be closed.

use std::error::Error as _;
use std::fmt::{Display, Write as _};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use activity_tracker::error::{Error, chain};
use activity_tracker::pipeline::RunOutcome;
use activity_tracker::report::json;
use activity_tracker::source::InvalidSource;
use activity_tracker::text::Printable;
use annotate_snippets::Renderer;
use anstyle::{AnsiColor, Style};

use crate::cli::diagnostics;
use crate::cli::run_summary::{RunSummary, lacks_run};
use crate::cli::wrap::{stderr_width, stdout_width, wrap};

/// Whether a thread has begun to print how the program ends.
static END_PRINTED: AtomicBool = AtomicBool::new(false);

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default();
const HEAD: Style = Style::new().bold();

/// How the outcome of a run is printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunOutput<'a> {
    /// Print the summary as JSON to stdout.
    pub(crate) json: bool,
    /// Print only warnings about lost data to stderr.
    pub(crate) quiet: bool,
    /// Also list the files.
    pub(crate) verbose: bool,
    /// The log file.
    pub(crate) log: &'a Path,
}

/// Prints the outcome of a run: for scripts to stdout, for people to stderr.
///
/// # Errors
/// When stdout cannot be written to.
pub(crate) fn print_run(report: &RunOutcome, output: RunOutput<'_>) -> Result<(), Error> {
    if output.json {
        print_json(report)?;
    }
    if output.quiet {
        let set_aside = report.recorded.iter().flat_map(|it| &it.set_aside);
        set_aside.for_each(|aside| print_note(&format!("warning: {aside}")));
        let lacks = report.recorded.iter().filter_map(|it| it.lacks.as_ref());
        lacks.for_each(|run| print_note(&format!("warning: history: {}", lacks_run(run))));
    } else {
        let summary = RunSummary {
            report,
            log: output.log,
            verbose: output.verbose,
        };
        print_to_stderr(&summary.to_string());
    }
    Ok(())
}

fn print_json(report: &RunOutcome) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    let printed = json::print(&mut out, &report.summary).and_then(|()| out.flush());
    ignore_closed_pipe(printed).map_err(Error::PrintSummary)
}

/// Prints the result of a command to stdout, wrapped for a terminal.
///
/// # Errors
/// When stdout cannot be written to.
pub(crate) fn print_text(text: &str) -> Result<(), Error> {
    print_verbatim(&wrap(text, stdout_width()))
}

/// Prints the result of a command to stdout as it is; anstream strips colours where they are not
/// wanted.
///
/// # Errors
/// When stdout cannot be written to.
pub(crate) fn print_verbatim(text: &str) -> Result<(), Error> {
    let mut out = anstream::stdout().lock();
    stdout_result(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// The result of a command that wrote to stdout.
///
/// # Errors
/// When stdout cannot be written to.
pub(crate) fn stdout_result(written: io::Result<()>) -> Result<(), Error> {
    ignore_closed_pipe(written).map_err(Error::Print)
}

/// A reader that closes the pipe has read all it wants: that is no error.
fn ignore_closed_pipe(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// True for the first caller: only one thread prints how the program ends.
pub(crate) fn first_to_print_end() -> bool {
    !END_PRINTED.swap(true, Ordering::SeqCst)
}

/// Prints the error that ends the program: what failed, why, and what to do.
pub(crate) fn print_error(error: &Error) {
    if !first_to_print_end() {
        return;
    }
    if let Error::Source(InvalidSource::Mistake(mistake)) = error {
        let shown = diagnostics::render(mistake, &Renderer::styled());
        let _ = writeln!(anstream::stderr().lock(), "{shown}");
        return;
    }
    let mut text = format!("{ERROR}error{ERROR:#}: {}\n", Printable(&error.to_string()));
    if let Some(cause) = unquoted_cause(error) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  cause: {cause}");
    }
    if let Some(hint) = error.hint() {
        let _ = writeln!(text, "  {HINT}try{HINT:#}: {hint}");
    }
    print_to_stderr(&text);
}

/// The causes that the error's own message does not quote.
fn unquoted_cause(error: &Error) -> Option<String> {
    let message = error.to_string();
    let mut cause = error.source()?;
    while message.contains(&cause.to_string()) {
        cause = cause.source()?;
    }
    Some(chain(cause))
}

/// Prints a note to stderr, escaped.
pub(crate) fn print_note(text: &str) {
    print_to_stderr(&format!("{}\n", Printable(text)));
}

/// Prints a question to stderr; the reply is typed after it.
pub(crate) fn print_prompt(question: &str) {
    let mut out = anstream::stderr().lock();
    let _ = write!(out, "{question}").and_then(|()| out.flush());
}

/// Prints a line to stderr that is safe to show and may have colours.
pub(crate) fn print_line(line: &impl Display) {
    print_to_stderr(&format!("{line}\n"));
}

/// Prints the address of the sample API, and a command for it: another one if time moves there.
pub(crate) fn print_sample_api(base_url: &str, moves: bool) {
    let (command, every) = if moves {
        ("watch", " --every 5s")
    } else {
        ("run", "")
    };
    print_to_stderr(&format!(
        "{HEAD}Serving the sample API{HEAD:#} at {base_url} (/users, /posts, /comments); \
         press Ctrl-C to stop\n\
         {HINT}try{HINT:#}: activity-tracker {command} sample --var base={base_url}{every}\n"
    ));
}

/// Prints the address of the report.
pub(crate) fn print_serving(url: &str, data_dir: &Path) {
    let folder = data_dir.display().to_string();
    let folder = Printable(&folder);
    print_to_stderr(&format!(
        "{HEAD}Serving the report{HEAD:#} for {folder} at {url} ({url}runs, {url}metrics); \
         press Ctrl-C to stop\n"
    ));
}

fn print_to_stderr(text: &str) {
    let text = wrap(text, stderr_width());
    // Nobody can be told that stderr is closed.
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}
