//! Verifies the snapshots of a data directory: sizes and checksums of all files.

use std::path::{Path, PathBuf};

use crate::storage::StorageError;

use super::disk::{self, At, DiskFile};
use super::manifest::{Manifest, read_json};
use super::names;
use super::output::Flow;
use super::snapshots::{self, StoredSnapshot};
use super::stage;
use super::stored_file::{StoredFile, is_plain};
use super::workspace::SNAPSHOTS;

/// The result of verifying one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The snapshot.
    pub snapshot: StoredSnapshot,
    /// The manifest's name.
    pub name: String,
    /// The files that are missing or do not match the manifest.
    pub damaged: Vec<PathBuf>,
}

/// Verifies the files of the current snapshot of each flow in `data_dir` against its manifest, and
/// checks that the names in the data directory lead to them.
///
/// An interrupted commit is finished or undone first.
///
/// # Errors
/// If a file cannot be read, or there is no snapshot.
pub fn verify(data_dir: &Path) -> Result<Vec<Verified>, StorageError> {
    stage::settle(data_dir)?;
    let mut found = Vec::new();
    for flow in Flow::BOTH {
        while let Some(snapshot) = StoredSnapshot::current(data_dir, flow)? {
            let verified = Verified::of(data_dir, snapshot, flow)?;
            // A run may have committed meanwhile and removed the folder.
            let stands = verified.damaged.is_empty()
                || StoredSnapshot::current(data_dir, flow)?.as_ref() == Some(&verified.snapshot);
            if stands {
                found.push(verified);
                break;
            }
        }
    }
    if found.is_empty() {
        return Err(StorageError::NoSnapshot(data_dir.to_owned()));
    }
    Ok(found)
}

/// The result of verifying an earlier snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedEarlier {
    /// Its folder, relative to the data directory.
    pub name: PathBuf,
    /// How many files its manifest lists; `None` if that cannot be read.
    pub files: Option<usize>,
    /// The files that are missing or do not match the manifest.
    pub damaged: Vec<PathBuf>,
}

/// Verifies the earlier snapshots that are kept against their manifests, the newest one first: the
/// sizes of their files, and their checksums only if `full`.
///
/// # Errors
/// If a file cannot be read.
pub fn verify_earlier(data_dir: &Path, full: bool) -> Result<Vec<VerifiedEarlier>, StorageError> {
    let mut found = Vec::new();
    for earlier in snapshots::earlier(data_dir)? {
        let name = Path::new(SNAPSHOTS).join(&earlier.run);
        let folder = data_dir.join(&name);
        let manifest = folder.join(earlier.flow.file_name("manifest"));
        let stored = earlier.manifest;
        if stored.is_none() && disk::at(&manifest) == At::Nothing {
            // A concurrent run has removed it.
            continue;
        }
        let mut damaged = Vec::new();
        if stored.is_none() {
            damaged.push(manifest.clone());
        }
        for file in stored.iter().flat_map(|manifest| &manifest.files) {
            let is_sound = if full {
                is_whole(&folder, file)?
            } else {
                is_plain(&file.name) && disk::length(&folder.join(&file.name)) == Some(file.bytes)
            };
            if !is_sound {
                damaged.push(folder.join(&file.name));
            }
        }
        if !damaged.is_empty() && disk::at(&manifest) == At::Nothing {
            continue;
        }
        found.push(VerifiedEarlier {
            name,
            files: stored.map(|manifest| manifest.files.len()),
            damaged,
        });
    }
    Ok(found)
}

impl Verified {
    fn of(data_dir: &Path, snapshot: StoredSnapshot, flow: Flow) -> Result<Self, StorageError> {
        let name = flow.file_name("manifest");
        let mut damaged = Vec::new();
        for file in &snapshot.manifest.files {
            if !is_whole(&snapshot.folder, file)? {
                damaged.push(snapshot.path(file));
            }
        }
        if snapshot.folder != data_dir {
            // A file with the same bytes is as good as a link, and the next run makes it one.
            let is_copy = |path: &PathBuf| is_copy(&snapshot, data_dir, path);
            let wrong = names::wrong(data_dir, flow, &snapshot.names(flow)).into_iter();
            damaged.extend(wrong.filter(|path| !is_copy(path)));
        }
        Ok(Self {
            snapshot,
            name,
            damaged,
        })
    }
}

/// Whether a file of the data directory has the same contents as the snapshot's file of that name.
fn is_copy(snapshot: &StoredSnapshot, data_dir: &Path, path: &Path) -> bool {
    let files = &snapshot.manifest.files;
    match files.iter().find(|file| data_dir.join(&file.name) == path) {
        Some(file) => is_whole(data_dir, file).unwrap_or_default(),
        None => read_json(path).is_some_and(|manifest: Manifest| manifest == snapshot.manifest),
    }
}

/// Whether the names in the data directory lead to the files of its current snapshot.
#[must_use]
pub fn names_stand(data_dir: &Path, snapshot: &StoredSnapshot) -> bool {
    let flow = snapshot.manifest.flow;
    let stand = || names::wrong(data_dir, flow, &snapshot.names(flow)).is_empty();
    snapshot.folder == data_dir || stand()
}

/// Whether a file exists and matches its manifest entry. A link to such a file does not count.
///
/// # Errors
/// If it exists and cannot be read.
pub fn is_whole(folder: &Path, stored: &StoredFile) -> Result<bool, StorageError> {
    let path = folder.join(&stored.name);
    if !is_plain(&stored.name) || disk::at(&path) != At::File {
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
