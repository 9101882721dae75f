//! What the fuzz targets share: how an input is taken apart, and JSON read the slow, sure way.

use std::fmt;
use std::ops::Range;

use activity_tracker::json::JsonPath;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The first line of an input, which says how to read the rest, and the rest.
///
/// Lines keep seeds legible; any bytes are an input all the same.
#[must_use]
pub fn first_line(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n');
    end.map_or((input, &[]), |end| (&input[..end], &input[end + 1..]))
}

/// Whether `serde_json` takes the bytes for one JSON value.
#[must_use]
pub fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok() && std::str::from_utf8(bytes).is_ok()
}

/// Where a part of some bytes lies in them.
#[must_use]
pub fn place(part: &str, whole: &[u8]) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}

/// Why a path leads nowhere for certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Astray {
    /// It goes through something that is neither an object nor `null`.
    NoObject,
    /// A key on the way stands there twice.
    Twice,
    /// A key beside it is not made of whole characters.
    Key,
}

/// What stands at a path in a JSON value, to the letter.
///
/// # Errors
/// When that is not plain.
pub fn lookup<'a>(path: &JsonPath, raw: &'a str) -> Result<Option<&'a str>, Astray> {
    let mut raw = raw;
    for key in path.keys() {
        if raw == "null" {
            return Ok(None);
        }
        if !raw.starts_with('{') {
            return Err(Astray::NoObject);
        }
        let members = Members::of(raw).ok_or(Astray::Key)?;
        raw = match members.all(key)[..] {
            [] => return Ok(None),
            [only] => only,
            _ => return Err(Astray::Twice),
        };
    }
    Ok(Some(raw))
}

/// An object's members in order, with each key that stands there twice.
pub struct Members<'a>(pub Vec<(String, &'a str)>);

impl<'a> Members<'a> {
    /// The members of an object; none for any other value.
    #[must_use]
    pub fn of(raw: &'a str) -> Option<Self> {
        raw.starts_with('{')
            .then(|| serde_json::from_str(raw).ok())?
    }

    /// All values of a key, to the letter.
    #[must_use]
    pub fn all(&self, key: &str) -> Vec<&'a str> {
        let named = self.0.iter().filter(|(known, _)| known == key);
        named.map(|(_, raw)| *raw).collect()
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyMembers;
        impl<'de> Visitor<'de> for AnyMembers {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, raw)) = map.next_entry::<String, &RawValue>()? {
                    members.push((key, raw.get()));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(AnyMembers)
    }
}
