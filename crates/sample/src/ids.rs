//! Which record another one belongs to, by arithmetic on ranges of ids: no list is scanned.

use std::iter::{self, Flatten};
use std::ops::Range;
use std::vec;

/// The owner of record `child` if `children` records are distributed evenly and in order over
/// `owners`. Ids start at 1; without owners, the owner is 0, which does not exist.
pub(super) fn owner(child: u64, children: u64, owners: u64) -> u64 {
    if owners == 0 {
        return 0;
    }
    let before = u128::from(child.saturating_sub(1));
    narrow(before * u128::from(owners) / u128::from(children.max(1))) + 1
}

/// The records that belong to `owner`: the inverse of [`owner()`].
pub(super) fn owned(owner: u64, children: u64, owners: u64) -> Range<u64> {
    if owners == 0 && owner == 0 {
        return 1..children.saturating_add(1);
    }
    if owner == 0 || owner > owners {
        return 1..1;
    }
    let first_after = |owner: u64| {
        let product = u128::from(owner) * u128::from(children);
        narrow(product.div_ceil(u128::from(owners))).saturating_add(1)
    };
    first_after(owner - 1)..first_after(owner)
}

/// Converts a quotient back from 128 bits, which only the products need.
fn narrow(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A set of ids, as ascending ranges that neither touch nor overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ids(Vec<Range<u64>>);

impl Ids {
    /// No id.
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    /// The ids of a range.
    pub(super) fn of(range: Range<u64>) -> Self {
        Self::any_of(iter::once(range))
    }

    /// The union of ranges.
    pub(super) fn any_of(ranges: impl Iterator<Item = Range<u64>>) -> Self {
        let mut ranges: Vec<_> = ranges.filter(|range| !range.is_empty()).collect();
        ranges.sort_by_key(|range| range.start);
        ranges.dedup_by(|next, kept| {
            let joined = next.start <= kept.end;
            if joined {
                kept.end = kept.end.max(next.end);
            }
            joined
        });
        Self(ranges)
    }

    /// The intersection.
    pub(super) fn and(&self, other: &Self) -> Self {
        let mut shared = Vec::new();
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            let both = a.start.max(b.start)..a.end.min(b.end);
            if !both.is_empty() {
                shared.push(both);
            }
            // The range that ends first is done.
            if a.end < b.end {
                left.next();
            } else {
                right.next();
            }
        }
        Self(shared)
    }

    /// The ranges, in ascending order.
    pub(super) fn ranges(self) -> impl Iterator<Item = Range<u64>> {
        self.0.into_iter()
    }

    /// How many ids there are.
    pub(super) fn count(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// Skips the first `skip` ids and keeps the next `take`.
    pub(super) fn window(&self, mut skip: u64, mut take: u64) -> Self {
        let mut kept = Vec::new();
        for range in &self.0 {
            let length = range.end - range.start;
            let left_out = skip.min(length);
            skip -= left_out;
            let taken = take.min(length - left_out);
            take -= taken;
            if taken > 0 {
                let start = range.start + left_out;
                kept.push(start..start + taken);
            }
        }
        Self(kept)
    }
}

impl IntoIterator for Ids {
    type Item = u64;
    type IntoIter = Flatten<vec::IntoIter<Range<u64>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_posts_are_distributed_in_order_over_ten_users() {
        assert_eq!(owned(1, 100, 10), 1..11);
        assert_eq!(owned(10, 100, 10), 91..101);
        assert_eq!((owner(10, 100, 10), owner(11, 100, 10)), (1, 2));
    }

    #[test]
    fn records_are_distributed_evenly() {
        for owners in 1..=12 {
            for children in 0..=40 {
                let mut next = 1;
                for owner_id in 1..=owners {
                    let mine = owned(owner_id, children, owners);
                    assert_eq!(mine.start, next, "{children} over {owners}");
                    next = mine.end;
                    let share = mine.end - mine.start;
                    assert!(share == children / owners || share == children.div_ceil(owners));
                    for child in mine {
                        assert_eq!(owner(child, children, owners), owner_id);
                    }
                }
                assert_eq!(next, children + 1);
            }
        }
    }

    #[test]
    fn without_owners_all_records_belong_to_0() {
        assert_eq!(owner(3, 5, 0), 0);
        assert_eq!(owned(0, 5, 0), 1..6);
        assert!(owned(1, 5, 0).is_empty());
        assert!(owned(0, 5, 2).is_empty());
        assert!(owned(3, 5, 2).is_empty());
    }

    #[test]
    fn the_largest_sizes_do_not_overflow() {
        let max = u64::MAX;
        assert_eq!(owner(max, max, max), max);
        assert_eq!(owned(1, max, 1).start, 1);
        assert_eq!(all(max).window(max, max).count(), 0);
    }

    /// The ids 1 to `count`.
    fn all(count: u64) -> Ids {
        Ids::of(1..count.saturating_add(1))
    }

    #[test]
    fn sets_of_ids_follow_set_algebra() {
        let odd_lot = Ids::any_of([7..9, 1..3, 8..12, 5..5, 3..4].into_iter());
        assert_eq!(odd_lot, Ids(vec![1..4, 7..12]));
        assert_eq!(odd_lot.count(), 8);
        assert_eq!(
            odd_lot.and(&Ids(vec![2..8, 10..11])),
            Ids(vec![2..4, 7..8, 10..11])
        );
        assert_eq!(odd_lot.and(&all(0)).count(), 0);
        assert_eq!(odd_lot.window(2, 3), Ids(vec![3..4, 7..9]));
        assert_eq!(odd_lot.window(4, 100), all(11).window(7, 4));
        assert_eq!(odd_lot.window(0, 0).into_iter().next(), None);
        let listed: Vec<u64> = odd_lot.into_iter().collect();
        assert_eq!(listed, [1, 2, 3, 7, 8, 9, 10, 11]);
    }
}
