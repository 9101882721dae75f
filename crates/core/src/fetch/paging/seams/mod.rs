//! Seams between pages that are asked for by offset. Each page begins with the last record of the
//! one before it, which is left out. Where another record stands there, records moved: a total
//! does not tell that one was deleted and another one created.
//!
//! Not every API gives a page at any offset: some round it to a whole page, or refuse it. So the
//! second page is asked for alone; where it does not begin with the last record of the first, it is
//! asked for once more, from where the first one ended.

use std::collections::BTreeMap;

use crate::fetch::Digest;

use super::edges::{Edge, Edges};

/// Pages with fewer records do not overlap: that would cost a further page for every three.
const LEAST: u64 = 5;

/// Whether pages overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Overlap {
    /// They stand side by side.
    #[default]
    No,
    /// The second page will tell.
    Tried,
    /// The second page did not begin with the last record of the first. Where it stands side by side
    /// with that will tell why.
    Doubted(Doubt),
    Yes,
}

/// What stood in the place of the last record of the first page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// Nothing, as where records were removed.
    Nothing,
    /// The first page once more, or an error that says that no page begins there.
    Refused,
    /// Another record.
    Record(Digest),
}

/// The seams of the pages that came.
#[derive(Clone, Debug, Default)]
pub(super) struct Seams {
    overlap: Overlap,
    /// How many records a whole page has.
    size: u64,
    /// Of pages whose next one did not come yet: the last record, and whether the page is whole.
    lasts: BTreeMap<u64, (Edge, bool)>,
    /// Of pages whose one before did not come yet: the first record.
    firsts: BTreeMap<u64, Edge>,
    /// At which seams records moved, and which ones.
    moved: Option<Digest>,
    /// The same, in the look before this one.
    moved_before: Option<Digest>,
}

impl Seams {
    /// Of pages that overlap if the second one does.
    pub(super) fn new(overlap: bool) -> Self {
        let overlap = if overlap { Overlap::Tried } else { Overlap::No };
        Self {
            overlap,
            ..Self::default()
        }
    }

    /// For another look at pages that may overlap. Where the same records stand in the wrong places
    /// twice, they did not move: then pages stand side by side.
    pub(super) fn again(&self, overlap: bool) -> Self {
        let same = self.moved.is_some() && self.moved == self.moved_before;
        Self {
            moved_before: self.moved,
            ..Self::new(overlap && !same)
        }
    }

    /// Whether a page begins with the last record of the one before it.
    pub(super) fn overlap(&self) -> bool {
        matches!(self.overlap, Overlap::Tried | Overlap::Yes)
    }

    /// Whether the first and the last record of a page are wanted.
    pub(super) fn show_edges(&self) -> bool {
        self.overlap != Overlap::No
    }

    /// Whether it is asked for the second page, from the last record of the first.
    pub(super) fn are_tried(&self) -> bool {
        self.overlap == Overlap::Tried
    }

    /// Whether nobody knows yet if pages overlap: then no further page than the second is asked for.
    pub(super) fn are_open(&self) -> bool {
        self.are_tried() || matches!(self.overlap, Overlap::Doubted(_))
    }

    /// Whether a record was found to have moved.
    pub(super) fn moved(&self) -> bool {
        self.moved.is_some()
    }

    /// The first page came.
    pub(super) fn begin(&mut self, edges: Edges) {
        self.size = edges.records;
        if self.size < LEAST || edges.last == Edge::Unknown {
            self.overlap = Overlap::No;
            return;
        }
        self.lasts.insert(0, (edges.last, true));
    }

    /// The second page came, from the last record of the first; `again` if it is the first once more.
    /// Gives whether it begins with that record.
    pub(super) fn try_second(&mut self, edges: Edges, again: bool) -> bool {
        let last = self.lasts.get(&0).map(|(last, _)| *last);
        let doubt = match edges.first {
            first if Some(first) == last => {
                self.overlap = Overlap::Yes;
                self.join(1, edges);
                return true;
            }
            _ if again => Doubt::Refused,
            Edge::Nothing => Doubt::Nothing,
            Edge::Unknown => Doubt::Refused,
            Edge::Record(record) => Doubt::Record(record),
        };
        self.overlap = Overlap::Doubted(doubt);
        false
    }

    /// A response in place of the second page says that there is none from the last record of the
    /// first on.
    pub(super) fn refuse_second(&mut self, status: u16) {
        self.overlap = Overlap::Doubted(match status {
            400 | 422 => Doubt::Refused,
            _ => Doubt::Nothing,
        });
    }

    /// The second page came, from where the first one ended: whether pages stand side by side, or
    /// records moved. Where there is no other look, nothing in the place of a record is taken
    /// for an API whose pages do not begin there, if there is more behind it.
    pub(super) fn settle_doubt(&mut self, first: Edge, only_look: bool) {
        let Overlap::Doubted(doubt) = self.overlap else {
            return;
        };
        self.overlap = Overlap::No;
        let side_by_side = match doubt {
            Doubt::Refused => true,
            Doubt::Nothing => only_look && first != Edge::Nothing,
            // It is rounded up: the same page begins here and there.
            Doubt::Record(record) => first == Edge::Record(record),
        };
        if !side_by_side {
            self.add_moved(&format!("{:?} {doubt:?}", self.lasts.get(&0)));
        }
    }

    /// A page came: holds it against its neighbours.
    pub(super) fn join(&mut self, number: u64, edges: Edges) {
        let last = (edges.last, edges.records >= self.size);
        match self.lasts.remove(&number.saturating_sub(1)) {
            Some(before) => self.check(number, before, edges.first),
            None => {
                self.firsts.insert(number, edges.first);
            }
        }
        let next = number.saturating_add(1);
        match self.firsts.remove(&next) {
            Some(first) => self.check(next, last, first),
            None => {
                self.lasts.insert(number, last);
            }
        }
    }

    fn check(&mut self, number: u64, (last, whole): (Edge, bool), first: Edge) {
        let fits = match (last, first) {
            (Edge::Record(last), Edge::Record(first)) => last == first,
            // Behind a page that is not whole there is nothing. Behind one that is, there is its
            // last record at least.
            (_, Edge::Nothing) => !whole,
            (Edge::Nothing, _) => false,
            (Edge::Unknown, _) | (_, Edge::Unknown) => true,
        };
        if !fits {
            self.add_moved(&format!("{number} {last:?} {first:?}"));
        }
    }

    fn add_moved(&mut self, what: &str) {
        let digest = crate::fetch::digest(what.as_bytes());
        self.moved = Some(self.moved.unwrap_or_default().wrapping_add(digest));
    }
}

#[cfg(test)]
mod tests;
