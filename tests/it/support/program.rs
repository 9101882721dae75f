//! The built program, run in a folder of its own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, pipe};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;

/// How long a run may take before the test fails in place of hanging.
const PATIENCE: Duration = Duration::from_mins(3);

const PROGRAM: &str = env!("CARGO_BIN_EXE_activity-tracker");

/// How much memory a run may have against which a server does its worst, in KiB for each process:
/// some threads and buffers, and never a complete response.
const MEMORY: u32 = 200_000;

/// The system calls that change what is on a disk.
const TRACED: &str = "trace=open,openat,creat,write,writev,pwrite64,pwritev,ftruncate,truncate,\
    fallocate,fsync,fdatasync,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,\
    unlinkat,mkdir,mkdirat,rmdir,copy_file_range,sendfile";

/// What a snapshot of the main flow consists of.
pub(crate) const SNAPSHOT: [&str; 6] = [
    "filtered_users.json",
    "manifest.json",
    "posts.json",
    "summary.json",
    "user_names.json",
    "users.json",
];

/// A temporary folder that the program is run in, with the default places of its data and its log.
#[derive(Debug)]
pub(crate) struct Workplace {
    _folder: TempDir,
    path: PathBuf,
}

impl Workplace {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // As the system names it: processes are looked up by their folder.
        let path = folder.path().canonicalize().expect("the folder's own path");
        Self {
            _folder: folder,
            path,
        }
    }

    /// One whose data directory holds an old snapshot, and a file that is none of the program's.
    pub(crate) fn with_old_snapshot() -> Self {
        let place = Self::new();
        fill_with_old_snapshot(&place.data_dir());
        place
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the program puts its snapshot unless told otherwise.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Everything in the data directory.
    pub(crate) fn data(&self) -> BTreeMap<String, Vec<u8>> {
        contents(&self.data_dir())
    }

    /// # Panics
    /// When a failed run left anything else in the data directory than what was there before.
    #[track_caller]
    pub(crate) fn assert_unchanged(&self, before: &BTreeMap<String, Vec<u8>>) {
        assert_eq!(self.data(), *before);
    }

    /// Where a file of the current snapshot of the main flow is, or of the async flow if its name
    /// says so, as messages name it.
    pub(crate) fn stored(&self, name: &str) -> PathBuf {
        let flow = if name.contains("_async.") {
            "async"
        } else {
            "main"
        };
        let snapshots = Path::new("data").join(SNAPSHOTS);
        let run = fs::read_link(self.path.join(&snapshots).join(flow)).expect("a link");
        snapshots.join(run).join(name)
    }

    /// One file of the data directory.
    pub(crate) fn file(&self, name: &str) -> String {
        let path = self.data_dir().join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// One file of the data directory, read as JSON.
    pub(crate) fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.file(name)).expect("JSON")
    }

    /// The log; empty where there is none yet.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path.join("logs/app.log")).unwrap_or_default()
    }

    /// The program with these arguments and nothing from the test's own environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.prepared(Command::new(PROGRAM), args)
    }

    /// The same, where no process of the run gets more memory than [`MEMORY`].
    pub(crate) fn bounded(&self, args: &[&str]) -> Command {
        self.bounded_to(MEMORY, args)
    }

    /// The same, where no process of the run gets more memory than so many KiB.
    pub(crate) fn bounded_to(&self, memory: u32, args: &[&str]) -> Command {
        // The system counts what can be written to: heap and stacks, but no code and no reserves.
        self.limited(&format!("ulimit -d {memory}"), args)
    }

    /// The same, under a limit that a shell sets.
    pub(crate) fn limited(&self, limit: &str, args: &[&str]) -> Command {
        let mut shell = Command::new("sh");
        let script = format!("{limit} && exec \"$@\"");
        shell.args(["-c", &script, "sh", PROGRAM]);
        self.prepared(shell, args)
    }

    /// The same, where `strace` writes down what all processes of the run do to files.
    pub(crate) fn traced(&self, to: &Path, args: &[&str]) -> Command {
        let mut strace = Command::new("strace");
        let options = ["-f", "-y", "-xx", "-s", "16777216", "-e", TRACED, "-o"];
        strace.args(options).arg(to).arg(PROGRAM);
        self.prepared(strace, args)
    }

    fn prepared(&self, mut command: Command, args: &[&str]) -> Command {
        command.args(args);
        self.prepare(&mut command);
        command
    }

    /// Has a command run in this folder, with nothing from the test's own environment.
    pub(crate) fn prepare(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            let upper = name.to_string_lossy().to_uppercase();
            if upper.ends_with("_PROXY") || upper.starts_with("ACTIVITY_TRACKER_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(&self.path)
            .env("NO_COLOR", "1")
            // Source files of tests are the tests' own; `consent.rs` takes this away again.
            .env("ACTIVITY_TRACKER_TRUST", "1")
            .env("XDG_STATE_HOME", self.path.join("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
    }

    /// Starts `activity-tracker run` with these arguments.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        Running::start(&mut self.command(&[&["run"], args].concat()))
    }

    /// Runs `activity-tracker run` with these arguments to its end.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Outcome {
        self.start(args).wait()
    }

    /// The same, for a run that must succeed.
    #[track_caller]
    pub(crate) fn run_well(&self, args: &[&str]) -> Outcome {
        let outcome = self.run(args);
        outcome.assert_code(0);
        outcome
    }
}

