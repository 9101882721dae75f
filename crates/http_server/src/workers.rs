//! Threads that compute responses. They are started with the server, because the system may have
//! no threads left later.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::slots::Slot;
use activity_tracker_concurrency::{available, spawn};

/// Computes one response.
type Task = Box<dyn FnOnce() + Send>;

/// A thread pool.
#[derive(Debug)]
pub struct Workers(Arc<Queue>);

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    tasks: Vec<Task>,
    closed: bool,
}

/// The client that a response is for, if it has a slot.
#[derive(Clone, Debug, Default)]
pub struct Client(pub(super) Option<Arc<Slot>>);

impl Workers {
    /// Starts the first thread.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start() -> io::Result<Self> {
        let workers = Self(Arc::default());
        workers.starter().start()?;
        Ok(workers)
    }

    /// Starts further threads.
    #[must_use]
    pub fn starter(&self) -> WorkerStarter {
        WorkerStarter(Arc::clone(&self.0))
    }

    /// Runs a task on one of the threads; `None` if it panicked. The last task comes first, so a
    /// client with many requests does not block others.
    pub async fn run<T: Send + 'static>(
        &self,
        client: Client,
        respond: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, response) = oneshot::channel();
        let task = move || {
            if sender.is_closed() {
                // The client has disconnected.
                return;
            }
            if let Client(Some(slot)) = &client {
                slot.response_started();
            }
            // The client may have disconnected meanwhile.
            let _ = sender.send(respond());
        };
        self.0.state().tasks.push(Box::new(task));
        self.0.changed.notify_one();
        response.await.ok()
    }
}

/// Starts further threads of a pool.
#[derive(Debug)]
pub struct WorkerStarter(Arc<Queue>);

impl WorkerStarter {
    /// Starts up to `max` threads, as many as the system allows, except one for tasks that start a
    /// thread themselves. With fewer, responses wait longer.
    pub fn start_up_to(&self, max: usize) {
        for _ in 1..available(max + 1) {
            if self.start().is_err() {
                break;
            }
        }
    }

    fn start(&self) -> io::Result<()> {
        let queue = Arc::clone(&self.0);
        spawn(move || queue.run()).map(drop)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.changed.notify_all();
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        while let Some(task) = self.next() {
            // The panic was printed, and the caller of `run` gets `None`.
            let _ = catch_unwind(AssertUnwindSafe(task));
        }
    }

    /// Waits for the next task; `None` when the pool is closed.
    fn next(&self) -> Option<Task> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            if let Some(task) = state.tasks.pop() {
                return Some(task);
            }
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let waiting = self.state().tasks.len();
        f.debug_struct("Queue").field("waiting", &waiting).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::Barrier;
    use std::task::{Context, Waker};

    use super::*;

    fn wait<T>(response: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(response)
    }

    #[test]
    fn a_panic_does_not_stop_the_thread() {
        let workers = Workers::start().unwrap();
        let run = |fails: bool| {
            workers.run(Client::default(), move || {
                assert!(!fails, "intended by the test");
                7
            })
        };
        assert_eq!(wait(run(true)), None);
        assert_eq!(wait(run(false)), Some(7));
    }

    #[test]
    fn the_last_task_runs_first_and_those_of_gone_clients_do_not_run() {
        let workers = Workers::start().unwrap();
        let (started, proceed) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut context = Context::from_waker(Waker::noop());
        let mut busy = {
            let (started, proceed) = (Arc::clone(&started), Arc::clone(&proceed));
            Box::pin(workers.run(Client::default(), move || {
                started.wait();
                proceed.wait();
            }))
        };
        assert!(busy.as_mut().poll(&mut context).is_pending());
        started.wait();
        let run = |name: &'static str| {
            let order = Arc::clone(&order);
            workers.run(Client::default(), move || order.lock().unwrap().push(name))
        };
        let (mut first, mut second) = (pin!(run("first")), pin!(run("second")));
        {
            let mut gone = pin!(run("gone"));
            assert!(first.as_mut().poll(&mut context).is_pending());
            assert!(gone.as_mut().poll(&mut context).is_pending());
            assert!(second.as_mut().poll(&mut context).is_pending());
        }
        proceed.wait();
        wait(first);
        assert_eq!(*order.lock().unwrap(), ["second", "first"]);
    }
}
