//! A compact set of ids, to find duplicates.

use std::collections::{BTreeMap, HashSet};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};

use crate::record::Id;

/// A set of ids.
///
/// Numbers are stored as ranges, so consecutive ones take almost no memory, however many there are.
/// Of texts, a 128-bit hash is stored (BLAKE3); a collision is too unlikely to matter.
///
/// ```
/// use activity_tracker_core::record::{Id, IdSet};
///
/// let mut ids = IdSet::default();
/// assert!(ids.insert(&Id::Number(1)));
/// assert!(ids.insert(&Id::Text("1".into())));
/// assert!(!ids.insert(&Id::Number(1)));
/// assert_eq!(ids.len(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct IdSet {
    /// The last number of each range, by its first number. No two ranges touch.
    ranges: BTreeMap<i64, i64>,
    texts: HashSet<u128>,
}

impl IdSet {
    /// Adds an id; returns whether it is new.
    pub fn insert(&mut self, id: &Id) -> bool {
        match id {
            Id::Number(number) => self.insert_number(*number),
            Id::Text(text) => self.texts.insert(hash(text)),
        }
    }

    /// Whether the set has an id.
    #[must_use]
    pub fn contains(&self, id: &Id) -> bool {
        match id {
            Id::Number(number) => self.contains_number(*number),
            Id::Text(text) => !self.texts.is_empty() && self.texts.contains(&hash(text)),
        }
    }

    /// The number of different ids.
    #[must_use]
    pub fn len(&self) -> u64 {
        let ranges = self.ranges.iter();
        let numbers = ranges.map(|(first, last)| last.abs_diff(*first).saturating_add(1));
        numbers.fold(self.texts.len() as u64, u64::saturating_add)
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.texts.is_empty()
    }

    /// Merges two sets. The order does not matter.
    #[must_use]
    pub fn merge(mut self, mut other: Self) -> Self {
        if self.ranges.len() < other.ranges.len() {
            std::mem::swap(&mut self.ranges, &mut other.ranges);
        }
        if self.texts.len() < other.texts.len() {
            std::mem::swap(&mut self.texts, &mut other.texts);
        }
        for (first, last) in other.ranges {
            self.insert_range(first, last);
        }
        self.texts.extend(other.texts);
        self
    }

    fn contains_number(&self, number: i64) -> bool {
        let before = self.ranges.range(..=number).next_back();
        before.is_some_and(|(_, last)| number <= *last)
    }

    fn insert_number(&mut self, number: i64) -> bool {
        // Most APIs assign consecutive ids.
        if let Some(mut range) = self.ranges.last_entry()
            && range.get().checked_add(1) == Some(number)
        {
            range.insert(number);
            return true;
        }
        if self.contains_number(number) {
            return false;
        }
        self.insert_range(number, number);
        true
    }

    /// Adds a range, and merges it with those that it overlaps or touches.
    fn insert_range(&mut self, mut first: i64, mut last: i64) {
        if let Some((before, its_last)) = self.ranges.range_mut(..=first).next_back()
            && its_last.saturating_add(1) >= first
        {
            first = *before;
            last = last.max(*its_last);
        }
        while let Some((behind, its_last)) = self.next_touched(first, last) {
            last = last.max(its_last);
            self.ranges.remove(&behind);
        }
        self.ranges.insert(first, last);
    }

    /// The next range that begins after `first`, and at most directly after `last`.
    fn next_touched(&self, first: i64, last: i64) -> Option<(i64, i64)> {
        let behind = first.checked_add(1)?;
        let end = last.saturating_add(1);
        let mut touched = self.ranges.range(behind..=end);
        touched.next().map(|(first, last)| (*first, *last))
    }
}

/// 128 bits of a text's BLAKE3 hash.
#[must_use]
pub fn hash(text: &str) -> u128 {
    let mut half = [0; 16];
    blake3::Hasher::new()
        .update(text.as_bytes())
        .finalize_xof()
        .fill(&mut half);
    u128::from_le_bytes(half)
}

/// The compact JSON form of a set, for other processes.
#[derive(Serialize, Deserialize)]
struct Wire {
    /// Two numbers per range: the distance of its first number from the end of the previous range
    /// (or from 0), and the distance of its last number from its first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    numbers: Vec<i64>,
    /// The concatenated hashes, in base64.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    texts: String,
}

impl From<IdSet> for Wire {
    fn from(ids: IdSet) -> Self {
        let mut end = 0;
        let ranges = ids.ranges.into_iter().flat_map(|(first, last)| {
            let before = std::mem::replace(&mut end, last);
            // Distances that overflow wrap around, here and in the opposite direction when they are
            // read.
            [first.wrapping_sub(before), last.wrapping_sub(first)]
        });
        let texts: Vec<_> = ids.texts.into_iter().flat_map(u128::to_le_bytes).collect();
        Self {
            numbers: ranges.collect(),
            texts: BASE64.encode(texts),
        }
    }
}

