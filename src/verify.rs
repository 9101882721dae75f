//! `activity-tracker verify`: whether the files are those that a run put there.

use std::fmt::Write;

use activity_tracker::concurrency::Stop;
use activity_tracker::error::{Error, StorageError};
use activity_tracker::text::{Printable, count};
use activity_tracker::{history, storage};

use crate::cli::VerifyArgs;
use crate::printing::print_text;

/// Verifies the snapshots of a data directory and prints which runs they are of.
///
/// # Errors
/// When a file is not as its manifest says, or there is no snapshot.
pub(crate) fn run(args: &VerifyArgs) -> Result<(), Error> {
    history::bring_up(&args.data_dir.path, &Stop::new())?;
    let mut text = String::new();
    let mut first_damaged = None;
    for verified in storage::verify(&args.data_dir.path)? {
        let manifest = &verified.manifest;
        let state = if verified.damaged.is_empty() {
            "whole"
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
            let (records, rejects) = (count(counts.records, "record"), counts.rejects);
            let _ = writeln!(text, "  {resource}: {records}, {rejects} rejected");
        }
        for path in &verified.damaged {
            let _ = writeln!(text, "  damaged or missing: {}", path.display());
        }
        first_damaged = first_damaged.or(verified.damaged.into_iter().next());
    }
    print_text(&text)?;
    match first_damaged {
        Some(path) => Err(StorageError::Damaged(path).into()),
        None => Ok(()),
    }
}
