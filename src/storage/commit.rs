//! The one place that changes the data directory.
//!
//! A run works in a staging folder of its own within the data directory. Its
//! files are moved into place at the end, all of them, the manifest last.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::concurrency::{Registration, Stop};
use crate::error::{Error, StorageError};

use super::outputs::StoredFile;

/// Staging folders begin with this; a later run removes what a killed one left.
const STAGING: &str = ".staging-";

/// A run's hold on the data directory.
///
/// Dropped without a commit, it leaves the directory as it was.
pub struct Stage {
    staging: Arc<Staging>,
    _clean_on_stop: Registration,
}

/// The folder that a run works in, removed when the run ends and again when the
/// last one who writes there is done.
///
/// The async flow drops what it no longer waits for, but work on the blocking
/// pool goes on to its end, and may be creating a file just then.
#[derive(Debug)]
pub struct Staging {
    data_dir: PathBuf,
    folder: PathBuf,
    /// Folders that were missing before the run, outermost first.
    created: Vec<PathBuf>,
    committed: AtomicBool,
    /// Held while removing: whoever ends the program waits until that is done.
    cleaning: Mutex<()>,
    /// Locked for as long as anybody writes.
    _lock: File,
}

/// What a commit put in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Where.
    pub data_dir: PathBuf,
    /// The files, the manifest apart.
    pub files: Vec<StoredFile>,
    /// The manifest's name.
    pub manifest: String,
}

impl Stage {
    /// Takes hold of the data directory, which is made where it is missing.
    ///
    /// # Errors
    /// When it cannot be made, locked or written to.
    pub fn open(data_dir: &Path, run: &str, stop: &Stop) -> Result<Self, StorageError> {
        let created = create_all(data_dir)?;
        let lock = lock(data_dir)?;
        remove_leftovers(data_dir)?;
        let folder = data_dir.join(format!("{STAGING}{run}"));
        fs::create_dir(&folder).map_err(StorageError::io("create", &folder))?;
        let staging = Arc::new(Staging {
            data_dir: data_dir.to_owned(),
            folder,
            created,
            committed: AtomicBool::new(false),
            cleaning: Mutex::default(),
            _lock: lock,
        });
        let clean_on_stop = stop.on_request({
            // The run may be writing there still; what it adds now, its own end removes.
            let staging = Arc::downgrade(&staging);
            move || {
                if let Some(staging) = staging.upgrade() {
                    staging.clean();
                }
            }
        });
        Ok(Self {
            staging,
            _clean_on_stop: clean_on_stop,
        })
    }

    /// Where the run may write.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.staging.folder
    }

    /// For whoever writes there on their own.
    #[must_use]
    pub fn staging(&self) -> Arc<Staging> {
        Arc::clone(&self.staging)
    }

    /// Moves `files`, which were written and synced in the staging folder, into place, and `manifest` behind them.
    ///
    /// # Errors
    /// When the run was stopped, or a file cannot be moved.
    pub fn commit(
        self,
        files: Vec<StoredFile>,
        manifest: &StoredFile,
        stop: &Stop,
    ) -> Result<Snapshot, Error> {
        stop.begin_commit()?;
        let names: Vec<_> = files
            .iter()
            .chain([manifest])
            .map(|file| file.name.as_str())
            .collect();
        let kept = self.staging.keep_old(&names)?;
        if let Err(error) = self.staging.put_in_place(&names) {
            self.staging.put_back(&kept);
            return Err(error.into());
        }
        self.staging.committed.store(true, Ordering::SeqCst);
        Ok(Snapshot {
            data_dir: self.staging.data_dir.clone(),
            files,
            manifest: manifest.name.clone(),
        })
    }
}

impl Staging {
    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes what the run made. Whatever cannot be removed here, the next run removes.
    fn clean(&self) {
        let _cleaning = self.cleaning.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = fs::remove_dir_all(&self.folder);
        if !self.committed.load(Ordering::SeqCst) {
            for folder in self.created.iter().rev() {
                let _ = fs::remove_dir(folder);
            }
        }
    }

    /// Gives each file that will be replaced a second name in the staging folder.
    fn keep_old<'n>(
        &self,
        names: &[&'n str],
    ) -> Result<Vec<(&'n str, Option<PathBuf>)>, StorageError> {
        let keep = |name: &&'n str| {
            let (place, kept) = (
                self.data_dir.join(name),
                self.folder.join(format!("{name}.old")),
            );
            match fs::hard_link(&place, &kept) {
                Ok(()) => Ok((*name, Some(kept))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((*name, None)),
                Err(error) => Err(StorageError::io("replace", &place)(error)),
            }
        };
        names.iter().map(keep).collect()
    }

    fn put_in_place(&self, names: &[&str]) -> Result<(), StorageError> {
        for name in names {
            let (from, to) = (self.folder.join(name), self.data_dir.join(name));
            fs::rename(&from, &to).map_err(StorageError::io("put in place", &to))?;
        }
        sync_folder(&self.data_dir)?;
        // A folder that was just made is an entry of the one above it.
        for folder in self.created.iter().filter_map(|folder| folder.parent()) {
            let folder = if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            };
            sync_folder(folder)?;
        }
        Ok(())
    }

    /// After a failure: the old files get their places again.
    fn put_back(&self, kept: &[(&str, Option<PathBuf>)]) {
        for (name, old) in kept {
            let place = self.data_dir.join(name);
            let undone = match old {
                Some(old) => fs::rename(old, &place),
                None => fs::remove_file(&place),
            };
            if let Err(error) = undone
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::error!(path = %place.display(), %error, "the old file could not be put back");
            }
        }
    }
}

