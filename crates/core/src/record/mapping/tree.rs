//! The wanted fields of a record, found in one pass over its bytes.
//!
//! The paths of the fields form a tree of keys. The pass goes down this tree and
//! the record side by side: where a wanted field stands, its value is kept as a
//! slice of the record, still raw; all else is checked for being JSON and
//! forgotten.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::record::{Field, FieldMap};
use activity_tracker_json::reader::Reader;
use activity_tracker_json::value::{member, several, without_place};
use activity_tracker_json::{JsonPath, Mismatch, Sound};
use activity_tracker_text::excerpt;

/// What stands in the place of each field, raw.
pub(in crate::record) type Values<'a> = [Option<Sound<'a>>; Field::COUNT];

/// A key of the tree: which fields stand there, and where it goes on from there.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    key: String,
    path: JsonPath,
    fields: Vec<Field>,
    /// At most as many as there are fields, so that looking at each is quick.
    children: Vec<Node>,
}

/// What a walk found, and how far it came.
struct Finds<'a, 'm, 'f> {
    values: &'f mut Values<'a>,
    /// The place that was entered last.
    at: &'m Node,
    /// Whether the key of that place stands there twice.
    several: bool,
}

impl Node {
    /// The whole tree of a field map.
    pub(super) fn root(fields: &FieldMap) -> Self {
        let mut root = Self::default();
        for (field, place) in fields.iter() {
            // Of a field that is given twice, the first counts.
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
    /// When it is no JSON, or not of a shape in which the fields can be; with the
    /// path to what is wrong.
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
            // A walk would take `null` for a parent that is not there.
            Err(serde_json::Error::custom("no object"))
        };
        walked.map_err(|error| explain(raw, &finds, &error))
    }

    /// Takes the object that `reader` stands at, and finds the fields of it.
    ///
    /// None where [`find`](Self::find) should look, if only to say what is wrong.
    #[inline]
    pub(super) fn take<'a>(&self, reader: &mut Reader<'a>, values: &mut Values<'a>) -> Option<()> {
        // The record as a field of its own is not seen whole while it is read.
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
            // Another record may have an object there, or something that is none.
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

    /// Which child a key leads to. APIs keep their order, so that the one behind the last is looked at first.
    #[inline]
    fn child(&self, key: &str, expected: usize) -> Option<usize> {
        let is = |child: &Self| child.key == key;
        let (before, behind) = self.children.split_at(expected.min(self.children.len()));
        match behind.iter().position(is) {
            Some(at) => Some(at + before.len()),
            None => before.iter().position(is),
        }
    }

    /// The place that `keys` lead to; grows there where there is none yet.
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

    /// Finds the fields in the value `raw`, which is the whole of its text.
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

/// One step down: an object of the record, and the node that it stands at.
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

    /// `null` on the way: there is nothing below.
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

/// Reads a key, and gives which child of the node it leads to, if any.
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

/// Why a walk ended: where, and what should stand there. Only rejects pay for this.
#[cold]
fn explain(raw: &str, finds: &Finds<'_, '_, '_>, error: &serde_json::Error) -> (String, Mismatch) {
    let path = finds.at.path.to_string();
    // What is no JSON is so as a whole, whatever else is wrong with it.
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
