//! Overlapping pages for pagination by offset. Each page begins with the last record of the
//! previous one, which is left out. If another record is found there, records moved. A total alone
//! cannot show that one record was deleted and another one created.
//!
//! Not every API accepts any offset: some round it to a whole page or reject it. So the second page
//! is first requested alone. If it does not begin with the last record of the first page, it is
//! requested again, starting after that record.

use std::collections::BTreeMap;

use crate::fetch::Digest;

use super::edges::{Edge, Edges};

/// Smaller pages do not overlap: that would cost at least one extra page for every three.
const LEAST: u64 = 5;

/// Whether pages overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Overlap {
    /// They do not.
    #[default]
    No,
    /// Not known until the second page arrives.
    Tried,
    /// The second page did not begin with the last record of the first. Requesting it without an
    /// overlap will show why.
    Doubted(Doubt),
    Yes,
}

/// What was found in place of the last record of the first page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// No record, as after records were removed.
    Nothing,
    /// The first page again, or an error because no page begins there.
    Refused,
    /// Another record.
    Record(Digest),
}

/// The boundaries between the pages received so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Seams {
    overlap: Overlap,
    /// Number of records of a full page.
    size: u64,
    /// The last record of each page whose successor has not arrived yet, and whether the page is
    /// full.
    lasts: BTreeMap<u64, (Edge, bool)>,
    /// The first record of each page whose predecessor has not arrived yet.
    firsts: BTreeMap<u64, Edge>,
    /// A hash of the boundaries at which records moved, and of those records.
    moved: Option<Digest>,
    /// The same for the previous pass.
    moved_before: Option<Digest>,
}

impl Seams {
    /// If `overlap`, pages overlap as soon as the second one is found to.
    pub(super) fn new(overlap: bool) -> Self {
        let overlap = if overlap { Overlap::Tried } else { Overlap::No };
        Self {
            overlap,
            ..Self::default()
        }
    }

    /// For another pass over pages that may overlap. If the same records were out of place twice,
    /// they did not move: pages do not overlap on this server.
    pub(super) fn again(&self, overlap: bool) -> Self {
        let same = self.moved.is_some() && self.moved == self.moved_before;
        Self {
            moved_before: self.moved,
            ..Self::new(overlap && !same)
        }
    }

    /// Whether a page begins, or may begin, with the last record of the previous one.
    pub(super) fn overlap(&self) -> bool {
        matches!(self.overlap, Overlap::Tried | Overlap::Yes)
    }

    /// Whether the first and last records of each page are needed.
    pub(super) fn show_edges(&self) -> bool {
        self.overlap != Overlap::No
    }

    /// Whether the second page is requested with an overlap, to try it.
    pub(super) fn are_tried(&self) -> bool {
        self.overlap == Overlap::Tried
    }

    /// Whether it is not yet known if pages overlap. Until then only the second page is requested.
    pub(super) fn are_open(&self) -> bool {
        self.are_tried() || matches!(self.overlap, Overlap::Doubted(_))
    }

    /// Whether a record was found to have moved.
    pub(super) fn moved(&self) -> bool {
        self.moved.is_some()
    }

    /// Handles the first page.
    pub(super) fn begin(&mut self, edges: Edges) {
        self.size = edges.records;
        if self.size < LEAST || edges.last == Edge::Unknown {
            self.overlap = Overlap::No;
            return;
        }
        self.lasts.insert(0, (edges.last, true));
    }

    /// Handles the second page, requested with an overlap; `again` if it repeats the first page.
    /// Returns whether it begins with the last record of the first page.
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

    /// Handles a response that says there is no page at the overlapping offset.
    pub(super) fn refuse_second(&mut self, status: u16) {
        self.overlap = Overlap::Doubted(match status {
            400 | 422 => Doubt::Refused,
            _ => Doubt::Nothing,
        });
    }

    /// Handles the second page, requested without an overlap: decides whether this server supports
    /// no overlap or records moved. If this is the only pass, an empty overlapping page followed by
    /// records means that the server does not start pages at that offset.
    pub(super) fn settle_doubt(&mut self, first: Edge, only_look: bool) {
        let Overlap::Doubted(doubt) = self.overlap else {
            return;
        };
        self.overlap = Overlap::No;
        let side_by_side = match doubt {
            Doubt::Refused => true,
            Doubt::Nothing => only_look && first != Edge::Nothing,
            // The server rounded the offset up: both requests return the same page.
            Doubt::Record(record) => first == Edge::Record(record),
        };
        if !side_by_side {
            self.add_moved(&format!("{:?} {doubt:?}", self.lasts.get(&0)));
        }
    }

    /// Compares a page with its neighbours.
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
            // A page that is not full has no successor. After a full page, an overlapping page has
            // at least the full page's last record.
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
