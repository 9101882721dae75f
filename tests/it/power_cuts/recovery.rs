//! What the next command makes of what a power cut left.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread;

use activity_tracker::concurrency::Stop;
use activity_tracker::error::{Error, StorageError};
use activity_tracker::history::{self, History};
use activity_tracker::storage::{
    self, Flow, Manifest, Readers, Stage, StoredFile, StoredSnapshot, is_whole,
};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::disk::{Entry, Image};

/// What the history is to learn: where it could not be removed, the next command does that.
const STEP: &str = ".history-next.db";

/// The files of a data directory that people see, but for what tells one run from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl State {
    pub(super) fn names(&self) -> impl fmt::Debug {
        let sizes = self.files.iter().map(|(path, bytes)| (path, bytes.len()));
        sizes.collect::<Vec<_>>()
    }
}

/// Everything below a folder that is there or not.
pub(super) fn image_of(folder: &Path) -> Image {
    let mut image = Image::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(path) = folders.pop() {
        let Ok(entries) = fs::read_dir(&path) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("an entry").path();
            let within = path.strip_prefix(folder).expect("a path below").to_owned();
            if let Ok(text) = fs::read_link(&path) {
                let text = text.to_str().expect("UTF-8").to_owned();
                image.insert(within, Entry::Link(text));
            } else if path.is_dir() {
                folders.push(path);
                image.insert(within, Entry::Folder);
            } else {
                let bytes = fs::read(&path).expect("read a file").into();
                image.insert(within, Entry::File(bytes));
            }
        }
    }
    image
}

/// Where images are put: in memory where the system has such a place, for each is synced.
pub(super) fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    made.or_else(|_| tempfile::tempdir())
        .expect("a temporary folder")
}

/// Puts an image into an empty folder.
pub(super) fn put(image: &Image, folder: &Path) {
    // By path, so that each folder is made before what is in it.
    for (path, entry) in image {
        let path = folder.join(path);
        match entry {
            Entry::Folder => fs::create_dir(&path).expect("make a folder"),
            Entry::File(bytes) => fs::write(&path, bytes).expect("write a file"),
            Entry::Link(text) => symlink(text, &path).expect("make a link"),
        }
    }
}

/// What is in a data directory whose history is of the same run as its newest snapshot.
pub(super) fn state(data_dir: &Path) -> Result<State, String> {
    let last_run = last_run(&data_dir.join("history.db"))?;
    let manifest = Flow::BOTH
        .into_iter()
        .filter_map(|flow| StoredSnapshot::last(data_dir, flow))
        .map(|stored| stored.manifest)
        .max_by_key(|manifest| manifest.finished_at);
    expect_earlier(data_dir, manifest.as_ref())?;
    let stored = manifest.map(|manifest| manifest.run);
    if last_run != stored {
        return Err(format!(
            "the history is of {last_run:?}, the snapshot of {stored:?}"
        ));
    }
    let mut files = BTreeMap::new();
    for (path, entry) in image_of(data_dir) {
        let first = path.iter().next().unwrap_or_default().to_string_lossy();
        let manifest = first.starts_with("manifest");
        if entry != Entry::Folder
            && !first.starts_with(".run-")
            && first != ".snapshots"
            && first != "history.db"
            && first != STEP
        {
            // As people read it: a link is what it leads to.
            let bytes = fs::read(data_dir.join(&path));
            let bytes = bytes.map_err(|error| format!("{}: {error}", path.display()))?;
            files.insert(path, if manifest { Vec::new() } else { bytes });
        }
    }
    Ok(State { files })
}

/// What looks like an earlier snapshot is one, and whole.
fn expect_earlier(data_dir: &Path, current: Option<&Manifest>) -> Result<(), String> {
    let earlier = StoredSnapshot::earlier(data_dir).map_err(|error| format!("earlier: {error}"))?;
    for stored in earlier {
        let is_whole = |file: &StoredFile| is_whole(&stored.folder, file).unwrap_or_default();
        if !stored.manifest.files.iter().all(is_whole) {
            return Err(format!("{} is not whole", stored.folder.display()));
        }
        let at = stored.manifest.finished_at;
        if current.is_none_or(|current| current.finished_at < at) {
            return Err(format!("{} was never current", stored.folder.display()));
        }
    }
    Ok(())
}

fn last_run(history: &Path) -> Result<Option<String>, String> {
    if !history.exists() {
        return Ok(None);
    }
    let last = || -> rusqlite::Result<_> {
        // One that may write: what a transaction left is taken back.
        let history = Connection::open_with_flags(history, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let intact: String = history.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        let tables: i64 =
            history.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 {
            return Ok((intact, None));
        }
        let last = "SELECT max(id), run FROM runs";
        let last = history.query_row(last, [], |row| row.get(1))?;
        Ok((intact, last))
    };
    match last() {
        Ok((intact, last)) if intact == "ok" => Ok(last),
        Ok((intact, _)) => Err(format!("the history is damaged: {intact}")),
        Err(error) => Err(format!("the history cannot be read: {error}")),
    }
}

/// What `verify` does.
pub(super) fn by_verify(data_dir: &Path) -> Result<State, String> {
    // Where another run has the directory, the step is left to it. Another test's child has our
    // lock, too, from when it is forked until it is another program.
    for _ in 0..1000 {
        let brought = history::bring_up(data_dir, &Stop::new());
        brought.map_err(|error| format!("bring up: {error:?}"))?;
        if !data_dir.join(STEP).exists() {
            break;
        }
        thread::yield_now();
    }
    match storage::verify(data_dir) {
        Err(StorageError::NoSnapshot(_)) => {}
        Err(error) => return Err(format!("verify: {error:?}")),
        Ok(verified) => {
            let damaged = verified.iter().flat_map(|one| &one.damaged);
            let damaged: Vec<_> = damaged.collect();
            if !damaged.is_empty() {
                return Err(format!("verify: damaged {damaged:?}"));
            }
        }
    }
    recovered(data_dir)
}

/// What `run` does before it fetches, and what it leaves when it ends there.
pub(super) fn by_run(data_dir: &Path, flow: Flow) -> Result<State, String> {
    let failed = |error: Error| format!("run: {error:?}");
    let stage = Stage::open(data_dir, (flow, Readers::default()), None, &Stop::new());
    let stage = stage.map_err(|error| failed(error.into()))?;
    History::open(data_dir, &Stop::new()).map_err(|error| failed(error.into()))?;
    let unfinished = stage.unfinished().map_err(|error| failed(error.into()))?;
    let stored = StoredSnapshot::last(data_dir, flow);
    let stored = stored.map(|stored| stored.manifest.run);
    if let Some(left) = unfinished.filter(|left| Some(&left.header.run) == stored.as_ref()) {
        let run = &left.header.run;
        return Err(format!("run: {run} is stored, and said to be unfinished"));
    }
    stage.keep_spool(false);
    drop(stage);
    let left = data_dir.join(match flow {
        Flow::Main => ".run-main",
        Flow::Async => ".run-async",
    });
    if left.exists() {
        return Err(format!("run: {} is left", left.display()));
    }
    recovered(data_dir)
}

fn recovered(data_dir: &Path) -> Result<State, String> {
    if data_dir.join(STEP).exists() {
        return Err(format!("{STEP} is left"));
    }
    state(data_dir)
}
