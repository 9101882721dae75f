//! The state machine behind a lock, with notification of changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::fetch::ApiError;
use crate::record::{Id, Resource};

use super::{Fetch, Missing, PageEstimate, Position, Remark, Repeated, Validators};

/// A [`Fetch`] shared by a driver's threads or tasks and by the code that reports to it.
pub struct SharedFetch {
    fetch: Mutex<Fetch>,
    /// For threads.
    changed: Condvar,
    /// For tasks.
    notify: Notify,
}

impl SharedFetch {
    /// Wraps a fetch for a driver.
    #[must_use]
    pub fn new(fetch: Fetch) -> Arc<Self> {
        Arc::new(Self {
            fetch: Mutex::new(fetch),
            changed: Condvar::new(),
            notify: Notify::new(),
        })
    }

    /// Reports that some records of a resource were mapped: children are requested by their ids.
    ///
    /// `slice` is the position of the records, `records` their number, and `ids` the ids of those
    /// that were mapped successfully.
    pub fn parents(&self, parent: Resource, slice: &Position, records: u64, ids: &[Id]) {
        self.lock().parents(parent, slice, records, ids);
        self.wake();
    }

    /// All pages arrived, and these records are on more than one of them. Returns whether to fetch
    /// pages again.
    ///
    /// # Errors
    /// If there are fewer records than the server reports and no attempts are left.
    pub fn repeated(&self, repeated: &BTreeMap<Resource, Repeated>) -> Result<bool, ApiError> {
        self.lock().repeated(repeated)
    }

    /// The number of retried requests.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.lock().retries()
    }

    /// Resources whose records moved in every pass and were accepted anyway.
    #[must_use]
    pub fn moving(&self) -> BTreeSet<Resource> {
        self.lock().moving()
    }

    /// For resources whose total may include hidden records: the number received, and the total.
    #[must_use]
    pub fn hidden(&self) -> BTreeMap<Resource, (u64, u64)> {
        self.lock().hidden()
    }

    /// Warnings about the responses, by resource.
    #[must_use]
    pub fn remarks(&self) -> BTreeMap<Resource, Vec<Remark>> {
        self.lock().remarks()
    }

    /// What the server refused, by resource.
    #[must_use]
    pub fn missing(&self) -> BTreeMap<Resource, Missing> {
        self.lock().missing()
    }

    /// Validators for the next run's conditional requests, by resource.
    #[must_use]
    pub fn validators(&self) -> BTreeMap<Resource, Validators> {
        self.lock().validators()
    }

    /// What the first pages said about the whole resource, if only those were requested: by
    /// resource and by the parent's position.
    #[must_use]
    pub fn estimates(&self) -> BTreeMap<Resource, BTreeMap<Position, PageEstimate>> {
        self.lock().estimates()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Fetch> {
        // The state machine is consistent between calls, even after a panic elsewhere.
        self.fetch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes all threads and tasks that wait for a change.
    pub(super) fn wake(&self) {
        // A thread between its check and its wait holds the lock: locking once makes sure that it
        // gets the notification.
        drop(self.lock());
        self.changed.notify_all();
        self.notify.notify_waiters();
    }

    /// Blocks until something changes, or until a time.
    pub(super) fn wait<'l>(
        &self,
        fetch: MutexGuard<'l, Fetch>,
        until: Option<Instant>,
    ) -> MutexGuard<'l, Fetch> {
        match until {
            None => self
                .changed
                .wait(fetch)
                .unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let time = until.saturating_duration_since(Instant::now());
                let waited = self.changed.wait_timeout(fetch, time);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    /// Becomes ready when something changes.
    pub(super) fn change(&self) -> Notified<'_> {
        self.notify.notified()
    }
}
