//! How the records of one resource are read: its field map, prepared once, and the fields that it
//! finds in a record.

mod tree;

use jiff::fmt::serde::tz::required as tz;
use jiff::tz::TimeZone;
use serde::de::IntoDeserializer;
use serde::{Deserialize, Deserializer, Serialize};

use crate::record::reject::{A_VALUE, NOTHING};
use crate::record::{Field, FieldMap, FromRaw, Reject, Resource, Time, TimeFormat};
use activity_tracker_json::reader::Reader;
use activity_tracker_json::value::Seen;
use activity_tracker_json::{JsonPath, Mismatch};
use tree::Node;
pub(super) use tree::Values;

/// The field map of one resource, prepared for reading records.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Plan", into = "Plan")]
pub struct Mapping {
    fields: FieldMap,
    zone: TimeZone,
    required: [bool; Field::COUNT],
    formats: [Box<[TimeFormat]>; Field::COUNT],
    ignored: Vec<JsonPath>,
    root: Node,
}

/// What a mapping is built from, and its form between processes.
#[derive(Serialize, Deserialize)]
struct Plan {
    fields: FieldMap,
    #[serde(serialize_with = "tz::serialize", deserialize_with = "zone")]
    zone: TimeZone,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ignored: Vec<JsonPath>,
}

/// Reads a zone as [`tz`] writes it; UTC works even without a time zone database.
fn zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TimeZone, D::Error> {
    match &*String::deserialize(deserializer)? {
        "UTC" => Ok(TimeZone::UTC),
        other => tz::deserialize(other.into_deserializer()),
    }
}

impl Mapping {
    /// Prepares a field map. Times without a zone are in `zone`.
    #[must_use]
    pub fn new(fields: FieldMap, zone: TimeZone) -> Self {
        let mut required = [false; Field::COUNT];
        let mut formats = [const { Vec::new() }; Field::COUNT].map(Vec::into_boxed_slice);
        for (field, _) in fields.iter() {
            if let Some(place) = fields.get(field) {
                required[field as usize] = !place.optional;
                formats[field as usize] = place.formats.clone().into();
            }
        }
        Self {
            root: Node::root(&fields),
            fields,
            zone,
            required,
            formats,
            ignored: Vec::new(),
        }
    }

    /// Sets the fields whose values may differ each time without counting as a change.
    #[must_use]
    pub fn ignoring(self, ignored: Vec<JsonPath>) -> Self {
        Self { ignored, ..self }
    }

    /// The fields whose changes are ignored.
    #[must_use]
    pub fn ignored(&self) -> &[JsonPath] {
        &self.ignored
    }

    /// Where a field is, if the API has it.
    #[must_use]
    pub fn path(&self, field: Field) -> Option<&JsonPath> {
        self.fields.get(field).map(|place| &place.path)
    }

    /// Whether a record may lack a field.
    pub(crate) fn is_optional(&self, field: Field) -> bool {
        !self.required[field as usize]
    }

    /// Takes the record at the position of `reader`, and finds its fields.
    ///
    /// `None` if [`Fields::read`] has to read it instead, at least to report the error.
    pub(super) fn take<'a>(&self, reader: &mut Reader<'a>, values: &mut Values<'a>) -> Option<()> {
        self.root.take(reader, values)
    }

    /// The mapping of JSONPlaceholder's records, and of the sample API's.
    #[must_use]
    pub fn placeholder(resource: Resource) -> Self {
        Self::new(FieldMap::placeholder(resource), TimeZone::UTC)
    }
}

impl From<Plan> for Mapping {
    fn from(plan: Plan) -> Self {
        Self::new(plan.fields, plan.zone).ignoring(plan.ignored)
    }
}

impl From<Mapping> for Plan {
    fn from(mapping: Mapping) -> Self {
        Self {
            fields: mapping.fields,
            zone: mapping.zone,
            ignored: mapping.ignored,
        }
    }
}

/// The mappings of all resources of a source.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mappings {
    users: Mapping,
    posts: Mapping,
    comments: Mapping,
}

impl Mappings {
    /// Prepares the field map of each resource. A resource that the source lacks has an empty map,
    /// which rejects every record.
    pub fn new(zone: &TimeZone, fields: impl Fn(Resource) -> FieldMap) -> Self {
        let mapping = |resource| Mapping::new(fields(resource), zone.clone());
        Self {
            users: mapping(Resource::Users),
            posts: mapping(Resource::Posts),
            comments: mapping(Resource::Comments),
        }
    }

    /// The mappings of JSONPlaceholder's records, and of the sample API's.
    #[must_use]
    pub fn placeholder() -> Self {
        Self::new(&TimeZone::UTC, FieldMap::placeholder)
    }

    /// Replaces the mapping of one resource.
    #[must_use]
    pub fn with(mut self, resource: Resource, mapping: Mapping) -> Self {
        match resource {
            Resource::Users => self.users = mapping,
            Resource::Posts => self.posts = mapping,
            Resource::Comments => self.comments = mapping,
        }
        self
    }

    /// The mapping of one resource.
    #[must_use]
    pub fn of(&self, resource: Resource) -> &Mapping {
        match resource {
            Resource::Users => &self.users,
            Resource::Posts => &self.posts,
            Resource::Comments => &self.comments,
        }
    }
}

/// What a record has at the path of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing.
    Absent,
    /// `null`.
    Null,
    /// A time that means none: an empty text, or zeros.
    Empty,
    /// A value.
    There,
}

