//! Interrupted commits of version 0 of the program. It renamed files one by one, following a record
//! of what is to be done (`commit.json`) or undone (`undo.json`).

use std::path::{Path, PathBuf};

use serde::Deserialize;
use tracing::info;

use crate::storage::StorageError;

use super::disk;
use super::stored_file::is_plain;
use super::workspace::{Folders, VERSION_0};

const DECIDED: &str = VERSION_0[0];
const UNDONE: &str = VERSION_0[1];

#[derive(Debug, Deserialize)]
struct Commit {
    run: String,
    changes: Vec<Change>,
    spool_to: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Change {
    name: String,
    /// Whether there is a new file; if not, the old one is removed.
    new: bool,
    /// Whether there was an old file, kept in the staging folder as `NAME.old`.
    old: bool,
}

/// Whether there is such a record.
pub(super) fn is_pending(folders: &Folders) -> bool {
    let staging = folders.staging();
    [DECIDED, UNDONE]
        .iter()
        .any(|name| staging.join(name).exists())
}

/// Carries out a record. Returns the run that was finished, if any.
pub(super) fn settle(folders: &Folders) -> Result<Option<String>, StorageError> {
    let staging = folders.staging();
    if let Some(commit) = read(&staging.join(UNDONE))? {
        info!(run = commit.run, "taking back a commit that failed");
        folders.sync_names()?;
        commit.restore(folders)?;
        folders.remove_staged(UNDONE)?;
    } else if let Some(commit) = read(&staging.join(DECIDED))? {
        info!(run = commit.run, "finishing an interrupted commit");
        folders.sync_names()?;
        commit.put_in_place(folders)?;
        folders.forget_pages()?;
        folders.remove_staged(DECIDED)?;
        folders.clear()?;
        return Ok(Some(commit.run));
    }
    Ok(None)
}

impl Commit {
    /// Files that are no longer in the staging folder were put in place before.
    fn put_in_place(&self, folders: &Folders) -> Result<(), StorageError> {
        for Change { name, new, .. } in &self.changes {
            let place = folders.data_dir.join(name);
            if *new {
                disk::rename(&folders.staging().join(name), &place)?;
            } else {
                disk::remove_file(&place)?;
            }
        }
        if let Some(name) = &self.spool_to {
            disk::rename(&folders.spool(), &folders.data_dir.join(name))?;
        }
        disk::sync_folder(&folders.data_dir)
    }

    /// Files that are no longer in the staging folder were restored before.
    fn restore(&self, folders: &Folders) -> Result<(), StorageError> {
        for Change { name, old, .. } in &self.changes {
            let place = folders.data_dir.join(name);
            if *old {
                disk::rename(&kept(folders, name), &place)?;
            } else {
                disk::remove_file(&place)?;
            }
        }
        if let Some(name) = &self.spool_to {
            disk::rename(&folders.data_dir.join(name), &folders.spool())?;
        }
        disk::sync_folder(&folders.data_dir)
    }
}

fn kept(folders: &Folders, name: &str) -> PathBuf {
    folders.staging().join(format!("{name}.old"))
}

fn read(path: &Path) -> Result<Option<Commit>, StorageError> {
    let Some(bytes) = disk::read(path)? else {
        return Ok(None);
    };
    let broken = |cause: String| StorageError::io("read", path)(std::io::Error::other(cause));
    let commit: Commit =
        serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
    let names = commit.changes.iter().map(|change| change.name.as_str());
    for name in names.chain(commit.spool_to.as_deref()) {
        if !is_plain(name) {
            return Err(broken(format!("`{name}` is no file of the data directory")));
        }
    }
    Ok(Some(commit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::output::Flow;
    use std::fs;

    /// A data directory whose commit was interrupted after `moved` of its files were in place.
    fn cut_off(record: &str, moved: usize) -> (tempfile::TempDir, Folders) {
        let place = tempfile::tempdir().unwrap();
        let folders = Folders::new(place.path(), Flow::Main);
        fs::create_dir_all(folders.staging()).unwrap();
        fs::create_dir_all(folders.spool()).unwrap();
        let names = ["users.json", "posts.json", "summary.json"];
        for (index, name) in names.iter().enumerate() {
            let place = place.path().join(name);
            if index < 2 {
                fs::write(&place, format!("old {name}")).unwrap();
                fs::hard_link(&place, kept(&folders, name)).unwrap();
            }
            let staged = folders.staging().join(name);
            fs::write(&staged, format!("new {name}")).unwrap();
            if index < moved {
                fs::rename(&staged, &place).unwrap();
            }
        }
        fs::write(kept(&folders, "rejected.ndjson"), "old rejected.ndjson").unwrap();
        let change = |name, new, old| format!(r#"{{"name":"{name}","new":{new},"old":{old}}}"#);
        let changes = [
            change("users.json", true, true),
            change("posts.json", true, true),
            change("summary.json", true, false),
            change("rejected.ndjson", false, true),
        ];
        let changes = changes.join(",");
        let json = format!(r#"{{"run":"1","changes":[{changes}],"spool_to":"raw-1"}}"#);
        fs::write(folders.staging().join(record), json).unwrap();
        (place, folders)
    }

    /// The files of the data directory.
    fn files(folders: &Folders) -> Vec<String> {
        let entries = fs::read_dir(&folders.data_dir).unwrap().map(Result::unwrap);
        let files = entries.filter(|entry| entry.path().is_file());
        let mut texts: Vec<_> = files
            .map(|entry| fs::read_to_string(entry.path()).unwrap())
            .collect();
        texts.sort();
        texts
    }

    const OLD: [&str; 3] = ["old posts.json", "old rejected.ndjson", "old users.json"];
    const NEW: [&str; 3] = ["new posts.json", "new summary.json", "new users.json"];

    #[test]
    fn a_commit_that_was_decided_on_is_finished_however_far_it_came() {
        for moved in 0..=3 {
            let (place, folders) = cut_off(DECIDED, moved);
            assert!(is_pending(&folders));
            assert_eq!(settle(&folders).unwrap(), Some("1".to_owned()));
            assert_eq!(files(&folders), NEW, "{moved}");
            assert!(place.path().join("raw-1").is_dir());
            assert!(!is_pending(&folders) && !folders.root.exists());
            assert_eq!(settle(&folders).unwrap(), None);
        }
    }

    #[test]
    fn a_commit_that_failed_is_taken_back_however_far_that_came() {
        for restored in 0..=2 {
            let (_place, folders) = cut_off(UNDONE, 3);
            for name in &["users.json", "posts.json"][..restored] {
                fs::rename(kept(&folders, name), folders.data_dir.join(name)).unwrap();
            }
            assert_eq!(settle(&folders).unwrap(), None);
            assert_eq!(files(&folders), OLD, "{restored}");
            assert!(folders.spool().exists() && !is_pending(&folders));
        }
    }

    #[test]
    fn a_record_that_names_other_places_is_not_followed() {
        let (_place, folders) = cut_off(UNDONE, 0);
        fs::remove_file(folders.staging().join(UNDONE)).unwrap();
        for name in ["../a", "/etc/passwd", "a/b", "", ".."] {
            let json = format!(
                r#"{{"run":"1","changes":[{{"name":"{name}","new":false,"old":false}}],"spool_to":null}}"#
            );
            fs::write(folders.staging().join(DECIDED), json).unwrap();
            assert!(settle(&folders).is_err(), "{name}");
        }
    }
}
