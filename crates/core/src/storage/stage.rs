//! Exclusive use of the data directory by a run, from its first byte to its commit.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use tracing::{info, warn};

use crate::storage::{StageError, StorageError};
use activity_tracker_concurrency::{Registration, Stop};

use super::commit::{self, Commit};
use super::disk::{self, Folder};
use super::journal::{Header, Journal, Journaled};
use super::output::Flow;
use super::readers::Readers;
use super::stored_file::StoredFile;
use super::workspace::Folders;

/// How often a waiting run retries to lock the data directory.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Exclusive use of the data directory by a run.
///
/// If it is dropped without a commit, the snapshot is unchanged. Received pages stay in the spool
/// to be resumed.
pub struct Stage {
    staging: Arc<Staging>,
    _clean_on_stop: Registration,
}

/// The work folders of a run. They are cleared when the run ends, and again when the last writer is
/// done.
///
/// The async flow drops futures that it no longer needs, but their work on the blocking pool
/// continues, and may be creating a file at that moment.
#[derive(Debug)]
pub struct Staging {
    folders: Folders,
    /// Who may read committed files and newly created folders.
    readers: Readers,
    /// Folders that the run created, outermost first.
    created: Vec<PathBuf>,
    /// Whether the spool holds pages that a later run can resume from.
    worth_keeping: AtomicBool,
    committed: OnceLock<Committed>,
    /// Held while files are removed: a forced exit waits for it.
    cleaning: Mutex<()>,
    /// Locked as long as there is a writer.
    _lock: File,
}

/// What is left to do after a commit.
#[derive(Debug)]
struct Committed {
    /// How many earlier snapshots are kept.
    keep: usize,
    /// Whether the names in the data directory could not be updated.
    unfinished: bool,
}

/// What a commit put in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The data directory.
    pub data_dir: PathBuf,
    /// The files, without the manifest.
    pub files: Vec<StoredFile>,
    /// The manifest's name.
    pub manifest: String,
    /// The folder of its raw pages, if they are kept.
    pub raw: Option<String>,
}

/// What to commit.
#[derive(Clone, Copy, Debug)]
pub struct NewSnapshot<'a> {
    /// The run that made it.
    pub run: &'a str,
    /// The files without the manifest, written and synced in [`Stage::new_files`].
    pub files: &'a [StoredFile],
    /// The manifest.
    pub manifest: &'a StoredFile,
    /// A file beside them that is committed with them but is not part of the snapshot.
    pub beside: Option<&'a str>,
    /// Whether the pages are kept.
    pub keep_raw: bool,
    /// How many earlier snapshots of the flow are kept.
    pub keep_snapshots: usize,
}

impl Stage {
    /// Locks the data directory, creates it if it is missing, and finishes or undoes the commit of
    /// a killed run.
    ///
    /// If another run holds the lock, `wait` is called once and the lock awaited; without `wait`
    /// that is an error.
    ///
    /// # Errors
    /// If the directory cannot be created, locked or written to, and if `stop` is requested.
    pub fn open(
        data_dir: &Path,
        (flow, readers): (Flow, Readers),
        wait: Option<&dyn Fn()>,
        stop: &Stop,
    ) -> Result<Self, StageError> {
        let created = create_all(data_dir, readers)?;
        let lock = match wait {
            None => lock(data_dir)?,
            Some(wait) => lock_or_wait(data_dir, wait, stop)?,
        };
        recover_all(data_dir)?;
        let folders = Folders::new(data_dir, flow);
        commit::remove_remains(&folders)?;
        for folder in [&folders.root, &folders.staging(), &folders.new_files()] {
            disk::create_own_folder(folder)?;
        }
        let staging = Arc::new(Staging {
            folders,
            readers,
            created,
            worth_keeping: AtomicBool::new(false),
            committed: OnceLock::new(),
            cleaning: Mutex::default(),
            _lock: lock,
        });
        // Checked now, not after everything is fetched.
        commit::expect_links(&staging.folders)?;
        let clean_on_stop = stop.on_request({
            // The run may still be writing there; what it adds later is removed when it ends.
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

    /// The folder that places are relative to.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.staging.folder()
    }

    /// Where new files are written.
    #[must_use]
    pub fn new_files(&self) -> PathBuf {
        self.staging.folders.new_files()
    }

    /// The journal of an interrupted run of this flow, if it has pages.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn unfinished(&self) -> Result<Option<Journaled>, StorageError> {
        let journaled = Journaled::read(&self.staging.spool())?;
        let found = journaled.filter(|journaled| journaled.pages() > 0);
        self.keep_spool(found.is_some());
        Ok(found)
    }

    /// Sets whether the spool is kept when the run ends without a commit.
    pub fn keep_spool(&self, worth: bool) {
        self.staging.worth_keeping.store(worth, Ordering::SeqCst);
    }

    /// Starts a new spool, and removes that of an interrupted run.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn begin_spool(&self, header: &Header) -> Result<Journal, StorageError> {
        let spool = self.staging.spool();
        self.keep_spool(false);
        self.staging.folders.clear_spool()?;
        disk::create_own_folder(&spool)?;
        Journal::create(&spool, header)
    }

