//! Maps the fields of an API's records to their meaning.

use serde::{Deserialize, Serialize};

use crate::record::{Resource, TimeFormat};
use activity_tracker_json::JsonPath;

/// The fields that this program knows, whatever an API calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The record's own id.
    Id,
    /// The id of the user who wrote it.
    UserId,
    /// The id of the post that it replies to.
    PostId,
    /// A person's full name, or a comment's title.
    Name,
    /// The login name.
    Username,
    /// An e-mail address.
    Email,
    /// A title.
    Title,
    /// The text.
    Body,
    /// When it was created.
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
    /// The record of its author, embedded in a post or comment.
    Author,
}

impl Field {
    /// How many fields there are.
    pub const COUNT: usize = Self::ALL.len();

    /// All fields, each at the index of its number.
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

    /// The name in messages: `user_id`.
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
    /// Its path in the record.
    pub path: JsonPath,
    /// Whether it may be missing or `null`.
    pub optional: bool,
    /// Its formats, if it is a time; the standard ones if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<TimeFormat>,
}

impl FieldPath {
    /// A field in the standard formats.
    #[must_use]
    pub fn new(path: JsonPath, optional: bool) -> Self {
        Self {
            path,
            optional,
            formats: Vec::new(),
        }
    }
}

/// The fields of one resource's records. If a field is given twice, the first one counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FieldMap(Vec<(Field, FieldPath)>);

impl FieldMap {
    /// Adds a field.
    #[must_use]
    pub fn with(mut self, field: Field, path: FieldPath) -> Self {
        self.0.push((field, path));
        self
    }

    /// Whether the map has a field.
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
                let path = JsonPath::key(key);
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
}
