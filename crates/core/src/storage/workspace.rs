//! The work folders of a flow: what runs put there, and how that, and nothing else, is removed.
//!
//! Somebody else may have planted a link in place of such a folder, or put other files into it. A
//! link is an error, and a file that no run made is left alone and reported.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::NEXT_CHANGES_FILE;
use super::error::StorageError;

use super::disk::{Entry, Folder};
use super::journal::Journal;
use super::output::{Flow, is_public};

/// The folder of all snapshots in a data directory.
pub(super) const SNAPSHOTS: &str = ".snapshots";
/// A link in the staging folder with the name of the run that is about to commit, or has committed.
pub(super) const COMMITTING: &str = "committing";
/// A link in the staging folder that is about to replace the link of the flow.
pub(super) const NEXT: &str = "current";
/// The files in which version 0 of the program recorded a commit or its undo.
pub(super) const VERSION_0: [&str; 3] = ["commit.json", "undo.json", "commit.json.new"];

/// The folder of pages inside that of a flow.
pub(super) const SPOOL: &str = "spool";
/// The folder of segments inside that of a flow.
pub const STAGING: &str = "staging";
/// The folder of new files inside that of a flow.
const NEW: &str = "snapshot";

/// The folders of one flow in the data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folders {
    pub(super) data_dir: PathBuf,
    pub(super) flow: Flow,
    /// The work folder of the flow: pages and what is made from them.
    pub(super) root: PathBuf,
    name: &'static str,
}

impl Folders {
    pub(super) fn new(data_dir: &Path, flow: Flow) -> Self {
        let name = match flow {
            Flow::Main => ".run-main",
            Flow::Async => ".run-async",
        };
        Self {
            data_dir: data_dir.to_owned(),
            flow,
            root: data_dir.join(name),
            name,
        }
    }

    /// Raw pages and their journal.
    pub(super) fn spool(&self) -> PathBuf {
        self.root.join(SPOOL)
    }

    /// What is made from the pages.
    pub(super) fn staging(&self) -> PathBuf {
        self.root.join(STAGING)
    }

    /// The snapshots of both flows.
    pub(super) fn snapshots(&self) -> PathBuf {
        self.data_dir.join(SNAPSHOTS)
    }

    /// The files of the next snapshot.
    pub(super) fn new_files(&self) -> PathBuf {
        self.root.join(NEW)
    }

    fn open(&self) -> Result<Option<(Folder, Folder)>, StorageError> {
        let Some(data_dir) = Folder::open(&self.data_dir)? else {
            return Ok(None);
        };
        let root = data_dir.inner(self.name)?;
        Ok(root.map(|root| (data_dir, root)))
    }

    /// Checks the existing folders before a run starts.
    ///
    /// # Errors
    /// If a link is in place of a folder, or something is there that no run made.
    pub(super) fn check(&self) -> Result<(), StorageError> {
        let Some((_, root)) = self.open()? else {
            return Ok(());
        };
        let is_folder_of_ours = |entry: &Entry| {
            entry.is_folder && [SPOOL, STAGING, NEW].iter().any(|ours| entry.name == *ours)
        };
        for inner in [SPOOL, STAGING, NEW] {
            // An error if it is not a folder.
            root.inner(inner)?;
        }
        refuse(&root, &foreign(&root.entries()?, is_folder_of_ours))
    }

    /// Removes the pages.
    ///
    /// # Errors
    /// If something cannot be removed, or no run made it.
    pub(super) fn clear_spool(&self) -> Result<(), StorageError> {
        self.open()?
            .map_or(Ok(()), |(_, root)| clear(&root, SPOOL, is_of_spool))
    }

    /// Removes what was made from the pages.
    ///
    /// # Errors
    /// If something cannot be removed, or no run made it.
    pub(super) fn clear_staging(&self) -> Result<(), StorageError> {
        let Some((_, root)) = self.open()? else {
            return Ok(());
        };
        let new = clear(&root, NEW, is_of_snapshot);
        clear(&root, STAGING, is_of_staging).and(new)
    }

    /// Removes everything that runs of the flow made.
    ///
    /// # Errors
    /// If something cannot be removed, or no run made it.
    pub(super) fn clear(&self) -> Result<(), StorageError> {
        let Some((data_dir, root)) = self.open()? else {
            return Ok(());
        };
        let new = clear(&root, NEW, is_of_snapshot);
        let staging = clear(&root, STAGING, is_of_staging);
        clear(&root, SPOOL, is_of_spool).and(staging).and(new)?;
        refuse(&root, &foreign(&root.entries()?, |_| false))?;
        data_dir.remove_folder(self.name)
    }

    /// Removes the journal of the pages, if there is one: then no run can resume from them.
    pub(super) fn forget_journal(&self) -> Result<(), StorageError> {
        self.remove(SPOOL, Journal::NAME)
    }

    /// Removes one of the staged files, if it is there.
    pub(super) fn remove_staged(&self, name: &str) -> Result<(), StorageError> {
        self.remove(STAGING, name)
    }

