//! The user-visible names in the data directory: links that go through the link of their flow.
//!
//! Only a link with exactly the text that a run gives it counts as made by a run. Anything else at
//! such a name is never followed, and is replaced when a snapshot has a file of that name.

use std::path::{Path, PathBuf};

use crate::storage::StorageError;

use super::disk::{self, At, Folder};
use super::output::{Flow, is_public};
use super::workspace::{Folders, SNAPSHOTS};

/// The text of the link with a name.
fn target(flow: Flow, name: &str) -> String {
    format!("{SNAPSHOTS}/{}/{name}", flow.name())
}

/// Whether a link made by a run is at this name.
pub(super) fn is_ours(data_dir: &Path, flow: Flow, name: &str) -> bool {
    disk::at(&data_dir.join(name)) == At::Link(Some(target(flow, name)))
}

/// Checks that links can be created at these names.
///
/// # Errors
/// If one of them is a folder.
pub(super) fn expect_room(folders: &Folders, names: &[&str]) -> Result<(), StorageError> {
    let mut places = names.iter().map(|name| folders.data_dir.join(name));
    match places.find(|place| disk::at(place) == At::Folder) {
        Some(place) => {
            let cause = std::io::ErrorKind::IsADirectory.into();
            Err(StorageError::io("put in place", &place)(cause))
        }
        None => Ok(()),
    }
}

/// Creates the missing links. Returns whether any were missing.
pub(super) fn add(folders: &Folders, names: &[&str]) -> Result<bool, StorageError> {
    let mut added = false;
    for name in names {
        let place = folders.data_dir.join(name);
        if disk::at(&place) == At::Nothing {
            disk::make_link(&target(folders.flow, name), &place)?;
            added = true;
        }
    }
    Ok(added)
}

/// Replaces whatever else is at these names with a link. Returns whether anything was replaced.
pub(super) fn replace(folders: &Folders, names: &[impl AsRef<str>]) -> Result<bool, StorageError> {
    let mut replaced = false;
    for name in names.iter().map(AsRef::as_ref) {
        if !is_ours(&folders.data_dir, folders.flow, name) {
            let staged = folders.staging().join(format!("{name}.link"));
            // From an earlier attempt.
            disk::remove_file(&staged)?;
            disk::make_link(&target(folders.flow, name), &staged)?;
            disk::rename(&staged, &folders.data_dir.join(name))?;
            replaced = true;
        }
    }
    Ok(replaced)
}

/// Removes the links that runs made at all other names. Returns whether there were any.
pub(super) fn remove_others(
    folders: &Folders,
    names: &[impl AsRef<str>],
) -> Result<bool, StorageError> {
    let Some(data_dir) = Folder::open(&folders.data_dir)? else {
        return Ok(false);
    };
    let mut removed = false;
    for entry in data_dir.entries()? {
        let Some(name) = entry.name.to_str().filter(|_| !entry.is_folder) else {
            continue;
        };
        let is_kept = names.iter().any(|kept| kept.as_ref() == name);
        if !is_kept && is_ours(&folders.data_dir, folders.flow, name) {
            data_dir.remove_file(&entry.name)?;
            removed = true;
        }
    }
    Ok(removed)
}

/// The names without the link of a run: something else is there, or nothing.
pub(super) fn wrong(data_dir: &Path, flow: Flow, names: &[String]) -> Vec<PathBuf> {
    let wrong = names
        .iter()
        .filter(|name| is_public(name) && !is_ours(data_dir, flow, name));
    wrong.map(|name| data_dir.join(name)).collect()
}
