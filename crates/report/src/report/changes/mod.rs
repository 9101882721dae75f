//! What changed between runs, for people and for programs.
//!
//! [`ChangeList::of`] runs a query; [`table`], [`markdown`], [`csv()`], [`json()`] and [`ndjson`]
//! stream the result, so memory does not grow with the number of changes.

mod columns;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use anstyle::Style;
use jiff::Timestamp;
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};
use serde_json::ser::{CompactFormatter, PrettyFormatter};

use activity_tracker_core::error::{Error, HistoryError};
use activity_tracker_core::history::{
    self, Change, ChangeCounts, ChangeFilter, Log, LoggedRun, Since,
};
use activity_tracker_core::record::Resource;
use activity_tracker_text::{count, excerpt, grouped};

use super::format::utc_second;
use super::json::{Escaping, in_line};
use super::markdown::{escaped, write_cells, write_headers};
use super::terminal::{DIMMED, HEADING, MAX_TEXT, WIDTHS, write_table, write_wrapped};
use super::text_report::Cell;
use super::{csv as csv_cells, user_lookup};

/// Rows per table; each further table repeats the headers.
const ROWS_PER_TABLE: usize = 1000;

/// Which changes to list, as on the command line.
#[derive(Clone, Debug, Default)]
pub struct ChangeQuery {
    /// Only changes after this: `7d`, a date, or a run.
    pub since: Option<String>,
    /// Only this user: an id, name or address.
    pub user: Option<String>,
    /// Only this resource.
    pub resource: Option<Resource>,
    /// The maximum number of changes.
    pub limit: Option<u64>,
}

/// The result of a query. Changes are read while they are written.
#[derive(Debug)]
pub struct ChangeList {
    query: ChangeQuery,
    log: Log,
    runs: Vec<LoggedRun>,
    since: Option<Since>,
    wanted: ChangeFilter,
}

/// Why changes could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The history could not be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The output could not be written.
    #[error(transparent)]
    Output(#[from] io::Error),
}

impl ChangeList {
    /// Runs a query on the history of a data directory. It does not apply what a killed run left
    /// pending: call [`history::bring_up`] first.
    ///
    /// # Errors
    /// If there is no history, it cannot be read, or the query is invalid.
    pub fn of(data_dir: &Path, query: ChangeQuery, now: Timestamp) -> Result<Self, Error> {
        let log = Log::open(data_dir)?;
        let log = log.ok_or_else(|| HistoryError::Missing(data_dir.to_owned()))?;
        let runs = log.runs(None)?;
        let since = query.since.as_deref();
        let since = since.map(|since| Since::read(since, &runs, now));
        let since = since
            .transpose()
            .map_err(|invalid| Error::Usage(invalid.to_string()))?;
        let user = query.user.as_deref();
        let mut wanted = ChangeFilter {
            resource: query.resource,
            users: user
                .map(|user| user_lookup::find(data_dir, &log, user))
                .transpose()?,
            limit: query.limit,
            ..ChangeFilter::default()
        };
        if let Some(since) = &since {
            since.narrow(&mut wanted);
        }
        Ok(Self {
            query,
            log,
            runs,
            since,
            wanted,
        })
    }

    /// How many changes there are, regardless of the limit.
    ///
    /// # Errors
    /// If the history cannot be read.
    pub fn count(&self) -> Result<ChangeCounts, HistoryError> {
        self.log.count(&self.wanted)
    }

    fn each<E: From<HistoryError>>(
        &self,
        take: impl FnMut(Change) -> Result<(), E>,
    ) -> Result<(), E> {
        self.log.changes(&self.wanted, take)
    }

    fn sources(&self) -> BTreeSet<&str> {
        self.runs.iter().map(|run| run.source.as_str()).collect()
    }

    /// `Changes at sample since 2026-11-01 00:00:00 UTC`
    fn title(&self, counts: &ChangeCounts) -> String {
        let mut title = match counts.total() {
            0 => "No changes",
            _ => "Changes",
        }
        .to_owned();
        let mut add = |before: &str, what: &str| {
            title.push_str(before);
            title.push_str(what);
        };
        if let Some(resource) = self.query.resource {
            add(" in ", resource.name());
        }
        if let Some(user) = &self.query.user {
            add(" for ", user);
        }
        if let [source] = *self.sources().into_iter().collect::<Vec<_>>() {
            add(" at ", source);
        }
        match &self.since {
            Some(Since::Time(time)) => add(" since ", &utc_second(*time)),
            Some(Since::Run(run)) => add(" since run ", &numbered(run)),
            None => {
                if let Some(first) = self.runs.first() {
                    add(" since run ", &numbered(first));
                }
            }
        }
        title
    }

