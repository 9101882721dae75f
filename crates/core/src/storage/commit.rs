//! Makes a snapshot the current one with a single rename of a symbolic link.
//!
//! The files of a run are written and synced in their own folder. That folder is moved to its place
//! among the snapshots. Then the link of the flow is replaced by one that points to it. Before that
//! rename no reader sees any part of the new snapshot; after it every reader sees all of it.
//!
//! The steps after the rename ([`finish`], [`settled`]) are idempotent: if a run is killed, the
//! next process that opens the data directory repeats them. A link in the staging folder,
//! [`COMMITTING`], shows that a commit is pending, and of which run. If the link of the flow does
//! not name that run, the run is not committed, and its folder is removed.
//!
//! After a power failure, any of the names that were not synced may be missing. So the order in
//! which names are synced is part of the protocol, and all of it is in this file:
//!
//! | what is synced | before | otherwise |
//! | --- | --- | --- |
//! | the folder of the new files | it is moved | files of the snapshot may be missing |
//! | the data directory's own name, and the folders above it, if this is its first snapshot | the rename | a run that reported success may have left nothing |
//! | staging folder, work folder, data directory ([`Folders::sync_names`]) | the folder is moved, and before [`COMMITTING`] is acted on | a folder that was never committed looks like an earlier snapshot |
//! | data directory | the rename, if there are new names | a name may be missing |
//! | `.snapshots` | the rename, and before [`COMMITTING`] is acted on | the link is dangling |
//! | `.snapshots` | any step after the rename | links are gone or the history is updated, while the old snapshot is the current one |
//! | data directory, spool | [`COMMITTING`] is removed | a dangling link remains, or pages of the snapshot look like those of an unfinished run |
//!
//! File contents are synced where they are written. `tests/it/power_cuts/mod.rs` simulates a power
//! failure at each call.

use std::path::PathBuf;

use tracing::{error, info, warn};

use super::NEXT_CHANGES_FILE;
use super::error::StorageError;

use super::disk::{self, At};
use super::names;
use super::output::Flow;
use super::readers::Readers;
use super::snapshots::{self, StoredSnapshot, point_at};
use super::take_over::take_over;
use super::version_0;
use super::workspace::{COMMITTING, Folders, NEXT};

impl Folders {
    /// Syncs all names that lead from the data directory to what is staged. On a journaling file
    /// system the first sync writes the journal, and the others have little to do.
    pub(super) fn sync_names(&self) -> Result<(), StorageError> {
        for folder in [&self.staging(), &self.root, &self.data_dir] {
            disk::sync_folder(folder)?;
        }
        Ok(())
    }

    /// Syncs the data directory's own name and the folders above it: a killed run may have created
    /// them. Once there is a snapshot, they are on disk.
    fn sync_first_names(&self) -> Result<(), StorageError> {
        let is_there = |flow: Flow| self.data_dir.join(flow.file_name("manifest")).exists();
        if Flow::BOTH.into_iter().any(is_there) {
            return Ok(());
        }
        let data_dir = std::path::absolute(&self.data_dir)
            .map_err(StorageError::io("find", &self.data_dir))?;
        for folder in data_dir.ancestors().skip(1) {
            match disk::sync_folder(folder) {
                // A run creates nothing in a folder that it cannot open or sync.
                Err(StorageError::Io { cause, .. }) if is_of_others(&cause) => break,
                synced => synced?,
            }
        }
        Ok(())
    }

    /// Ensures that no later run resumes from pages that are already in the snapshot.
    pub(super) fn forget_pages(&self) -> Result<(), StorageError> {
        self.forget_journal()?;
        disk::sync_folder_if_there(&self.spool())
    }

    /// The run that is about to commit, or has committed.
    fn committing(&self) -> Option<String> {
        let run = disk::link_to(&self.staging().join(COMMITTING))?;
        snapshots::is_run(&run).then_some(run)
    }
}

fn is_of_others(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    let kinds = [
        InvalidInput,
        PermissionDenied,
        ReadOnlyFilesystem,
        Unsupported,
    ];
    kinds.contains(&error.kind())
}

/// What a run is about to commit.
#[derive(Clone, Debug)]
pub(super) struct Commit<'a> {
    pub(super) run: &'a str,
    pub(super) readers: Readers,
    /// The files of the snapshot, its manifest among them.
    pub(super) names: Vec<&'a str>,
    /// A file that is committed with them but is not part of the snapshot.
    pub(super) beside: Option<&'a str>,
    pub(super) keep_raw: bool,
}