impl TryFrom<Wire> for IdSet {
    type Error = &'static str;

    fn try_from(wire: Wire) -> Result<Self, Self::Error> {
        let mut ids = Self::default();
        let mut end = 0i64;
        let (pairs, []) = wire.numbers.as_chunks() else {
            return Err("expected ranges of ids in pairs");
        };
        for [gap, length] in pairs {
            let first = end.wrapping_add(*gap);
            end = first.wrapping_add(*length);
            if end < first {
                return Err("expected ranges of ids that end after they begin");
            }
            ids.insert_range(first, end);
        }
        let texts = BASE64.decode(wire.texts);
        let texts = texts.map_err(|_| "expected hashes of ids in base64")?;
        let (hashes, []) = texts.as_chunks() else {
            return Err("expected whole hashes of ids");
        };
        let hashes = hashes.iter().copied().map(u128::from_le_bytes);
        ids.texts.extend(hashes);
        Ok(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(ids: &[Id]) -> IdSet {
        let mut set = IdSet::default();
        for id in ids {
            set.insert(id);
        }
        set
    }

    fn numbers(set: &IdSet) -> Vec<(i64, i64)> {
        set.ranges.iter().map(|(a, b)| (*a, *b)).collect()
    }

    #[test]
    fn numbers_that_touch_are_one_range() {
        let (low, high) = (i64::MIN, i64::MAX);
        let cases = [
            (vec![1, 2, 3, 4], vec![(1, 4)]),
            (vec![4, 3, 2, 1], vec![(1, 4)]),
            (vec![1, 3, 5, 2, 4], vec![(1, 5)]),
            (vec![1, 3, 1, 3], vec![(1, 1), (3, 3)]),
            (vec![high, low, high, low], vec![(low, low), (high, high)]),
            (vec![high, high - 1], vec![(high - 1, high)]),
        ];
        for (ids, expected) in cases {
            let ids: Vec<_> = ids.into_iter().map(Id::Number).collect();
            assert_eq!(numbers(&set(&ids)), expected);
        }
    }

    #[test]
    fn a_set_is_short_on_the_wire() {
        let counted: Vec<_> = (5001..=8000).map(Id::Number).collect();
        let wire = serde_json::to_string(&set(&counted)).unwrap();
        assert_eq!(wire, r#"{"numbers":[5001,2999]}"#);
        let text = set(&[Id::Text("7c9e6679-7425-40de-944b-e07fc1f90ae7".into())]);
        let wire = serde_json::to_string(&text).unwrap();
        assert_eq!(wire.len(), r#"{"texts":""}"#.len() + 22);
    }

    #[test]
    fn what_is_no_set_of_ids_is_refused() {
        for wire in [
            r#"{"numbers":[1]}"#,
            r#"{"numbers":[1,-1]}"#,
            r#"{"texts":"AAAA"}"#,
            r#"{"texts":"AAAAAAAAAAAAAAAAAAAAA!"}"#,
        ] {
            assert!(serde_json::from_str::<IdSet>(wire).is_err(), "{wire}");
        }
    }

    fn id() -> impl Strategy<Value = Id> {
        let edges = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX];
        prop_oneof![
            4 => (0i64..40).prop_map(Id::Number),
            1 => any::<i64>().prop_map(Id::Number),
            1 => prop::sample::select(edges.to_vec()).prop_map(Id::Number),
            2 => "[0-4]{0,2}".prop_map(|text| Id::Text(text.into())),
        ]
    }

    proptest! {
        #[test]
        fn a_set_knows_what_a_hash_set_knows(
            parts in prop::collection::vec(prop::collection::vec(id(), 0..40), 0..5),
            others in prop::collection::vec(id(), 0..20),
        ) {
            let mut known = HashSet::new();
            let mut one = IdSet::default();
            for id in parts.iter().flatten() {
                prop_assert_eq!(one.insert(id), known.insert(id.clone()));
                prop_assert_eq!(one.len(), known.len() as u64);
            }
            let sets = || parts.iter().map(|part| set(part));
            let forward = sets().fold(IdSet::default(), IdSet::merge);
            let backward = sets().rev().fold(IdSet::default(), |all, part| part.merge(all));
            prop_assert_eq!(&forward, &one);
            for id in others.iter().chain(&known) {
                prop_assert_eq!(one.contains(id), known.contains(id));
            }
            prop_assert_eq!(&backward, &one);
            let wire = serde_json::to_string(&one).unwrap();
            prop_assert_eq!(serde_json::from_str::<IdSet>(&wire).unwrap(), one);
        }
    }
}
