//! Queries of the history.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::HistoryError;
use crate::record::{Id, Resource};
use crate::storage::Counts;
use activity_tracker_concurrency::Stop;

use super::FILE;
use super::change_counts::ChangeCounts;
use super::change_writer::sql;
use super::file::{self, OpenMode};
use super::schema::{self, DatabaseKind};

/// A history that is opened for reading. Other processes may write to it at the same time.
#[derive(Debug)]
pub struct Log {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
}

/// A run that was committed, or in which nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoggedRun {
    /// Its number in the history, starting from 1.
    pub number: i64,
    /// Its id.
    pub run: String,
    /// The source's name or base URL.
    pub source: String,
    /// `main` or `async`.
    pub flow: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When its files were about to be committed.
    pub finished_at: Timestamp,
    /// The number of retries.
    pub retries: u64,
    /// Whether the server reported that nothing had changed.
    pub unchanged: bool,
    /// What it found, by resource; empty if nothing had changed.
    pub resources: BTreeMap<Resource, FoundOf>,
}

/// What a run found of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FoundOf {
    /// How many records were received, stored and rejected.
    #[serde(flatten)]
    pub counts: Counts,
    /// Whether the resource was new to the history: then no record counts as added.
    pub first: bool,
    /// Whether records that it did not find count as removed.
    pub complete: bool,
    /// The number of changed records.
    #[serde(flatten)]
    pub changes: ChangeCounts,
}

/// How a record changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It is new.
    Added,
    /// Some of its fields differ.
    Changed,
    /// It no longer exists.
    Removed,
}

impl Kind {
    /// The name in the history and in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

/// A change of a record.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// The run that found it.
    pub run: String,
    /// When that run finished.
    pub at: Timestamp,
    /// The source's name or base URL.
    pub source: String,
    /// The resource.
    pub resource: Resource,
    /// The record's id.
    pub id: Id,
    /// How the record changed.
    pub kind: Kind,
    /// A user's name, a post's title, a comment's name.
    pub label: Option<String>,
    /// The user's own id, or the author's.
    pub user: Option<Id>,
    /// The user's or author's e-mail address, in lowercase.
    pub email: Option<String>,
    /// The old values of the fields that differ, by path; or the removed record. `None` for a new
    /// record, and if the old version was not available.
    pub before: Option<Json>,
    /// The new values of the fields that differ, by path; or the new record. `None` for a removed
    /// record, and if the old or the new version was not available.
    pub after: Option<Json>,
}

/// A JSON object, verbatim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(pub String);

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<&RawValue>(&self.0) {
            Ok(raw) => raw.serialize(serializer),
            Err(_) => self.0.serialize(serializer),
        }
    }
}

/// Which changes to select; all of them by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeFilter {
    /// Only those of this source.
    pub source: Option<String>,
    /// Only those that runs found at this time or later.
    pub since: Option<Timestamp>,
    /// Only those that runs found after this one.
    pub behind: Option<i64>,
    /// Only those that this run found.
    pub run: Option<i64>,
    /// Only those of this resource.
    pub resource: Option<Resource>,
    /// Only those of these users and of what they wrote.
    pub users: Option<Users>,
    /// The maximum number of changes.
    pub limit: Option<u64>,
}

/// Users by id and by e-mail address, in lowercase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Users {
    /// Their ids, in each form in which records may refer to them.
    pub ids: Vec<Id>,
    /// Their addresses.
    pub emails: Vec<String>,
}

impl Log {
    /// Opens the history of a data directory for reading; `None` if there is none.
    ///
    /// # Errors
    /// When the file was made by a newer version or another program, is damaged, or cannot be read.
    pub fn open(data_dir: &Path) -> Result<Option<Self>, HistoryError> {
        let path = data_dir.join(FILE);
        if !file::exists(&path) {
            return Ok(None);
        }
        if file::is_half_done(&path) {
            super::undo_half_done(data_dir)?;
        }
        let failed = |cause| HistoryError::sqlite("open", &path)(cause);
        let connection = file::open(&path, OpenMode::Reading)?;
        match schema::form(&connection).map_err(failed)? {
            // A run has created the file and not written to it yet.
            DatabaseKind::Ours(0) => return Ok(None),
            DatabaseKind::Ours(version) => {
                schema::expect_ours(&connection, version).map_err(failed)?;
            }
            form => super::refuse_foreign(&path, form)?,
        }
        Ok(Some(Self { path, connection }))
    }

    /// Interrupts long queries when `stop` is hurried ([`Stop::hurry`]).
    ///
    /// # Errors
    /// When SQLite does not accept the handler.
    pub fn heed_hurry(&mut self, stop: &Stop) -> Result<(), HistoryError> {
        file::heed_hurry(&mut self.connection, stop)
            .map_err(HistoryError::sqlite("read", &self.path))
    }

