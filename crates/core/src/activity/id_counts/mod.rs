//! Counts by id: fast and small for consecutive numbers, as most APIs have them, and correct for
//! all other ids.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::counts_codec::{Encoder, PackedCounts};
use crate::record::Id;

/// Numbers per block. Larger blocks save memory if numbers are consecutive, and waste it if not.
const BLOCK: i64 = 64;

/// The capacity of the buffer of unsorted numbers: more than the records of a slice.
const BUFFER: usize = 32 * 1024;

/// Counts by id.
#[derive(Clone, Debug, Default)]
pub(super) struct IdCounts {
    /// Unsorted numbers, one per count. Most counts are of one slice only, for which a table would
    /// cost more.
    buffer: Vec<i64>,
    numbers: NumberCounts,
    texts: HashMap<Id, u64, RandomState>,
    /// Counts from another process, unpacked when they are merged.
    packed: PackedCounts,
}

/// Counts of numbers, two bytes each for consecutive ones.
#[derive(Clone, Debug, Default)]
struct NumberCounts {
    blocks: Vec<Block>,
    /// The index of each block.
    indexes: HashMap<i64, usize, RandomState>,
    /// The higher bits of each count: at most one entry per 65,536 counted records.
    high: HashMap<i64, u64, RandomState>,
}

/// The counts of consecutive numbers.
#[derive(Clone, Debug)]
struct Block {
    /// Its first number, divided by the size of a block.
    number: i64,
    /// The lower 16 bits of each count; 0 for numbers that were not counted.
    low: [u16; 64],
}

impl NumberCounts {
    /// Adds counts of numbers; ascending order is fast.
    fn add(&mut self, counts: impl IntoIterator<Item = (i64, u64)>) {
        let mut last = 0;
        for (number, count) in counts {
            let (block, index) = position(number);
            last = self.block_index(block, last);
            let low = &mut self.blocks[last].low[index];
            let sum = u64::from(*low) + (count & 0xffff);
            *low = u16::try_from(sum & 0xffff).unwrap_or_default();
            let above = (sum >> 16) + (count >> 16);
            if above > 0 {
                let high = self.high.entry(number).or_default();
                *high = high.saturating_add(above);
            }
        }
    }

    /// The index of a block, with the index of the previous one as a hint.
    #[inline]
    fn block_index(&mut self, block: i64, last: usize) -> usize {
        // Most blocks are stored in the order of numbers.
        let likely = self.blocks.get(last).and_then(|known| {
            let distance = block.wrapping_sub(known.number);
            Some(last.wrapping_add_signed(isize::try_from(distance).ok()?))
        });
        let likely = likely.filter(|index| {
            let known = self.blocks.get(*index);
            known.is_some_and(|known| known.number == block)
        });
        likely.unwrap_or_else(|| self.look_up(block))
    }

    /// The index of a block, which is created if it does not exist.
    #[cold]
    fn look_up(&mut self, block: i64) -> usize {
        let blocks = &mut self.blocks;
        *self.indexes.entry(block).or_insert_with(|| {
            blocks.push(Block {
                number: block,
                low: [0; 64],
            });
            blocks.len() - 1
        })
    }

    fn get(&self, number: i64) -> u64 {
        let (block, index) = position(number);
        let low = self.indexes.get(&block);
        let low = low.map_or(0, |block| self.blocks[*block].low[index]);
        self.full_count(number, low)
    }

    /// The count of a number, given its lower bits.
    fn full_count(&self, number: i64, low: u16) -> u64 {
        let high = if self.high.is_empty() {
            None
        } else {
            self.high.get(&number)
        };
        u64::from(low) + (high.copied().unwrap_or_default() << 16)
    }

    /// All counted numbers, in ascending order.
    fn ascending(&self) -> impl Iterator<Item = (i64, u64)> {
        let mut blocks: Vec<_> = self.blocks.iter().collect();
        blocks.sort_unstable_by_key(|block| block.number);
        blocks.into_iter().flat_map(move |block| {
            let first = block.number * BLOCK;
            let counts = (0..).zip(block.low);
            let counts = counts.map(move |(index, low)| {
                let number = first + index;
                (number, self.full_count(number, low))
            });
            counts.filter(|(_, count)| *count > 0)
        })
    }
}

/// The block of a number, and its index there.
fn position(number: i64) -> (i64, usize) {
    let index = usize::try_from(number.rem_euclid(BLOCK)).unwrap_or_default();
    (number.div_euclid(BLOCK), index)
}

