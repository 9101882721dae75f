//! A pool of worker processes for CPU-bound work, each with one task at a time.
//!
//! A worker is this program, started to run [`serve`]: it reads tasks from its standard input, one
//! line of JSON each, and writes one line of JSON for each. If a worker dies, only its task is
//! lost, and another worker retries it once. However the program ends, the pipes close, and a
//! remaining worker reads the end of its input and exits too.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::start;
use super::stop::{Registration, Stop};
use super::threads::fan_out;

/// Why a task failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// Two workers in turn failed; the text says how the second one ended.
    #[error("{0}")]
    Task(String),
    /// There is no worker, and none could be started: the error of the system.
    #[error("did not start: {message}")]
    Start {
        /// The error code of the system, if there is one.
        code: Option<i32>,
        /// The error message.
        message: String,
    },
}

impl Failed {
    fn start(error: &io::Error) -> Self {
        Self::Start {
            code: error.raw_os_error(),
            message: error.to_string(),
        }
    }

    /// The error of the system, if no worker was started.
    ///
    /// # Errors
    /// How the second worker ended, if two were tried.
    pub fn into_cause(self) -> Result<io::Error, String> {
        match self {
            Self::Start { code, message } => {
                Ok(code.map_or_else(|| io::Error::other(message), io::Error::from_raw_os_error))
            }
            Self::Task(reason) => Err(reason),
        }
    }
}

/// A pool of worker processes.
pub struct Pool<'a> {
    /// Creates the command of a worker.
    pub command: &'a (dyn Fn() -> Command + Sync),
    /// The maximum number of workers. One is started when there is a task for it.
    pub size: usize,
    /// Whether the first worker is started immediately, if tasks are certain to follow: it is ready
    /// by then.
    pub at_once: bool,
    /// A stop request kills the workers.
    pub stop: &'a Stop,
}

impl Pool<'_> {
    /// Runs all `tasks` and sends each with its result, in order of completion. Returns when there
    /// are no more tasks, or when the receiver is gone.
    pub fn run<T, R>(&self, tasks: &Receiver<T>, done: &Sender<(T, Result<R, Failed>)>)
    where
        T: Serialize + Send,
        R: DeserializeOwned + Send,
    {
        let crew = Crew::new(self);
        // Before the threads: if resources are scarce, a worker is more useful than another thread.
        if self.at_once {
            crew.start_early();
        }
        fan_out(self.size, |_| {
            for task in tasks {
                let outcome = self.twice(&crew, &task);
                if done.send((task, outcome)).is_err() {
                    break;
                }
            }
        });
    }

    /// Runs a task, and retries it once with a fresh worker if the first one fails.
    fn twice<T, R>(&self, crew: &Crew<'_>, task: &T) -> Result<R, Failed>
    where
        T: Serialize,
        R: DeserializeOwned,
    {
        crew.once(task).or_else(|failed| {
            if self.stop.check().is_err() || matches!(failed, Failed::Start { .. }) {
                return Err(failed);
            }
            warn!(reason = %failed, "a worker failed; its task is done again");
            crew.once(task)
        })
    }
}

/// The workers of a pool: as many as there are concurrent tasks, or as the system allows.
struct Crew<'a> {
    pool: &'a Pool<'a>,
    workers: Mutex<Workers>,
    /// Signalled when a worker is free or may be started.
    changed: Condvar,
}

struct Workers {
    free: Vec<Worker>,
    /// How many there are, including those being started.
    alive: usize,
    /// How many there may be.
    most: usize,
}