    /// Resumes the spool of an interrupted run.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn resume_spool(&self, journaled: Journaled) -> Result<Journal, StorageError> {
        Journal::reopen(&self.staging.spool(), journaled)
    }

    /// Removes what a committed run no longer needs. Otherwise that happens when it is dropped.
    pub fn clean(&self) {
        self.staging.clean();
    }

    /// The work folders, for a writer with its own lifetime.
    #[must_use]
    pub fn staging(&self) -> Arc<Staging> {
        Arc::clone(&self.staging)
    }

    /// Makes a new snapshot the current one, or leaves the last one unchanged.
    ///
    /// # Errors
    /// If the run was stopped, or a step fails.
    pub fn commit(&self, new: NewSnapshot<'_>, stop: &Stop) -> Result<Snapshot, StageError> {
        stop.begin_commit()?;
        let folders = &self.staging.folders;
        let files = new.files.iter().chain([new.manifest]);
        let commit = Commit {
            run: new.run,
            readers: self.staging.readers,
            names: files.map(|file| file.name.as_str()).collect(),
            beside: new.beside,
            keep_raw: new.keep_raw,
        };
        // Before anything is committed: an error here leaves everything unchanged.
        if new.keep_raw {
            self.staging.sync_spool()?;
        }
        commit.carry_out(folders)?;
        let finished = commit::finish(folders, new.run, &commit.names);
        if let Err(error) = &finished {
            warn!(%error, "the next command finishes the commit");
        }
        // Set once, because there is only one commit.
        let _ = self.staging.committed.set(Committed {
            keep: new.keep_snapshots,
            unfinished: finished.is_err(),
        });
        Ok(Snapshot {
            data_dir: folders.data_dir.clone(),
            files: new.files.to_vec(),
            manifest: new.manifest.name.clone(),
            raw: new.keep_raw.then(|| commit::raw_name(new.run)),
        })
    }

    /// Removes all but the `keep` newest earlier snapshots of the flow, for a run that found
    /// nothing new.
    pub fn keep_snapshots(&self, keep: usize) {
        commit::prune(&self.staging.folders, keep);
    }
}

impl Staging {
    /// The folder that places are relative to.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folders.root
    }

    /// The folder of raw pages.
    pub(super) fn spool(&self) -> PathBuf {
        self.folders.spool()
    }

    /// A page was stored that a later run can resume from.
    pub(super) fn page_came(&self) {
        self.worth_keeping.store(true, Ordering::SeqCst);
    }

    /// Removes what the run created. What cannot be removed is left to the next run.
    fn clean(&self) {
        let _cleaning = self.cleaning.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.try_clean() {
            warn!(%error, "the next run removes it");
        }
    }

    fn try_clean(&self) -> Result<(), StorageError> {
        let committed = self.committed.get();
        match committed {
            Some(Committed {
                keep,
                unfinished: false,
            }) => {
                commit::settled(&self.folders, Some(*keep))?;
            }
            // The commit could be neither finished nor undone; its marker must stay.
            Some(_) => return Ok(()),
            None if commit::is_pending(&self.folders) => return Ok(()),
            None if self.worth_keeping.load(Ordering::SeqCst) => {
                return self.folders.clear_staging();
            }
            None => {}
        }
        self.folders.clear()?;
        if committed.is_none() {
            for folder in self.created.iter().rev() {
                disk::remove_folder(folder)?;
            }
        }
        Ok(())
    }

    /// The commit includes the raw pages that are kept.
    fn sync_spool(&self) -> Result<(), StorageError> {
        let spool = self.spool();
        let folder = Folder::open(&spool)?;
        for entry in folder.map_or(Ok(Vec::new()), |folder| folder.entries())? {
            let path = spool.join(entry.name);
            self.readers.of_file(&path)?;
            disk::sync_file(&path)?;
        }
        self.readers.of_folder(&spool)?;
        disk::sync_folder(&spool)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Not left to the last writer: the program may exit before it is done.
        self.staging.clean();
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        self.clean();
    }
}

