//! How often each id was counted: quick for numbers that lie close together, as
//! those that an API counts up do, and right for all others.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::id::Id;

/// Numbers that share an entry of the map. More make it smaller where they lie
/// close together, and larger where they do not.
const PAGE: i64 = 16;

/// How many numbers are noted down before they are sorted in: more than a slice has records.
const NOTED: usize = 32 * 1024;

/// Counts by id.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    /// Numbers that were counted once, each as often as it was: a table would be made
    /// anew for each slice, and looked up for each record.
    noted: Vec<i64>,
    /// Of numbers, a page of neighbours an entry; 0 for those that were not counted.
    pages: HashMap<i64, Page, RandomState>,
    texts: HashMap<Id, u64, RandomState>,
    /// Of numbers, as another process sent them, in ascending order: a table would
    /// be made for no more than to be read once.
    sent: Vec<(i64, u64)>,
}

type Page = [u64; 16];

/// Where the count of a number is: its page, and the place on it.
fn place(number: i64) -> (i64, usize) {
    let place = usize::try_from(number.rem_euclid(PAGE)).unwrap_or_default();
    (number.div_euclid(PAGE), place)
}

impl Counts {
    /// Counts an id once.
    pub(super) fn add(&mut self, id: &Id) {
        match id {
            Id::Number(number) => {
                self.noted.push(*number);
                if self.noted.len() == NOTED {
                    let noted = runs(std::mem::take(&mut self.noted));
                    self.sort_in(noted);
                }
            }
            text @ Id::Text(_) => self.add_text(text, 1),
        }
    }

    fn add_text(&mut self, text: &Id, count: u64) {
        match self.texts.get_mut(text) {
            Some(known) => *known += count,
            None => {
                self.texts.insert(text.clone(), count);
            }
        }
    }

    /// Adds counts of numbers, in ascending order.
    fn sort_in(&mut self, counts: impl IntoIterator<Item = (i64, u64)>) {
        let mut counts = counts.into_iter().peekable();
        while let Some((page, _)) = counts.peek().map(|(number, _)| place(*number)) {
            // Neighbours come one behind the other: their page is looked up once.
            let known = self.pages.entry(page).or_default();
            while let Some((number, count)) = counts.next_if(|(number, _)| place(*number).0 == page)
            {
                known[place(number).1] += count;
            }
        }
    }

    /// Adds the counts of others.
    pub(super) fn merge(&mut self, other: Self) {
        self.sort_in(runs(other.noted));
        self.sort_in(other.sent);
        for (page, counts) in other.pages {
            let known = self.pages.entry(page).or_default();
            for (known, count) in known.iter_mut().zip(counts) {
                *known += count;
            }
        }
        for (id, count) in &other.texts {
            self.add_text(id, *count);
        }
    }

    /// All ids and how often they were counted: numbers in ascending order, then texts in any.
    pub(super) fn into_all(mut self) -> Vec<(Id, u64)> {
        let numbers = self.numbers().into_iter();
        let numbers = numbers.map(|(number, count)| (Id::Number(number), count));
        numbers.chain(std::mem::take(&mut self.texts)).collect()
    }

    /// The counts of numbers, in ascending order.
    fn numbers(&self) -> Vec<(i64, u64)> {
        if self.pages.is_empty() && self.sent.is_empty() {
            return runs(self.noted.clone()).collect();
        }
        if !self.sent.is_empty() || !self.noted.is_empty() {
            let mut all = Self {
                pages: self.pages.clone(),
                ..Self::default()
            };
            all.sort_in(runs(self.noted.clone()));
            all.sort_in(self.sent.iter().copied());
            return all.numbers();
        }
        let mut pages: Vec<_> = self.pages.iter().collect();
        pages.sort_unstable_by_key(|(page, _)| **page);
        let mut numbers = Vec::with_capacity(2 * pages.len());
        for (page, counts) in pages {
            for (place, count) in (0..).zip(*counts) {
                if count > 0 {
                    numbers.push((page * PAGE + place, count));
                }
            }
        }
        numbers
    }
}

/// How often each number is there, in ascending order.
fn runs(mut numbers: Vec<i64>) -> impl Iterator<Item = (i64, u64)> {
    numbers.sort_unstable();
    let mut numbers = numbers.into_iter().peekable();
    std::iter::from_fn(move || {
        let number = numbers.next()?;
        let mut count = 1;
        while numbers.next_if_eq(&number).is_some() {
            count += 1;
        }
        Some((number, count))
    })
}

