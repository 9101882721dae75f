//! One value of a record: from raw JSON to a type.

use std::fmt;
use std::sync::OnceLock;

use memchr::memchr;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use activity_tracker_text::{Printable, excerpt};

/// How many characters of a value a message shows.
const SHOWN: usize = 60;

/// A valid JSON value, verbatim and without surrounding whitespace, and what the reader noticed
/// about it.
#[derive(Clone, Copy, Debug)]
pub struct Sound<'a> {
    /// The value, verbatim.
    pub raw: &'a str,
    /// What the reader noticed.
    pub seen: Seen,
}

impl<'a> Sound<'a> {
    /// A valid value that has not been scanned yet.
    #[must_use]
    pub fn new(raw: &'a str) -> Self {
        let seen = if raw == "null" {
            Seen::Null
        } else {
            Seen::Nothing
        };
        Self { raw, seen }
    }

    /// The value verbatim.
    #[must_use]
    pub fn raw(self) -> &'a str {
        self.raw
    }
}

/// What the reader noticed about a value when it looked for its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Not scanned, or none of the following.
    Nothing,
    /// `null`.
    Null,
    /// A whole number.
    Whole(i64),
    /// A string without escapes: the text is what is between the quotes.
    Text,
    /// A string whose escapes are all a backslash and one letter.
    Escapes,
    /// A string that also contains `\u`, which may be half of a surrogate pair.
    Unicode,
}

/// What was expected in a place, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Where in the value, with dots; empty for the whole value.
    pub below: String,
    /// What was expected.
    pub expected: String,
    /// What was found, shortened to fit in a line.
    pub found: String,
}

impl Mismatch {
    /// The whole value is not what was expected.
    #[must_use]
    pub fn new(expected: &str, raw: &str) -> Self {
        Self {
            below: String::new(),
            expected: expected.to_owned(),
            found: excerpt(raw, SHOWN),
        }
    }
}

/// A string of a record, borrowed from the page.
///
/// Escapes are resolved when the text is requested, which never happens for most fields.
#[derive(Clone)]
pub struct Text<'a> {
    /// What is between the quotes.
    quoted: &'a str,
    /// The text, if it differs.
    text: OnceLock<Box<str>>,
}

impl<'a> Text<'a> {
    /// The text, with escapes resolved.
    #[must_use]
    pub fn as_str(&self) -> &str {
        if let Some(text) = self.text.get() {
            return text;
        }
        if self.is_borrowed() {
            return self.quoted;
        }
        // All escapes are known to be valid.
        let resolve = || unescape(self.quoted).unwrap_or_default().into();
        self.text.get_or_init(resolve)
    }

    /// A text without quotes, or without escapes between them.
    #[must_use]
    pub fn bare(text: &'a str) -> Self {
        Self {
            quoted: text,
            text: OnceLock::new(),
        }
    }

    fn resolved(text: String) -> Self {
        Self {
            quoted: "",
            text: OnceLock::from(Box::from(text)),
        }
    }

    /// Whether it borrows from the page.
    #[must_use]
    pub fn is_borrowed(&self) -> bool {
        self.text.get().is_none() && memchr(b'\\', self.quoted.as_bytes()).is_none()
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text<'_> {}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Text").field(&self.as_str()).finish()
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printable(self.as_str()).fmt(f)
    }
}

/// An object inside a record, verbatim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object<'a>(&'a str);

impl<'a> Object<'a> {
    /// The object verbatim.
    #[must_use]
    pub fn raw(self) -> &'a str {
        self.0
    }

    /// Reads an object.
    ///
    /// # Errors
    /// If it is something else.
    pub fn read(raw: &'a str) -> Result<Self, Mismatch> {
        if raw.starts_with('{') {
            Ok(Self(raw))
        } else {
            Err(Mismatch::new("an object", raw))
        }
    }
}

impl<'a> Text<'a> {
    /// Reads a string.
    ///
    /// # Errors
    /// If it is not a string, or contains half of a surrogate pair.
    #[inline]
    pub fn read(sound: Sound<'a>) -> Result<Self, Mismatch> {
        match sound.seen {
            Seen::Text | Seen::Escapes => {
                // It has quotes, otherwise the reader would have noticed something else.
                Ok(Self::bare(
                    sound.raw.get(1..sound.raw.len() - 1).unwrap_or_default(),
                ))
            }
            _ => Self::resolve(sound.raw),
        }
    }

    /// Reads a string whose escapes have not been checked, or not completely.
    #[inline(never)]
    fn resolve(raw: &'a str) -> Result<Self, Mismatch> {
        let quoted = raw
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .ok_or_else(|| Mismatch::new("a string", raw))?;
        if memchr(b'\\', quoted.as_bytes()).is_none() {
            return Ok(Text::bare(quoted));
        }
        // JSON allows half of a surrogate pair (`"\ud800"`), which is not a character.
        unescape(quoted)
            .map(Text::resolved)
            .ok_or_else(|| Mismatch::new("a string of whole characters", raw))
    }
}

