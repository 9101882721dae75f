//! From bytes to typed records, or to a reject that says what is wrong.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::cutter;
use crate::text::excerpt;

/// A record that was read, together with its own bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped<'a, T> {
    record: T,
    raw: &'a str,
}

impl<'a, T> Mapped<'a, T> {
    /// The record to the letter, as the API sent it.
    #[must_use]
    pub fn raw(&self) -> &'a str {
        self.raw
    }
}

impl<T> Deref for Mapped<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.record
    }
}

/// A record that did not map, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("record {index}, field `{path}`: expected {expected}, found {found}")]
pub struct Reject {
    /// Which record of the slice, counted from 0.
    pub index: u64,
    /// Where in the record: `address.geo.lat`, or `.` for the whole.
    pub path: String,
    /// What should stand there.
    pub expected: String,
    /// What stands there, cut to what a line can hold.
    pub found: String,
}

/// Reads the records of a slice, lazily: the next one is looked at when it is asked for.
///
/// The slice is a row of JSON values with commas between them, as the cutter leaves it.
///
/// ```
/// use activity_tracker::activity::{Post, map};
///
/// let slice = br#"{"id":1,"userId":7,"title":"t","body":"b"}, {"id":2}"#;
/// let mut posts = map::<Post>(slice);
/// assert_eq!(posts.next().unwrap().unwrap().title.as_str(), "t");
/// assert_eq!(posts.next().unwrap().unwrap_err().path, "userId");
/// ```
pub fn map<'a, T: Deserialize<'a>>(
    slice: &'a [u8],
) -> impl Iterator<Item = Result<Mapped<'a, T>, Reject>> {
    (0..).zip(cutter::records(slice)).map(|(index, bytes)| {
        let reject = |expected: &str, found: String| Reject {
            index,
            path: ".".to_owned(),
            expected: expected.to_owned(),
            found,
        };
        let bytes =
            bytes.map_err(|error| reject("records with commas between them", error.to_string()))?;
        let raw = std::str::from_utf8(bytes).map_err(|error| {
            let bad = bytes.get(error.valid_up_to()..).unwrap_or_default();
            let bad = bad.first().copied().unwrap_or_default();
            reject(
                "UTF-8",
                format!("byte 0x{bad:02x} at byte {}", error.valid_up_to()),
            )
        })?;
        match serde_json::from_str(raw) {
            Ok(record) => Ok(Mapped { record, raw }),
            Err(error) => Err(explain::<T>(index, raw, &error)),
        }
    })
}

/// Finds out which field is wrong. This reads the record once more, which only rejects pay for.
fn explain<'a, T: Deserialize<'a>>(index: u64, raw: &'a str, error: &serde_json::Error) -> Reject {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(raw) else {
        return Reject {
            index,
            path: ".".to_owned(),
            expected: "JSON".to_owned(),
            found: excerpt(&without_place(error), 120),
        };
    };
    let mut reader = serde_json::Deserializer::from_str(raw);
    let (path, message) = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Ok(_) => (".".to_owned(), without_place(error)),
        Err(error) => (error.path().to_string(), without_place(error.inner())),
    };
    let (missing, twice) = (
        field_of(&message, "missing"),
        field_of(&message, "duplicate"),
    );
    if let Some(field) = missing.or(twice) {
        let path = if path == "." {
            field.to_owned()
        } else {
            format!("{path}.{field}")
        };
        let (expected, found) = if missing.is_some() {
            ("a value", "nothing")
        } else {
            ("one value", "several")
        };
        return Reject {
            index,
            path,
            expected: expected.to_owned(),
            found: found.to_owned(),
        };
    }
    let expected = message
        .rsplit_once("expected ")
        .map_or(message.as_str(), |(_, what)| what);
    let pointer = path
        .split('.')
        .filter(|part| !part.is_empty())
        .fold(String::new(), |p, part| p + "/" + part);
    let found = value
        .pointer(&pointer)
        .map_or_else(|| message.clone(), ToString::to_string);
    Reject {
        index,
        expected: expected.to_owned(),
        found: excerpt(&found, 60),
        path,
    }
}

/// `serde_json` ends its messages with a line and a column, which mean nothing within a record.
fn without_place(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rsplit_once(" at line ") {
        Some((what, _)) => what.to_owned(),
        None => message,
    }
}

/// The field that a message of serde names, if the message is that it is missing, or there twice.
fn field_of<'m>(message: &'m str, trouble: &str) -> Option<&'m str> {
    let rest = message.strip_prefix(trouble)?.strip_prefix(" field `")?;
    rest.strip_suffix('`')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::{Post, User};

    fn reject<'a, T: Deserialize<'a>>(slice: &'a [u8]) -> String {
        map::<T>(slice).find_map(Result::err).unwrap().to_string()
    }

    #[test]
    fn a_reject_names_the_record_the_field_and_what_was_found() {
        let user = |rest: &str| format!(r#"{{"name":"n","username":"u","email":"e",{rest}}}"#);
        let cases = [
            (
                user(r#""x":1"#),
                "record 0, field `id`: expected a value, found nothing",
            ),
            (
                user(r#""id":{"a":1}"#),
                "record 0, field `id`: expected a whole number of at most 64 bits or a string, found {\"a\":1}",
            ),
            (
                user(r#""id":18446744073709551616"#),
                "record 0, field `id`: expected a whole number of at most 64 bits or a string, found 1.8446744073709552e+19",
            ),
            (
                user(r#""id":1,"address":{"geo":{"lat":5}}"#),
                "record 0, field `address.geo.lat`: expected a string, found 5",
            ),
            (
                user(r#""id":1,"id":2"#),
                "record 0, field `id`: expected one value, found several",
            ),
            (
                "7".to_owned(),
                "record 0, field `.`: expected struct User, found 7",
            ),
        ];
        for (json, expected) in cases {
            assert_eq!(reject::<User<'_>>(json.as_bytes()), expected, "{json}");
        }
    }

    #[test]
    fn what_is_not_json_or_not_utf8_is_a_reject_of_that_record_alone() {
        let good = br#"{"id":1,"userId":1,"title":"","body":""}"#;
        for bad in [
            &b"{\"id\":1,}"[..],
            b"{\"id\":\"\xff\"}",
            b"{]",
            b"tru",
            b"{\"id\":01}",
        ] {
            let slice = [good, &b","[..], bad, b",", good].concat();
            let sound: Vec<_> = map::<Post<'_>>(&slice).map(|post| post.is_ok()).collect();
            assert_eq!(
                sound,
                [true, false, true],
                "{}",
                String::from_utf8_lossy(bad)
            );
        }
        assert_eq!(
            reject::<Post<'_>>(b"{\"id\":\"\xff\"}"),
            "record 0, field `.`: expected UTF-8, found byte 0xff at byte 7"
        );
    }

    #[test]
    fn invalid_utf8_is_noticed_in_fields_that_nobody_reads() {
        let slice = b"{\"id\":1,\"userId\":1,\"title\":\"\",\"body\":\"\",\"extra\":\"\xc0\"}";
        assert!(reject::<Post<'_>>(slice).contains("expected UTF-8"));
    }
}
