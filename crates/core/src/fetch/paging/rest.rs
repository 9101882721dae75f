//! Whether records came to rest while their pages were fetched.

use crate::fetch::Digest;
use crate::record::Id;

use super::page_info::PageInfo;

/// Whether the records came to rest: pages by number lose a record in silence when one before it
/// is deleted while they are fetched.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rest {
    /// Which look at the pages this is, from 0.
    pub(super) look: u32,
    /// How many further ones may follow.
    pub(super) left: u32,
    /// Whether records that never come to rest are taken all the same.
    pub(super) allow_moving: bool,
    /// The largest total, and the most pages, that this look was told of.
    pub(super) most: (Option<u64>, Option<u64>),
    /// Whether a response spoke of less than one before it.
    pub(super) shrank: bool,
    /// Whether the last look was taken though the records moved.
    pub(super) moving: bool,
    /// Which records came twice in the look before this one.
    pub(super) repeated: Option<Repeated>,
    /// How many records came in the look before this one, and how many there were to be.
    pub(super) sums: Option<(u64, Option<u64>)>,
}

/// How many records came on more than one page, and which: two looks in which the same ones did
/// agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repeated {
    /// How many.
    pub count: u64,
    /// The sum of what their ids are hashed to, whatever their order.
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
    /// Whether this is the only look.
    pub(super) fn is_all(&self) -> bool {
        (self.look, self.left) == (0, 0)
    }

    /// Takes in what a response says of all pages. They may be in another order than they were
    /// made in: then growth looks like loss, and the pages are fetched once more than needed.
    pub(super) fn told(&mut self, info: &PageInfo) {
        let (total, pages) = &mut self.most;
        for (most, now) in [(total, info.total), (pages, info.pages)] {
            self.shrank |= now.is_some_and(|now| most.is_some_and(|most| now < most));
            *most = now.max(*most);
        }
    }
}