    /// Removes a snapshot, if it exists. The manifest goes first, so that the remains do not look
    /// like a snapshot.
    ///
    /// # Errors
    /// If something cannot be removed, or no run made it.
    pub(super) fn remove_snapshot(&self, name: &str) -> Result<(), StorageError> {
        let Some(all) = self.open_snapshots()? else {
            return Ok(());
        };
        let Some(folder) = all.inner(name)? else {
            return Ok(());
        };
        let entries = folder.entries()?;
        refuse(
            &folder,
            &foreign(&entries, |entry| is_file(entry, is_of_snapshot)),
        )?;
        let manifests = Flow::BOTH.map(|flow| flow.file_name("manifest"));
        let mut found = manifests
            .iter()
            .filter(|name| entries.iter().any(|entry| entry.name == name.as_str()));
        if let Some(manifest) = found.next() {
            folder.remove_file(manifest.as_ref())?;
            folder.sync()?;
        }
        clear(&all, name, is_of_snapshot)
    }

    /// Removes the folder of all snapshots, if it is empty.
    pub(super) fn remove_snapshots_if_empty(&self) -> Result<(), StorageError> {
        let Some(all) = self.open_snapshots()? else {
            return Ok(());
        };
        if !all.entries()?.is_empty() {
            return Ok(());
        }
        Folder::open(&self.data_dir)?.map_or(Ok(()), |data_dir| data_dir.remove_folder(SNAPSHOTS))
    }

    fn open_snapshots(&self) -> Result<Option<Folder>, StorageError> {
        let Some(data_dir) = Folder::open(&self.data_dir)? else {
            return Ok(None);
        };
        data_dir.inner(SNAPSHOTS)
    }

    fn remove(&self, inner: &str, name: &str) -> Result<(), StorageError> {
        let Some((_, root)) = self.open()? else {
            return Ok(());
        };
        let inner = root.inner(inner)?;
        inner.map_or(Ok(()), |inner| inner.remove_file(name.as_ref()))
    }
}

/// Removes a folder and the files in it that runs made. Fails if it contains anything else.
fn clear(root: &Folder, name: &str, is_ours: fn(&str) -> bool) -> Result<(), StorageError> {
    let Some(folder) = root.inner(name)? else {
        return Ok(());
    };
    let ours = |entry: &Entry| is_file(entry, is_ours);
    let entries = folder.entries()?;
    for entry in entries.iter().filter(|entry| ours(entry)) {
        folder.remove_file(&entry.name)?;
    }
    refuse(&folder, &foreign(&entries, ours))?;
    root.remove_folder(name)
}

fn is_file(entry: &Entry, is_ours: fn(&str) -> bool) -> bool {
    !entry.is_folder && entry.name.to_str().is_some_and(is_ours)
}

fn foreign(entries: &[Entry], ours: impl Fn(&Entry) -> bool) -> Vec<&OsStr> {
    let others = entries.iter().filter(|entry| !ours(entry));
    let mut names: Vec<_> = others.map(|entry| entry.name.as_os_str()).collect();
    names.sort_unstable();
    names
}

fn refuse(folder: &Folder, foreign: &[&OsStr]) -> Result<(), StorageError> {
    let Some(first) = foreign.first() else {
        return Ok(());
    };
    Err(StorageError::Foreign {
        path: folder.path().join(first),
        others: foreign.len() - 1,
    })
}

fn is_of_spool(name: &str) -> bool {
    name == Journal::NAME || Path::new(name).extension().is_some_and(|end| end == "page")
}

fn is_of_staging(name: &str) -> bool {
    let is_link = [COMMITTING, NEXT].contains(&name);
    let is_made_of_slices = [".segments", ".entries", ".merged"]
        .iter()
        .any(|end| name.ends_with(end));
    let public = name.strip_suffix(".link").unwrap_or(name);
    is_link || is_made_of_slices || is_public(public) || is_of_version_0(name)
}

/// Whether a file belongs to the folder of a snapshot.
fn is_of_snapshot(name: &str) -> bool {
    // SQLite puts files of its own beside a database.
    is_public(name) || name.starts_with(NEXT_CHANGES_FILE)
}

/// Whether version 0 of the program may have left a file in its staging folder, which held the
/// files of the next snapshot and second names of those of the last one.
fn is_of_version_0(name: &str) -> bool {
    let file = name.strip_suffix(".old").unwrap_or(name);
    VERSION_0.contains(&name) || is_of_snapshot(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_make_is_told_from_what_others_put_there() {
        for name in [
            "users.json",
            "user_names.json.old",
            "comments_async.json",
            "rejected_async.ndjson",
            "manifest_async.json.old",
            "summary.json",
            "committing",
            "current",
            "users.json.link",
            "commit.json.new",
            "users-17-ThreadId(3).segments",
            "posts-17-ThreadId(3).entries",
            "entries-0-1.merged",
            ".history-next.db-journal",
            ".history-next.db.old",
        ] {
            assert!(is_of_staging(name), "{name}");
        }
        for name in [
            "notes.txt",
            "users.json.bak",
            "my-users.json",
            "usersx.json",
            ".old",
            "",
        ] {
            assert!(!is_of_staging(name) && !is_of_spool(name), "{name}");
        }
        assert!(is_of_spool("posts-3-1.page") && is_of_spool("journal.ndjson"));
    }
}
