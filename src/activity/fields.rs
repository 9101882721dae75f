//! Which fields of an API's records mean what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::models::Resource;
use super::time::TimeFormat;
use crate::text::{excerpt, nearest};

/// A place in a JSON value: the keys that lead to it, none for the whole.
///
/// Read from a JSON Pointer (`/user/login`, RFC 6901) or with dots (`user.login`);
/// serialised as a pointer, which tells keys with dots in them apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JsonPath(Vec<String>);

/// Why a text is no [`JsonPath`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// It is not written like one.
    #[error(
        "expected keys with dots between them (`user.login`) or a JSON Pointer (`/user/login`), found `{0}`"
    )]
    Form(String),
    /// It is longer than any reason for one.
    #[error("expected at most {MOST_KEYS} keys, of at most {LONGEST} bytes together")]
    TooLong,
}

/// How many keys a path may have: JSON that is nested deeper than that is not read anyway.
const MOST_KEYS: usize = 64;

/// How long all of its keys may be together, in bytes.
const LONGEST: usize = 1024;

/// How much of one a message shows, in characters.
const SHOWN: usize = 60;

impl JsonPath {
    /// The keys, outermost first.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.0
    }

    /// This path and one key more.
    pub(super) fn join(&self, key: &str) -> Self {
        Self(self.0.iter().cloned().chain([key.to_owned()]).collect())
    }

    /// What stands there in `value`.
    #[must_use]
    pub fn find<'v>(&self, value: &'v serde_json::Value) -> Option<&'v serde_json::Value> {
        self.0.iter().try_fold(value, |value, key| value.get(key))
    }

    /// The keys that are there where this path leads nowhere, each as a whole path.
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
                // Dots stand between keys; in a pointer they do not.
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
    /// With dots, as field paths are shown in messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "." } else { "" })?;
        f.write_str(&self.0.join("."))
    }
}

/// A key that is not there, and what is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingKey {
    /// What the source says.
    pub at: String,
    /// What is there instead.
    pub found: Vec<String>,
    /// Which of them may be meant.
    pub meant: Option<String>,
}

impl MissingKey {
    /// `at` leads nowhere in `value`.
    #[must_use]
    pub fn new(at: &JsonPath, value: &serde_json::Value) -> Self {
        let found = at.beside(value);
        let (at, names) = (at.to_string(), found.iter().map(String::as_str));
        let meant = nearest(&at, names).filter(|meant| *meant != at);
        let meant = meant.map(str::to_owned);
        Self { at, found, meant }
    }

    /// What is there, in a few words.
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

/// The fields that a record may have for us, whatever an API calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// The record of the user who wrote it, inside of what was written.
    Author,
}

impl Field {
    /// How many fields there are.
    pub const COUNT: usize = Self::ALL.len();

    /// All of them, each in the place of its number.
    pub(crate) const ALL: [Self; 15] = [
        Self::Id,
        Self::UserId,
        Self::PostId,
        Self::Name,
        Self::Username,
        Self::Email,
        Self::Title,
        Self::Body,
        Self::CreatedAt,
        Self::UpdatedAt,
        Self::Address,
        Self::Phone,
        Self::Website,
        Self::Company,
        Self::Author,
    ];

    /// The name as it stands in messages: `user_id`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::UserId => "user_id",
            Self::PostId => "post_id",
            Self::Name => "name",
            Self::Username => "username",
            Self::Email => "email",
            Self::Title => "title",
            Self::Body => "body",
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::Address => "address",
            Self::Phone => "phone",
            Self::Website => "website",
            Self::Company => "company",
            Self::Author => "author",
        }
    }
}

/// Where one field is, and whether a record may lack it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldPath {
    /// Where in the record.
    pub path: JsonPath,
    /// Whether it may be missing or `null`.
    pub optional: bool,
    /// How it is written, if it is a time; as all APIs write times where this is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<TimeFormat>,
}

impl FieldPath {
    /// A field that is there, or may be missing, and is written as everywhere.
    #[must_use]
    pub fn new(path: JsonPath, optional: bool) -> Self {
        Self {
            path,
            optional,
            formats: Vec::new(),
        }
    }
}

/// The fields of one resource's records. Of a field that is given twice, the first counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FieldMap(Vec<(Field, FieldPath)>);

impl FieldMap {
    /// With one field more.
    #[must_use]
    pub fn with(mut self, field: Field, path: FieldPath) -> Self {
        self.0.push((field, path));
        self
    }

    /// Whether it says where a field is.
    #[must_use]
    pub fn has(&self, field: Field) -> bool {
        self.0.iter().any(|(known, _)| *known == field)
    }

    /// The fields of JSONPlaceholder's records, and of the sample API's.
    #[must_use]
    pub fn placeholder(resource: Resource) -> Self {
        use Field::{
            Address, Body, Company, Email, Id, Name, Phone, PostId, Title, UserId, Username,
            Website,
        };
        let (required, optional): (&[_], &[_]) = match resource {
            Resource::Users => (
                &[
                    (Id, "id"),
                    (Name, "name"),
                    (Username, "username"),
                    (Email, "email"),
                ],
                &[
                    (Address, "address"),
                    (Phone, "phone"),
                    (Website, "website"),
                    (Company, "company"),
                ],
            ),
            Resource::Posts => (
                &[
                    (Id, "id"),
                    (UserId, "userId"),
                    (Title, "title"),
                    (Body, "body"),
                ],
                &[],
            ),
            Resource::Comments => (
                &[
                    (Id, "id"),
                    (PostId, "postId"),
                    (Name, "name"),
                    (Email, "email"),
                    (Body, "body"),
                ],
                &[],
            ),
        };
        let place = |optional: bool| {
            move |(field, key): &(Field, &str)| {
                let path = JsonPath(vec![(*key).to_owned()]);
                (*field, FieldPath::new(path, optional))
            }
        };
        let required = required.iter().map(place(false));
        required.chain(optional.iter().map(place(true))).collect()
    }

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
    fn a_field_map_survives_the_way_between_processes_with_keys_of_any_kind() {
        let paths = ["a.b", "/a.b", "/a~1b/~01", "/", ""];
        let fields = [
            Field::Id,
            Field::UserId,
            Field::Title,
            Field::Body,
            Field::CreatedAt,
        ];
        let map: FieldMap = fields
            .into_iter()
            .zip(paths.map(|path| FieldPath::new(path.parse().unwrap(), true)))
            .collect();
        let wire = serde_json::to_string(&map).unwrap();
        assert_eq!(serde_json::from_str::<FieldMap>(&wire).unwrap(), map);
        for field in fields {
            let name = serde_json::to_value(field).unwrap();
            assert_eq!(name, field.name());
        }
    }

    #[test]
    fn all_fields_stand_in_the_places_of_their_numbers() {
        let numbers = Field::ALL.map(|field| field as usize);
        assert_eq!(numbers, std::array::from_fn(|at| at));
        assert_eq!(Field::ALL.last(), Some(&Field::Author));
    }

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
