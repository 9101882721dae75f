//! The life of one resource: when its records are created, edited and deleted, and who owns them.
//!
//! A timeline is a list of slots of bounded length. A slot is a range of ids with a range of times
//! and the same story. In a forum of the default size, a slot is one record; in a large one, it has
//! many, whose times and owners are computed. So nothing is stored per record.

use std::ops::Range;

use super::ids::{Ids, owned, owner};
use super::moment::Moment;

/// Neighbouring records with the same story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Their ids.
    pub(super) ids: Range<u64>,
    /// When they are created: the first one at the start, the others before the end, in order.
    pub(super) created: Range<Moment>,
    /// When they are edited; not before all of them exist.
    pub(super) edited: Option<Moment>,
    /// When they are deleted.
    pub(super) deleted: Option<Moment>,
    /// The slot of their owners in the owners' timeline; `None` if there are no owners.
    pub(super) owner: Option<usize>,
    /// The index of the first owner: the others follow, and wrap around.
    pub(super) shift: u64,
    /// Who wrote a comment.
    pub(super) author: Author,
}

/// Who wrote a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Author {
    /// The users of this slot.
    User(usize),
    /// The guest with this number, and in a large forum further ones.
    Guest(u64),
}

impl Slot {
    fn len(&self) -> u64 {
        self.ids.end - self.ids.start
    }

    /// How many records were created up to `at`.
    fn count_at(&self, at: Moment) -> u64 {
        let Range { start, end } = self.created;
        if at < start {
            return 0;
        }
        if at >= end {
            return self.len();
        }
        // The inverse of `created`.
        let passed = u128::from(start.0.abs_diff(at.0)) + 1;
        let window = u128::from(start.0.abs_diff(end.0));
        let count = (passed * u128::from(self.len())).div_ceil(window);
        u64::try_from(count).map_or(self.len(), |count| count.min(self.len()))
    }

    /// The id of the record at `index`, rotated by `shift` within the slot.
    fn turned(&self, index: u64, shift: u64) -> u64 {
        let turned = (u128::from(index) + u128::from(shift)) % u128::from(self.len().max(1));
        // Less than the length.
        self.ids.start + u64::try_from(turned).unwrap_or_default()
    }

    /// When the record at `index` was created.
    fn created(&self, index: u64) -> Moment {
        let window = u128::from(self.created.start.0.abs_diff(self.created.end.0));
        let passed = window * u128::from(index) / u128::from(self.len().max(1));
        self.created.start + i64::try_from(passed).unwrap_or_default()
    }
}

/// All slots of a resource, in order of ids and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Timeline {
    slots: Vec<Slot>,
    /// The deleted ids, and when they are deleted.
    deleted: Vec<(Range<u64>, Moment)>,
}

/// The position of a record in its timeline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The index of its slot.
    pub(super) number: usize,
    pub(super) slot: &'a Slot,
    /// Its index in the slot.
    pub(super) index: u64,
}

impl Place<'_> {
    /// When the record was created.
    pub(super) fn created(&self) -> Moment {
        self.slot.created(self.index)
    }

    /// Whether it was edited up to `at`.
    pub(super) fn is_edited(&self, at: Moment) -> bool {
        self.slot.edited.is_some_and(|edited| edited <= at)
    }

    /// Whether it is deleted at some time.
    pub(super) fn is_doomed(&self) -> bool {
        self.slot.deleted.is_some()
    }
}

impl Timeline {
    /// A timeline of slots that are in order.
    pub(super) fn new(slots: Vec<Slot>) -> Self {
        let deleted = slots
            .iter()
            .filter_map(|slot| Some((slot.ids.clone(), slot.deleted?)));
        Self {
            deleted: deleted.collect(),
            slots,
        }
    }

