//! How often each id was counted: quick for numbers that lie close together, as
//! those that an API counts up do, and right for all others.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::sent::{Packing, Sent};
use crate::record::Id;

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
    /// Of numbers, as another process sent them: unpacked when they are added to others.
    sent: Sent,
}

/// Counts of numbers, two bytes each where they lie close together.
#[derive(Clone, Debug, Default)]
struct Table {
    pages: Vec<Page>,
    /// Where the page of each number is.
    places: HashMap<i64, usize, RandomState>,
    /// The bits above those of the pages: there are no more of them than one for
    /// 65,536 things counted.
    high: HashMap<i64, u64, RandomState>,
}

/// The counts of neighbours.
#[derive(Clone, Debug)]
struct Page {
    /// Its first number, divided by how many there are on a page.
    number: i64,
    /// The lower 16 bits of each count; 0 for numbers that were not counted.
    low: [u16; 64],
}

impl Table {
    /// Adds counts of numbers, which is quick for those in ascending order.
    fn add(&mut self, counts: impl IntoIterator<Item = (i64, u64)>) {
        let mut last = 0;
        for (number, count) in counts {
            let (page, place) = place(number);
            last = self.index(page, last);
            let low = &mut self.pages[last].low[place];
            let sum = u64::from(*low) + (count & 0xffff);
            *low = u16::try_from(sum & 0xffff).unwrap_or_default();
            let above = (sum >> 16) + (count >> 16);
            if above > 0 {
                let high = self.high.entry(number).or_default();
                *high = high.saturating_add(above);
            }
        }
    }

    /// Where a page is, when the last one was at `last`.
    #[inline]
    fn index(&mut self, page: i64, last: usize) -> usize {
        // Most pages are as far behind the last one as they are in the order of numbers.
        let likely = self.pages.get(last).and_then(|known| {
            let behind = page.wrapping_sub(known.number);
            Some(last.wrapping_add_signed(isize::try_from(behind).ok()?))
        });
        let likely = likely.filter(|index| {
            let known = self.pages.get(*index);
            known.is_some_and(|known| known.number == page)
        });
        likely.unwrap_or_else(|| self.look_up(page))
    }

    /// Where a page is, which is made if need be.
    #[cold]
    fn look_up(&mut self, page: i64) -> usize {
        let pages = &mut self.pages;
        *self.places.entry(page).or_insert_with(|| {
            pages.push(Page {
                number: page,
                low: [0; 64],
            });
            pages.len() - 1
        })
    }

    fn get(&self, number: i64) -> u64 {
        let (page, place) = place(number);
        let low = self.places.get(&page);
        let low = low.map_or(0, |index| self.pages[*index].low[place]);
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
        pages.sort_unstable_by_key(|page| page.number);
        pages.into_iter().flat_map(move |page| {
            let first = page.number * PAGE;
            let counts = (0..).zip(page.low);
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
            Some(known) => *known = known.saturating_add(count),
            None => {
                self.texts.insert(text.clone(), count);
            }
        }
    }

    /// Adds the counts of others.
    pub(super) fn merge(&mut self, mut other: Self) {
        if self.numbers.pages.len() < other.numbers.pages.len() {
            // Whichever has more is moved as it is.
            std::mem::swap(self, &mut other);
        }
        self.settle();
        self.numbers.add(runs(other.noted));
        self.numbers.add(other.sent.iter());
        self.numbers.add(other.numbers.ascending());
        for (id, count) in &other.texts {
            self.add_text(id, *count);
        }
    }

    /// Sorts in what has not been.
    fn settle(&mut self) {
        self.numbers.add(runs(std::mem::take(&mut self.noted)));
        self.numbers.add(std::mem::take(&mut self.sent).iter());
    }

    /// These counts, ready to be looked up.
    pub(super) fn settled(mut self) -> Settled {
        self.settle();
        Settled {
            numbers: self.numbers,
            texts: self.texts,
        }
    }

    /// Tells of each number how often it was counted, in ascending order.
    fn each_number(&self, mut tell: impl FnMut(i64, u64)) {
        let tell = |(number, count)| tell(number, count);
        if self.numbers.pages.is_empty() && self.sent.is_empty() {
            runs(self.noted.clone()).for_each(tell);
        } else {
            let mut all = self.clone();
            all.settle();
            all.numbers.ascending().for_each(tell);
        }
    }

    /// The counts of numbers, in ascending order.
    fn numbers(&self) -> Vec<(i64, u64)> {
        let mut all = Vec::new();
        self.each_number(|number, count| all.push((number, count)));
        all
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
    #[serde(default, skip_serializing_if = "Sent::is_empty")]
    numbers: Sent,
    /// Texts, and numbers that lie too far apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    others: Vec<(Id, u64)>,
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let others = self.texts.iter().map(|(id, count)| (id.clone(), *count));
        let mut others: Vec<_> = others.collect();
        let mut packing = Packing::default();
        self.each_number(|number, count| {
            if !packing.put(number, count) {
                others.push((Id::Number(number), count));
            }
        });
        let numbers = packing.finish().map_err(S::Error::custom)?;
        Wire { numbers, others }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        let mut counts = Self {
            sent: wire.numbers,
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
mod tests;
