//! What changed from run to run, for people and for programs.
//!
//! [`ChangeList::of`] looks up what was asked for; [`table`], [`markdown`], [`csv()`], [`json()`]
//! and [`ndjson`] write it while they read it: however much changed, little is held in memory.

mod rows;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};
use serde_json::ser::{CompactFormatter, PrettyFormatter};

use crate::error::{Error, StorageError};
use crate::history::{self, Change, ChangeCounts, Log, LoggedRun, Since, Wanted};
use crate::record::Resource;
use crate::text::{count, excerpt};

use super::json::{Escaping, in_line};
use super::markdown::{escaped, write_cells, write_heads};
use super::outline::{Cell, moment};
use super::table::{HEAD, LONGEST, QUIET, WIDTHS, write_table_with};
use super::{csv as tables, who};

/// Rows that are laid out together; more of them get heads of their own.
const LAID_OUT: usize = 1000;

/// Which changes are asked for, as a person writes it.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// From when on: `7d`, a date, a run.
    pub since: Option<String>,
    /// Whose: an id, a name, an address.
    pub user: Option<String>,
    /// Of which resource.
    pub resource: Option<Resource>,
    /// No more than so many.
    pub limit: Option<u64>,
}

/// The changes that were asked for; they are read when they are written.
#[derive(Debug)]
pub struct ChangeList {
    question: Question,
    log: Log,
    runs: Vec<LoggedRun>,
    since: Option<Since>,
    wanted: Wanted,
}

/// Why changes could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Unwritten {
    /// The history could not be read.
    #[error(transparent)]
    Unread(#[from] StorageError),
    /// Nobody takes what is written.
    #[error(transparent)]
    Unprinted(#[from] io::Error),
}

impl ChangeList {
    /// Looks up what is asked for in the history of a data directory, as it is: a run that was
    /// killed may have left changes that only [`history::bring_up`] takes in.
    ///
    /// # Errors
    /// When there is no history or it cannot be read, or the question makes no sense.
    pub fn of(data_dir: &Path, question: Question, now: Timestamp) -> Result<Self, Error> {
        let log = Log::open(data_dir)?;
        let log = log.ok_or_else(|| StorageError::NoHistory(data_dir.to_owned()))?;
        let runs = log.runs(None)?;
        let since = question.since.as_deref();
        let since = since.map(|since| Since::read(since, &runs, now));
        let since = since.transpose()?;
        let user = question.user.as_deref();
        let mut wanted = Wanted {
            resource: question.resource,
            users: user
                .map(|user| who::find(data_dir, &log, user))
                .transpose()?,
            limit: question.limit,
            ..Wanted::default()
        };
        if let Some(since) = &since {
            since.narrow(&mut wanted);
        }
        Ok(Self {
            question,
            log,
            runs,
            since,
            wanted,
        })
    }

    /// How many there are, whatever the limit.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn count(&self) -> Result<ChangeCounts, StorageError> {
        self.log.count(&self.wanted)
    }

    fn each<E: From<StorageError>>(
        &self,
        take: impl FnMut(Change) -> Result<(), E>,
    ) -> Result<(), E> {
        self.log.changes(&self.wanted, take)
    }

    fn sources(&self) -> BTreeSet<&str> {
        self.runs.iter().map(|run| run.source.as_str()).collect()
    }

    /// What is told, in a few words: `What changed at sample since 2026-11-01 00:00:00 UTC`.
    fn title(&self, counts: &ChangeCounts) -> String {
        let mut title = match counts.total() {
            0 => "Nothing changed",
            _ => "What changed",
        }
        .to_owned();
        let mut add = |before: &str, what: &str| {
            title.push_str(before);
            title.push_str(what);
        };
        if let Some(resource) = self.question.resource {
            add(" in ", resource.name());
        }
        if let Some(user) = &self.question.user {
            add(" of ", user);
        }
        if let [source] = *self.sources().into_iter().collect::<Vec<_>>() {
            add(" at ", source);
        }
        match &self.since {
            Some(Since::Time(time)) => add(" since ", &moment(*time)),
            Some(Since::Run(run)) => add(" since run ", &numbered(run)),
            None => {
                if let Some(first) = self.runs.first() {
                    add(" since run ", &numbered(first));
                }
            }
        }
        title
    }

    /// From which run on records are known: what was there then is not told as added.
    fn known_since(&self) -> Vec<String> {
        let several = self.sources().len() > 1;
        let line = |run: &LoggedRun| {
            let wanted = |resource: &Resource| {
                let asked = self.question.resource;
                asked.is_none_or(|asked| asked == *resource)
            };
            let first = run.resources.iter().filter(|(_, found)| found.first);
            let names: Vec<_> = first
                .map(|(resource, _)| *resource)
                .filter(wanted)
                .map(Resource::name)
                .collect();
            let of = if several {
                format!(" of {}", run.source)
            } else {
                String::new()
            };
            (!names.is_empty())
                .then(|| format!("{}{of} known since run {}", names.join(", "), numbered(run)))
        };
        self.runs.iter().filter_map(line).collect()
    }
}

/// A run as people are told of it: `3 (2026-11-01 08:00:00 UTC)`.
fn numbered(run: &LoggedRun) -> String {
    format!("{} ({})", run.number, moment(run.finished_at))
}

fn totals(counts: &ChangeCounts) -> String {
    let kinds = [
        (counts.added, "added"),
        (counts.changed, "changed"),
        (counts.removed, "removed"),
    ];
    let kinds = kinds.iter().filter(|(number, _)| *number > 0);
    let kinds: Vec<_> = kinds
        .map(|(number, kind)| format!("{number} {kind}"))
        .collect();
    format!("{}: {}", count(counts.total(), "change"), kinds.join(", "))
}