/// Finishes or undoes the commits of killed runs in a locked data directory.
fn recover_all(data_dir: &Path) -> Result<(), StorageError> {
    for flow in Flow::BOTH {
        if let Some(run) = commit::recover(&Folders::new(data_dir, flow))? {
            warn!(run, "finished the commit of a run that was killed in it");
        }
    }
    Ok(())
}

/// Finishes or undoes the commits of killed runs in a data directory, if there are any. If a run
/// holds the lock, it does so itself.
pub(crate) fn settle(data_dir: &Path) -> Result<(), StorageError> {
    let pending = |flow| commit::is_pending(&Folders::new(data_dir, flow));
    if !Flow::BOTH.into_iter().any(pending) {
        return Ok(());
    }
    match lock(data_dir) {
        Err(StorageError::Locked(_)) => Ok(()),
        held => {
            let _held = held?;
            recover_all(data_dir)
        }
    }
}

/// Creates a directory and its parents. Returns those that were missing, outermost first.
fn create_all(path: &Path, readers: Readers) -> Result<Vec<PathBuf>, StorageError> {
    let missing = path
        .ancestors()
        .filter(|path| !path.as_os_str().is_empty())
        .take_while(|path| !path.exists());
    let mut created: Vec<_> = missing.map(Path::to_owned).collect();
    created.reverse();
    for folder in created.iter().map(PathBuf::as_path).chain([path]) {
        disk::create_folder(folder)?;
    }
    // The umask may have removed permissions from new folders that the user requested.
    for folder in &created {
        readers.of_folder(folder)?;
    }
    Ok(created)
}

/// Locks a data directory, or fails with [`StorageError::Locked`] if another process holds the
/// lock.
///
/// The directory itself is locked: there is no lock file to leave behind, and the system releases
/// the lock of a killed process.
pub(crate) fn lock(data_dir: &Path) -> Result<File, StorageError> {
    let folder = disk::folder_to_lock(data_dir)?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(TryLockError::Error(cause)) => Err(StorageError::io("lock", data_dir)(cause)),
        Err(TryLockError::WouldBlock) => Err(StorageError::Locked(data_dir.to_owned())),
    }
}

