//! Encodes counts of numbers as one short text, for JSON between processes: a string is copied,
//! where a list of numbers would be formatted and parsed one by one.
//!
//! A number is one or more base-2048 digits, little-endian. A digit is two base64 characters of
//! six bits each, little-endian; its highest bit is set if another digit follows. One digit is
//! enough for nearly all numbers, so branches are predictable.
//!
//! The lowest number comes first, zigzag-encoded. Then follows, for each number, twice its
//! distance from the previous number. If it was counted more than once, the lowest bit is set and
//! the count minus two follows.

use std::string::FromUtf8Error;

use serde::{Deserialize, Serialize};

use super::packed;

/// The base64 alphabet; JSON escapes none of these.
const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Marks invalid characters: larger than any digit, in either half.
const INVALID: u16 = 1 << 12;

/// The value of each character.
static VALUES: [u16; 256] = {
    let mut values = [INVALID; 256];
    let mut value = 0;
    while value < 64 {
        values[CHARACTERS[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// The bits per digit.
const BITS: u32 = 11;

/// The bit that is set if another digit follows.
const MORE: u32 = 1 << BITS;

/// Encoded counts, in ascending order of numbers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct PackedCounts(String);

impl PackedCounts {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The numbers and their counts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, u64)> {
        Decoder::of(&self.0).unwrap_or_default()
    }
}

impl TryFrom<String> for PackedCounts {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let valid = text.is_empty() || Decoder::of(&text).is_some_and(Decoder::decodes);
        if valid {
            Ok(Self(text))
        } else {
            Err("expected packed counts of numbers")
        }
    }
}

/// Decodes counts.
#[derive(Default)]
struct Decoder<'a> {
    digits: &'a [[u8; 2]],
    /// The distance of the last number from `i64::MIN`.
    offset: u64,
}

impl<'a> Decoder<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (digits, []) = text.as_bytes().as_chunks() else {
            return None;
        };
        let mut decoder = Self { digits, offset: 0 };
        let lowest = packed::unzigzag(decoder.take_number()?);
        decoder.offset = lowest.abs_diff(i64::MIN);
        Some(decoder)
    }

    /// Whether the whole text can be decoded.
    fn decodes(mut self) -> bool {
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

    /// Takes a number of several digits; `None` if it is invalid.
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

impl Iterator for Decoder<'_> {
    type Item = (i64, u64);

    #[inline]
    fn next(&mut self) -> Option<(i64, u64)> {
        let distance = self.take_number()?;
        self.offset = self.offset.checked_add(distance >> 1)?;
        let count = match distance & 1 {
            0 => 1,
            _ => self.take_number()?.checked_add(2)?,
        };
        Some((i64::MIN.wrapping_add_unsigned(self.offset), count))
    }
}

/// Encodes counts.
#[derive(Default)]
pub(super) struct Encoder {
    text: Vec<u8>,
    /// The previous number.
    previous: i64,
}

impl Encoder {
    /// Adds a number in ascending order; false if it cannot be encoded.
    #[must_use]
    #[inline]
    pub(super) fn put(&mut self, number: i64, count: u64) -> bool {
        if self.text.is_empty() {
            self.previous = number;
            self.put_number(packed::zigzag(number));
        }
        let distance = number.abs_diff(self.previous);
        if number < self.previous || distance > u64::MAX >> 1 || count == 0 {
            return false;
        }
        self.previous = number;
        match count.checked_sub(2) {
            None => self.put_number(distance << 1),
            Some(more) => {
                self.put_number(distance << 1 | 1);
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

    /// The encoded counts.
    pub(super) fn finish(self) -> Result<PackedCounts, FromUtf8Error> {
        String::from_utf8(self.text).map(PackedCounts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Encodes counts; returns those that cannot be encoded as well.
    fn encode(counts: &[(i64, u64)]) -> (PackedCounts, Vec<(i64, u64)>) {
        let mut encoder = Encoder::default();
        let mut put = |(number, count): &&(i64, u64)| encoder.put(*number, *count);
        let (_, left): (Vec<_>, Vec<_>) = counts.iter().partition(|entry| put(entry));
        (encoder.finish().unwrap(), left)
    }

    fn decode(text: &str) -> Option<Vec<(i64, u64)>> {
        let packed = PackedCounts::try_from(text.to_owned()).ok()?;
        Some(packed.iter().collect())
    }

    #[test]
    fn a_number_counted_once_takes_two_characters_near_its_predecessor() {
        let counts = [(100, 1), (101, 1), (1124, 1), (1125, 2), (2149, 1)];
        let (packed, left) = encode(&counts);
        assert!(left.is_empty());
        // After the first: near, near, near with a count of 2, too far by one.
        assert_eq!(packed.0.len(), 2 + 2 + 2 + 2 + 4 + 4);
        assert_eq!(decode(&packed.0).unwrap(), counts);
    }

    #[test]
    fn numbers_out_of_order_or_too_far_apart_are_not_encoded() {
        let (low, high) = (i64::MIN, i64::MAX);
        let counts = [(low, 1), (-1, 7), (-2, 1), (high - 1, u64::MAX), (high, 0)];
        let (packed, left) = encode(&counts);
        assert_eq!(left, [(-2, 1), (high, 0)]);
        let expected = [(low, 1), (-1, 7), (high - 1, u64::MAX)];
        assert_eq!(decode(&packed.0).unwrap(), expected);
        assert_eq!(
            encode(&[(low, 1), (0, 1), (high, 1)]).1,
            [(0, 1), (high, 1)]
        );
    }

    #[test]
    fn invalid_texts_are_errors() {
        let cases = [
            ("A", "half a digit"),
            ("AAA", "one and a half"),
            ("Ag", "a truncated first number"),
            ("AAAg", "a truncated distance"),
            ("AABA", "a missing count"),
            ("AA!A", "invalid characters"),
            ("AAA=", "an invalid character in the other half"),
            ("AAAé", "non-ASCII bytes"),
            ("//////////AI", "a first number of 65 bits"),
            ("//////////BgAA", "a first number of seven digits"),
            ("AA+//////////H+//////////H", "a number above the maximum"),
            ("AABA///////////H", "a count above the maximum"),
        ];
        for (text, what) in cases {
            assert_eq!(decode(text), None, "{what}");
        }
        let valid = [
            ("", vec![]),
            ("AA", vec![]),
            ("AA+//////////H", vec![(i64::MAX, 1)]),
            ("AABA9//////////HAA", vec![(0, u64::MAX), (0, 1)]),
        ];
        for (text, counts) in valid {
            assert_eq!(decode(text), Some(counts), "{text}");
        }
    }

    proptest! {
        #[test]
        fn decoding_returns_what_was_encoded(
            counts in prop::collection::btree_map(prop_oneof![
                -40i64..6000,
                any::<i64>(),
            ], prop_oneof![Just(1), 1u64..5000, 1..=u64::MAX], 0..60),
        ) {
            let counts: Vec<_> = counts.into_iter().collect();
            let (packed, left) = encode(&counts);
            let mut all: Vec<_> = decode(&packed.0).unwrap();
            all.extend(left);
            all.sort_unstable();
            prop_assert_eq!(all, counts);
        }

        #[test]
        fn any_text_is_an_error_or_is_decoded_completely(text in "[A-C8-9g/+]{0,40}|.{0,12}") {
            if let Some(counts) = decode(&text) {
                prop_assert!(counts.is_sorted_by_key(|(number, _)| *number), "{:?}", counts);
                prop_assert!(counts.len() <= text.len() / 2);
            }
        }
    }
}