impl<'a> Crew<'a> {
    fn new(pool: &'a Pool<'a>) -> Self {
        let workers = Workers {
            free: Vec::new(),
            alive: 0,
            most: pool.size,
        };
        Self {
            pool,
            workers: Mutex::new(workers),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Workers> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a worker in advance. A failure is reported when a task needs a worker.
    fn start_early(&self) {
        if let Ok(worker) = self.take() {
            self.give_back(worker);
        }
    }

    /// Runs one task on a worker, which is killed if it fails.
    fn once<T, R>(&self, task: &T) -> Result<R, Failed>
    where
        T: Serialize,
        R: DeserializeOwned,
    {
        let mut worker = self.take()?;
        match worker.ask(task) {
            Ok(result) => {
                self.give_back(worker);
                Ok(result)
            }
            Err(failed) => {
                // Wait for it to exit first, so that the limit is never exceeded.
                drop(worker);
                self.lock().alive -= 1;
                self.changed.notify_one();
                Err(failed)
            }
        }
    }

    /// Returns a free worker or starts one. If the system allows no more, waits for one to become
    /// free.
    fn take(&self) -> Result<Worker, Failed> {
        let mut workers = self.lock();
        loop {
            if let Some(worker) = workers.free.pop() {
                return Ok(worker);
            }
            if workers.alive < workers.most {
                workers.alive += 1;
                drop(workers);
                let started = Worker::start((self.pool.command)(), self.pool.stop);
                let Err(failed) = started else {
                    return started;
                };
                workers = self.lock();
                workers.alive -= 1;
                self.changed.notify_one();
                if workers.alive == 0 {
                    return Err(failed);
                }
                workers.most = workers.alive;
                warn!(reason = %failed, "going on with {} worker processes", workers.most);
                continue;
            }
            let waited = self.changed.wait(workers);
            workers = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give_back(&self, worker: Worker) {
        self.lock().free.push(worker);
        self.changed.notify_one();
    }
}

/// A worker process, killed when dropped: between tasks it has no state to lose.
struct Worker {
    child: Arc<Mutex<Child>>,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    _kill_on_stop: Registration,
}

#[derive(Serialize, Deserialize)]
enum Reply<R> {
    Done(R),
    Panicked(String),
}

impl Worker {
    fn start(mut command: Command, stop: &Stop) -> Result<Self, Failed> {
        // Its own process group, so that Ctrl-C in the terminal does not reach it: the run stops
        // its workers itself.
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0);
        let mut child = start::allowed()
            .and_then(|()| command.spawn())
            .map_err(|error| Failed::start(&error))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (stdin, stdout) = pipes.ok_or_else(|| Failed::Task("has no pipes".to_owned()))?;
        let child = Arc::new(Mutex::new(child));
        let kill_on_stop = stop.on_request({
            let child = Arc::clone(&child);
            move || {
                // It may have exited by itself: then there is nothing to kill.
                let _ = lock(&child).kill();
            }
        });
        Ok(Self {
            child,
            stdin,
            stdout: BufReader::new(stdout),
            _kill_on_stop: kill_on_stop,
        })
    }

    fn ask<T: Serialize, R: DeserializeOwned>(&mut self, task: &T) -> Result<R, Failed> {
        let exchange = (|| {
            let mut line = serde_json::to_vec(task)?;
            line.push(b'\n');
            self.stdin.write_all(&line)?;
            let mut reply = String::new();
            self.stdout.read_line(&mut reply)?;
            if reply.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok::<_, io::Error>(serde_json::from_str(&reply)?)
        })();
        match exchange {
            Ok(Reply::Done(result)) => Ok(result),
            Ok(Reply::Panicked(message)) => Err(Failed::Task(format!("panicked: {message}"))),
            Err(error) => Err(Failed::Task(self.epitaph(&error))),
        }
    }

    /// How a worker that failed to respond ended.
    fn epitaph(&mut self, error: &io::Error) -> String {
        let ended = matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe
        );
        let mut child = lock(&self.child);
        match ended.then(|| child.wait()) {
            Some(Ok(status)) => format!("ended with {status}"),
            _ => format!("sent no valid reply: {error}"),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut child = lock(&self.child);
        // Both fail only for a child that was already waited for.
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn lock(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The worker's side: runs tasks from standard input until its end.
///
/// A panic in `work` is sent to the pool, instead of ending the process with a message in the
/// middle of the user's terminal.
///
/// # Errors
/// If the pipes fail or carry anything but tasks.
pub fn serve<T, R>(mut work: impl FnMut(T) -> R) -> io::Result<()>
where
    T: DeserializeOwned,
    R: Serialize,
{
    let last_panic = Arc::new(Mutex::new(String::new()));
    std::panic::set_hook(Box::new({
        let last_panic = Arc::clone(&last_panic);
        move |panic| *last_panic.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string()
    }));
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let task = serde_json::from_str(&line?)?;
        let reply = match catch_unwind(AssertUnwindSafe(|| work(task))) {
            Ok(result) => Reply::Done(result),
            Err(_) => Reply::Panicked(
                last_panic
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone(),
            ),
        };
        let mut line = serde_json::to_vec(&reply)?;
        line.push(b'\n');
        output.write_all(&line)?;
        output.flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs tasks on workers that are shell scripts.
    fn run(script: &str, size: usize, tasks: &[u32]) -> Vec<(u32, Result<u32, Failed>)> {
        let command = || {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        let (sender, tasks_in) = crossbeam_channel::unbounded();
        for task in tasks {
            sender.send(*task).unwrap();
        }
        drop(sender);
        let (done, results) = crossbeam_channel::unbounded();
        Pool {
            command: &command,
            size,
            at_once: tasks.len().is_multiple_of(2),
            stop: &Stop::new(),
        }
        .run(&tasks_in, &done);
        drop(done);
        let mut results: Vec<_> = results.into_iter().collect();
        results.sort_by_key(|(task, _)| *task);
        results
    }

    const ECHO: &str = r#"while read -r task; do echo "{\"Done\":$task}"; done"#;

    #[test]
    fn every_task_is_done_by_some_worker() {
        let tasks: Vec<u32> = (0..50).collect();
        let expected: Vec<_> = tasks.iter().map(|task| (*task, Ok(*task))).collect();
        assert_eq!(run(ECHO, 3, &tasks), expected);
        assert_eq!(run(ECHO, 3, &[]), []);
    }

    #[test]
    fn a_task_whose_worker_dies_once_is_done_by_another() {
        let place = tempfile::tempdir().unwrap();
        let died = place.path().join("died");
        let script = format!(
            "if mkdir '{}' 2>/dev/null; then read -r task; kill -9 $$; fi; {ECHO}",
            died.display()
        );
        assert_eq!(run(&script, 1, &[7]), [(7, Ok(7))]);
    }

    #[test]
    fn a_task_whose_worker_dies_twice_fails_and_the_others_are_done() {
        let script = r#"while read -r task; do
            if [ "$task" = 2 ]; then exit 9; fi; echo "{\"Done\":$task}"; done"#;
        let failed = Err(Failed::Task("ended with exit status: 9".to_owned()));
        assert_eq!(
            run(script, 2, &[1, 2, 3]),
            [(1, Ok(1)), (2, failed), (3, Ok(3))]
        );
    }

    #[test]
    fn what_a_worker_says_of_its_panic_is_told() {
        let script = r#"while read -r task; do echo "{\"Panicked\":\"at $task\"}"; done"#;
        assert_eq!(
            run(script, 1, &[5]),
            [(5, Err(Failed::Task("panicked: at 5".to_owned())))]
        );
    }

    #[test]
    fn nonsense_from_a_worker_and_a_worker_that_cannot_start_are_failures() {
        let results = run("read -r task; echo nonsense", 1, &[1]);
        let failed = results[0].1.as_ref().unwrap_err().to_string();
        assert!(failed.contains("sent no valid reply"), "{failed}");
        let command = || Command::new("/nonexistent/program");
        let stop = Stop::new();
        let pool = Pool {
            command: &command,
            size: 1,
            at_once: false,
            stop: &stop,
        };
        let failed = pool.twice::<u32, u32>(&Crew::new(&pool), &1).unwrap_err();
        assert!(failed.to_string().starts_with("did not start"), "{failed}");
        let cause = failed.into_cause().unwrap();
        assert_eq!(cause.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn where_one_worker_starts_and_no_other_that_one_does_all_tasks() {
        let place = tempfile::tempdir().unwrap();
        let first = place.path().join("first");
        // The second one gets a command that cannot be run.
        let command = || {
            if std::fs::create_dir(&first).is_err() {
                return Command::new("/nonexistent/program");
            }
            let mut command = Command::new("sh");
            command.args(["-c", ECHO]);
            command
        };
        let (sender, tasks) = crossbeam_channel::unbounded();
        (0..50).for_each(|task| sender.send(task).unwrap());
        drop(sender);
        let (done, results) = crossbeam_channel::unbounded();
        let stop = Stop::new();
        let pool = Pool {
            command: &command,
            size: 4,
            at_once: true,
            stop: &stop,
        };
        pool.run::<u32, u32>(&tasks, &done);
        drop(done);
        assert_eq!(results.iter().filter(|(_, done)| done.is_ok()).count(), 50);
    }

    #[test]
    fn a_stop_kills_workers_that_do_not_respond() {
        let command = || {
            let mut command = Command::new("sh");
            command.args(["-c", "read -r task; echo started >&2; exec sleep 600"]);
            command
        };
        let stop = Stop::new();
        let mut worker = Worker::start(command(), &stop).unwrap();
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| worker.ask::<u32, u32>(&1));
            stop.request(crate::StopReason::Interrupt);
            let failed = asked.join().unwrap().unwrap_err();
            assert!(failed.to_string().contains("signal: 9"), "{failed}");
        });
    }
}