impl Commit<'_> {
    /// Makes the new snapshot the current one.
    ///
    /// # Errors
    /// If a step fails; the previous snapshot stays current then.
    pub(super) fn carry_out(&self, folders: &Folders) -> Result<(), StorageError> {
        expect_id(folders, self.run)?;
        names::expect_room(folders, &self.names)?;
        let mut before = None;
        let done = self.prepare(folders).and_then(|()| {
            before = snapshots::linked(&folders.data_dir, folders.flow);
            self.put_in_place(folders)?;
            point_at(folders, self.run)
        });
        let Err(failed) = done else { return Ok(()) };
        let undone = point_back(folders, self.run, before.as_deref())
            .and_then(|()| withdraw(folders, self.run));
        if let Err(error) = undone {
            error!(%error, "the commit could not be taken back; the next command settles it");
        }
        Err(failed)
    }

    /// Every step up to the one that lets the next command see that this run is about to commit.
    fn prepare(&self, folders: &Folders) -> Result<(), StorageError> {
        let new = folders.new_files();
        for name in self.names.iter().copied().chain(self.beside) {
            self.readers.of_file(&new.join(name))?;
        }
        self.readers.of_folder(&new)?;
        disk::sync_folder(&new)?;
        let snapshots = folders.snapshots();
        disk::create_own_folder(&snapshots)?;
        self.readers.of_folder(&snapshots)?;
        let link = snapshots.join(folders.flow.name());
        if disk::at(&link) == At::Folder {
            // In a copied data directory, links may have been replaced by what they point to.
            folders.remove_snapshot(folders.flow.name())?;
        }
        take_over(folders, self.readers, self.run)?;
        disk::make_link(self.run, &folders.staging().join(COMMITTING))?;
        folders.sync_first_names()?;
        folders.sync_names()
    }

    /// Every step before the rename that commits.
    fn put_in_place(&self, folders: &Folders) -> Result<(), StorageError> {
        let new = folders.new_files();
        if !disk::rename(&new, &folders.snapshots().join(self.run))? {
            let gone = std::io::ErrorKind::NotFound.into();
            return Err(StorageError::io("put in place", &new)(gone));
        }
        if self.keep_raw {
            disk::rename(&folders.spool(), &raw(folders, self.run))?;
        }
        let added = names::add(folders, &self.names)?;
        if added || self.keep_raw {
            disk::sync_folder(&folders.data_dir)?;
        }
        disk::sync_folder(&folders.snapshots())
    }
}

/// A folder with any other name would not be recognised as a snapshot.
fn expect_id(folders: &Folders, run: &str) -> Result<(), StorageError> {
    if snapshots::is_run(run) {
        return Ok(());
    }
    let problem = "the id of a run is of the form 20261128T060000Z-1a2b";
    let cause = std::io::Error::new(std::io::ErrorKind::InvalidInput, problem);
    Err(StorageError::io(
        "put in place",
        &folders.snapshots().join(run),
    )(cause))
}

/// Checks that the file system supports symbolic links, unless an existing snapshot shows that.
///
/// # Errors
/// If it does not.
pub(super) fn expect_links(folders: &Folders) -> Result<(), StorageError> {
    let data_dir = &folders.data_dir;
    if Flow::BOTH
        .into_iter()
        .any(|flow| snapshots::linked(data_dir, flow).is_some())
    {
        return Ok(());
    }
    let link = folders.staging().join(NEXT);
    match disk::make_link(folders.flow.name(), &link) {
        Err(StorageError::NoLinks(_)) => Err(StorageError::NoLinks(data_dir.clone())),
        made => made.and_then(|()| disk::remove_file(&link)),
    }
}

/// Undoes the rename if it succeeded but its sync failed.
fn point_back(folders: &Folders, run: &str, before: Option<&str>) -> Result<(), StorageError> {
    if snapshots::linked(&folders.data_dir, folders.flow).as_deref() != Some(run) {
        return Ok(());
    }
    match before {
        Some(before) => point_at(folders, before),
        None => disk::remove_file(&folders.snapshots().join(folders.flow.name())),
    }
}

/// Removes what an uncommitted run has put in place.
fn withdraw(folders: &Folders, run: &str) -> Result<(), StorageError> {
    let raw = raw(folders, run);
    if disk::at(&raw) == At::Folder && disk::at(&folders.spool()) == At::Nothing {
        disk::rename(&raw, &folders.spool())?;
    }
    folders.remove_snapshot(run)?;
    remove_remains(folders)?;
    let current = StoredSnapshot::current(&folders.data_dir, folders.flow);
    // If its manifest cannot be read, the surplus names are unknown.
    if let Ok(current) = current {
        let names = current.map(|current| current.names(folders.flow));
        names::remove_others(folders, &names.unwrap_or_default())?;
    }
    disk::sync_folder_if_there(&folders.snapshots())?;
    folders.remove_snapshots_if_empty()?;
    disk::sync_folder(&folders.data_dir)?;
    folders.remove_staged(NEXT)?;
    folders.remove_staged(COMMITTING)
}