/// A type that is built from the fields of a record.
///
/// ```
/// use activity_tracker_json::Text;
/// use activity_tracker_core::record::{Field, Fields, FromFields, Mapping, Reject, Resource, map};
///
/// struct Headline<'a>(Text<'a>);
///
/// impl<'a> FromFields<'a> for Headline<'a> {
///     fn from_fields(fields: &Fields<'a, '_>) -> Result<Self, Box<Reject>> {
///         fields.required(Field::Title).map(Self)
///     }
/// }
///
/// let mapping = Mapping::placeholder(Resource::Posts);
/// let headline = map::<Headline>(br#"{"title":"t"}"#, &mapping).next().unwrap()?;
/// assert_eq!(headline.0.as_str(), "t");
/// # Ok::<(), Reject>(())
/// ```
pub trait FromFields<'a>: Sized {
    /// Reads the fields of the type.
    ///
    /// # Errors
    /// The first field that is missing or of the wrong type.
    fn from_fields(fields: &Fields<'a, '_>) -> Result<Self, Box<Reject>>;
}

/// The fields of one record: located, but not parsed yet.
#[derive(Debug)]
pub struct Fields<'a, 'm> {
    mapping: &'m Mapping,
    index: u64,
    values: &'m Values<'a>,
}

impl<'a, 'm> Fields<'a, 'm> {
    /// The `values` that were found in record number `index` of a slice.
    pub(super) fn new(mapping: &'m Mapping, index: u64, values: &'m Values<'a>) -> Self {
        Self {
            mapping,
            index,
            values,
        }
    }

    /// Reads the record `raw`, number `index` of its slice, as a `T`.
    pub(super) fn read<T: FromFields<'a>>(
        mapping: &'m Mapping,
        index: u64,
        raw: &'a str,
    ) -> Result<T, Box<Reject>> {
        let mut values = [None; Field::COUNT];
        mapping
            .root
            .find(raw, &mut values)
            .map_err(|(path, why)| Box::new(Reject::new(index, path, why)))?;
        T::from_fields(&Fields::new(mapping, index, &values))
    }

    /// Reads a field; `None` if the API lacks it, or if it is optional and missing or `null`. A
    /// value that means none is `None`, too: see [`FromRaw::is_blank`] and
    /// [`FromRaw::means_nothing`].
    ///
    /// # Errors
    /// When it is required and missing, or is not a `T`.
    #[inline]
    pub fn get<T: FromRaw<'a>>(&self, field: Field) -> Result<Option<T>, Box<Reject>> {
        let required = self.mapping.required[field as usize];
        match self.values[field as usize] {
            None if required => self.missing(field),
            None => Ok(None),
            Some(sound) if sound.seen == Seen::Null && !required => Ok(None),
            Some(sound) => {
                let Mapping { zone, formats, .. } = self.mapping;
                match T::from_formats(sound, zone, &formats[field as usize]) {
                    Ok(value) if value.means_nothing() => Ok(None),
                    Ok(value) => Ok(Some(value)),
                    Err(_) if !required && T::is_blank(sound.raw()) => Ok(None),
                    Err(why) => self.reject(field, why),
                }
            }
        }
    }

    /// What the record has at the path of each field that the source maps.
    pub(crate) fn standing(&self) -> impl Iterator<Item = (Field, Standing)> {
        let stands = |field: Field| match self.values[field as usize] {
            None => Standing::Absent,
            Some(sound) if sound.seen == Seen::Null => Standing::Null,
            Some(_) => match field {
                Field::CreatedAt | Field::UpdatedAt
                    if matches!(self.get::<Time<'_>>(field), Ok(None)) =>
                {
                    Standing::Empty
                }
                _ => Standing::There,
            },
        };
        let fields = self.mapping.fields.iter();
        fields.map(move |(field, _)| (field, stands(field)))
    }

    /// Reads a field that every record must have, whatever the field map says.
    ///
    /// # Errors
    /// When it is missing, or is not a `T`.
    #[inline]
    pub fn required<T: FromRaw<'a>>(&self, field: Field) -> Result<T, Box<Reject>> {
        match self.get(field)? {
            Some(value) => Ok(value),
            None => self.missing(field),
        }
    }

    #[cold]
    fn missing<T>(&self, field: Field) -> Result<T, Box<Reject>> {
        let why = Mismatch {
            below: String::new(),
            expected: A_VALUE.to_owned(),
            found: NOTHING.to_owned(),
        };
        self.reject(field, why)
    }

    #[cold]
    fn reject<T>(&self, field: Field, why: Mismatch) -> Result<T, Box<Reject>> {
        let path = match self.mapping.fields.get(field) {
            Some(place) => place.path.to_string(),
            None => field.name().to_owned(),
        };
        Err(Box::new(Reject::new(self.index, path, why)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_survive_the_way_between_processes_with_their_zone() {
        let east = TimeZone::fixed(jiff::tz::offset(2));
        let new_york = TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap();
        for zone in [TimeZone::UTC, east, new_york] {
            let mappings = Mappings::new(&zone, FieldMap::placeholder);
            let wire = serde_json::to_string(&mappings).unwrap();
            let read: Mappings = serde_json::from_str(&wire).unwrap();
            for resource in [Resource::Users, Resource::Posts, Resource::Comments] {
                let (read, sent) = (read.of(resource), mappings.of(resource));
                assert_eq!((&read.zone, &read.fields), (&zone, &sent.fields));
            }
        }
    }
}
