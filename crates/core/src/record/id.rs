//! Ids: numbers or strings, as the API sent them, with a separate type for each resource.

use std::cmp::Ordering;
use std::fmt;

use jiff::tz::TimeZone;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Deserialize as DeriveDeserialize, Serialize};

use crate::record::FromRaw;
use activity_tracker_json::value::Seen;
use activity_tracker_json::{Mismatch, Sound, Text};
use activity_tracker_text::Printable;

/// What messages call an id.
const EXPECTED: &str = "a whole number of at most 64 bits or a string";

/// The maximum length of an id, in bytes: several parts of a run keep ids in memory.
const LONGEST: usize = 1024;

/// What messages expect instead of a longer id.
const NOT_LONGER: &str = "an id of at most 1024 bytes";

/// The id of a record, which preserves whether the API sent a number or a string.
///
/// Numbers sort before strings, in numeric order. This includes numbers that need 64 bits without a
/// sign, which are kept as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum Id {
    /// A whole number that fits in a signed 64-bit integer.
    Number(i64),
    /// Anything that the API quotes: UUIDs, slugs, and numbers in quotes. Also a number from 2⁶³ to
    /// 2⁶⁴ − 1, with all its digits.
    Text(Box<str>),
}

/// Parses a text that is a number from 2⁶³ to 2⁶⁴ − 1.
fn large(text: &str) -> Option<u64> {
    let is_long = matches!(text.len(), 19 | 20) && !text.starts_with(['0', '+']);
    let number: u64 = text.parse().ok().filter(|_| is_long)?;
    i64::try_from(number).is_err().then_some(number)
}