/// The first steps after the rename: moves the file beside the snapshot to its place, and makes the
/// names in the data directory those of the new snapshot.
pub(super) fn finish(
    folders: &Folders,
    run: &str,
    names: &[impl AsRef<str>],
) -> Result<(), StorageError> {
    let beside = folders.snapshots().join(run).join(NEXT_CHANGES_FILE);
    let released = disk::at(&beside) == At::File
        && disk::rename(&beside, &folders.data_dir.join(NEXT_CHANGES_FILE))?;
    let replaced = names::replace(folders, names)?;
    let removed = names::remove_others(folders, names)?;
    if released || replaced || removed {
        disk::sync_folder(&folders.data_dir)?;
    }
    Ok(())
}

/// The last steps after the rename: forgets the pages and removes snapshots older than the `keep`
/// newest ones. A snapshot that cannot be removed does no harm: the next run retries.
pub(super) fn settled(folders: &Folders, keep: Option<usize>) -> Result<(), StorageError> {
    folders.forget_pages()?;
    if let Some(keep) = keep {
        prune(folders, keep);
    }
    folders.remove_staged(COMMITTING)
}

/// Removes all but the `keep` newest earlier snapshots of the flow. What cannot be removed is left
/// to the next run.
pub(super) fn prune(folders: &Folders, keep: usize) {
    let earlier = snapshots::earlier(&folders.data_dir);
    let earlier = earlier.inspect_err(|error| warn!(%error, "no snapshot is removed"));
    let earlier = earlier.unwrap_or_default().into_iter();
    let of_flow = earlier.filter(|earlier| earlier.flow == folders.flow);
    for earlier in of_flow.skip(keep) {
        if let Err(error) = folders.remove_snapshot(&earlier.run) {
            warn!(%error, run = earlier.run, "an earlier snapshot stays");
        }
    }
}

/// Whether an interrupted commit must be finished or undone.
pub(super) fn is_pending(folders: &Folders) -> bool {
    folders.committing().is_some() || version_0::is_pending(folders)
}

/// Finishes or undoes the commit of a killed run of the flow, and clears the staging folder.
/// Returns the run that was finished, if any.
pub(super) fn recover(folders: &Folders) -> Result<Option<String>, StorageError> {
    // Before anything in it is read.
    folders.check()?;
    let mut finished = version_0::settle(folders)?;
    if let Some(run) = folders.committing() {
        // The killed run may not have done it.
        folders.sync_names()?;
        disk::sync_folder_if_there(&folders.snapshots())?;
        if snapshots::linked(&folders.data_dir, folders.flow).as_ref() == Some(&run) {
            info!(run, "finishing an interrupted commit");
            finish_found(folders, &run)?;
            settled(folders, None)?;
            // Its pages are in the snapshot now.
            folders.clear()?;
            finished = Some(run);
        } else {
            info!(
                run,
                "removing what a run left that did not come to its commit"
            );
            withdraw(folders, &run)?;
        }
    }
    folders.clear_staging()?;
    Ok(finished)
}

/// [`finish`] with the names that the manifest lists.
fn finish_found(folders: &Folders, run: &str) -> Result<(), StorageError> {
    let folder = folders.snapshots().join(run);
    let Some(found) = StoredSnapshot::read(&folder, folders.flow)? else {
        let manifest = folders.flow.file_name("manifest");
        return Err(StorageError::Damaged(folder.join(manifest)));
    };
    finish(folders, run, &found.names(folders.flow))
}

/// Removes the remains of snapshots whose removal was interrupted: their manifests are removed
/// first.
pub(super) fn remove_remains(folders: &Folders) -> Result<(), StorageError> {
    let snapshots = folders.snapshots();
    for run in snapshots::not_current(&folders.data_dir)? {
        let folder = snapshots.join(&run);
        let has = |flow: Flow| disk::at(&folder.join(flow.file_name("manifest"))) != At::Nothing;
        if !Flow::BOTH.into_iter().any(has) {
            folders.remove_snapshot(&run)?;
        }
    }
    Ok(())
}

/// The folder where the pages of a run are kept.
fn raw(folders: &Folders, run: &str) -> PathBuf {
    folders.data_dir.join(raw_name(run))
}

pub(super) fn raw_name(run: &str) -> String {
    format!("raw-{run}")
}
