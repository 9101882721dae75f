//! Paths of keys into JSON values: `author.login`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use activity_tracker_text::{excerpt, nearest};

/// A path into a JSON value: a list of keys, empty for the whole value.
///
/// Parsed from a JSON Pointer (`/user/login`, RFC 6901) or dotted keys (`user.login`); serialised
/// as a pointer, which can express keys that contain dots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JsonPath(Vec<String>);

/// Why a text is not a valid [`JsonPath`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// The syntax is invalid.
    #[error(
        "expected keys with dots between them (`user.login`) or a JSON Pointer (`/user/login`), found `{0}`"
    )]
    Form(String),
    /// It is too long.
    #[error("expected at most {MOST_KEYS} keys, of at most {LONGEST} bytes together")]
    TooLong,
}

/// The maximum number of keys in a path: JSON with deeper nesting is not read anyway.
const MOST_KEYS: usize = 64;

/// The maximum length of all keys together, in bytes.
const LONGEST: usize = 1024;

/// How many characters of an invalid path a message shows.
const SHOWN: usize = 60;

impl JsonPath {
    /// The path of one key, verbatim.
    #[must_use]
    pub fn key(key: &str) -> Self {
        Self(vec![key.to_owned()])
    }

    /// The keys, outermost first.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.0
    }

    /// This path with another key appended.
    #[must_use]
    pub fn join(&self, key: &str) -> Self {
        Self(self.0.iter().cloned().chain([key.to_owned()]).collect())
    }

    /// The value at this path.
    #[must_use]
    pub fn find<'v>(&self, value: &'v serde_json::Value) -> Option<&'v serde_json::Value> {
        self.0.iter().try_fold(value, |value, key| value.get(key))
    }

    /// The keys at the deepest object that this path reaches, each as a complete path.
    #[must_use]
    pub fn beside(&self, value: &serde_json::Value) -> Vec<String> {
        let (mut value, mut before) = (value, String::new());
        for key in &self.0 {
            match value.get(key) {
                Some(inner) if inner.is_object() => {
                    value = inner;
                    before.push_str(key);
                    before.push('.');
                }
                _ => break,
            }
        }
        let keys = value
            .as_object()
            .into_iter()
            .flat_map(|object| object.keys());
        keys.map(|key| {
            if key.contains('.') {
                // A dotted path cannot express a key that contains a dot; a pointer can.
                let keys = before.split('.').filter(|key| !key.is_empty());
                let keys = keys.chain([key.as_str()]).map(str::to_owned);
                String::from(Self(keys.collect()))
            } else {
                before.clone() + key
            }
        })
        .collect()
    }
}

impl FromStr for JsonPath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        let path = Self::read(text)?;
        let length: usize = path.0.iter().map(String::len).sum();
        if path.0.len() > MOST_KEYS || length > LONGEST {
            return Err(InvalidPath::TooLong);
        }
        Ok(path)
    }
}

impl JsonPath {
    fn read(text: &str) -> Result<Self, InvalidPath> {
        let invalid = || InvalidPath::Form(excerpt(text, SHOWN));
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

impl TryFrom<String> for JsonPath {
    type Error = InvalidPath;

    fn try_from(text: String) -> Result<Self, InvalidPath> {
        text.parse()
    }
}

impl From<JsonPath> for String {
    /// As a JSON Pointer.
    fn from(path: JsonPath) -> Self {
        let escaped = path.0.iter().map(|key| key.replace('~', "~0"));
        escaped.fold(Self::new(), |pointer, key| {
            pointer + "/" + &key.replace('/', "~1")
        })
    }
}

impl fmt::Display for JsonPath {
    /// With dots, as in messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "." } else { "" })?;
        f.write_str(&self.0.join("."))
    }
}

/// A missing key, and the existing ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingKey {
    /// The path in the source.
    pub at: String,
    /// The existing keys.
    pub found: Vec<String>,
    /// The most similar one.
    pub meant: Option<String>,
}

impl MissingKey {
    /// For `at`, which does not exist in `value`.
    #[must_use]
    pub fn new(at: &JsonPath, value: &serde_json::Value) -> Self {
        let found = at.beside(value);
        let (at, names) = (at.to_string(), found.iter().map(String::as_str));
        let meant = nearest(&at, names).filter(|meant| *meant != at);
        let meant = meant.map(str::to_owned);
        Self { at, found, meant }
    }

    /// The existing keys, abbreviated.
    #[must_use]
    pub fn there(&self, nothing: &str) -> String {
        const SHOWN: usize = 12;
        if self.found.is_empty() {
            return nothing.to_owned();
        }
        let shown: Vec<_> = self
            .found
            .iter()
            .take(SHOWN)
            .map(|key| format!("`{}`", excerpt(key, 60)))
            .collect();
        let more = if self.found.len() > SHOWN {
            " and others"
        } else {
            ""
        };
        let meant = self.meant.as_ref().map_or(String::new(), |meant| {
            format!(" (did you mean `{}`?)", excerpt(meant, 60))
        });
        format!("there is {}{more}{meant}", shown.join(", "))
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
