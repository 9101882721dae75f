//! How often each id was counted: quick for numbers that lie close together, as
//! those that an API counts up do, and right for all others.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::id::Id;

/// Numbers that share a page. More make the table smaller where numbers lie close
/// together, and larger where they do not.
const PAGE: i64 = 64;

/// How many numbers are noted down before they are sorted in: more than a slice has records.
const NOTED: usize = 32 * 1024;

/// Counts by id.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    /// Numbers that were counted once, each as often as it was: a table would be made
    /// anew for each slice, and looked up for each record.
    noted: Vec<i64>,
    numbers: Table,
    texts: HashMap<Id, u64, RandomState>,
    /// Of numbers, as another process sent them, in ascending order: a table would
    /// be made for no more than to be read once.
    sent: Vec<(i64, u64)>,
}

/// Counts of numbers, two bytes each where they lie close together.
#[derive(Clone, Debug, Default)]
struct Table {
    /// Where the counts of a page are.
    pages: HashMap<i64, usize, RandomState>,
    /// The lower 16 bits of each count; 0 for numbers that were not counted.
    low: Vec<[u16; 64]>,
    /// The bits above: there are no more of them than one for 65,536 things counted.
    high: HashMap<i64, u64, RandomState>,
}

impl Table {
    /// Adds counts of numbers. Where neighbours come one behind the other, their page
    /// is looked up once.
    fn add(&mut self, counts: impl IntoIterator<Item = (i64, u64)>) {
        let mut counts = counts.into_iter().peekable();
        while let Some((page, _)) = counts.peek().map(|(number, _)| place(*number)) {
            let low = &mut self.low;
            let index = *self.pages.entry(page).or_insert_with(|| {
                low.push([0; 64]);
                low.len() - 1
            });
            let known = &mut self.low[index];
            while let Some((number, count)) = counts.next_if(|(number, _)| place(*number).0 == page)
            {
                let low = &mut known[place(number).1];
                let sum = u64::from(*low) + count;
                *low = u16::try_from(sum & 0xffff).unwrap_or_default();
                if sum > 0xffff {
                    *self.high.entry(number).or_default() += sum >> 16;
                }
            }
        }
    }

    fn get(&self, number: i64) -> u64 {
        let (page, place) = place(number);
        let low = self
            .pages
            .get(&page)
            .map_or(0, |page| self.low[*page][place]);
        self.whole(number, low)
    }

    /// The count of a number whose lower bits these are.
    fn whole(&self, number: i64, low: u16) -> u64 {
        let high = if self.high.is_empty() {
            None
        } else {
            self.high.get(&number)
        };
        u64::from(low) + (high.copied().unwrap_or_default() << 16)
    }

    /// All that were counted, in ascending order.
    fn ascending(&self) -> impl Iterator<Item = (i64, u64)> {
        let mut pages: Vec<_> = self.pages.iter().collect();
        pages.sort_unstable_by_key(|(page, _)| **page);
        pages.into_iter().flat_map(move |(page, index)| {
            let first = page * PAGE;
            let counts = (0..).zip(self.low[*index]);
            let counts = counts.map(move |(place, low)| {
                let number = first + place;
                (number, self.whole(number, low))
            });
            counts.filter(|(_, count)| *count > 0)
        })
    }
}

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
                    self.settle();
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

    /// Adds the counts of others.
    pub(super) fn merge(&mut self, mut other: Self) {
        if self.numbers.low.len() < other.numbers.low.len() {
            // Whichever has more is moved as it is.
            std::mem::swap(self, &mut other);
        }
        self.settle();
        self.numbers.add(runs(other.noted));
        self.numbers.add(other.sent);
        self.numbers.add(other.numbers.ascending());
        for (id, count) in &other.texts {
            self.add_text(id, *count);
        }
    }

    /// Sorts in what has not been.
    fn settle(&mut self) {
        self.numbers.add(runs(std::mem::take(&mut self.noted)));
        self.numbers.add(std::mem::take(&mut self.sent));
    }

    /// These counts, ready to be looked up.
    pub(super) fn settled(mut self) -> Settled {
        self.settle();
        Settled {
            numbers: self.numbers,
            texts: self.texts,
        }
    }

    /// The counts of numbers, in ascending order.
    fn numbers(&self) -> Vec<(i64, u64)> {
        if self.numbers.low.is_empty() && self.sent.is_empty() {
            return runs(self.noted.clone()).collect();
        }
        if self.sent.is_empty() && self.noted.is_empty() {
            return self.numbers.ascending().collect();
        }
        let mut all = self.clone();
        all.settle();
        all.numbers.ascending().collect()
    }
}

/// Counts to which no more come.
#[derive(Debug)]
pub(super) struct Settled {
    numbers: Table,
    texts: HashMap<Id, u64, RandomState>,
}

impl Settled {
    /// How often an id was counted.
    pub(super) fn of(&self, id: &Id) -> u64 {
        match id {
            Id::Number(number) => self.numbers.get(*number),
            text @ Id::Text(_) => self.texts.get(text).copied().unwrap_or_default(),
        }
    }

    /// How often an id was counted that is the same one in the other form, `7` for `"7"`.
    pub(super) fn twin(&self, id: &Id) -> Option<(Id, u64)> {
        // To look for a number as a text, it has to be written out first.
        let none = matches!(id, Id::Number(_)) && self.texts.is_empty();
        let twin = if none { None } else { id.twin() }?;
        let count = self.of(&twin);
        (count > 0).then_some((twin, count))
    }

    /// All ids that were counted: numbers in ascending order, then texts in any.
    pub(super) fn all(&self) -> impl Iterator<Item = (Id, u64)> {
        let numbers = self.numbers.ascending();
        let numbers = numbers.map(|(number, count)| (Id::Number(number), count));
        let texts = self.texts.iter().map(|(id, count)| (id.clone(), *count));
        numbers.chain(texts)
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
                Id::Number(number) => counts.numbers.add([(*number, *count)]),
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

    #[test]
    fn counts_of_any_size_add_up() {
        let sizes = [1, 0xffff, 0x1_0000, 0x1_0001, u64::from(u32::MAX), 1 << 50];
        let mut table = Table::default();
        let mut sum = 0;
        for size in sizes {
            table.add([(-3, size), (70, size)]);
            sum += size;
            assert_eq!(table.get(70), sum);
            let all: Vec<_> = table.ascending().collect();
            assert_eq!(all, [(-3, sum), (70, sum)]);
        }
        table.add([(7, 0x2_0000)]);
        assert_eq!(table.ascending().nth(1), Some((7, 0x2_0000)));
        assert_eq!(table.get(8), 0);
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
            let all = all.settled();
            for (id, count) in &plain {
                prop_assert_eq!(all.of(id), *count);
            }
            let all: BTreeMap<_, _> = all.all().collect();
            prop_assert_eq!(all, plain);
        }
    }
}