impl PartialEq for Counts {
    fn eq(&self, other: &Self) -> bool {
        self.numbers() == other.numbers() && self.texts == other.texts
    }
}

impl Eq for Counts {}

/// Counts between processes: short, and JSON.
#[derive(Default, Serialize, Deserialize)]
struct Wire {
    /// By turns how far a number is behind the one before it (the first one behind 0),
    /// and how often it was counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    numbers: Vec<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    others: Vec<(Id, u64)>,
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let others = self.texts.iter().map(|(id, count)| (id.clone(), *count));
        let mut wire = Wire {
            numbers: Vec::new(),
            others: others.collect(),
        };
        let mut before = 0i64;
        for (number, count) in self.numbers() {
            match i64::try_from(count) {
                Ok(count) => {
                    // Far ends of the range of numbers wrap around, and back on the other side.
                    wire.numbers.extend([number.wrapping_sub(before), count]);
                    before = number;
                }
                Err(_) => wire.others.push((Id::Number(number), count)),
            }
        }
        wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        let (pairs, []) = wire.numbers.as_chunks() else {
            return Err(D::Error::custom("expected ids and counts in pairs"));
        };
        let mut number = 0i64;
        let mut sent = Vec::with_capacity(pairs.len());
        for [gap, count] in pairs {
            number = number.wrapping_add(*gap);
            let count = u64::try_from(*count);
            let count = count.map_err(|_| D::Error::custom("expected counts of 0 or more"))?;
            sent.push((number, count));
        }
        let mut counts = Self {
            sent,
            ..Self::default()
        };
        for (id, count) in &wire.others {
            match id {
                Id::Number(number) => counts.sort_in([(*number, *count)]),
                text @ Id::Text(_) => counts.add_text(text, *count),
            }
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn id() -> impl Strategy<Value = Id> {
        let edges = [i64::MIN, i64::MIN + 1, -17, -16, -1, 0, 15, 16, i64::MAX];
        prop_oneof![
            4 => (-40i64..60).prop_map(Id::Number),
            1 => any::<i64>().prop_map(Id::Number),
            1 => prop::sample::select(edges.to_vec()).prop_map(Id::Number),
            1 => "[a-c]{0,2}".prop_map(|text| Id::Text(text.into())),
        ]
    }

    #[test]
    fn neighbours_are_short_on_the_wire() {
        let mut counts = Counts::default();
        for number in [1_000_001, 1_000_003, 1_000_003] {
            counts.add(&Id::Number(number));
        }
        let wire = serde_json::to_string(&counts).unwrap();
        assert_eq!(wire, r#"{"numbers":[1000001,1,2,2]}"#);
    }

    #[test]
    fn what_is_no_table_of_counts_is_refused() {
        for wire in [r#"{"numbers":[1]}"#, r#"{"numbers":[1,-1]}"#, "7"] {
            assert!(serde_json::from_str::<Counts>(wire).is_err(), "{wire}");
        }
    }

    #[test]
    fn more_numbers_than_are_noted_down_are_counted_all_the_same() {
        let mut counts = Counts::default();
        for number in (0..3).cycle().take(3 * NOTED + 1) {
            counts.add(&Id::Number(number));
        }
        let third = NOTED as u64;
        assert_eq!(counts.numbers(), [(0, third + 1), (1, third), (2, third)]);
    }

    proptest! {
        #[test]
        fn counts_are_those_of_a_plain_map(
            parts in prop::collection::vec(prop::collection::vec((id(), 1u64..4), 0..40), 0..5)
        ) {
            let mut plain = BTreeMap::new();
            let mut all = Counts::default();
            for part in &parts {
                let mut counts = Counts::default();
                for (id, count) in part {
                    (0..*count).for_each(|_| counts.add(id));
                    *plain.entry(id.clone()).or_insert(0) += count;
                }
                let wire = serde_json::to_string(&counts).unwrap();
                let sent: Counts = serde_json::from_str(&wire).unwrap();
                prop_assert_eq!(&sent, &counts);
                prop_assert_eq!(serde_json::to_string(&sent).unwrap().len(), wire.len());
                // Some come from another process, some do not.
                all.merge(if part.len() % 2 == 0 { sent } else { counts });
            }
            let all: BTreeMap<_, _> = all.into_all().into_iter().collect();
            prop_assert_eq!(all, plain);
        }
    }
}