/// Resolves the escapes of a valid string without its quotes; `None` if one of them is half of a
/// surrogate pair.
///
/// `serde_json` does this too, but into a buffer that grows and is then copied, and most multi-line
/// texts are read this way.
#[must_use]
pub fn unescape(quoted: &str) -> Option<String> {
    let mut text = String::with_capacity(quoted.len());
    let mut rest = quoted;
    while let Some(escape) = memchr(b'\\', rest.as_bytes()) {
        text.push_str(rest.get(..escape)?);
        let kind = *rest.as_bytes().get(escape + 1)?;
        rest = rest.get(escape + 2..)?;
        text.push(match kind {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (character, behind) = hexadecimal(rest)?;
                rest = behind;
                character
            }
            itself => char::from(itself),
        });
    }
    text.push_str(rest);
    Some(text)
}

/// Parses what follows `\u`: four digits, or two such escapes for a surrogate pair.
fn hexadecimal(text: &str) -> Option<(char, &str)> {
    let unit = |text: &str| u16::from_str_radix(text.get(..4)?, 16).ok();
    let units = [unit(text)?];
    if let Some(Ok(character)) = char::decode_utf16(units).next() {
        return Some((character, text.get(4..)?));
    }
    let second = text.get(4..)?.strip_prefix("\\u")?;
    let pair = [units[0], unit(second)?];
    let character = char::decode_utf16(pair).next()?.ok()?;
    Some((character, second.get(4..)?))
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text::bare(text))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text::resolved(text.to_owned()))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// Deserialises an object with serde.
///
/// # Errors
/// If the value is not an object, or a field in it has the wrong type.
pub fn object<'a, T: Deserialize<'a>>(raw: &'a str) -> Result<T, Mismatch> {
    if !raw.starts_with('{') {
        return Err(Mismatch::new("an object", raw));
    }
    serde_json::from_str(raw).map_err(|_| explain::<T>(raw))
}

/// Finds out which field is wrong. This reads the value again, but only for rejected records.
fn explain<'a, T: Deserialize<'a>>(raw: &'a str) -> Mismatch {
    let mut reader = serde_json::Deserializer::from_str(raw);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(&mut reader) else {
        return Mismatch::new("a value", raw);
    };
    let below = error.path().to_string();
    let message = without_place(error.inner());
    let twice = message.strip_prefix("duplicate field `");
    if let Some(field) = twice.and_then(|rest| rest.strip_suffix('`')) {
        let parent = if below == "." { None } else { Some(&*below) };
        return Mismatch {
            below: parent
                .into_iter()
                .chain([field])
                .collect::<Vec<_>>()
                .join("."),
            ..several()
        };
    }
    let expected = message
        .rsplit_once("expected ")
        .map_or(message.as_str(), |(_, what)| what);
    let found = below
        .split('.')
        .filter(|key| !key.is_empty())
        .try_fold(raw, member)
        .map_or_else(|| excerpt(&message, SHOWN), |raw| excerpt(raw, SHOWN));
    Mismatch {
        expected: expected.to_owned(),
        found,
        below,
    }
}

/// A key occurs in an object more than once.
#[must_use]
pub fn several() -> Mismatch {
    Mismatch {
        below: String::new(),
        expected: "one value".to_owned(),
        found: "several".to_owned(),
    }
}

/// The value of a key in an object, verbatim. Slow: for messages only.
#[must_use]
pub fn member<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    let members: std::collections::BTreeMap<String, &RawValue> =
        serde_json::from_str(object).ok()?;
    members.get(key).map(|raw| raw.get())
}

/// `serde_json` ends its messages with a line and a column, which are meaningless inside a record.
#[must_use]
pub fn without_place(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rsplit_once(" at line ") {
        Some((what, _)) => what.to_owned(),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_is_copied_only_where_it_has_escapes() {
        let cases = [
            (r#""""#, Some(("", true))),
            (r#""a b""#, Some(("a b", true))),
            (r#""é😀""#, Some(("é😀", true))),
            (r#""a\"b\u00e9\ud83d\ude00""#, Some(("a\"bé😀", false))),
            (r#""\ud83d""#, None),
            ("5", None),
            ("null", None),
            (r#"{"a":"b"}"#, None),
        ];
        for (raw, expected) in cases {
            let text = Text::read(Sound::new(raw)).ok();
            let found = text
                .as_ref()
                .map(|text| (text.as_str(), text.is_borrowed()));
            assert_eq!(found, expected, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn escapes_mean_what_serde_json_says(
            parts in prop::collection::vec(
                prop_oneof![
                    "[a-zé😀 ]{0,3}",
                    r#"\\["\\/bfnrt]"#,
                    r"\\u[0-9a-fA-F]{4}",
                    r"\\u[dD][89a-fA-F][0-9a-f]{2}",
                ],
                0..6,
            )
        ) {
            let raw = format!("\"{}\"", parts.concat());
            let text = Text::read(Sound::new(&raw)).ok();
            let expected = serde_json::from_str::<String>(&raw).ok();
            prop_assert_eq!(text.map(|text| text.as_str().to_owned()), expected, "{}", raw);
        }
    }
}
