//! The command of `--exec`, which gets the changes of a run.
//!
//! The changes are copied from the history to an unlinked file, which becomes the command's stdin.
//! So they are never in memory at once, the history is not locked while the command runs, and a
//! command may read slowly or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{self, Path};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use activity_tracker::concurrency::{Stop, spawn};
use activity_tracker::error::{Error, HistoryError, StorageError};
use activity_tracker::history::{self, ChangeFilter, Log};
use activity_tracker::settings::Settings;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tracing::info;

/// How long a command may run after the watch was stopped, and again after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

/// A command for the shell.
#[derive(Debug)]
pub(crate) struct Hook {
    command: String,
    /// The maximum run time.
    limit: Duration,
    /// Its process group while it runs.
    running: Mutex<Option<Pid>>,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HookError {
    /// The changes could not be read.
    #[error(transparent)]
    Changes(#[from] Error),
    /// The run is not in the history.
    #[error("run {0} is not in the history")]
    NoRun(String),
    /// There is no shell, or no process available.
    #[error("cannot start it: {0}")]
    Start(#[source] io::Error),
    /// It exited with an error, or was killed.
    #[error("{0}")]
    Exit(ExitStatus),
    /// It exceeded --exec-timeout.
    #[error("timed out after {0:?}")]
    Timeout(Duration),
    /// The watch was stopped, and the command did not end in time.
    #[error("killed because the watch was stopped")]
    Stopped,
}

impl From<HistoryError> for HookError {
    fn from(error: HistoryError) -> Self {
        Self::Changes(error.into())
    }
}

impl From<StorageError> for HookError {
    fn from(error: StorageError) -> Self {
        Self::Changes(error.into())
    }
}

/// What happens while the command runs.
enum HookEvent {
    Exited,
    Stop,
}

impl Hook {
    /// A command with a timeout.
    pub(crate) fn new(command: String, limit: Duration) -> Self {
        Self {
            command,
            limit,
            running: Mutex::new(None),
        }
    }

    /// Kills the command if it is running.
    pub(crate) fn kill(&self) {
        if let Some(group) = *self.group() {
            // Fails if it has ended meanwhile.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    fn group(&self) -> std::sync::MutexGuard<'_, Option<Pid>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the command with the changes of a run, and waits for it.
    ///
    /// The variables with the source's credentials, and the one that allows their use, are removed
    /// from its environment.
    ///
    /// # Errors
    /// When it cannot be started, fails, or times out.
    pub(crate) fn run(&self, run: &str, settings: &Settings, stop: &Stop) -> Result<(), HookError> {
        let data_dir = settings.data_dir.as_path();
        let changes = changes(run, data_dir, stop)?;
        let data_dir = path::absolute(data_dir).map_err(StorageError::io("find", data_dir))?;
        info!(run, command = self.command, "command started");
        let mut command = Command::new("sh");
        for name in settings.source.definition.credential_variables() {
            command.env_remove(name);
        }
        command
            .env_remove("ACTIVITY_TRACKER_TRUST")
            .args(["-c", &self.command])
            .env("ACTIVITY_TRACKER_RUN", run)
            .env("ACTIVITY_TRACKER_DATA_DIR", data_dir)
            .stdin(changes)
            // So it can be killed with its children, and does not receive Ctrl-C.
            .process_group(0);
        let mut child = command.spawn().map_err(HookError::Start)?;
        let group = Pid::from_child(&child);
        *self.group() = Some(group);
        let ended = self.wait(&child, group, stop);
        // Ends what it left running; fails if there is nothing.
        let _ = kill_process_group(group, Signal::KILL);
        // Its process id may be reused after `Child::wait`.
        *self.group() = None;
        let status = child.wait().map_err(HookError::Start)?;
        ended?;
        if !status.success() {
            return Err(HookError::Exit(status));
        }
        info!(run, "command finished");
        Ok(())
    }

    /// Waits until the command has exited, and kills it if necessary. It is not reaped, so its
    /// process id stays valid.
    fn wait(&self, child: &Child, group: Pid, stop: &Stop) -> Result<(), HookError> {
        let (sender, events) = channel();
        let pid = Pid::from_child(child);
        let waiting = spawn({
            let sender = sender.clone();
            move || {
                let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                while matches!(waitid(WaitId::Pid(pid), ended), Err(Errno::INTR)) {}
                let _ = sender.send(HookEvent::Exited);
            }
        });
        if let Err(error) = waiting {
            let _ = kill_process_group(group, Signal::KILL);
            return Err(HookError::Start(error));
        }
        let _registration = stop.on_request(move || {
            let _ = sender.send(HookEvent::Stop);
        });
        let why = match events.recv_timeout(self.limit) {
            Ok(HookEvent::Exited) => return Ok(()),
            Ok(HookEvent::Stop) if exits(&events, GRACE) => return Ok(()),
            Ok(HookEvent::Stop) => HookError::Stopped,
            Err(_) => HookError::Timeout(self.limit),
        };
        // Fails only if no process is left.
        let _ = kill_process_group(group, Signal::TERM);
        if !exits(&events, GRACE) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        Err(why)
    }
}

/// Whether the command exits within this time.
fn exits(events: &Receiver<HookEvent>, time: Duration) -> bool {
    loop {
        match events.recv_timeout(time) {
            Ok(HookEvent::Exited) | Err(RecvTimeoutError::Disconnected) => return true,
            // The first request has started the timeout.
            Ok(HookEvent::Stop) => {}
            Err(RecvTimeoutError::Timeout) => return false,
        }
    }
}

/// The changes of a run as a JSON array, one change per line, in an unlinked file.
fn changes(run: &str, data_dir: &Path, stop: &Stop) -> Result<File, HookError> {
    // The run is complete: its changes are passed on even if the watch was stopped since.
    history::bring_up(data_dir, &Stop::new())?;
    let log = Log::open(data_dir)?;
    let mut log = log.ok_or_else(|| HookError::NoRun(run.to_owned()))?;
    log.heed_hurry(stop)?;
    let number = log.number(run)?;
    let wanted = ChangeFilter {
        run: Some(number.ok_or_else(|| HookError::NoRun(run.to_owned()))?),
        ..ChangeFilter::default()
    };
    let path = data_dir.join(format!(".changes-{run}"));
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(StorageError::io("create", &path))?;
    fs::remove_file(&path).map_err(StorageError::io("remove", &path))?;
    let written = || StorageError::io("write", &path);
    let mut out = BufWriter::new(file);
    let mut before = "[\n";
    log.changes(&wanted, |change| {
        out.write_all(before.as_bytes()).map_err(written())?;
        before = ",\n";
        serde_json::to_writer(&mut out, &change).map_err(|error| written()(error.into()))?;
        Ok::<_, HistoryError>(())
    })?;
    let end = if before == "[\n" { "[]\n" } else { "\n]\n" };
    out.write_all(end.as_bytes()).map_err(written())?;
    let mut file = out
        .into_inner()
        .map_err(|error| written()(error.into_error()))?;
    file.rewind().map_err(written())?;
    Ok(file)
}
