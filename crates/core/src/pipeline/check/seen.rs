//! What is found in the records of one response while they stream: what they are like, and which
//! fields they have. No more of it is kept than people want to see.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use crate::activity::{Comment, Post, User};
use crate::record::{
    Field, Fields, FromFields, Id, Mapping, Mappings, Record, Reject, Resource, Standing, map,
};
use crate::source::child;
use activity_tracker_json::Object;
use activity_tracker_text::excerpt;

/// How many records, rejects and ids are kept.
pub(super) const KEPT: usize = 3;

/// How many characters of a record are shown.
const SHOWN: usize = 120;

/// The maximum length of the record that serves as an example of the existing keys, in bytes.
const LONGEST_EXAMPLE: usize = 64 * 1024;

/// How many ids and authors are distinguished at most. Pages have fewer.
pub(super) const MOST_TOLD_APART: usize = 100_000;

/// How often a field is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lacking {
    pub(super) absent: u64,
    pub(super) null: u64,
    pub(super) empty: u64,
}

/// What was found in some records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RecordSample {
    /// How many there were.
    pub(super) records: u64,
    /// How many of them are objects, whose fields are therefore known.
    pub(super) objects: u64,
    /// The display form of the first ones.
    pub(super) first: Vec<String>,
    pub(super) rejects: u64,
    pub(super) first_rejects: Vec<Reject>,
    /// Indexed by the number of the field.
    pub(super) lacking: [Lacking; Field::COUNT],
    /// A record, as an example of the existing keys.
    pub(super) example: Option<Value>,
    /// Hashes of the ids.
    pub(super) ids: HashSet<u64>,
    /// The first ids that children can be requested by.
    pub(super) first_ids: Vec<Id>,
    /// How many ids cannot be part of a path, and the first of them with its index.
    pub(super) strays: (u64, Option<(u64, Id)>),
    /// Of comments: how many have a `post_id`.
    pub(super) linked: u64,
}

impl RecordSample {
    /// Inspects a record, and returns it if it maps.
    fn take<'a, T: FromFields<'a> + Record>(
        &mut self,
        raw: &'a [u8],
        mapping: &Mapping,
    ) -> Option<T> {
        if self.example.is_none() && self.records < KEPT as u64 && raw.len() <= LONGEST_EXAMPLE {
            let value: Option<Value> = serde_json::from_slice(raw).ok();
            self.example = value.filter(Value::is_object);
        }
        let read = map::<Probe<T>>(raw, mapping).next()?;
        let read = match read {
            Ok(probe) => {
                let probe = probe.into_record();
                self.count(&probe.standing);
                probe.record.map_err(|reject| *reject)
            }
            Err(rejected) => Err(rejected.into()),
        };
        let index = self.records;
        match read {
            Ok(record) => {
                if self.first.len() < KEPT {
                    self.first.push(excerpt(&record.to_string(), SHOWN));
                }
                self.identify(index, record.id());
                self.records += 1;
                Some(record)
            }
            Err(reject) => {
                self.reject(reject);
                None
            }
        }
    }

    /// Counts a rejected record.
    fn reject(&mut self, reject: Reject) {
        let index = self.records;
        if self.first_rejects.len() < KEPT {
            self.first_rejects.push(Reject { index, ..reject });
        }
        self.rejects += 1;
        self.records += 1;
    }

    /// Rejects a record that is too long to be read, as a run does.
    pub(super) fn too_long(&mut self, bytes: u64, longest: usize) {
        self.reject(Reject {
            index: 0,
            path: ".".to_owned(),
            expected: format!("at most {longest} bytes (--max-record)"),
            found: format!("{bytes} bytes"),
        });
    }

    fn count(&mut self, standing: &[Standing; Field::COUNT]) {
        self.objects += 1;
        for (lacking, standing) in self.lacking.iter_mut().zip(standing) {
            match standing {
                Standing::There => {}
                Standing::Absent => lacking.absent += 1,
                Standing::Null => lacking.null += 1,
                Standing::Empty => lacking.empty += 1,
            }
        }
    }

    fn identify(&mut self, index: u64, id: &Id) {
        if self.ids.len() < MOST_TOLD_APART {
            self.ids.insert(hash(id));
        }
        if child::strays(id) {
            self.strays.0 += 1;
            self.strays.1.get_or_insert_with(|| (index, id.clone()));
        } else if self.first_ids.len() < KEPT {
            self.first_ids.push(id.clone());
        }
    }

    /// Adds what was found on a later page: its counts and, if there are too few, first records.
    /// Its ids and its list of rejects are not added.
    pub(super) fn merge(&mut self, others: &Self) {
        self.records += others.records;
        self.objects += others.objects;
        self.rejects += others.rejects;
        self.linked += others.linked;
        for (lacking, other) in self.lacking.iter_mut().zip(&others.lacking) {
            lacking.absent += other.absent;
            lacking.null += other.null;
            lacking.empty += other.empty;
        }
        let new = |text: &&String| !self.first.contains(text);
        let first: Vec<_> = others.first.iter().filter(new).cloned().collect();
        self.first.extend(first);
        self.first.truncate(KEPT);
        if self.example.is_none() {
            self.example.clone_from(&others.example);
        }
    }
}

/// A record and which of its fields it has, whether it maps or not.
struct Probe<T> {
    standing: [Standing; Field::COUNT],
    record: Result<T, Box<Reject>>,
}

impl<'a, T: FromFields<'a>> FromFields<'a> for Probe<T> {
    fn from_fields(fields: &Fields<'a, '_>) -> Result<Self, Box<Reject>> {
        let mut standing = [Standing::There; Field::COUNT];
        for (field, stands) in fields.standing() {
            standing[field as usize] = stands;
        }
        Ok(Self {
            standing,
            record: T::from_fields(fields),
        })
    }
}

/// How records are read.
#[derive(Debug)]
pub(super) struct SampleReader {
    pub(super) records: Mappings,
    /// For embedded authors, who are the users if these are not listed.
    pub(super) authors: Mapping,
}

/// What was found on a page: in its records, and in their embedded authors.
#[derive(Debug, Default)]
pub(super) struct PageSample {
    pub(super) records: RecordSample,
    pub(super) authors: RecordSample,
    /// Hashes of the authors that were inspected: most write more than once.
    known: HashSet<u64>,
}

impl PageSample {
    /// Inspects a record.
    pub(super) fn take(&mut self, resource: Resource, raw: &[u8], reading: &SampleReader) {
        let mapping = reading.records.of(resource);
        let author = match resource {
            Resource::Users => {
                self.records.take::<User<'_>>(raw, mapping);
                None
            }
            Resource::Posts => {
                let post = self.records.take::<Post<'_>>(raw, mapping);
                post.and_then(|post| post.author)
            }
            Resource::Comments => {
                let comment = self.records.take::<Comment<'_>>(raw, mapping);
                let linked = comment.as_ref().is_some_and(|it| it.post_id.is_some());
                self.records.linked += u64::from(linked);
                comment.and_then(|comment| comment.author)
            }
        };
        let Some(author) = author.map(Object::raw) else {
            return;
        };
        if self.known.len() < MOST_TOLD_APART && self.known.insert(hash(author)) {
            self.authors
                .take::<User<'_>>(author.as_bytes(), &reading.authors);
        }
    }
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
