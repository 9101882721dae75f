//! A person's own command, which is given what changed.
//!
//! The changes come out of the history into a file without a name, and that is the
//! command's standard input. So they are in memory neither here nor there, the history is
//! read in one go, and a command that reads nothing, or slowly, is in nobody's way.

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
use activity_tracker::error::{Error, StorageError};
use activity_tracker::history::{self, Log, Wanted};
use activity_tracker::settings::Settings;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tracing::info;

/// How long a command may go on when the watch is stopped, and again when it was told to end.
const GRACE: Duration = Duration::from_secs(2);

/// A command for the shell.
#[derive(Debug)]
pub(crate) struct Hook {
    command: String,
    /// How long it may take.
    limit: Duration,
    /// Its process group while it runs.
    under_way: Mutex<Option<Pid>>,
}

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HookError {
    /// There was nothing to give it.
    #[error(transparent)]
    Changes(#[from] Error),
    /// The history does not have the run.
    #[error("the history does not have the run {0}")]
    NoRun(String),
    /// There is no shell, or no room for a process.
    #[error("it did not start: {0}")]
    Start(#[source] io::Error),
    /// It said so itself, or was killed.
    #[error("it ended with {0}")]
    Ended(ExitStatus),
    /// It took too long.
    #[error("it was ended, for it took longer than {0:?}")]
    TooLong(Duration),
    /// The watch was stopped, and it did not end.
    #[error("it was ended, for the watch was stopped")]
    Stopped,
}

impl From<StorageError> for HookError {
    fn from(error: StorageError) -> Self {
        Self::Changes(error.into())
    }
}

/// What is heard while the command runs.
enum News {
    Ended,
    Stop,
}

impl Hook {
    /// A command that may take so long.
    pub(crate) fn new(command: String, limit: Duration) -> Self {
        Self {
            command,
            limit,
            under_way: Mutex::new(None),
        }
    }

    /// Ends the command without asking, if it runs.
    pub(crate) fn kill(&self) {
        if let Some(group) = *self.group() {
            // It may have ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    fn group(&self) -> std::sync::MutexGuard<'_, Option<Pid>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the command the changes that a run of these settings found, and waits for its end.
    ///
    /// It does not get the credentials of the source, nor what grants them, from the environment.
    ///
    /// # Errors
    /// When it was not started, did not end well, or not in time.
    pub(crate) fn give(
        &self,
        run: &str,
        settings: &Settings,
        stop: &Stop,
    ) -> Result<(), HookError> {
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
            // With what it starts it can be ended together, and Ctrl-C is not sent to it.
            .process_group(0);
        let mut child = command.spawn().map_err(HookError::Start)?;
        let group = Pid::from_child(&child);
        *self.group() = Some(group);
        let ended = self.wait(&child, group, stop);
        // Whatever it left running ends with it; this fails where nothing is left.
        let _ = kill_process_group(group, Signal::KILL);
        // Only now may its number be given to another process.
        *self.group() = None;
        let status = child.wait().map_err(HookError::Start)?;
        ended?;
        if !status.success() {
            return Err(HookError::Ended(status));
        }
        info!(run, "command finished");
        Ok(())
    }

    /// Waits until the command has ended, by itself or not. It is not waited for in the
    /// system's sense: its number stays its own.
    fn wait(&self, child: &Child, group: Pid, stop: &Stop) -> Result<(), HookError> {
        let (sender, news) = channel();
        let pid = Pid::from_child(child);
        let waiting = spawn({
            let sender = sender.clone();
            move || {
                let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                while matches!(waitid(WaitId::Pid(pid), ended), Err(Errno::INTR)) {}
                // Nobody listens any more who does not need to know.
                let _ = sender.send(News::Ended);
            }
        });
        if let Err(error) = waiting {
            let _ = kill_process_group(group, Signal::KILL);
            return Err(HookError::Start(error));
        }
        let _registration = stop.on_request(move || {
            let _ = sender.send(News::Stop);
        });
        let why = match news.recv_timeout(self.limit) {
            Ok(News::Ended) => return Ok(()),
            Ok(News::Stop) if ends(&news, GRACE) => return Ok(()),
            Ok(News::Stop) => HookError::Stopped,
            Err(_) => HookError::TooLong(self.limit),
        };
        // These fail only where nobody is left.
        let _ = kill_process_group(group, Signal::TERM);
        if !ends(&news, GRACE) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        Err(why)
    }
}

/// Whether the command ends within this time.
fn ends(news: &Receiver<News>, time: Duration) -> bool {
    loop {
        match news.recv_timeout(time) {
            Ok(News::Ended) | Err(RecvTimeoutError::Disconnected) => return true,
            // It ends already.
            Ok(News::Stop) => {}
            Err(RecvTimeoutError::Timeout) => return false,
        }
    }
}

/// What a run changed, as a JSON array with a line for each change, to be read from its
/// beginning. The file has no name: whatever happens, none is left behind.
fn changes(run: &str, data_dir: &Path, stop: &Stop) -> Result<File, HookError> {
    // The run is done, and its changes are given even if the watch was told to stop since.
    history::bring_up(data_dir, &Stop::new())?;
    let log = Log::open(data_dir)?;
    let mut log = log.ok_or_else(|| HookError::NoRun(run.to_owned()))?;
    log.heed_hurry(stop)?;
    let number = log.number(run)?;
    let wanted = Wanted {
        run: Some(number.ok_or_else(|| HookError::NoRun(run.to_owned()))?),
        ..Wanted::default()
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
        serde_json::to_writer(&mut out, &change).map_err(|error| written()(error.into()))
    })?;
    let end = if before == "[\n" { "[]\n" } else { "\n]\n" };
    out.write_all(end.as_bytes()).map_err(written())?;
    let mut file = out
        .into_inner()
        .map_err(|error| written()(error.into_error()))?;
    file.rewind().map_err(written())?;
    Ok(file)
}
