//! Files that version 0 of the program left in the data directory itself, and copies of a data
//! directory in which links became files: they are converted to an ordinary snapshot.
//!
//! The bytes at each name are the same before, during and after the conversion. The manifest is the
//! first one to become a link: as long as it is a file, all of them are read where they are.

use tracing::info;

use crate::storage::StorageError;

use super::disk::{self, At};
use super::names;
use super::readers::Readers;
use super::snapshots::{self, StoredSnapshot, point_at};
use super::workspace::Folders;

/// Converts the files in the data directory itself to a snapshot, for the run `by`.
pub(super) fn take_over(folders: &Folders, readers: Readers, by: &str) -> Result<(), StorageError> {
    let (data_dir, flow) = (&folders.data_dir, folders.flow);
    if snapshots::folder_of(data_dir, flow).as_ref() != Some(data_dir) {
        return Ok(());
    }
    let Some(found) = StoredSnapshot::last(data_dir, flow) else {
        return Ok(());
    };
    let run = snapshots::name_for(&found.manifest.run, data_dir, by);
    info!(run, "the last snapshot gets a folder of its own");
    let all = folders.snapshots();
    let folder = all.join(&run);
    disk::create_own_folder(&folder)?;
    readers.of_folder(&folder)?;
    let manifest = flow.file_name("manifest");
    let mut names = found.names(flow);
    names.retain(|name| *name != manifest);
    let files = names
        .iter()
        .filter(|name| disk::at(&data_dir.join(name)) == At::File);
    for name in files {
        disk::keep(&data_dir.join(name), &folder.join(name))?;
    }
    disk::sync_folder(&folder)?;
    // The manifest makes it a snapshot.
    disk::keep(&data_dir.join(&manifest), &folder.join(&manifest))?;
    disk::sync_folder(&folder)?;
    disk::sync_folder(&all)?;
    point_at(folders, &run)?;
    // `.snapshots` itself may be new, and the next links lead through it.
    disk::sync_folder(data_dir)?;
    names::replace(folders, &[&manifest])?;
    disk::sync_folder(data_dir)?;
    names::replace(folders, &names)?;
    disk::sync_folder(data_dir)
}
