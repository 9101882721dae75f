//! Which fields of an API's records mean what.

use std::fmt;
use std::str::FromStr;

/// A place in a JSON value: the keys that lead to it, none for the whole.
///
/// Read from a JSON Pointer (`/user/login`, RFC 6901) or with dots (`user.login`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct JsonPath(Vec<String>);

/// Why a text is no [`JsonPath`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected keys with dots between them (`user.login`) or a JSON Pointer (`/user/login`), found `{0}`"
)]
pub struct InvalidPath(String);

impl JsonPath {
    /// The keys, outermost first.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.0
    }

    /// What stands there in `value`.
    #[must_use]
    pub fn find<'v>(&self, value: &'v serde_json::Value) -> Option<&'v serde_json::Value> {
        self.0.iter().try_fold(value, |value, key| value.get(key))
    }
}

impl FromStr for JsonPath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        let invalid = || InvalidPath(text.to_owned());
        if text.is_empty() {
            return Ok(Self::default());
        }
        let Some(pointer) = text.strip_prefix('/') else {
            let keys: Vec<_> = text.split('.').map(str::to_owned).collect();
            return if keys.iter().any(String::is_empty) {
                Err(invalid())
            } else {
                Ok(Self(keys))
            };
        };
        let unescape = |key: &str| {
            let stray = key
                .split('~')
                .skip(1)
                .any(|rest| !rest.starts_with(['0', '1']));
            (!stray).then(|| key.replace("~1", "/").replace("~0", "~"))
        };
        pointer
            .split('/')
            .map(unescape)
            .collect::<Option<_>>()
            .map(Self)
            .ok_or_else(invalid)
    }
}

impl fmt::Display for JsonPath {
    /// With dots, as field paths are shown in messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "." } else { "" })?;
        f.write_str(&self.0.join("."))
    }
}

/// The fields that a record may have for us, whatever an API calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// The record's own id.
    Id,
    /// The id of the user who wrote it.
    UserId,
    /// The id of the post that it answers.
    PostId,
    /// A person's full name, or a comment's headline.
    Name,
    /// The name to log in with.
    Username,
    /// An e-mail address.
    Email,
    /// A headline.
    Title,
    /// The text.
    Body,
    /// When it was made.
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
    /// A postal address, in JSONPlaceholder's shape.
    Address,
    /// A telephone number.
    Phone,
    /// A host name or URL.
    Website,
    /// An employer, in JSONPlaceholder's shape.
    Company,
}

/// Where one field is, and whether a record may lack it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath {
    /// Where in the record.
    pub path: JsonPath,
    /// Whether it may be missing or `null`.
    pub optional: bool,
}

/// The fields of one resource's records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldMap(Vec<(Field, FieldPath)>);

impl FieldMap {
    /// Where a field is, if the API has it.
    #[must_use]
    pub fn get(&self, field: Field) -> Option<&FieldPath> {
        self.0
            .iter()
            .find(|(known, _)| *known == field)
            .map(|(_, path)| path)
    }

    /// All fields, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = (Field, &FieldPath)> {
        self.0.iter().map(|(field, path)| (*field, path))
    }
}

impl FromIterator<(Field, FieldPath)> for FieldMap {
    fn from_iter<I: IntoIterator<Item = (Field, FieldPath)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_with_dots_or_as_a_pointer() {
        let cases: [(&str, Option<&[&str]>); 11] = [
            ("", Some(&[])),
            ("id", Some(&["id"])),
            ("user.login", Some(&["user", "login"])),
            ("/user/login", Some(&["user", "login"])),
            ("/a.b", Some(&["a.b"])),
            ("/a~1b/c~0d/~01", Some(&["a/b", "c~d", "~1"])),
            ("/", Some(&[""])),
            ("/a~2", None),
            ("a..b", None),
            (".a", None),
            ("a.", None),
        ];
        for (text, keys) in cases {
            let found = text.parse::<JsonPath>().ok();
            assert_eq!(
                found
                    .as_ref()
                    .map(JsonPath::keys)
                    .map(<[String]>::to_vec)
                    .as_deref()
                    .map(|k| k.iter().map(String::as_str).collect::<Vec<_>>())
                    .as_deref(),
                keys,
                "{text:?}"
            );
        }
    }
}
