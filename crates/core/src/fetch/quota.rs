//! Limits of one run: they end even well-formed pages that never stop.

use std::time::{Duration, Instant};

/// The limits of one run. The defaults are far above what real APIs contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Maximum number of pages of one resource. Each parent whose children are fetched counts as at
    /// least one page.
    ///
    /// Each page takes a file and a few hundred bytes of memory.
    pub pages: u64,
    /// Maximum number of records, over all resources.
    pub records: u64,
    /// Maximum size of all bodies, in decoded bytes; truncated bodies count as well.
    pub bytes: u64,
    /// Maximum time from the first request to the last page.
    pub time: Duration,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            pages: 1_000_000,
            records: 1_000_000_000,
            bytes: 1 << 40,
            time: Duration::from_hours(7 * 24),
        }
    }
}

/// A limit that a run exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// Too many pages requested, or parents whose children would be fetched.
    #[error("more than {0} pages, the limit of --max-pages")]
    Pages(u64),
    /// Too many pages declared by the server.
    #[error("the server declares {declared} pages, more than --max-pages {limit} allows")]
    DeclaredPages {
        /// The declared number.
        declared: u64,
        /// The limit.
        limit: u64,
    },
    /// Too many records received.
    #[error("more than {0} records in one run, the limit of --max-records")]
    Records(u64),
    /// Too many records declared by the server.
    #[error("the server declares {declared} records, more than --max-records {limit} allows")]
    DeclaredRecords {
        /// The declared number.
        declared: u64,
        /// The limit.
        limit: u64,
    },
    /// Too many bytes received.
    #[error("more than {0} bytes in one run, the limit of --max-total")]
    Bytes(u64),
    /// Too much time passed.
    #[error("not done after {0:?}, the limit of --max-time")]
    Time(Duration),
}

impl Quota {
    /// Checks the numbers that a server declares for one resource.
    pub(super) fn check_declared(&self, pages: u64, records: u64) -> Result<(), Excess> {
        if pages > self.pages {
            return Err(Excess::DeclaredPages {
                declared: pages,
                limit: self.pages,
            });
        }
        if records > self.records {
            return Err(Excess::DeclaredRecords {
                declared: records,
                limit: self.records,
            });
        }
        Ok(())
    }
}

/// What a run has used of its quota.
#[derive(Clone, Debug, Default)]
pub(super) struct Used {
    began: Option<Instant>,
    records: u64,
    bytes: u64,
}

impl Used {
    /// The deadline, counted from the first call; `None` if the clock cannot represent it.
    pub(super) fn deadline(&mut self, quota: &Quota, now: Instant) -> Option<Instant> {
        self.began.get_or_insert(now).checked_add(quota.time)
    }

    /// Checks that there is time left.
    pub(super) fn check_time(&mut self, quota: &Quota, now: Instant) -> Result<(), Excess> {
        match self.deadline(quota, now) {
            Some(deadline) if now >= deadline => Err(Excess::Time(quota.time)),
            _ => Ok(()),
        }
    }

    /// Adds received bytes.
    pub(super) fn add_bytes(&mut self, quota: &Quota, bytes: u64) -> Result<(), Excess> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > quota.bytes {
            return Err(Excess::Bytes(quota.bytes));
        }
        Ok(())
    }

    /// Adds received records.
    pub(super) fn add_records(&mut self, quota: &Quota, records: u64) -> Result<(), Excess> {
        self.records = self.records.saturating_add(records);
        if self.records > quota.records {
            return Err(Excess::Records(quota.records));
        }
        Ok(())
    }
}
