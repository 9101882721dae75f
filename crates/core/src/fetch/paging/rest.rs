//! Tracks whether records moved while their pages were fetched.

use crate::fetch::Digest;
use crate::record::Id;

use super::page_info::PageInfo;

/// Whether records moved during the fetch. Numbered pages silently lose a record if one on an
/// earlier page is deleted meanwhile.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rest {
    /// The number of this pass over the pages, from 0.
    pub(super) look: u32,
    /// Number of further passes allowed.
    pub(super) left: u32,
    /// Whether to accept records that move in every pass.
    pub(super) allow_moving: bool,
    /// The largest total and the largest number of pages reported in this pass.
    pub(super) most: (Option<u64>, Option<u64>),
    /// Whether a response reported a smaller number than an earlier one.
    pub(super) shrank: bool,
    /// Whether the last pass was accepted although records moved.
    pub(super) moving: bool,
    /// The records that appeared more than once in the previous pass.
    pub(super) repeated: Option<Repeated>,
    /// Number of records received in the previous pass, and the total reported.
    pub(super) sums: Option<(u64, Option<u64>)>,
}

/// The number of records that appeared on more than one page, and a hash of their ids, to detect
/// two passes that repeat the same records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repeated {
    /// Number of repeated records.
    pub count: u64,
    /// The sum of the hashes of their ids, independent of order.
    which: Digest,
}

impl Repeated {
    /// Adds the record with this id.
    pub fn add(&mut self, id: &Id) {
        self.count = self.count.saturating_add(1);
        let hash = match id {
            Id::Number(number) => crate::fetch::digest(&number.to_le_bytes()),
            Id::Text(text) => crate::fetch::digest(text.as_bytes()),
        };
        self.which = self.which.wrapping_add(hash);
    }
}

impl Rest {
    /// Whether this is the only pass.
    pub(super) fn is_all(&self) -> bool {
        (self.look, self.left) == (0, 0)
    }

    /// Records the totals that a response reports. Responses may arrive out of order: growth then
    /// looks like loss, and the pages are fetched one more time than necessary.
    pub(super) fn told(&mut self, info: &PageInfo) {
        let (total, pages) = &mut self.most;
        for (most, now) in [(total, info.total), (pages, info.pages)] {
            self.shrank |= now.is_some_and(|now| most.is_some_and(|most| now < most));
            *most = now.max(*most);
        }
    }
}