/// Locks a data directory. Calls `waiting` once if another process holds the lock, and waits for
/// it.
fn lock_or_wait(data_dir: &Path, waiting: &dyn Fn(), stop: &Stop) -> Result<File, StageError> {
    let mut waits = false;
    loop {
        match lock(data_dir) {
            Err(StorageError::Locked(_)) => {
                if !std::mem::replace(&mut waits, true) {
                    info!("waiting for another run");
                    waiting();
                }
                stop.check()?;
                sleep(LOOK_AGAIN);
            }
            locked => return Ok(locked?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::outputs::write_json;
    use activity_tracker_concurrency::{StopReason, Stopped};
    use std::cell::Cell;
    use std::fs;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn open(data_dir: &Path, stop: &Stop) -> Result<Stage, StageError> {
        Stage::open(data_dir, (Flow::Main, Readers::Owner), None, stop)
    }

    fn file(stage: &Stage, name: &str) -> StoredFile {
        write_json(&stage.new_files(), name.to_owned(), &name).unwrap()
    }

    const RUN: &str = "20261128T060000Z-1a2b";

    fn new<'a>(files: &'a [StoredFile], manifest: &'a StoredFile) -> NewSnapshot<'a> {
        NewSnapshot {
            run: RUN,
            files,
            manifest,
            beside: None,
            keep_raw: false,
            keep_snapshots: 1,
        }
    }

    fn commit(stage: &Stage, files: &[StoredFile], manifest: &StoredFile, stop: &Stop) {
        stage.commit(new(files, manifest), stop).unwrap();
    }

    #[test]
    fn a_commit_leaves_the_files_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("deep/data");
        let stop = Stop::new();
        let stage = open(&data, &stop).unwrap();
        let (users, manifest) = (file(&stage, "users.json"), file(&stage, "manifest.json"));
        fs::write(stage.folder().join("staging/users-1.segments"), "").unwrap();
        commit(&stage, &[users], &manifest, &stop);
        drop(stage);
        assert_eq!(names(&data), [".snapshots", "manifest.json", "users.json"]);
        assert_eq!(names(&data.join(".snapshots")), [RUN, "main"]);
        assert_eq!(
            fs::read_to_string(data.join("users.json")).unwrap(),
            "\"users.json\"\n"
        );
    }

    #[test]
    fn without_a_commit_the_directory_is_as_it_was() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("deep/data");
        let stage = open(&data, &Stop::new()).unwrap();
        file(&stage, "users.json");
        drop(stage);
        assert!(names(place.path()).is_empty());

        fs::create_dir_all(&data).unwrap();
        fs::write(data.join("users.json"), "old").unwrap();
        drop(open(&data, &Stop::new()).unwrap());
        assert_eq!(names(&data), ["users.json"]);
    }

    #[test]
    fn a_stop_before_the_commit_removes_what_was_staged_and_forbids_the_commit() {
        let place = tempfile::tempdir().unwrap();
        let stop = Stop::new();
        let stage = open(place.path(), &stop).unwrap();
        let manifest = &file(&stage, "manifest.json");
        stop.request(StopReason::Interrupt);
        assert!(names(place.path()).is_empty());
        assert!(stage.commit(new(&[], manifest), &stop).is_err());
    }

    #[test]
    fn pages_that_came_stay_when_the_run_ends_without_a_commit() {
        let place = tempfile::tempdir().unwrap();
        let stage = open(place.path(), &Stop::new()).unwrap();
        fs::create_dir(stage.staging.spool()).unwrap();
        stage.keep_spool(true);
        file(&stage, "users.json");
        drop(stage);
        assert_eq!(names(&place.path().join(".run-main")), ["spool"]);
    }

    #[test]
    fn what_is_written_after_the_end_is_removed_when_the_writer_is_done() {
        let place = tempfile::tempdir().unwrap();
        let stage = open(place.path(), &Stop::new()).unwrap();
        let writer = stage.staging();
        drop(stage);
        // It was about to write when the run ended.
        let late = writer.folder().join("staging");
        fs::create_dir_all(&late).unwrap();
        fs::write(late.join("users-1.segments"), "").unwrap();
        drop(writer);
        assert!(names(place.path()).is_empty());
    }

    #[test]
    fn two_runs_do_not_share_a_directory() {
        let place = tempfile::tempdir().unwrap();
        let first = open(place.path(), &Stop::new()).unwrap();
        let second = open(place.path(), &Stop::new());
        assert!(matches!(
            second,
            Err(StageError::Storage(StorageError::Locked(_)))
        ));
        drop(first);
        assert!(open(place.path(), &Stop::new()).is_ok());
    }

    #[test]
    fn a_second_run_can_wait_for_the_first_and_be_stopped_meanwhile() {
        let place = tempfile::tempdir().unwrap();
        let first = Cell::new(Some(open(place.path(), &Stop::new()).unwrap()));
        let told = || drop(first.take());
        let second = Stage::open(
            place.path(),
            (Flow::Async, Readers::Owner),
            Some(&told),
            &Stop::new(),
        );
        assert!(second.is_ok() && first.take().is_none());

        let stop = Stop::new();
        let told = || stop.request(StopReason::Interrupt);
        let third = Stage::open(
            place.path(),
            (Flow::Main, Readers::Owner),
            Some(&told),
            &stop,
        );
        assert!(matches!(
            third,
            Err(StageError::Stopped(Stopped(StopReason::Interrupt)))
        ));
    }

    #[test]
    fn a_file_in_the_place_of_the_directory_is_an_error() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("data")] {
            let error = open(&path, &Stop::new()).err().unwrap();
            assert!(error.to_string().starts_with("cannot create "), "{error}");
        }
    }
}