impl IdCounts {
    /// Counts an id once.
    pub(super) fn add(&mut self, id: &Id) {
        match id {
            Id::Number(number) => {
                self.buffer.push(*number);
                if self.buffer.len() == BUFFER {
                    self.flush();
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

    /// Merges other counts.
    pub(super) fn merge(&mut self, mut other: Self) {
        if self.numbers.blocks.len() < other.numbers.blocks.len() {
            // The larger one is moved without copying.
            std::mem::swap(self, &mut other);
        }
        self.flush();
        self.numbers.add(sorted_counts(other.buffer));
        self.numbers.add(other.packed.iter());
        self.numbers.add(other.numbers.ascending());
        for (id, count) in &other.texts {
            self.add_text(id, *count);
        }
    }

    /// Moves buffered and packed counts into the table.
    fn flush(&mut self) {
        self.numbers
            .add(sorted_counts(std::mem::take(&mut self.buffer)));
        self.numbers.add(std::mem::take(&mut self.packed).iter());
    }

    /// Ends counting.
    pub(super) fn finish(mut self) -> FinalCounts {
        self.flush();
        FinalCounts {
            numbers: self.numbers,
            texts: self.texts,
        }
    }

    /// Calls `take` for each number and its count, in ascending order.
    fn each_number(&self, mut take: impl FnMut(i64, u64)) {
        let take = |(number, count)| take(number, count);
        if self.numbers.blocks.is_empty() && self.packed.is_empty() {
            sorted_counts(self.buffer.clone()).for_each(take);
        } else {
            let mut all = self.clone();
            all.flush();
            all.numbers.ascending().for_each(take);
        }
    }

    /// The counts of numbers, in ascending order.
    fn numbers(&self) -> Vec<(i64, u64)> {
        let mut all = Vec::new();
        self.each_number(|number, count| all.push((number, count)));
        all
    }
}

/// Counts that are complete.
#[derive(Debug)]
pub(super) struct FinalCounts {
    numbers: NumberCounts,
    texts: HashMap<Id, u64, RandomState>,
}

impl FinalCounts {
    /// How often an id was counted.
    pub(super) fn of(&self, id: &Id) -> u64 {
        match id {
            Id::Number(number) => self.numbers.get(*number),
            text @ Id::Text(_) => self.texts.get(text).copied().unwrap_or_default(),
        }
    }

    /// The count of the id in the other form, `7` for `"7"`.
    pub(super) fn twin(&self, id: &Id) -> Option<(Id, u64)> {
        // Skips formatting a number as text if there are no texts.
        let none = matches!(id, Id::Number(_)) && self.texts.is_empty();
        let twin = if none { None } else { id.twin() }?;
        let count = self.of(&twin);
        (count > 0).then_some((twin, count))
    }

    /// All counted ids: numbers in ascending order, then texts in any order.
    pub(super) fn all(&self) -> impl Iterator<Item = (Id, u64)> {
        let numbers = self.numbers.ascending();
        let numbers = numbers.map(|(number, count)| (Id::Number(number), count));
        let texts = self.texts.iter().map(|(id, count)| (id.clone(), *count));
        numbers.chain(texts)
    }
}

/// Sorts numbers and counts equal ones.
fn sorted_counts(mut numbers: Vec<i64>) -> impl Iterator<Item = (i64, u64)> {
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

impl PartialEq for IdCounts {
    fn eq(&self, other: &Self) -> bool {
        self.numbers() == other.numbers() && self.texts == other.texts
    }
}

impl Eq for IdCounts {}

/// The compact JSON form, for other processes.
#[derive(Default, Serialize, Deserialize)]
struct Wire {
    #[serde(default, skip_serializing_if = "PackedCounts::is_empty")]
    numbers: PackedCounts,
    /// Texts, and numbers too far apart for the packed form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    others: Vec<(Id, u64)>,
}

impl Serialize for IdCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let others = self.texts.iter().map(|(id, count)| (id.clone(), *count));
        let mut others: Vec<_> = others.collect();
        let mut encoder = Encoder::default();
        self.each_number(|number, count| {
            if !encoder.put(number, count) {
                others.push((Id::Number(number), count));
            }
        });
        let numbers = encoder.finish().map_err(S::Error::custom)?;
        Wire { numbers, others }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for IdCounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        let mut counts = Self {
            packed: wire.numbers,
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