/// Puts something in a data directory that a failed run must leave alone.
pub(crate) fn fill_with_old_snapshot(data_dir: &Path) {
    fs::create_dir_all(data_dir).expect("make the data directory");
    for name in SNAPSHOT.iter().chain(&["notes.txt"]) {
        fs::write(data_dir.join(name), format!("old {name}")).expect("write an old file");
    }
}

/// Makes of a data directory what version 0 of the program would have left: files in the place
/// of links, and no folder of snapshots.
pub(crate) fn to_version_0(data_dir: &Path) {
    for entry in fs::read_dir(data_dir).expect("list a folder") {
        let path = entry.expect("an entry").path();
        if path.is_symlink() {
            let bytes = fs::read(&path).expect("read through a link");
            fs::remove_file(&path).expect("remove a link");
            fs::write(&path, bytes).expect("write a file");
        }
    }
    fs::remove_dir_all(data_dir.join(SNAPSHOTS)).expect("remove the snapshots");
}

/// The folder of snapshots in a data directory.
pub(crate) const SNAPSHOTS: &str = ".snapshots";

/// The names of the snapshots in a data directory, the oldest first. Those without a manifest that
/// can be read come before the others.
pub(crate) fn runs(data_dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(data_dir.join(SNAPSHOTS)).expect("list the snapshots");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let folders = paths.filter(|path| path.is_dir() && !path.is_symlink());
    let finished = |folder: &PathBuf| {
        let mut names = ["manifest.json", "manifest_async.json"].into_iter();
        let text = names.find_map(|name| fs::read(folder.join(name)).ok())?;
        let manifest: serde_json::Value = serde_json::from_slice(&text).ok()?;
        manifest["finished_at"].as_str()?.parse::<Timestamp>().ok()
    };
    let mut folders: Vec<_> = folders.collect();
    folders.sort_by_key(finished);
    let name = |folder: &PathBuf| folder.file_name().map(|name| name.to_string_lossy().into());
    folders.iter().filter_map(name).collect()
}

/// What is in a folder: files with their bytes, folders with a slash behind their names.
/// The pages of a run that did not finish do not count: they may be there or not. Nor does
/// a history beside a snapshot, which tells one run from another, nor the folder of snapshots,
/// whose files are read through their links.
pub(crate) fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("list a folder");
    let named = entries.filter_map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        if name.starts_with(".run-") {
            assert_only_pages(&path);
            None
        } else if name == SNAPSHOTS {
            None
        } else if path.is_dir() {
            Some((format!("{name}/"), Vec::new()))
        } else {
            let bytes = match fs::read(&path) {
                Err(_) if path.is_symlink() => b"leads to nothing".to_vec(),
                bytes => bytes.expect("read a file"),
            };
            Some((name.into_owned(), bytes))
        }
    });
    let mut named: BTreeMap<_, _> = named.collect();
    if named.keys().any(|name| name.starts_with("manifest")) {
        named.remove(HISTORY);
    }
    named
}