/// Writes changes for a screen of `width` columns, and how many the limit leaves out.
///
/// Text that came from elsewhere is made safe to show. Styles are ANSI escapes, for
/// `anstream` to take out where they are not wanted.
///
/// # Errors
/// When the history cannot be read or `out` cannot be written to.
pub fn table(out: &mut impl Write, list: &ChangeList, width: usize) -> Result<(), Unwritten> {
    let width = width.clamp(WIDTHS.0, WIDTHS.1);
    let counts = list.count()?;
    writeln!(
        out,
        "{HEAD}{}{HEAD:#}",
        excerpt(&list.title(&counts), LONGEST)
    )?;
    if counts.total() > 0 {
        writeln!(out, "{}\n", totals(&counts))?;
        let mut columns = rows::columns(list.sources().len() > 1);
        // There is more room for the fields below each row.
        columns.pop();
        let (mut waiting, mut below): (Vec<Vec<Cell>>, Vec<Vec<String>>) = Default::default();
        let mut shown = 0;
        list.each(|change| {
            shown += 1;
            waiting.push(rows::row(&change, &columns));
            below.push(rows::fields(&change));
            if waiting.len() == LAID_OUT {
                write_table_with(out, &columns, (&waiting, &below), width)?;
                waiting.clear();
                below.clear();
            }
            Ok::<_, Unwritten>(())
        })?;
        if !waiting.is_empty() {
            write_table_with(out, &columns, (&waiting, &below), width)?;
        }
        if let Some(more) = more(&counts, shown) {
            writeln!(out, "{QUIET}{more}{QUIET:#}")?;
        }
        writeln!(out)?;
    }
    for line in list.known_since() {
        writeln!(out, "{QUIET}{}{QUIET:#}", excerpt(&line, LONGEST))?;
    }
    Ok(())
}

/// What the limit leaves out, and how to see it.
fn more(counts: &ChangeCounts, shown: u64) -> Option<String> {
    let all = counts.total();
    let left = all.checked_sub(shown).filter(|left| *left > 0)?;
    let plural = if left == 1 { "" } else { "s" };
    Some(format!(
        "and {left} more change{plural}: --limit {all} shows all of them, and --format csv prints them for programs"
    ))
}

/// Writes changes in Markdown (GitHub's, which has tables).
///
/// # Errors
/// When the history cannot be read or `out` cannot be written to.
pub fn markdown(out: &mut impl Write, list: &ChangeList) -> Result<(), Unwritten> {
    let counts = list.count()?;
    writeln!(out, "# {}\n", escaped(&list.title(&counts)))?;
    if counts.total() > 0 {
        writeln!(out, "{}\n", totals(&counts))?;
        let columns = rows::columns(list.sources().len() > 1);
        write_heads(out, &columns)?;
        list.each(|change| {
            write_cells(out, &columns, &rows::row(&change, &columns)).map_err(Unwritten::from)
        })?;
        writeln!(out)?;
    }
    for line in list.known_since() {
        writeln!(out, "- {}", escaped(&line))?;
    }
    Ok(())
}

/// Writes changes as CSV (RFC 4180), with heads in the first line, and fields as JSON.
///
/// Text that came from elsewhere has its control characters escaped, and a `'` before it
/// where a spreadsheet would take it for a formula.
///
/// # Errors
/// When the history cannot be read or `out` cannot be written to.
pub fn csv(out: &mut impl Write, list: &ChangeList) -> Result<(), Unwritten> {
    let mut out = csv::Writer::from_writer(out);
    let heads = [
        "run", "at", "source", "resource", "id", "kind", "label", "user", "email", "before",
        "after",
    ];
    out.write_record(heads).map_err(io::Error::from)?;
    list.each(|change| {
        let fields = |fields: Option<&history::Json>| {
            fields.map_or_else(String::new, |fields| in_line(&fields.0))
        };
        let cells = [
            tables::text(Some(&change.run)),
            change.at.to_string(),
            tables::text(Some(&change.source)),
            change.resource.to_string(),
            tables::id(Some(&change.id)),
            change.kind.name().to_owned(),
            tables::text(change.label.as_deref()),
            tables::id(change.user.as_ref()),
            tables::text(change.email.as_deref()),
            fields(change.before.as_ref()),
            fields(change.after.as_ref()),
        ];
        out.write_record(cells).map_err(io::Error::from)?;
        Ok::<_, Unwritten>(())
    })?;
    out.flush()?;
    Ok(())
}

/// Writes changes as one JSON array.
///
/// # Errors
/// When the history cannot be read or `out` cannot be written to.
pub fn json(out: &mut impl Write, list: &ChangeList) -> Result<(), Unwritten> {
    let formatter = Escaping(PrettyFormatter::new());
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, formatter);
    let mut array = serializer.serialize_seq(None).map_err(io::Error::from)?;
    list.each(|change| {
        array.serialize_element(&change).map_err(io::Error::from)?;
        Ok::<_, Unwritten>(())
    })?;
    array.end().map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(())
}

/// Writes changes as JSON, one a line.
///
/// # Errors
/// When the history cannot be read or `out` cannot be written to.
pub fn ndjson(out: &mut impl Write, list: &ChangeList) -> Result<(), Unwritten> {
    list.each(|change| {
        let formatter = Escaping(CompactFormatter);
        let mut serializer = serde_json::Serializer::with_formatter(&mut *out, formatter);
        change.serialize(&mut serializer).map_err(io::Error::from)?;
        writeln!(out)?;
        Ok::<_, Unwritten>(())
    })
}
