//! The command `verify`: checks the files against the manifest, and the history.

use std::fmt::Write;
use std::path::PathBuf;

use activity_tracker::concurrency::Stop;
use activity_tracker::error::{Error, HistoryError, StorageError};
use activity_tracker::history::Depth;
use activity_tracker::text::{Printable, count, grouped};
use activity_tracker::{history, storage};
use clap::Args;

use crate::cli::args::DataDir;
use crate::cli::catch_up::catch_up;
use crate::cli::help;
use crate::cli::printing::print_text;

const EXAMPLES: &str = "\
activity-tracker verify
activity-tracker verify --full --data-dir /var/lib/activity-tracker/data";

#[derive(Debug, Args)]
#[command(after_help = help::sections([("Examples", EXAMPLES)]))]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) data_dir: DataDir,

    /// Also check the indexes of the history against its tables, and the checksums of earlier
    /// snapshots, of which only the lengths of the files are checked otherwise (slower)
    #[arg(long)]
    pub(crate) full: bool,
}

/// Verifies the snapshots and the history of a data directory, and prints which runs wrote them.
///
/// # Errors
/// When a file is damaged or missing, or there is no snapshot.
pub(crate) fn run(args: &VerifyArgs) -> Result<(), Error> {
    // Damage is printed below, together with what is intact.
    let step = match catch_up(&args.data_dir.path) {
        Err(Error::History(damaged)) if damaged.is_of_step() => Some(damaged),
        Err(Error::History(HistoryError::Damaged { .. })) => None,
        done => done.map(|()| None)?,
    };
    let mut text = String::new();
    let mut first_damaged = None;
    for verified in storage::verify(&args.data_dir.path)? {
        let manifest = &verified.snapshot.manifest;
        let state = if verified.damaged.is_empty() {
            "ok"
        } else {
            "damaged"
        };
        let files = count(manifest.files.len() as u64, "file");
        let (run, source) = (Printable(&manifest.run), Printable(&manifest.source));
        let finished = manifest.finished_at.strftime("%Y-%m-%d %H:%M:%S UTC");
        let name = &verified.name;
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{name}: {state}, {files}; run {run} of {source}, {finished}"
        );
        for (resource, counts) in &manifest.resources {
            let (records, rejects) = (count(counts.records, "record"), grouped(counts.rejects));
            let _ = writeln!(text, "  {resource}: {records}, {rejects} rejected");
        }
        for path in &verified.damaged {
            let _ = writeln!(text, "  damaged or missing: {}", path.display());
        }
        first_damaged = first_damaged.or(verified.damaged.into_iter().next());
    }
    first_damaged = first_damaged.or(earlier(args, &mut text)?);
    let history = history(args, &mut text)?;
    if let Some(HistoryError::Damaged { reason, .. }) = &step {
        let _ = writeln!(text, "{}: damaged: {}", history::STEP, Printable(reason));
    }
    print_text(&text)?;
    match (first_damaged, history.or(step)) {
        (Some(file), _) => Err(StorageError::Damaged(file).into()),
        (None, Some(damaged)) => Err(damaged.into()),
        (None, None) => Ok(()),
    }
}

/// Adds the state of earlier snapshots to the text. Returns the first damaged file.
fn earlier(args: &VerifyArgs, text: &mut String) -> Result<Option<PathBuf>, Error> {
    let mut first = None;
    for earlier in storage::verify_earlier(&args.data_dir.path, args.full)? {
        let state = match (earlier.damaged.is_empty(), args.full) {
            (true, true) => "ok",
            (true, false) => "kept, checksums not checked",
            (false, _) => "damaged",
        };
        let files = earlier
            .files
            .map(|files| format!(", {}", count(files as u64, "file")));
        let name = earlier.name.display();
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name}: {state}{}", files.unwrap_or_default());
        for path in &earlier.damaged {
            let _ = writeln!(text, "  damaged or missing: {}", path.display());
        }
        first = first.or(earlier.damaged.into_iter().next());
    }
    Ok(first)
}

/// Adds the state of the history, if there is one, to the text. Returns what is wrong with it.
fn history(args: &VerifyArgs, text: &mut String) -> Result<Option<HistoryError>, Error> {
    let data_dir = &args.data_dir.path;
    let depth = if args.full { Depth::Full } else { Depth::Quick };
    let Some(checked) = history::check(data_dir, depth, &Stop::new())? else {
        return Ok(None);
    };
    // Writing to a string does not fail.
    let Some(reason) = checked.damage else {
        let runs = count(checked.runs, "run");
        let _ = writeln!(text, "{}: ok, {runs}", history::FILE);
        let Some(run) = history::lacks(data_dir)? else {
            return Ok(None);
        };
        let _ = writeln!(text, "  missing: run {}", Printable(&run));
        let path = data_dir.join(history::FILE);
        return Ok(Some(HistoryError::OtherRun { path, run }));
    };
    let _ = writeln!(text, "{}: damaged: {}", history::FILE, Printable(&reason));
    let path = data_dir.join(history::FILE);
    Ok(Some(HistoryError::Damaged { path, reason }))
}