impl Ord for Id {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => one.cmp(other),
            (Self::Number(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Number(_)) => Ordering::Greater,
            (Self::Text(one), Self::Text(other)) => match (large(one), large(other)) {
                (None, None) => one.cmp(other),
                (Some(one), Some(other)) => one.cmp(&other),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
            },
        }
    }
}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Id {
    /// Parses a whole number, which some APIs write as `7.0`.
    fn unquoted(raw: &str) -> Option<Self> {
        let (whole, fraction) = raw.split_once('.').unwrap_or((raw, "0"));
        if !fraction.bytes().all(|digit| digit == b'0') {
            return None;
        }
        let number = whole.parse().ok().map(Self::Number);
        number.or_else(|| large(whole).map(|_| Self::Text(whole.into())))
    }

    /// The same id in the other form: `7` for `"7"` and vice versa.
    ///
    /// Some APIs quote the ids of records but not the references to them.
    #[must_use]
    pub fn twin(&self) -> Option<Self> {
        match self {
            Self::Number(number) => Some(Self::Text(number.to_string().into())),
            Self::Text(text) => {
                let number: i64 = text.parse().ok()?;
                (number.to_string() == **text).then_some(Self::Number(number))
            }
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => Printable(text).fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;
        impl Visitor<'_> for IdVisitor {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Id, E> {
                Ok(Id::Number(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Id, E> {
                let fits = i64::try_from(number).map(Id::Number);
                Ok(fits.unwrap_or_else(|_| Id::Text(number.to_string().into())))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                Ok(Id::Text(text.into()))
            }
        }
        deserializer.deserialize_any(IdVisitor)
    }
}

impl<'a> FromRaw<'a> for Id {
    #[inline]
    fn from_sound(sound: Sound<'a>, zone: &TimeZone) -> Result<Self, Mismatch> {
        match sound.seen {
            Seen::Whole(number) => Ok(Self::Number(number)),
            _ => Self::from_raw(sound.raw, zone),
        }
    }

    fn from_raw(raw: &'a str, zone: &TimeZone) -> Result<Self, Mismatch> {
        let id = if raw.starts_with('"') {
            // With escapes, a text is at most six times as long.
            if raw.len() > 6 * LONGEST + 2 {
                return Err(Mismatch::new(NOT_LONGER, raw));
            }
            match Text::from_raw(raw, zone) {
                Ok(text) if text.as_str().len() > LONGEST => {
                    return Err(Mismatch::new(NOT_LONGER, raw));
                }
                text => text.ok().map(|text| Self::Text(text.as_str().into())),
            }
        } else {
            Self::unquoted(raw)
        };
        id.ok_or_else(|| Mismatch::new(EXPECTED, raw))
    }
}

/// The id of a user.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, DeriveDeserialize)]
#[serde(transparent)]
pub struct UserId(pub Id);

/// The id of a post.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, DeriveDeserialize)]
#[serde(transparent)]
pub struct PostId(pub Id);

/// The id of a comment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, DeriveDeserialize)]
#[serde(transparent)]
pub struct CommentId(pub Id);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_whole_number_or_a_string_and_nothing_else() {
        let cases = [
            ("7", Some(Id::Number(7))),
            ("-1", Some(Id::Number(-1))),
            ("9223372036854775807", Some(Id::Number(i64::MAX))),
            (
                "9223372036854775808",
                Some(Id::Text("9223372036854775808".into())),
            ),
            (
                "18446744073709551615",
                Some(Id::Text("18446744073709551615".into())),
            ),
            ("\"7\"", Some(Id::Text("7".into()))),
            ("1.5", None),
            ("1e400", None),
            ("null", None),
            ("{}", None),
            ("[1]", None),
            ("true", None),
        ];
        for (json, expected) in cases {
            let read = Id::from_raw(json, &TimeZone::UTC);
            assert_eq!(read.ok(), expected, "{json}");
            assert_eq!(serde_json::from_str::<Id>(json).ok(), expected, "{json}");
        }
    }

    #[test]
    fn a_whole_number_may_have_a_point_and_more_than_64_bits_are_none() {
        let cases = [
            ("7.0", Some(Id::Number(7))),
            ("-7.00", Some(Id::Number(-7))),
            (
                "9223372036854775808.0",
                Some(Id::Text("9223372036854775808".into())),
            ),
            ("0.0", Some(Id::Number(0))),
            ("7.01", None),
            ("7e0", None),
            ("7.0e3", None),
            ("18446744073709551616", None),
            ("-9223372036854775809", None),
        ];
        for (json, expected) in cases {
            assert_eq!(Id::from_raw(json, &TimeZone::UTC).ok(), expected, "{json}");
        }
    }

    #[test]
    fn numbers_of_64_bits_without_a_sign_sort_as_numbers() {
        let id = |json| Id::from_raw(json, &TimeZone::UTC).unwrap();
        let sorted = [
            "-1",
            "9223372036854775807",
            "9223372036854775808",
            "9999999999999999999",
            "10000000000000000000",
            "18446744073709551615",
            "\"1\"",
            "\"18446744073709551616\"",
            "\"a\"",
        ]
        .map(id);
        let mut ids = sorted.clone();
        ids.reverse();
        ids.sort();
        assert_eq!(ids, sorted);
    }

    #[test]
    fn an_id_is_at_most_a_kibibyte_long() {
        let zone = TimeZone::UTC;
        for (text, bytes) in [("a", 1), ("\\u0001", 1), ("\\ud83d\\ude00", 4), ("é", 2)] {
            let id = |length: usize| format!("\"{}\"", text.repeat(length / bytes));
            assert!(Id::from_raw(&id(1024), &zone).is_ok(), "{text}");
            for length in [1024 + bytes, 1 << 20] {
                let refused = Id::from_raw(&id(length), &zone).unwrap_err();
                assert_eq!(refused.expected, "an id of at most 1024 bytes", "{text}");
                assert!(refused.found.len() < 1024, "{text}");
            }
        }
    }

    #[test]
    fn numbers_sort_as_numbers_and_before_strings() {
        let mut ids = [Id::Text("1".into()), Id::Number(10), Id::Number(9)];
        ids.sort();
        assert_eq!(ids, [Id::Number(9), Id::Number(10), Id::Text("1".into())]);
    }
}
