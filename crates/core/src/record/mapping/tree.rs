//! Finds the mapped fields of a record in one pass over its bytes.
//!
//! The paths of the fields form a tree of keys. The pass descends this tree and the record
//! together. The value of a mapped field is kept as a slice of the record, not parsed; everything
//! else is only checked to be valid JSON.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::record::{Field, FieldMap};
use activity_tracker_json::reader::Reader;
use activity_tracker_json::value::{member, several, without_place};
use activity_tracker_json::{JsonPath, Mismatch, Sound};
use activity_tracker_text::excerpt;

/// The raw value of each field.
pub(in crate::record) type Values<'a> = [Option<Sound<'a>>; Field::COUNT];

/// A key of the tree: the fields with this path, and the keys below it.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    key: String,
    path: JsonPath,
    fields: Vec<Field>,
    /// At most as many as there are fields, so a linear search is fast.
    children: Vec<Node>,
}

/// What a walk found, and where it is.
struct Finds<'a, 'm, 'f> {
    values: &'f mut Values<'a>,
    /// The node that was entered last.
    at: &'m Node,
    /// Whether the key of that node occurs twice.
    several: bool,
}

impl Node {
    /// Builds the tree of a field map.
    pub(super) fn root(fields: &FieldMap) -> Self {
        let mut root = Self::default();
        for (field, place) in fields.iter() {
            // If a field is given twice, the first one counts.
            if fields.get(field) == Some(place) {
                root.grow(place.path.keys()).fields.push(field);
            }
        }
        root.name(&JsonPath::default());
        root
    }

    /// Finds the fields of the record `raw`.
    ///
    /// # Errors
    /// When it is not valid JSON, or does not have a structure that the fields can be in; with the
    /// path to the error.
    pub(super) fn find<'a>(
        &self,
        raw: &'a str,
        values: &mut Values<'a>,
    ) -> Result<(), (String, Mismatch)> {
        let mut finds = Finds {
            values,
            at: self,
            several: false,
        };
        let walked = if raw.starts_with('{') {
            self.search(raw, &mut finds)
        } else {
            // A walk would accept `null`, as for a parent that is absent.
            Err(serde_json::Error::custom("no object"))
        };
        walked.map_err(|error| explain(raw, &finds, &error))
    }

    /// Takes the object at the position of `reader`, and finds its fields.
    ///
    /// `None` if [`find`](Self::find) has to read it instead, at least to report the error.
    #[inline]
    pub(super) fn take<'a>(&self, reader: &mut Reader<'a>, values: &mut Values<'a>) -> Option<()> {
        // If the record as a whole is a field, its extent is not known while it is read.
        if !self.fields.is_empty() {
            return None;
        }
        self.take_members(reader, values)
    }

    fn take_members<'a>(&self, reader: &mut Reader<'a>, values: &mut Values<'a>) -> Option<()> {
        let mut seen = 0u32;
        let mut expected = 0;
        reader.object(|reader, key| {
            let Some(at) = self.child(key, expected) else {
                return reader.value().map(drop);
            };
            expected = at + 1;
            if seen & (1 << at) != 0 {
                return None;
            }
            seen |= 1 << at;
            self.children[at].take_value(reader, values)
        })
    }

    fn take_value<'a>(&self, reader: &mut Reader<'a>, values: &mut Values<'a>) -> Option<()> {
        if self.children.is_empty() {
            let value = reader.value()?;
            for field in &self.fields {
                values[*field as usize] = Some(value);
            }
            return Some(());
        }
        let mut below = reader.clone();
        let value = reader.value()?;
        if value.raw == "null" {
            // Other records may have an object here, or an invalid value.
            reader.peculiar = true;
        } else {
            self.take_members(&mut below, values)?;
            reader.peculiar |= below.peculiar;
        }
        for field in &self.fields {
            values[*field as usize] = Some(value);
        }
        Some(())
    }

    /// The child that a key leads to. APIs keep the order of keys, so the child after the last one
    /// is tried first.
    #[inline]
    fn child(&self, key: &str, expected: usize) -> Option<usize> {
        let is = |child: &Self| child.key == key;
        let (before, behind) = self.children.split_at(expected.min(self.children.len()));
        match behind.iter().position(is) {
            Some(at) => Some(at + before.len()),
            None => before.iter().position(is),
        }
    }

    /// The node at the path `keys`, which is created if it does not exist.
    fn grow(&mut self, keys: &[String]) -> &mut Self {
        let Some((key, rest)) = keys.split_first() else {
            return self;
        };
        let known = self.children.iter().position(|child| child.key == *key);
        let at = known.unwrap_or_else(|| {
            let key = key.clone();
            self.children.push(Self {
                key,
                ..Self::default()
            });
            self.children.len() - 1
        });
        self.children[at].grow(rest)
    }

    fn name(&mut self, path: &JsonPath) {
        for child in &mut self.children {
            child.name(&path.join(&child.key));
        }
        self.path = path.clone();
    }

    /// Finds the fields in the value `raw`, which is the complete text.
    fn search<'a, 'm>(
        &'m self,
        raw: &'a str,
        finds: &mut Finds<'a, 'm, '_>,
    ) -> Result<(), serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_str(raw);
        self.keep(raw, finds);
        Walk { node: self, finds }.deserialize(&mut reader)?;
        reader.end()
    }

    fn keep<'a>(&self, raw: &'a str, finds: &mut Finds<'a, '_, '_>) {
        for field in &self.fields {
            finds.values[*field as usize] = Some(Sound::new(raw));
        }
    }
}