    /// The number of a run in the history; `None` if the history does not have it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn number(&self, run: &str) -> Result<Option<i64>, HistoryError> {
        let text = "SELECT id FROM runs WHERE run = ?1";
        let number = self.connection.query_row(text, [run], |row| row.get(0));
        number
            .optional()
            .map_err(HistoryError::sqlite("read", &self.path))
    }

    /// The runs of a source, or all of them, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn runs(&self, source: Option<&str>) -> Result<Vec<LoggedRun>, HistoryError> {
        self.read_runs(source, None)
            .map_err(HistoryError::sqlite("read", &self.path))
    }

    pub(super) fn read_runs(
        &self,
        source: Option<&str>,
        limit: Option<u64>,
    ) -> rusqlite::Result<Vec<LoggedRun>> {
        let mut runs = BTreeMap::new();
        let mut statement = self.connection.prepare(
            "SELECT id, run, source, flow, started_at, finished_at, retries, unchanged
             FROM runs WHERE ?1 IS NULL OR source = ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let limit = limit.map_or(-1, u64::cast_signed);
        let mut rows = statement.query((source, limit))?;
        while let Some(row) = rows.next()? {
            let run = logged(row)?;
            runs.insert(run.number, run);
        }
        let mut statement = self.connection.prepare(
            "SELECT r.run, c.resource, r.received, r.records, r.rejects, r.first, r.complete,
                    r.added, r.changed, r.removed
             FROM run_collections r JOIN collections c ON c.id = r.collection WHERE r.run >= ?1",
        )?;
        let first = runs.keys().next().copied().unwrap_or(i64::MAX);
        let mut rows = statement.query([first])?;
        while let Some(row) = rows.next()? {
            if let Some(run) = runs.get_mut(&row.get(0)?) {
                run.resources.insert(resource(row, 1)?, found(row)?);
            }
        }
        Ok(runs.into_values().collect())
    }

    /// Calls `take` for each change, newest run first, and within a run by resource and id, until
    /// `take` fails.
    ///
    /// # Errors
    /// When the file cannot be read, and the error of `take`.
    pub fn changes<E: From<HistoryError>>(
        &self,
        wanted: &ChangeFilter,
        mut take: impl FnMut(Change) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = HistoryError::sqlite("read", &self.path);
        let (condition, values) = wanted.condition();
        let text =
            format!(
            "SELECT r.run, r.finished_at, c.source, c.resource, x.record, x.kind, x.label, x.user,
                    x.email, x.before, x.after
             FROM changes x JOIN runs r ON r.id = x.run JOIN collections c ON c.id = x.collection
             WHERE {condition} ORDER BY x.run DESC, x.id LIMIT {}",
            // A limit beyond `i64::MAX` is no limit.
            wanted.limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(-1)
        );
        let mut statement = self.connection.prepare(&text).map_err(&failed)?;
        let mut rows = statement.query(params_from_iter(values)).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            take(change(row).map_err(&failed)?)?;
        }
        Ok(())
    }

    /// The number of changes, regardless of the limit.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn count(&self, wanted: &ChangeFilter) -> Result<ChangeCounts, HistoryError> {
        let (condition, values) = wanted.condition();
        let text = format!(
            "SELECT count(*) FILTER (WHERE x.kind = 'added'), count(*) FILTER (WHERE x.kind = 'changed'),
                    count(*) FILTER (WHERE x.kind = 'removed')
             FROM changes x JOIN runs r ON r.id = x.run JOIN collections c ON c.id = x.collection
             WHERE {condition}"
        );
        let counts = |row: &Row<'_>| {
            Ok(ChangeCounts {
                added: number(row, 0)?,
                changed: number(row, 1)?,
                removed: number(row, 2)?,
                retyped: 0,
            })
        };
        self.connection
            .query_row(&text, params_from_iter(values), counts)
            .map_err(HistoryError::sqlite("read", &self.path))
    }

    /// Calls `take` for the user or author of each change that names one; duplicates are possible.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn each_named(&self, mut take: impl FnMut(Named)) -> Result<(), HistoryError> {
        let mut read = || {
            let mut statement = self.connection.prepare(
                "SELECT c.resource = 'users', x.user,
                        CASE c.resource WHEN 'users' THEN x.label END, x.email
                 FROM changes x JOIN collections c ON c.id = x.collection
                 WHERE x.user IS NOT NULL OR x.email IS NOT NULL",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                take(Named {
                    is_user: row.get(0)?,
                    id: id(row, 1)?,
                    name: row.get(2)?,
                    email: row.get(3)?,
                });
            }
            Ok(())
        };
        read().map_err(HistoryError::sqlite("read", &self.path))
    }
}

