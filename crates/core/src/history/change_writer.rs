//! Writes the changes of a resource's records to a step.

use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, params};

use super::HistoryError;
use crate::activity::{Comment, Post, User};
use crate::record::{Field, Id, Mapping, Resource, map};
use crate::storage::Place;

use super::change_counts::ChangeCounts;
use super::entry::{Entry, EntryWriter, Span, digest};
use super::fields::{Difference, compact};

/// The maximum length of a record whose fields are compared and stored, in bytes: several forms of
/// it are in memory at once. A longer one is recorded as added, changed or removed, without its
/// fields.
const LONGEST: u64 = 1 << 20;

/// The number of entries per block.
const BLOCK: usize = 4096;

/// The files that records are read from: the previous one, if it still exists, and the new one.
type Contents = (Option<PathBuf>, PathBuf);

/// Writes the changes of one resource's records to a step.
pub(super) struct ChangeWriter<'a> {
    step: &'a Connection,
    path: &'a Path,
    resource: Resource,
    mapping: &'a Mapping,
    contents: Contents,
    /// Whether the resource is new to the history: then no record counts as added.
    first: bool,
    counts: ChangeCounts,
    block: EntryWriter,
    blocks: i64,
    /// Consecutive numbers that are new to the history.
    span: Option<(i64, i64)>,
}

impl<'a> ChangeWriter<'a> {
    pub(super) fn new(
        (step, path): (&'a Connection, &'a Path),
        resource: Resource,
        mapping: &'a Mapping,
        contents: Contents,
        first: bool,
    ) -> Self {
        Self {
            step,
            path,
            resource,
            mapping,
            contents,
            first,
            counts: ChangeCounts::default(),
            block: EntryWriter::default(),
            blocks: 0,
            span: None,
        }
    }

    /// A record has not changed, or its previous entry is still the latest known.
    pub(super) fn keep(&mut self, entry: &Entry) -> Result<(), HistoryError> {
        self.block.push(entry);
        if self.block.count() == BLOCK {
            self.end_block()?;
        }
        Ok(())
    }

    /// A record is new.
    pub(super) fn added(&mut self, entry: &Entry) -> Result<(), HistoryError> {
        self.keep(entry)?;
        if self.first {
            return self.first_seen(&entry.id);
        }
        self.counts.added += 1;
        let after = self.now(entry)?;
        let about = self.about(&after);
        let after = (!after.is_empty()).then(|| compact(&after));
        self.change(&entry.id, "added", &about, (None, after))
    }

    /// A record no longer exists.
    pub(super) fn removed(&mut self, entry: &Entry) -> Result<(), HistoryError> {
        self.counts.removed += 1;
        let before = self.before(entry);
        let about = before.as_deref().map(|text| self.about(text));
        let mut about = about.unwrap_or_default();
        if self.resource == Resource::Users {
            // A user's record belongs to that user, even if nothing else is known of it.
            about.user.get_or_insert_with(|| entry.id.clone());
        }
        let before = before.as_deref().map(compact);
        self.change(&entry.id, "removed", &about, (before, None))
    }

    /// The bytes of a record differ from the previous ones.
    pub(super) fn changed(&mut self, before: &Entry, now: &Entry) -> Result<(), HistoryError> {
        self.keep(now)?;
        let after = self.now(now)?;
        let was = self.before(before);
        let difference = was.and_then(|was| difference(self.mapping, &was, &after));
        if difference.as_ref().is_some_and(Difference::is_empty) {
            return Ok(());
        }
        self.counts.changed += 1;
        let about = self.about(&after);
        let fields = difference.map(|fields| (fields.before(), fields.after()));
        self.change(&now.id, "changed", &about, fields.unzip())
    }

    /// Writes what is still buffered, and returns the counts.
    pub(super) fn finish(mut self) -> Result<ChangeCounts, HistoryError> {
        self.end_block()?;
        self.end_span()?;
        Ok(self.counts)
    }

    fn first_seen(&mut self, id: &Id) -> Result<(), HistoryError> {
        match id {
            Id::Number(number) => {
                if let Some((_, last)) = &mut self.span
                    && last.checked_add(1) == Some(*number)
                {
                    *last = *number;
                    return Ok(());
                }
                self.end_span()?;
                self.span = Some((*number, *number));
                Ok(())
            }
            Id::Text(_) => self.insert_span(&sql(id), &sql(id)),
        }
    }

    fn end_span(&mut self) -> Result<(), HistoryError> {
        match self.span.take() {
            Some((first, last)) => self.insert_span(&first.into(), &last.into()),
            None => Ok(()),
        }
    }

    fn insert_span(&self, first: &Value, last: &Value) -> Result<(), HistoryError> {
        let mut statement = self.statement("INSERT INTO spans VALUES (?1, ?2, ?3)")?;
        let inserted = statement.execute(params![self.resource.name(), first, last]);
        inserted.map(|_| ()).map_err(self.failed())
    }