/// One step of a walk: an object of the record, and its node.
struct Walk<'a, 'm, 'f, 'w> {
    node: &'m Node,
    finds: &'w mut Finds<'a, 'm, 'f>,
}

impl<'de> DeserializeSeed<'de> for Walk<'de, '_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.finds.at = self.node;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'de, '_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    /// `null` on a path: there is nothing below it.
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let mut seen = [false; Field::COUNT];
        while let Some(wanted) = object.next_key_seed(Key(self.node))? {
            let Some(at) = wanted else {
                object.next_value::<IgnoredAny>()?;
                continue;
            };
            let child = &self.node.children[at];
            if std::mem::replace(&mut seen[at], true) {
                (self.finds.at, self.finds.several) = (child, true);
                return Err(A::Error::custom("several"));
            }
            if child.fields.is_empty() {
                let (node, finds) = (child, &mut *self.finds);
                object.next_value_seed(Walk { node, finds })?;
            } else {
                let raw = object.next_value::<&RawValue>()?.get();
                if child.children.is_empty() {
                    child.keep(raw, self.finds);
                } else {
                    child.search(raw, self.finds).map_err(A::Error::custom)?;
                }
            }
        }
        Ok(())
    }
}

/// Reads a key; returns the index of the child that it leads to, if any.
struct Key<'m>(&'m Node);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Option<usize>, E> {
        Ok(self.0.children.iter().position(|child| child.key == key))
    }
}

/// Explains why a walk failed: where, and what was expected there. Only rejects pay for this.
#[cold]
fn explain(raw: &str, finds: &Finds<'_, '_, '_>, error: &serde_json::Error) -> (String, Mismatch) {
    let path = finds.at.path.to_string();
    // Invalid JSON is reported as such, whatever else is wrong.
    let sound = serde_json::from_str::<IgnoredAny>(raw);
    if sound.is_ok() && error.is_data() {
        if finds.several {
            return (path, several());
        }
        let mut keys = finds.at.path.keys().iter();
        if let Some(found) = keys.try_fold(raw, |object, key| member(object, key)) {
            return (path, Mismatch::new("an object", found));
        }
    }
    let message = match &sound {
        Err(broken) if error.is_data() => without_place(broken),
        _ => without_place(error),
    };
    let why = Mismatch {
        below: String::new(),
        expected: "JSON".to_owned(),
        found: excerpt(&message, 120),
    };
    (".".to_owned(), why)
}