/// A user or author whom a change names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Whether it is a user; otherwise an author.
    pub is_user: bool,
    /// The user's own id, or the author's.
    pub id: Option<Id>,
    /// A user's name.
    pub name: Option<String>,
    /// The e-mail address, in lowercase.
    pub email: Option<String>,
}

impl ChangeFilter {
    /// The filter as an SQL condition, and the values of its parameters.
    pub(super) fn condition(&self) -> (String, Vec<Value>) {
        let mut conditions = vec!["true".to_owned()];
        let mut values: Vec<Value> = Vec::new();
        let mut ask = |condition: &str, value: Value| {
            values.push(value);
            conditions.push(format!("{condition} ?{}", values.len()));
        };
        if let Some(source) = &self.source {
            ask("c.source =", source.clone().into());
        }
        if let Some(behind) = self.behind {
            ask("x.run >", behind.into());
        }
        if let Some(run) = self.run {
            ask("x.run =", run.into());
        }
        if let Some(resource) = self.resource {
            ask("c.resource =", resource.name().to_owned().into());
        }
        if let Some(since) = self.since {
            values.push(since.to_string().into());
            let place = values.len();
            // Compared as texts, times with and without fractions of a second would be in the wrong
            // order.
            conditions.push(format!("julianday(r.finished_at) >= julianday(?{place})"));
        }
        if let Some(users) = &self.users {
            let mut places = |new: Vec<Value>| {
                let from = values.len() + 1;
                values.extend(new);
                let places = (from..=values.len()).map(|place| format!("?{place}"));
                places.collect::<Vec<_>>().join(", ")
            };
            let ids = places(users.ids.iter().map(sql).collect());
            let emails = places(users.emails.iter().cloned().map(Value::Text).collect());
            conditions.push(format!("(x.user IN ({ids}) OR x.email IN ({emails}))"));
        }
        (conditions.join(" AND "), values)
    }
}

pub(super) fn logged(row: &Row<'_>) -> rusqlite::Result<LoggedRun> {
    Ok(LoggedRun {
        number: row.get(0)?,
        run: row.get(1)?,
        source: row.get(2)?,
        flow: row.get(3)?,
        started_at: time(row, 4)?,
        finished_at: time(row, 5)?,
        retries: number(row, 6)?,
        unchanged: row.get(7)?,
        resources: BTreeMap::new(),
    })
}

pub(super) fn found(row: &Row<'_>) -> rusqlite::Result<FoundOf> {
    Ok(FoundOf {
        counts: Counts {
            received: number(row, 2)?,
            records: number(row, 3)?,
            rejects: number(row, 4)?,
            // The history does not store these two; `complete` below is false for an incomplete
            // resource.
            repeated: 0,
            incomplete: false,
        },
        first: row.get(5)?,
        complete: row.get(6)?,
        changes: ChangeCounts {
            added: number(row, 7)?,
            changed: number(row, 8)?,
            removed: number(row, 9)?,
            retyped: 0,
        },
    })
}

pub(super) fn change(row: &Row<'_>) -> rusqlite::Result<Change> {
    let kind: String = row.get(5)?;
    Ok(Change {
        run: row.get(0)?,
        at: time(row, 1)?,
        source: row.get(2)?,
        resource: resource(row, 3)?,
        id: id(row, 4)?.ok_or_else(|| unexpected(row, 4))?,
        kind: match kind.as_str() {
            "added" => Kind::Added,
            "changed" => Kind::Changed,
            "removed" => Kind::Removed,
            _ => return Err(unexpected(row, 5)),
        },
        label: row.get(6)?,
        user: id(row, 7)?,
        email: row.get(8)?,
        before: row.get::<_, Option<String>>(9)?.map(Json),
        after: row.get::<_, Option<String>>(10)?.map(Json),
    })
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| unexpected(row, column))
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| unexpected(row, column))
}

pub(super) fn resource(row: &Row<'_>, column: usize) -> rusqlite::Result<Resource> {
    let name: String = row.get(column)?;
    let all = [Resource::Users, Resource::Posts, Resource::Comments];
    let known = all.into_iter().find(|resource| resource.name() == name);
    known.ok_or_else(|| unexpected(row, column))
}

fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Id>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(number) => Ok(Some(Id::Number(number))),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Ok(Some(Id::Text(text.into()))),
            Err(_) => Err(unexpected(row, column)),
        },
        _ => Err(unexpected(row, column)),
    }
}

/// A value that this program does not write.
fn unexpected(row: &Row<'_>, column: usize) -> rusqlite::Error {
    let found = row
        .get_ref(column)
        .map_or(rusqlite::types::Type::Null, |value| value.data_type());
    rusqlite::Error::InvalidColumnType(column, "history".to_owned(), found)
}