    fn end_block(&mut self) -> Result<(), HistoryError> {
        if self.block.is_empty() {
            return Ok(());
        }
        let bytes = self.block.take();
        let mut statement = self.statement("INSERT INTO entries VALUES (?1, ?2, ?3)")?;
        let inserted = statement.execute(params![self.resource.name(), self.blocks, bytes]);
        inserted.map_err(self.failed())?;
        self.blocks += 1;
        Ok(())
    }

    fn change(
        &self,
        id: &Id,
        kind: &str,
        about: &About,
        (before, after): (Option<String>, Option<String>),
    ) -> Result<(), HistoryError> {
        let mut statement = self.statement(
            "INSERT INTO changes (resource, record, kind, label, user, email, before, after)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        let user = about.user.as_ref().map(sql);
        let resource = self.resource.name();
        let (label, email) = (&about.label, &about.email);
        let inserted = statement.execute(params![
            resource,
            sql(id),
            kind,
            label,
            user,
            email,
            before,
            after
        ]);
        inserted.map(|_| ()).map_err(self.failed())
    }

    fn statement(&self, sql: &str) -> Result<CachedStatement<'a>, HistoryError> {
        self.step.prepare_cached(sql).map_err(self.failed())
    }

    fn failed(&self) -> impl Fn(rusqlite::Error) -> HistoryError + use<> {
        let path = self.path.to_owned();
        move |cause| HistoryError::sqlite("write", &path)(cause)
    }

    /// The current version of a record; empty if it is too long.
    fn now(&self, entry: &Entry) -> Result<String, HistoryError> {
        let (_, file) = &self.contents;
        let span = entry.span.filter(|span| span.length <= LONGEST);
        let bytes = span.map_or(Ok(Vec::new()), |span| read(file, span))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The previous version of a record; `None` if its file is gone or has changed, or if it is too
    /// long.
    fn before(&self, entry: &Entry) -> Option<String> {
        let span = entry.span.filter(|span| span.length <= LONGEST)?;
        let bytes = read(self.contents.0.as_ref()?, span).ok()?;
        (digest(&bytes) == entry.digest)
            .then(|| String::from_utf8(bytes).ok())
            .flatten()
    }

    fn about(&self, record: &str) -> About {
        About::of(self.resource, record, self.mapping).unwrap_or_default()
    }
}

/// The difference between two versions, except for ignored fields and quotes added to or removed
/// from ids.
pub(super) fn difference(mapping: &Mapping, before: &str, after: &str) -> Option<Difference> {
    let ids = [Field::Id, Field::UserId, Field::PostId];
    let ids: Vec<_> = ids
        .into_iter()
        .filter_map(|field| mapping.path(field))
        .collect();
    let difference = Difference::between(before, after)?;
    Some(difference.without(mapping.ignored()).without_quotes(&ids))
}

/// Reads the bytes of a span.
fn read(file: &Path, span: Span) -> Result<Vec<u8>, HistoryError> {
    let place = Place {
        file: file.to_string_lossy().into_owned(),
        offset: span.offset,
        length: span.length,
    };
    Ok(place.read("".as_ref())?)
}

/// An id as an SQLite value.
pub(super) fn sql(id: &Id) -> Value {
    match id {
        Id::Number(number) => Value::Integer(*number),
        Id::Text(text) => Value::Text(text.to_string()),
    }
}

/// The label of a record, and the user that it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct About {
    label: Option<String>,
    user: Option<Id>,
    email: Option<String>,
}

impl About {
    fn of(resource: Resource, record: &str, mapping: &Mapping) -> Option<Self> {
        let bytes = record.as_bytes();
        Some(match resource {
            Resource::Users => {
                let user = map::<User<'_>>(bytes, mapping).next()?.ok()?;
                Self {
                    label: user.called().map(|name| name.as_str().to_owned()),
                    user: Some(user.id.0.clone()),
                    email: user
                        .email
                        .as_ref()
                        .map(|email| email.as_str().to_lowercase()),
                }
            }
            Resource::Posts => {
                let post = map::<Post<'_>>(bytes, mapping).next()?.ok()?;
                Self {
                    label: post.title.as_ref().map(|title| title.as_str().to_owned()),
                    user: post.user_id.as_ref().map(|user| user.0.clone()),
                    email: None,
                }
            }
            Resource::Comments => {
                let comment = map::<Comment<'_>>(bytes, mapping).next()?.ok()?;
                Self {
                    label: comment.name.as_ref().map(|name| name.as_str().to_owned()),
                    user: comment.user_id.as_ref().map(|user| user.0.clone()),
                    email: comment
                        .email
                        .as_ref()
                        .map(|email| email.as_str().to_lowercase()),
                }
            }
        })
    }
}
