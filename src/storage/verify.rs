//! Whether a data directory holds whole snapshots: sizes and checksums of all files.

use std::path::{Path, PathBuf};

use crate::error::{Error, StorageError};

use super::disk::{self, DiskFile};
use super::manifest::Manifest;
use super::output::Flow;
use super::stage;
use super::stored_file::{StoredFile, is_plain};

/// What was found out about one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What its manifest says.
    pub manifest: Manifest,
    /// The manifest's name.
    pub name: String,
    /// The files that are not as the manifest says, or not there.
    pub damaged: Vec<PathBuf>,
}

/// Holds the files of each snapshot in `data_dir` against its manifest.
///
/// A commit that was cut off half-way is finished first.
///
/// # Errors
/// When a file cannot be read, or there is no snapshot.
pub fn verify(data_dir: &Path) -> Result<Vec<Verified>, Error> {
    stage::settle(data_dir)?;
    let mut found = Vec::new();
    for flow in [Flow::Main, Flow::Async] {
        let Some(mut verified) = verify_flow(data_dir, flow)? else {
            continue;
        };
        if !verified.damaged.is_empty() {
            // A run may have put a new snapshot in place meanwhile.
            verified = verify_flow(data_dir, flow)?.unwrap_or(verified);
        }
        found.push(verified);
    }
    if found.is_empty() {
        return Err(StorageError::NoSnapshot(data_dir.to_owned()).into());
    }
    Ok(found)
}

fn verify_flow(data_dir: &Path, flow: Flow) -> Result<Option<Verified>, StorageError> {
    let name = flow.file_name("manifest");
    let path = data_dir.join(&name);
    let Some(bytes) = disk::read(&path)? else {
        return Ok(None);
    };
    let manifest: Manifest =
        serde_json::from_slice(&bytes).map_err(|error| StorageError::unsound(&path, &error))?;
    let mut damaged = Vec::new();
    for file in &manifest.files {
        if !is_whole(data_dir, file)? {
            damaged.push(data_dir.join(&file.name));
        }
    }
    Ok(Some(Verified {
        manifest,
        name,
        damaged,
    }))
}

/// Whether a file is there and as its manifest says. A link to such a file is none.
///
/// # Errors
/// When it is there and cannot be read.
pub fn is_whole(data_dir: &Path, stored: &StoredFile) -> Result<bool, StorageError> {
    let path = data_dir.join(&stored.name);
    if !is_plain(&stored.name) || !disk::is_file(&path) {
        return Ok(false);
    }
    let mut file = DiskFile::open(&path)?;
    let (mut hasher, mut bytes) = (blake3::Hasher::new(), 0);
    file.each_piece(|piece| {
        hasher.update(piece);
        bytes += piece.len() as u64;
        Ok::<_, StorageError>(())
    })?;
    Ok(bytes == stored.bytes && hasher.finalize().to_hex().as_str() == stored.blake3)
}
