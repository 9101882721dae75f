//! Counts of numbers as one short text, for the way between processes: JSON passes a
//! text on as it is, where numbers would be written out and read back one by one.
//!
//! A number is one digit of base 2048 or more, the low ones first. A digit is two of
//! base64's characters of six bits each, the low ones first; its topmost bit tells that
//! another one follows. One is enough for nearly all, so that a processor guesses right.
//!
//! The lowest number comes first, signed, so by turns. Then comes for each number how
//! far it is behind the one before it, times two, since most were counted once. One
//! more than that says that the next digits tell how often: two is 0, three is 1.

use std::string::FromUtf8Error;

use serde::{Deserialize, Serialize};

use super::packed;

/// Six bits each; JSON escapes none of them.
const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What stands for no bits: no digit is as large, whichever half of it this is.
const NONE: u16 = 1 << 12;

/// The bits that each character stands for.
static VALUES: [u16; 256] = {
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < 64 {
        values[CHARACTERS[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// How many bits of a number a digit holds.
const BITS: u32 = 11;

/// The bit of a digit that another one follows.
const MORE: u32 = 1 << BITS;

/// Counts of numbers, in ascending order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Sent(String);

impl Sent {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The numbers, and how often each was counted.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, u64)> {
        Entries::of(&self.0).unwrap_or_default()
    }
}

impl TryFrom<String> for Sent {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let sound = text.is_empty() || Entries::of(&text).is_some_and(Entries::are_sound);
        if sound {
            Ok(Self(text))
        } else {
            Err("expected packed counts of numbers")
        }
    }
}

/// Counts on their way out of a text.
#[derive(Default)]
struct Entries<'a> {
    digits: &'a [[u8; 2]],
    /// How far the number that came last is above the lowest that there may be.
    height: u64,
}

impl<'a> Entries<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (digits, []) = text.as_bytes().as_chunks() else {
            return None;
        };
        let mut entries = Self { digits, height: 0 };
        let lowest = packed::signed(entries.take_number()?);
        entries.height = lowest.abs_diff(i64::MIN);
        Some(entries)
    }

    /// Whether all that is there are counts.
    fn are_sound(mut self) -> bool {
        while !self.digits.is_empty() {
            if self.next().is_none() {
                return false;
            }
        }
        true
    }

    #[inline]
    fn take_digit(&mut self) -> Option<u32> {
        let ([low, high], rest) = self.digits.split_first()?;
        self.digits = rest;
        let [low, high] = [low, high].map(|character| u32::from(VALUES[usize::from(*character)]));
        Some(low | high << 6)
    }

    #[inline]
    fn take_number(&mut self) -> Option<u64> {
        match self.take_digit()? {
            digit @ 0..MORE => Some(u64::from(digit)),
            digit => self.take_more(digit),
        }
    }

    /// Takes the number that begins with a digit which is not its last, or is none.
    #[cold]
    fn take_more(&mut self, mut digit: u32) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(BITS as usize) {
            let bits = u64::from(digit & (MORE - 1));
            let shifted = bits << shift;
            if digit >= 2 * MORE || shifted >> shift != bits {
                return None;
            }
            number |= shifted;
            if digit < MORE {
                return Some(number);
            }
            digit = self.take_digit()?;
        }
        None
    }
}

impl Iterator for Entries<'_> {
    type Item = (i64, u64);

    #[inline]
    fn next(&mut self) -> Option<(i64, u64)> {
        let gap = self.take_number()?;
        self.height = self.height.checked_add(gap >> 1)?;
        let count = match gap & 1 {
            0 => 1,
            _ => self.take_number()?.checked_add(2)?,
        };
        Some((i64::MIN.wrapping_add_unsigned(self.height), count))
    }
}

/// Counts on their way into a text.
#[derive(Default)]
pub(super) struct Packing {
    text: Vec<u8>,
    /// The number that came last.
    before: i64,
}

impl Packing {
    /// Puts a number behind all that are lower; tells whether there is a way to say it.
    #[must_use]
    #[inline]
    pub(super) fn put(&mut self, number: i64, count: u64) -> bool {
        if self.text.is_empty() {
            self.before = number;
            self.put_number(packed::by_turns(number));
        }
        let gap = number.abs_diff(self.before);
        if number < self.before || gap > u64::MAX >> 1 || count == 0 {
            return false;
        }
        self.before = number;
        match count.checked_sub(2) {
            None => self.put_number(gap << 1),
            Some(more) => {
                self.put_number(gap << 1 | 1);
                self.put_number(more);
            }
        }
        true
    }