/// The file of the history in a data directory.
pub(crate) const HISTORY: &str = "history.db";

/// # Panics
/// When a run left anything but its pages and their journal.
fn assert_only_pages(folder: &Path) {
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).expect("list a folder");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        entries
            .map(|entry| name(entry).into_string().expect("UTF-8"))
            .collect()
    };
    assert_eq!(names(folder), ["spool"], "{}", folder.display());
    let pages = names(&folder.join("spool"));
    assert!(
        pages.len() > 1,
        "a spool without pages is worth nothing: {pages:?}"
    );
    let stray = pages.iter().find(|name| {
        name.rsplit_once('.').is_none_or(|(_, end)| end != "page") && *name != "journal.ndjson"
    });
    assert_eq!(stray, None);
}

/// A run under way; killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
}

impl Running {
    /// Starts a program. What is piped of its output is kept.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("start the program");
        Self {
            stdout: read_aside(child.stdout.take()),
            stderr: read_aside(child.stderr.take()),
            child,
        }
    }

    /// Runs a program to its end whose reader has left before it began.
    #[track_caller]
    pub(crate) fn unread(mut command: Command) -> Outcome {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let run = Self::start(command.stdout(writer));
        // It has the pipe as well.
        drop(command);
        run.wait()
    }

    /// Runs a program to its end that prints to a disk without room; none where there is no such thing.
    #[track_caller]
    pub(crate) fn on_a_full_disk(mut command: Command) -> Option<Outcome> {
        let Ok(full) = File::options().write(true).open("/dev/full") else {
            println!("skipped: there is no /dev/full here");
            return None;
        };
        Some(Self::start(command.stdout(full)).wait())
    }

    /// Asserts that a command takes a reader who left for one who has read enough, and a disk
    /// without room for an error.
    #[track_caller]
    pub(crate) fn assert_heeds_its_reader(command: impl Fn() -> Command) {
        let asked = format!("{:?}", command());
        let outcome = Self::unread(command());
        outcome.assert_code(0);
        assert_eq!(outcome.stderr, "", "{asked}");
        let Some(outcome) = Self::on_a_full_disk(command()) else {
            return;
        };
        outcome.assert_code(1);
        let says = "error: cannot print to stdout: No space left on device (os error 28)\n  \
                    try: free disk space where stdout goes, or redirect it elsewhere\n";
        assert_eq!(outcome.stderr, says, "{asked}");
    }

    /// Sends a signal: `INT`, `TERM`, `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        super::processes::signal(self.child.id(), name);
    }

    /// Waits for the end.
    #[track_caller]
    pub(crate) fn wait(self) -> Outcome {
        self.wait_within(PATIENCE)
    }

    /// Waits for the end: of the run, and of every process that it started, for those write to the same stderr.
    ///
    /// # Panics
    /// When it does not come in time.
    #[track_caller]
    pub(crate) fn wait_within(mut self, limit: Duration) -> Outcome {
        let ended = |pipe: &Receiver<Vec<u8>>| {
            let bytes = pipe.recv_timeout(limit);
            let bytes = bytes.unwrap_or_else(|_| panic!("no end within {limit:?}"));
            String::from_utf8(bytes).expect("output in UTF-8")
        };
        let (stdout, stderr) = (ended(&self.stdout), ended(&self.stderr));
        let status = self.child.wait().expect("wait for the program");
        Outcome {
            status,
            stdout,
            stderr,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a program that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a pipe to its end; what is not piped is empty.
fn read_aside(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).expect("read a pipe");
        }
        // Nobody listens any more when the test has failed.
        let _ = sender.send(bytes);
    });
    receiver
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// # Panics
    /// When the exit code is another one; shows what was printed.
    #[track_caller]
    pub(crate) fn assert_code(&self, code: i32) {
        assert_eq!(self.status.code(), Some(code), "{self:#?}");
    }

    /// The first line on stderr.
    pub(crate) fn first_line(&self) -> &str {
        self.stderr.lines().next().unwrap_or_default()
    }
}
