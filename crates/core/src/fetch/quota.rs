//! How much one run may fetch: well-formed pages without an end have one here.

use std::time::{Duration, Instant};

/// The limits of one run. The defaults are far above what honest APIs have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Pages of one resource. Each parent whose children are fetched counts as one at least.
    ///
    /// Some hundred bytes of memory and a file stand for each page.
    pub pages: u64,
    /// Records of all resources.
    pub records: u64,
    /// Bytes of all bodies, decoded; those of bodies that broke off count as well.
    pub bytes: u64,
    /// Time from the first request to the last page.
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

/// What a run would go over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// Pages that came, or parents whose children would be fetched.
    #[error("more than {0} pages, the limit of --max-pages")]
    Pages(u64),
    /// Pages that the server says there are.
    #[error("the server declares {declared} pages, more than --max-pages {limit} allows")]
    DeclaredPages {
        /// What the server says.
        declared: u64,
        /// What is allowed.
        limit: u64,
    },
    /// Records that came.
    #[error("more than {0} records in one run, the limit of --max-records")]
    Records(u64),
    /// Records that the server says there are.
    #[error("the server declares {declared} records, more than --max-records {limit} allows")]
    DeclaredRecords {
        /// What the server says.
        declared: u64,
        /// What is allowed.
        limit: u64,
    },
    /// Bytes that came.
    #[error("more than {0} bytes in one run, the limit of --max-total")]
    Bytes(u64),
    /// Time that has gone by.
    #[error("not done after {0:?}, the limit of --max-time")]
    Time(Duration),
}

impl Quota {
    /// Checks what a server says there is of one resource.
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
    /// When the time is up, counted from the first call; none where no clock reaches that.
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

    /// Adds bytes that came.
    pub(super) fn add_bytes(&mut self, quota: &Quota, bytes: u64) -> Result<(), Excess> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > quota.bytes {
            return Err(Excess::Bytes(quota.bytes));
        }
        Ok(())
    }

    /// Adds records that came.
    pub(super) fn add_records(&mut self, quota: &Quota, records: u64) -> Result<(), Excess> {
        self.records = self.records.saturating_add(records);
        if self.records > quota.records {
            return Err(Excess::Records(quota.records));
        }
        Ok(())
    }
}