    /// The first run of each resource, whose records do not count as added.
    fn tracked_since(&self) -> Vec<String> {
        let several = self.sources().len() > 1;
        let line = |run: &LoggedRun| {
            let wanted = |resource: &Resource| {
                let only = self.query.resource;
                only.is_none_or(|only| only == *resource)
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
            (!names.is_empty()).then(|| {
                format!(
                    "Tracking {}{of} since run {}",
                    names.join(", "),
                    numbered(run)
                )
            })
        };
        self.runs.iter().filter_map(line).collect()
    }
}

/// A run's number and time: `3 (2026-11-01 08:00:00 UTC)`.
fn numbered(run: &LoggedRun) -> String {
    format!("{} ({})", run.number, utc_second(run.finished_at))
}

fn totals(counts: &ChangeCounts) -> String {
    let kinds = [
        (counts.added, "added"),
        (counts.changed, "changed"),
        (counts.removed, "removed"),
    ];
    let kinds = kinds.iter().filter(|(number, _)| *number > 0);
    let kinds: Vec<_> = kinds
        .map(|(number, kind)| format!("{} {kind}", grouped(*number)))
        .collect();
    format!("{}: {}", count(counts.total(), "change"), kinds.join(", "))
}

/// Writes changes for a terminal with `width` columns, and how many the limit leaves out.
///
/// Remote text is escaped. Styles are ANSI escapes; `anstream` removes them if the output does not
/// support them.
///
/// # Errors
/// If the history cannot be read or `out` cannot be written to.
pub fn table(out: &mut impl Write, list: &ChangeList, width: usize) -> Result<(), WriteError> {
    let width = width.clamp(WIDTHS.0, WIDTHS.1);
    let counts = list.count()?;
    let title = excerpt(&list.title(&counts), MAX_TEXT);
    write_wrapped(out, HEADING, &title, width)?;
    if counts.total() > 0 {
        write_wrapped(out, Style::new(), &totals(&counts), width)?;
        writeln!(out)?;
        let mut columns = columns::columns(list.sources().len() > 1);
        // The fields are below each row, where there is more space.
        columns.pop();
        let (mut rows, mut below): (Vec<Vec<Cell>>, Vec<Vec<String>>) = Default::default();
        let mut shown = 0;
        list.each(|change| {
            shown += 1;
            rows.push(columns::row(&change, &columns));
            below.push(columns::fields(&change));
            if rows.len() == ROWS_PER_TABLE {
                write_table(out, &columns, (&rows, &below), width)?;
                rows.clear();
                below.clear();
            }
            Ok::<_, WriteError>(())
        })?;
        if !rows.is_empty() {
            write_table(out, &columns, (&rows, &below), width)?;
        }
        if let Some(more) = more(&counts, shown) {
            write_wrapped(out, DIMMED, &more, width)?;
        }
        writeln!(out)?;
    }
    for line in list.tracked_since() {
        write_wrapped(out, DIMMED, &excerpt(&line, MAX_TEXT), width)?;
    }
    Ok(())
}

/// How many changes the limit leaves out, and how to see them.
fn more(counts: &ChangeCounts, shown: u64) -> Option<String> {
    let all = counts.total();
    let left = all.checked_sub(shown).filter(|left| *left > 0)?;
    Some(format!(
        "and {}; use --limit {all} to show all, or --format csv for a program",
        count(left, "more change")
    ))
}

/// Writes changes in GitHub-flavoured Markdown.
///
/// # Errors
/// If the history cannot be read or `out` cannot be written to.
pub fn markdown(out: &mut impl Write, list: &ChangeList) -> Result<(), WriteError> {
    let counts = list.count()?;
    writeln!(out, "# {}\n", escaped(&list.title(&counts)))?;
    if counts.total() > 0 {
        writeln!(out, "{}\n", totals(&counts))?;
        let columns = columns::columns(list.sources().len() > 1);
        write_headers(out, &columns)?;
        list.each(|change| {
            write_cells(out, &columns, &columns::row(&change, &columns)).map_err(WriteError::from)
        })?;
        writeln!(out)?;
    }
    for line in list.tracked_since() {
        writeln!(out, "- {}", escaped(&line))?;
    }
    Ok(())
}

/// Writes changes as CSV (RFC 4180) with a header line, and fields as JSON.
///
/// Control characters in remote text are escaped, and text that a spreadsheet would interpret as a
/// formula is prefixed with `'`.
///
/// # Errors
/// If the history cannot be read or `out` cannot be written to.
pub fn csv(out: &mut impl Write, list: &ChangeList) -> Result<(), WriteError> {
    let mut out = csv::Writer::from_writer(out);
    let headers = [
        "run", "at", "source", "resource", "id", "kind", "label", "user", "email", "before",
        "after",
    ];
    out.write_record(headers).map_err(io::Error::from)?;
    list.each(|change| {
        let fields = |fields: Option<&history::Json>| {
            fields.map_or_else(String::new, |fields| in_line(&fields.0))
        };
        let cells = [
            csv_cells::text(Some(&change.run)),
            change.at.to_string(),
            csv_cells::text(Some(&change.source)),
            change.resource.to_string(),
            csv_cells::id(Some(&change.id)),
            change.kind.name().to_owned(),
            csv_cells::text(change.label.as_deref()),
            csv_cells::id(change.user.as_ref()),
            csv_cells::text(change.email.as_deref()),
            fields(change.before.as_ref()),
            fields(change.after.as_ref()),
        ];
        out.write_record(cells).map_err(io::Error::from)?;
        Ok::<_, WriteError>(())
    })?;
    out.flush()?;
    Ok(())
}

/// Writes changes as one JSON array.
///
/// # Errors
/// If the history cannot be read or `out` cannot be written to.
pub fn json(out: &mut impl Write, list: &ChangeList) -> Result<(), WriteError> {
    let formatter = Escaping(PrettyFormatter::new());
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, formatter);
    let mut array = serializer.serialize_seq(None).map_err(io::Error::from)?;
    list.each(|change| {
        array.serialize_element(&change).map_err(io::Error::from)?;
        Ok::<_, WriteError>(())
    })?;
    array.end().map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(())
}

/// Writes changes as JSON, one per line.
///
/// # Errors
/// If the history cannot be read or `out` cannot be written to.
pub fn ndjson(out: &mut impl Write, list: &ChangeList) -> Result<(), WriteError> {
    list.each(|change| {
        let formatter = Escaping(CompactFormatter);
        let mut serializer = serde_json::Serializer::with_formatter(&mut *out, formatter);
        change.serialize(&mut serializer).map_err(io::Error::from)?;
        writeln!(out)?;
        Ok::<_, WriteError>(())
    })
}