fn sync_folder(folder: &Path) -> Result<(), StorageError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(StorageError::io("sync", folder))
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Not left to the last one who writes: the program may end before.
        self.staging.clean();
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        self.clean();
    }
}

/// Makes a directory and those above it; gives the ones that were missing, outermost first.
fn create_all(path: &Path) -> Result<Vec<PathBuf>, StorageError> {
    let missing = path
        .ancestors()
        .filter(|path| !path.as_os_str().is_empty())
        .take_while(|path| !path.exists());
    let mut created: Vec<_> = missing.map(Path::to_owned).collect();
    created.reverse();
    fs::create_dir_all(path).map_err(StorageError::io("create", path))?;
    Ok(created)
}

/// Locks the directory itself: no lock file to leave behind, and a killed process lets go.
fn lock(data_dir: &Path) -> Result<File, StorageError> {
    let folder = File::open(data_dir).map_err(StorageError::io("open", data_dir))?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(fs::TryLockError::WouldBlock) => Err(StorageError::Locked(data_dir.to_owned())),
        Err(fs::TryLockError::Error(cause)) => Err(StorageError::io("lock", data_dir)(cause)),
    }
}

fn remove_leftovers(data_dir: &Path) -> Result<(), StorageError> {
    let entries = fs::read_dir(data_dir).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    for entry in entries.map_err(StorageError::io("list", data_dir))? {
        if entry.file_name().to_string_lossy().starts_with(STAGING) {
            let path = entry.path();
            tracing::info!(path = %path.display(), "removing what an unfinished run left");
            let removed = match entry.file_type() {
                Ok(kind) if kind.is_dir() => fs::remove_dir_all(&path),
                _ => fs::remove_file(&path),
            };
            removed.map_err(StorageError::io("remove", &path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::StopReason;
    use crate::storage::outputs::write_json;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn file(stage: &Stage, name: &str) -> StoredFile {
        write_json(stage.folder(), name.to_owned(), &name).unwrap()
    }

    #[test]
    fn a_commit_leaves_the_files_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("deep/data");
        let stop = Stop::new();
        let stage = Stage::open(&data, "1", &stop).unwrap();
        let (users, manifest) = (file(&stage, "users.json"), file(&stage, "manifest.json"));
        fs::write(stage.folder().join("scratch"), "").unwrap();
        stage.commit(vec![users], &manifest, &stop).unwrap();
        assert_eq!(names(&data), ["manifest.json", "users.json"]);
    }

    #[test]
    fn without_a_commit_the_directory_is_as_it_was() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("deep/data");
        let stage = Stage::open(&data, "1", &Stop::new()).unwrap();
        file(&stage, "users.json");
        drop(stage);
        assert!(names(place.path()).is_empty());

        fs::create_dir(data.parent().unwrap()).unwrap();
        fs::create_dir(&data).unwrap();
        fs::write(data.join("users.json"), "old").unwrap();
        drop(Stage::open(&data, "2", &Stop::new()).unwrap());
        assert_eq!(names(&data), ["users.json"]);
    }

    #[test]
    fn a_stop_before_the_commit_removes_the_staging_folder_and_forbids_the_commit() {
        let place = tempfile::tempdir().unwrap();
        let stop = Stop::new();
        let stage = Stage::open(place.path(), "1", &stop).unwrap();
        let manifest = file(&stage, "manifest.json");
        stop.request(StopReason::Interrupt);
        assert!(names(place.path()).is_empty());
        assert!(stage.commit(Vec::new(), &manifest, &stop).is_err());
    }

    #[test]
    fn what_is_written_after_the_end_is_removed_when_the_writer_is_done() {
        let place = tempfile::tempdir().unwrap();
        let stage = Stage::open(place.path(), "1", &Stop::new()).unwrap();
        let writer = stage.staging();
        drop(stage);
        // It was about to write when the run ended.
        fs::create_dir_all(writer.folder()).unwrap();
        fs::write(writer.folder().join("late"), "").unwrap();
        drop(writer);
        assert!(names(place.path()).is_empty());
    }

    #[test]
    fn two_runs_do_not_share_a_directory_and_leftovers_are_removed() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join(".staging-killed")).unwrap();
        fs::write(place.path().join(".staging-file"), "").unwrap();
        let stage = Stage::open(place.path(), "1", &Stop::new()).unwrap();
        assert_eq!(names(place.path()), [".staging-1"]);
        let second = Stage::open(place.path(), "2", &Stop::new());
        assert!(matches!(second, Err(StorageError::Locked(_))));
        drop(stage);
        assert!(Stage::open(place.path(), "3", &Stop::new()).is_ok());
    }

    #[test]
    fn when_one_file_cannot_be_replaced_all_keep_their_places() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path();
        let stop = Stop::new();
        let stage = Stage::open(data, "1", &stop).unwrap();
        let files = vec![file(&stage, "new.json"), file(&stage, "old.json")];
        let manifest = file(&stage, "manifest.json");
        fs::write(data.join("old.json"), "old").unwrap();
        // The last file is not there to be moved.
        fs::remove_file(stage.folder().join("manifest.json")).unwrap();
        let error = stage.commit(files, &manifest, &stop).unwrap_err();
        assert_eq!(error.exit_code(), 5);
        assert_eq!(names(data), ["old.json"]);
        assert_eq!(fs::read_to_string(data.join("old.json")).unwrap(), "old");
    }

    #[test]
    fn a_file_in_the_place_of_the_directory_is_an_error() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("data")] {
            let error = Stage::open(&path, "1", &Stop::new()).err().unwrap();
            assert!(error.to_string().starts_with("cannot create "), "{error}");
        }
    }
}