    /// The position of a record, whether or not it exists at the moment.
    pub(super) fn place(&self, id: u64) -> Option<Place<'_>> {
        let number = self.slots.partition_point(|slot| slot.ids.end <= id);
        let slot = self.slots.get(number)?;
        let index = id.checked_sub(slot.ids.start)?;
        Some(Place {
            number,
            slot,
            index,
        })
    }

    /// The records that exist at a moment.
    pub(super) fn existing(&self, at: Moment) -> Ids {
        let begun = self.slots.partition_point(|slot| slot.created.start <= at);
        let last = begun.checked_sub(1).and_then(|last| self.slots.get(last));
        let end = last.map_or(1, |last| last.ids.start + last.count_at(at));
        let mut start = 1;
        let mut ranges = Vec::new();
        for (ids, when) in &self.deleted {
            if ids.start < end && *when <= at {
                ranges.push(start..ids.start);
                start = ids.end;
            }
        }
        ranges.push(start..end);
        Ids::any_of(ranges.into_iter())
    }

    /// Whether a record exists at a moment.
    pub(super) fn exists(&self, id: u64, at: Moment) -> bool {
        self.place(id).is_some_and(|place| {
            place.created() <= at && place.slot.deleted.is_none_or(|deleted| deleted > at)
        })
    }

    /// The time of the last event up to `at`.
    pub(super) fn last_event(&self, at: Moment) -> Option<Moment> {
        let events = self.slots.iter().flat_map(|slot| {
            let count = slot.count_at(at);
            let created = count.checked_sub(1).map(|last| slot.created(last));
            [created, slot.edited, slot.deleted].into_iter().flatten()
        });
        events.filter(|event| *event <= at).max()
    }

    /// The owner of a record; 0, which does not exist, if there are no owners.
    pub(super) fn owner_of(place: Place<'_>, owners: &Self) -> u64 {
        let Place { slot, index, .. } = place;
        let Some(of) = slot.owner.and_then(|owner| owners.slots.get(owner)) else {
            return 0;
        };
        let turn = owner(index.saturating_add(1), slot.len(), of.len());
        of.turned(turn.saturating_sub(1), slot.shift)
    }

    /// The author of a comment, among the users of the slot `number`.
    pub(super) fn member(place: Place<'_>, users: &Self, number: usize) -> u64 {
        let of = users.slots.get(number);
        of.map_or(0, |of| of.turned(place.index, place.slot.shift))
    }

    /// The records that belong to `owner`: the inverse of [`Self::owner_of`].
    pub(super) fn owned_by(&self, owner: u64, owners: &Self) -> Ids {
        if owners.slots.is_empty() {
            let all = self.slots.iter().map(|slot| slot.ids.clone());
            return Ids::any_of(all.filter(|_| owner == 0));
        }
        let Some(place) = owners.place(owner) else {
            return Ids::none();
        };
        let count = place.slot.len();
        let slots = self.slots.iter();
        let mine = slots.filter(|slot| slot.owner == Some(place.number));
        Ids::any_of(mine.map(|slot| {
            let back = u128::from(count) - u128::from(slot.shift % count.max(1));
            let turn = (u128::from(place.index) + back) % u128::from(count.max(1));
            let turn = u64::try_from(turn).unwrap_or_default();
            let indices = owned(turn.saturating_add(1), slot.len(), count);
            // `owned` returns ids, which start at 1.
            let start = slot.ids.start - 1;
            start + indices.start..start + indices.end
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(ids: Range<u64>, created: Range<i64>) -> Slot {
        Slot {
            ids,
            created: Moment(created.start)..Moment(created.end),
            edited: None,
            deleted: None,
            owner: None,
            shift: 0,
            author: Author::Guest(0),
        }
    }

    #[test]
    fn the_records_of_a_slot_appear_one_after_another_in_its_window() {
        for (ids, window) in [(1..8, 0..3), (1..4, 0..100), (1..2, 0..9), (1..5, 7..7)] {
            let timeline = Timeline::new(vec![slot(ids.clone(), window.clone())]);
            for at in -1..110 {
                let by_hand: Vec<u64> = ids
                    .clone()
                    .filter(|id| timeline.place(*id).unwrap().created() <= Moment(at))
                    .collect();
                let existing: Vec<u64> = timeline.existing(Moment(at)).into_iter().collect();
                assert_eq!(existing, by_hand, "{ids:?} {window:?} {at}");
                for id in ids.clone() {
                    let exists = timeline.exists(id, Moment(at));
                    assert_eq!(exists, by_hand.contains(&id), "{ids:?} {window:?} {at}");
                }
            }
        }
    }

    #[test]
    fn a_deleted_record_leaves_a_gap() {
        let doomed = Slot {
            deleted: Some(Moment(25)),
            ..slot(3..4, 20..30)
        };
        let timeline = Timeline::new(vec![slot(1..3, 0..10), doomed, slot(4..5, 30..40)]);
        for (at, expected) in [
            (-1, &[][..]),
            (20, &[1, 2, 3]),
            (25, &[1, 2]),
            (30, &[1, 2, 4]),
        ] {
            let existing: Vec<u64> = timeline.existing(Moment(at)).into_iter().collect();
            assert_eq!(existing, expected, "{at}");
        }
        assert_eq!(timeline.last_event(Moment(27)), Some(Moment(25)));
        assert_eq!(timeline.last_event(Moment(-1)), None);
        assert!(timeline.place(0).is_none() && timeline.place(5).is_none());
    }

    #[test]
    fn owners_and_what_they_own_agree() {
        for (records, count, shift) in [(7, 3, 2), (3, 7, 6), (5, 5, 0), (1, 4, 3), (9, 1, 0)] {
            let owners = Timeline::new(vec![slot(1..3, 0..1), slot(3..3 + count, 1..2)]);
            let theirs = Slot {
                owner: Some(1),
                shift,
                ..slot(1..1 + records, 5..9)
            };
            let timeline = Timeline::new(vec![theirs]);
            let mut seen = 0;
            for owner in 0..count + 5 {
                for id in timeline.owned_by(owner, &owners) {
                    let found = Timeline::owner_of(timeline.place(id).unwrap(), &owners);
                    assert_eq!(found, owner, "{records} {count} {shift}");
                    seen += 1;
                }
            }
            assert_eq!(seen, records, "{count} {shift}");
        }
    }

    #[test]
    fn the_largest_slot_does_not_overflow() {
        let owners = Timeline::new(vec![slot(1..u64::MAX, 0..1)]);
        let all = Slot {
            owner: Some(0),
            shift: u64::MAX - 2,
            ..slot(1..u64::MAX, Moment::START.0..Moment::END.0)
        };
        let timeline = Timeline::new(vec![all]);
        let last = timeline.place(u64::MAX - 1).unwrap();
        assert!(last.created() < Moment::END);
        assert_eq!(timeline.existing(Moment::END).count(), u64::MAX - 1);
        let owner = Timeline::owner_of(last, &owners);
        assert_eq!(timeline.owned_by(owner, &owners), {
            Ids::of(u64::MAX - 1..u64::MAX)
        });
    }
}