    #[inline]
    fn put_number(&mut self, number: u64) {
        if number < u64::from(MORE) {
            self.put_digit(number);
        } else {
            self.put_more(number);
        }
    }

    #[cold]
    fn put_more(&mut self, number: u64) {
        self.put_digit(number % u64::from(MORE) + u64::from(MORE));
        self.put_number(number >> BITS);
    }

    #[inline]
    fn put_digit(&mut self, digit: u64) {
        let bits = [digit & 0x3f, digit >> 6 & 0x3f];
        let characters = bits.map(|bits| CHARACTERS[usize::try_from(bits).unwrap_or_default()]);
        self.text.extend_from_slice(&characters);
    }

    /// All that were put.
    pub(super) fn finish(self) -> Result<Sent, FromUtf8Error> {
        String::from_utf8(self.text).map(Sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Packs what can be; what cannot comes beside it.
    fn pack(counts: &[(i64, u64)]) -> (Sent, Vec<(i64, u64)>) {
        let mut packing = Packing::default();
        let mut put = |(number, count): &&(i64, u64)| packing.put(*number, *count);
        let (_, left): (Vec<_>, Vec<_>) = counts.iter().partition(|entry| put(entry));
        (packing.finish().unwrap(), left)
    }

    fn unpack(text: &str) -> Option<Vec<(i64, u64)>> {
        let sent = Sent::try_from(text.to_owned()).ok()?;
        Some(sent.iter().collect())
    }

    #[test]
    fn a_number_counted_once_takes_two_characters_as_long_as_its_neighbour_is_near() {
        let counts = [(100, 1), (101, 1), (1124, 1), (1125, 2), (2149, 1)];
        let (sent, left) = pack(&counts);
        assert!(left.is_empty());
        // Those behind the first: near, near, near but twice, too far by one.
        assert_eq!(sent.0.len(), 2 + 2 + 2 + 2 + 4 + 4);
        assert_eq!(unpack(&sent.0).unwrap(), counts);
    }

    #[test]
    fn what_is_out_of_order_or_too_far_away_is_left() {
        let (low, high) = (i64::MIN, i64::MAX);
        let counts = [(low, 1), (-1, 7), (-2, 1), (high - 1, u64::MAX), (high, 0)];
        let (sent, left) = pack(&counts);
        assert_eq!(left, [(-2, 1), (high, 0)]);
        let expected = [(low, 1), (-1, 7), (high - 1, u64::MAX)];
        assert_eq!(unpack(&sent.0).unwrap(), expected);
        assert_eq!(pack(&[(low, 1), (0, 1), (high, 1)]).1, [(0, 1), (high, 1)]);
    }

    #[test]
    fn texts_that_are_no_counts_are_refused() {
        let cases = [
            ("A", "half a digit"),
            ("AAA", "one and a half"),
            ("Ag", "a first number that goes on and does not"),
            ("AAAg", "a gap that goes on and does not"),
            ("AABA", "a count that is not there"),
            ("AA!A", "characters that are none of ours"),
            ("AAA=", "the same as the other half"),
            ("AAAé", "bytes above all characters"),
            ("//////////AI", "a first number of 65 bits"),
            ("//////////BgAA", "a first number of seven digits"),
            ("AA+//////////H+//////////H", "a number above all"),
            ("AABA///////////H", "more often than can be counted"),
        ];
        for (text, what) in cases {
            assert_eq!(unpack(text), None, "{what}");
        }
        let sound = [
            ("", vec![]),
            ("AA", vec![]),
            ("AA+//////////H", vec![(i64::MAX, 1)]),
            ("AABA9//////////HAA", vec![(0, u64::MAX), (0, 1)]),
        ];
        for (text, counts) in sound {
            assert_eq!(unpack(text), Some(counts), "{text}");
        }
    }

    proptest! {
        #[test]
        fn counts_are_what_they_were_before(
            counts in prop::collection::btree_map(prop_oneof![
                -40i64..6000,
                any::<i64>(),
            ], prop_oneof![Just(1), 1u64..5000, 1..=u64::MAX], 0..60),
        ) {
            let counts: Vec<_> = counts.into_iter().collect();
            let (sent, left) = pack(&counts);
            let mut all: Vec<_> = unpack(&sent.0).unwrap();
            all.extend(left);
            all.sort_unstable();
            prop_assert_eq!(all, counts);
        }

        #[test]
        fn any_text_is_refused_or_read_to_its_end(text in "[A-C8-9g/+]{0,40}|.{0,12}") {
            if let Some(counts) = unpack(&text) {
                prop_assert!(counts.is_sorted_by_key(|(number, _)| *number), "{:?}", counts);
                prop_assert!(counts.len() <= text.len() / 2);
            }
        }
    }
}
