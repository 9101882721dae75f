//! Putting the files of a snapshot in place, all of them or none.
//!
//! Files are renamed one by one, so a crash can come between two of them. Before
//! the first, a record of what is to be done is written and synced: from then on
//! the commit is decided, and whoever opens the data directory next finishes it.
//! When a step fails while the program runs, the record becomes one of what is
//! to be undone, and the old files, which have kept a second name, go back.
//!
//! A power cut may leave any of the names that were not synced, and none of the others. So the
//! order in which names are synced is part of the protocol, and all of it is in this file:
//!
//! | what is synced | before | or else |
//! | --- | --- | --- |
//! | the data directory's own name, and those above it, if this is its first snapshot | the record | a run that said it was done has left nothing |
//! | staging folder, work folder, data directory ([`Folders::sync_names`]) | the record, and before a record that was found is acted on | some files are new, and there is no record to finish by |
//! | staging folder | the first rename, once the record is there | the same |
//! | data directory | the record is removed, the history is told | some files are old, and there is no record any more |
//! | spool | the record is removed | pages of the snapshot look like those of an unfinished run |
//!
//! Contents are synced where they are written. `tests/it/power_cuts/mod.rs` cuts the power at each call.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::{error, info};

use crate::error::StorageError;

use super::disk::{self, DiskFile};
use super::output::Flow;
use super::readers::Readers;
use super::stored_file::is_plain;
use super::workspace::Folders;

/// Says that a commit was decided on.
const DECIDED: &str = "commit.json";
/// Says that it is taken back.
const UNDONE: &str = "undo.json";

impl Folders {
    /// Has on the disk all names that lead from the data directory to what is staged. Where the
    /// file system has a journal, the first sync writes it, and the others find little to do.
    fn sync_names(&self) -> Result<(), StorageError> {
        for folder in [&self.staging(), &self.root, &self.data_dir] {
            disk::sync_folder(folder)?;
        }
        Ok(())
    }

