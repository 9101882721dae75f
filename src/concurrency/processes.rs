//! CPU-bound work in processes of its own: a pool of workers, a task at a time each.
//!
//! A worker is this program again, told to [`serve`]: it reads tasks from its
//! standard input, a line of JSON each, and writes a line of JSON for each. A
//! worker that dies takes nothing with it but its task, which another one is
//! given once more. When the program ends, however it ends, the pipes close
//! and a worker that is left reads the end of its input and ends too.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::stop::{Registration, Stop};
use super::threads::fan_out;

/// A task that two workers in turn did not finish; in words, how the second one ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);

/// A pool of worker processes.
pub struct Pool<'a> {
    /// Starts a worker.
    pub command: &'a (dyn Fn() -> Command + Sync),
    /// How many workers there are at most. One is started when there is a task for it.
    pub size: usize,
    /// Whether the first one is started at once, where tasks are sure to come: until they
    /// do, it is ready.
    pub at_once: bool,
    /// Kills the workers.
    pub stop: &'a Stop,
}

impl Pool<'_> {
    /// Has all `tasks` done and sends each with what came of it, in the order in
    /// which they are done. Ends when the tasks do, or when nobody takes results.
    pub fn run<T, R>(&self, tasks: &Receiver<T>, done: &Sender<(T, Result<R, Failed>)>)
    where
        T: Serialize + Send,
        R: DeserializeOwned + Send,
    {
        fan_out(self.size, |number| {
            // One that does not start is told of when there is a task that fails for it.
            let early = self.at_once && number == 0;
            let start = || Worker::start((self.command)(), self.stop).ok();
            let mut worker = early.then(start).flatten();
            for task in tasks {
                let outcome = self.twice(&mut worker, &task);
                if done.send((task, outcome)).is_err() {
                    break;
                }
            }
        });
    }

    /// Has one task done; by a fresh worker, once more, if the first one fails.
    fn twice<T, R>(&self, worker: &mut Option<Worker>, task: &T) -> Result<R, Failed>
    where
        T: Serialize,
        R: DeserializeOwned,
    {
        self.once(worker, task).or_else(|failed| {
            if self.stop.check().is_err() {
                return Err(failed);
            }
            tracing::warn!(reason = %failed, "a worker failed; its task is done again");
            self.once(worker, task)
        })
    }

    /// Has one task done by `worker`, which is started if need be and let go if it fails.
    fn once<T, R>(&self, worker: &mut Option<Worker>, task: &T) -> Result<R, Failed>
    where
        T: Serialize,
        R: DeserializeOwned,
    {
        let mut able = match worker.take() {
            Some(worker) => worker,
            None => Worker::start((self.command)(), self.stop)?,
        };
        let result = able.ask(task)?;
        *worker = Some(able);
        Ok(result)
    }
}

/// A worker process, killed when dropped: between tasks it has nothing to lose.
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
        // In a process group of its own, Ctrl-C at the terminal does not reach
        // it: the run decides what becomes of its workers.
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0);
        let mut child = command
            .spawn()
            .map_err(|error| Failed(format!("did not start: {error}")))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (stdin, stdout) = pipes.ok_or_else(|| Failed("has no pipes".to_owned()))?;
        let child = Arc::new(Mutex::new(child));
        let kill_on_stop = stop.on_request({
            let child = Arc::clone(&child);
            move || {
                // It may have ended by itself: then there is nothing to kill.
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
            Ok(Reply::Panicked(message)) => Err(Failed(format!("panicked: {message}"))),
            Err(error) => Err(Failed(self.epitaph(&error))),
        }
    }

    /// How a worker that does not answer ended.
    fn epitaph(&mut self, error: &io::Error) -> String {
        let ended = matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe
        );
        let mut child = lock(&self.child);
        match ended.then(|| child.wait()) {
            Some(Ok(status)) => format!("ended with {status}"),
            _ => format!("gave no answer that can be read: {error}"),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut child = lock(&self.child);
        // Both fail only for a child that has ended and was waited for already.
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn lock(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The worker's side: does tasks from standard input until it ends.
///
/// A panic in `work` is told to the pool as such, instead of ending the process
/// with a message in the middle of the person's terminal.
///
/// # Errors
/// When the pipes fail or carry something that is no task.
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
        let failed = Err(Failed("ended with exit status: 9".to_owned()));
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
            [(5, Err(Failed("panicked: at 5".to_owned())))]
        );
    }

    #[test]
    fn nonsense_from_a_worker_and_a_worker_that_cannot_start_are_failures() {
        let results = run("read -r task; echo nonsense", 1, &[1]);
        assert!(
            results[0]
                .1
                .as_ref()
                .unwrap_err()
                .0
                .contains("gave no answer"),
            "{results:?}"
        );
        let command = || Command::new("/nonexistent/program");
        let stop = Stop::new();
        let pool = Pool {
            command: &command,
            size: 1,
            at_once: false,
            stop: &stop,
        };
        let failed = pool.twice::<u32, u32>(&mut None, &1).unwrap_err();
        assert!(failed.0.starts_with("did not start"), "{failed}");
    }

    #[test]
    fn a_stop_kills_workers_that_do_not_answer() {
        let command = || {
            let mut command = Command::new("sh");
            command.args(["-c", "read -r task; echo started >&2; exec sleep 600"]);
            command
        };
        let stop = Stop::new();
        let mut worker = Worker::start(command(), &stop).unwrap();
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| worker.ask::<u32, u32>(&1));
            stop.request(crate::error::StopReason::Interrupt);
            let failed = asked.join().unwrap().unwrap_err();
            assert!(
                failed.0.contains("SIGKILL") || failed.0.contains("signal: 9"),
                "{failed}"
            );
        });
    }
}
