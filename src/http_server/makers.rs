//! Threads that make responses. They are started before anybody asks: later there may be none
//! to be had.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::places::Place;
use crate::concurrency::{available, spawn};

/// One response to be made.
type Task = Box<dyn FnOnce() + Send>;

/// A few threads, and what they have to do.
#[derive(Debug)]
pub(crate) struct Makers(Arc<Queue>);

#[derive(Default)]
struct Queue {
    work: Mutex<Work>,
    changed: Condvar,
}

#[derive(Default)]
struct Work {
    tasks: Vec<Task>,
    is_over: bool,
}

/// Who a response is for, as far as that is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asker(pub(super) Option<Arc<Place>>);

impl Makers {
    /// Starts the first thread.
    ///
    /// # Errors
    /// When there is none to be had.
    pub(crate) fn start() -> io::Result<Self> {
        let makers = Self(Arc::default());
        makers.more().start()?;
        Ok(makers)
    }

    /// What starts further threads.
    pub(crate) fn more(&self) -> MoreMakers {
        MoreMakers(Arc::clone(&self.0))
    }

    /// Makes something on one of the threads; none if that panicked. Who asked last comes
    /// first: others cannot keep somebody waiting by asking much.
    pub(crate) async fn make<T: Send + 'static>(
        &self,
        asker: Asker,
        make: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, response) = oneshot::channel();
        let task = move || {
            if sender.is_closed() {
                // Whoever asked has gone.
                return;
            }
            if let Asker(Some(place)) = &asker {
                place.making();
            }
            // Whoever asked may go at any time.
            let _ = sender.send(make());
        };
        self.0.work().tasks.push(Box::new(task));
        self.0.changed.notify_one();
        response.await.ok()
    }
}

/// Starts further threads.
#[derive(Debug)]
pub(crate) struct MoreMakers(Arc<Queue>);

impl MoreMakers {
    /// Starts as many more as there are to be had, `most` at most, and leaves one to those who
    /// make a response, which some start. With fewer, responses wait for each other.
    pub(crate) fn start_up_to(&self, most: usize) {
        for _ in 1..available(most + 1) {
            if self.start().is_err() {
                break;
            }
        }
    }

    fn start(&self) -> io::Result<()> {
        let queue = Arc::clone(&self.0);
        spawn(move || queue.work_off()).map(drop)
    }
}

impl Drop for Makers {
    fn drop(&mut self) {
        self.0.work().is_over = true;
        self.0.changed.notify_all();
    }
}

impl Queue {
    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work_off(&self) {
        while let Some(task) = self.next() {
            // The panic was reported, and whoever asked is told of it.
            let _ = catch_unwind(AssertUnwindSafe(task));
        }
    }

    /// What is to be done next, as soon as there is something; nothing in the end.
    fn next(&self) -> Option<Task> {
        let mut work = self.work();
        loop {
            if work.is_over {
                return None;
            }
            if let Some(task) = work.tasks.pop() {
                return Some(task);
            }
            let waited = self.changed.wait(work);
            work = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let waiting = self.work().tasks.len();
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

    fn wait<T>(made: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(made)
    }

    #[test]
    fn a_panic_is_told_and_the_thread_goes_on() {
        let makers = Makers::start().unwrap();
        let make = |fails: bool| {
            makers.make(Asker::default(), move || {
                assert!(!fails, "as the test wants it");
                7
            })
        };
        assert_eq!(wait(make(true)), None);
        assert_eq!(wait(make(false)), Some(7));
    }

    #[test]
    fn nothing_is_made_for_those_who_have_gone_and_the_last_one_comes_first() {
        let makers = Makers::start().unwrap();
        let (begun, go_on) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut context = Context::from_waker(Waker::noop());
        let mut busy = {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            Box::pin(makers.make(Asker::default(), move || {
                begun.wait();
                go_on.wait();
            }))
        };
        assert!(busy.as_mut().poll(&mut context).is_pending());
        begun.wait();
        let ask = |name: &'static str| {
            let order = Arc::clone(&order);
            makers.make(Asker::default(), move || order.lock().unwrap().push(name))
        };
        let (mut first, mut second) = (pin!(ask("first")), pin!(ask("second")));
        {
            let mut gone = pin!(ask("gone"));
            assert!(first.as_mut().poll(&mut context).is_pending());
            assert!(gone.as_mut().poll(&mut context).is_pending());
            assert!(second.as_mut().poll(&mut context).is_pending());
        }
        go_on.wait();
        wait(first);
        assert_eq!(*order.lock().unwrap(), ["second", "first"]);
    }
}