    /// Has the data directory's own name on the disk, and those of the folders above it: a run
    /// that was killed may have made them. Once there is a snapshot, they are on the disk.
    fn sync_first_names(&self) -> Result<(), StorageError> {
        let is_there = |flow: Flow| self.data_dir.join(flow.file_name("manifest")).exists();
        if [Flow::Main, Flow::Async].into_iter().any(is_there) {
            return Ok(());
        }
        let data_dir = std::path::absolute(&self.data_dir)
            .map_err(StorageError::io("find", &self.data_dir))?;
        for folder in data_dir.ancestors().skip(1) {
            match disk::sync_folder(folder) {
                // No run made anything in a folder that it cannot open or sync.
                Err(StorageError::Io { cause, .. }) if is_of_others(&cause) => break,
                synced => synced?,
            }
        }
        Ok(())
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

/// What a commit changes in the data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Commit {
    run: String,
    changes: Vec<Change>,
    /// Where the spool goes, if it is kept.
    spool_to: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Change {
    name: String,
    /// Whether there is a new file, or the old one is to go.
    new: bool,
    /// Whether there was an old one.
    old: bool,
}

impl Commit {
    /// Plans to put `names` in place and to remove `gone`. The staged files are synced already.
    pub(super) fn plan(
        (folders, readers): (&Folders, Readers),
        run: &str,
        names: &[&str],
        gone: &[String],
        spool_to: Option<String>,
    ) -> Result<Self, StorageError> {
        for name in names {
            readers.of_file(&folders.staging().join(name))?;
        }
        let change = |name: &str, new| {
            let place = folders.data_dir.join(name);
            let old = disk::keep(&place, &kept(folders, name))?;
            Ok(Change {
                name: name.to_owned(),
                new,
                old,
            })
        };
        let new = names.iter().map(|name| change(name, true));
        let removed = gone.iter().map(|name| change(name, false));
        Ok(Self {
            run: run.to_owned(),
            changes: new.chain(removed).collect::<Result<_, StorageError>>()?,
            spool_to,
        })
    }

    /// Decides on it: from here on a crash is followed by its completion.
    fn decide(&self, folders: &Folders) -> Result<(), StorageError> {
        let staging = folders.staging();
        let written = staging.join("commit.json.new");
        let json = serde_json::to_vec_pretty(self)
            .map_err(|error| StorageError::io("write", &written)(error.into()))?;
        let mut file = DiskFile::create(&written)?;
        file.write(&json)?;
        file.sync()?;
        folders.sync_first_names()?;
        folders.sync_names()?;
        disk::rename(&written, &staging.join(DECIDED))?;
        disk::sync_folder(&staging)
    }

    /// Carries it out.
    ///
    /// # Errors
    /// When a step fails; all of it was taken back then.
    pub(super) fn carry_out(&self, folders: &Folders) -> Result<(), StorageError> {
        let done = self
            .decide(folders)
            .and_then(|()| self.put_in_place(folders, Missing::IsAnError));
        let Err(failed) = done else { return Ok(()) };
        if let Err(error) = self.take_back(folders) {
            // Whichever record is there decides; the next command acts on it.
            error!(%error, "the commit could not be taken back; the next command settles it");
        }
        Err(failed)
    }

    fn put_in_place(&self, folders: &Folders, missing: Missing) -> Result<(), StorageError> {
        for Change { name, new, .. } in &self.changes {
            let place = folders.data_dir.join(name);
            if !new {
                disk::remove_file(&place)?;
                continue;
            }
            let staged = folders.staging().join(name);
            if !disk::rename(&staged, &place)? && missing == Missing::IsAnError {
                let gone = std::io::ErrorKind::NotFound.into();
                return Err(StorageError::io("put in place", &staged)(gone));
            }
        }
        if let Some(name) = &self.spool_to {
            disk::rename(&folders.spool(), &folders.data_dir.join(name))?;
        }
        disk::sync_folder(&folders.data_dir)
    }

    fn take_back(&self, folders: &Folders) -> Result<(), StorageError> {
        let staging = folders.staging();
        // Not decided on: nothing was changed.
        if !disk::rename(&staging.join(DECIDED), &staging.join(UNDONE))? {
            return Ok(());
        }
        disk::sync_folder(&staging)?;
        self.restore(folders)
    }

    fn restore(&self, folders: &Folders) -> Result<(), StorageError> {
        for Change { name, old, .. } in &self.changes {
            let place = folders.data_dir.join(name);
            if *old {
                // What is not there was put back before.
                disk::rename(&kept(folders, name), &place)?;
            } else {
                disk::remove_file(&place)?;
            }
        }
        if let Some(name) = &self.spool_to {
            disk::rename(&folders.data_dir.join(name), &folders.spool())?;
        }
        disk::sync_folder(&folders.data_dir)?;
        folders.remove_staged(UNDONE)
    }
}

/// What it means when a staged file is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    IsAnError,
    /// It was put in place before the crash.
    WasMoved,
}

/// The second name of a file that is replaced.
fn kept(folders: &Folders, name: &str) -> PathBuf {
    folders.staging().join(format!("{name}.old"))
}

/// Whether a commit was cut off half-way.
pub(super) fn is_pending(folders: &Folders) -> bool {
    let staging = folders.staging();
    staging.join(DECIDED).exists() || staging.join(UNDONE).exists()
}

/// The commit is done, and its record is not needed any more.
pub(super) fn settled(folders: &Folders) -> Result<(), StorageError> {
    // Nobody is to go on with pages that are in the snapshot.
    folders.forget_journal()?;
    let spool = folders.spool();
    if spool.exists() {
        disk::sync_folder(&spool)?;
    }
    folders.remove_staged(DECIDED)
}

/// Finishes, or takes back, what a killed commit of a flow left, and removes what
/// was staged. Tells which run was finished, if one was.
pub(super) fn recover(folders: &Folders) -> Result<Option<String>, StorageError> {
    // Before anything of it is looked at.
    folders.check()?;
    let staging = folders.staging();
    let mut finished = None;
    if let Some(commit) = read(&staging.join(UNDONE))? {
        info!(run = commit.run, "taking back a commit that failed");
        folders.sync_names()?;
        commit.restore(folders)?;
    } else if let Some(commit) = read(&staging.join(DECIDED))? {
        info!(run = commit.run, "finishing a commit that was cut off");
        // Whoever was killed may not have come to it.
        folders.sync_names()?;
        commit.put_in_place(folders, Missing::WasMoved)?;
        settled(folders)?;
        // Its pages are in the snapshot now.
        folders.clear()?;
        finished = Some(commit.run);
    }
    folders.clear_staging()?;
    Ok(finished)
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

    /// A data directory with an old snapshot, and a new one staged.
    fn staged() -> (tempfile::TempDir, Folders) {
        let place = tempfile::tempdir().unwrap();
        let folders = Folders::new(place.path(), Flow::Main);
        fs::create_dir_all(folders.staging()).unwrap();
        fs::create_dir_all(folders.spool()).unwrap();
        for name in ["users.json", "posts.json", "rejected.ndjson"] {
            fs::write(place.path().join(name), format!("old {name}")).unwrap();
        }
        for name in ["users.json", "posts.json", "summary.json"] {
            fs::write(folders.staging().join(name), format!("new {name}")).unwrap();
        }
        (place, folders)
    }

    fn plan(folders: &Folders) -> Commit {
        let gone = ["rejected.ndjson".to_owned()];
        Commit::plan(
            (folders, Readers::Owner),
            "1",
            &["users.json", "posts.json", "summary.json"],
            &gone,
            Some("raw-1".to_owned()),
        )
        .unwrap()
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
    fn a_commit_changes_all_files() {
        let (place, folders) = staged();
        plan(&folders).carry_out(&folders).unwrap();
        assert_eq!(files(&folders), NEW);
        assert!(place.path().join("raw-1").is_dir());
        assert!(is_pending(&folders));
    }

    #[test]
    fn a_commit_that_was_decided_on_is_finished_however_far_it_came() {
        for moved in 0..=3 {
            let (_place, folders) = staged();
            let commit = plan(&folders);
            commit.decide(&folders).unwrap();
            for name in &["users.json", "posts.json", "summary.json"][..moved] {
                let (from, to) = (folders.staging().join(name), folders.data_dir.join(name));
                fs::rename(from, to).unwrap();
            }
            assert_eq!(recover(&folders).unwrap(), Some("1".to_owned()));
            assert_eq!(files(&folders), NEW, "{moved}");
            assert!(!folders.root.exists());
            assert_eq!(recover(&folders).unwrap(), None);
        }
    }

    #[test]
    fn a_commit_that_was_not_decided_on_is_forgotten() {
        let (_place, folders) = staged();
        plan(&folders);
        assert_eq!(recover(&folders).unwrap(), None);
        assert_eq!(files(&folders), OLD);
        assert!(folders.spool().exists() && !folders.staging().exists());
    }

    #[test]
    fn when_one_file_cannot_be_put_in_place_all_keep_their_places() {
        let (_place, folders) = staged();
        let commit = plan(&folders);
        fs::remove_file(folders.staging().join("summary.json")).unwrap();
        let error = commit.carry_out(&folders).unwrap_err();
        assert!(
            error.to_string().starts_with("cannot put in place"),
            "{error}"
        );
        assert_eq!(files(&folders), OLD);
        assert!(!is_pending(&folders) && folders.spool().exists());
    }

    #[test]
    fn what_is_taken_back_is_taken_back_by_the_next_command_too() {
        for undone in 0..=2 {
            let (_place, folders) = staged();
            let commit = plan(&folders);
            commit.decide(&folders).unwrap();
            commit.put_in_place(&folders, Missing::IsAnError).unwrap();
            let staging = folders.staging();
            fs::rename(staging.join(DECIDED), staging.join(UNDONE)).unwrap();
            for name in &["users.json", "posts.json"][..undone] {
                fs::rename(kept(&folders, name), folders.data_dir.join(name)).unwrap();
            }
            assert_eq!(recover(&folders).unwrap(), None);
            assert_eq!(files(&folders), OLD, "{undone}");
            assert!(folders.spool().exists());
        }
    }

    #[test]
    fn a_record_that_names_other_places_is_not_followed() {
        let (_place, folders) = staged();
        for name in ["../a", "/etc/passwd", "a/b", "", ".."] {
            let commit = Commit {
                run: "1".to_owned(),
                changes: vec![Change {
                    name: name.to_owned(),
                    new: false,
                    old: false,
                }],
                spool_to: None,
            };
            let json = serde_json::to_vec(&commit).unwrap();
            fs::write(folders.staging().join(DECIDED), json).unwrap();
            assert!(recover(&folders).is_err(), "{name}");
        }
    }
}
