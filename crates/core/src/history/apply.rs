//! Applies a step to `history.db`: all of it or nothing, in one transaction.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, Error, Transaction, params};

use super::HistoryError;
use crate::storage::StorageError;

use super::change_writer::sql;
use super::entry::Entries;
use super::file::{self, BESIDE, OpenMode};
use super::integrity::{self, Depth};
use super::schema::{self, malformed};
use super::step::last_run;

/// The statements that apply a step, except for the ids of collections that are new to the history.
const APPLY: &str = include_str!("schema/apply.sql");

/// The offsets that a span of ids is expanded with, [`CHUNK`] of them.
const OFFSETS: &str = "CREATE TEMP TABLE offsets (n INTEGER PRIMARY KEY) STRICT;
INSERT INTO temp.offsets
WITH RECURSIVE up (n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM up WHERE n < 4095)
SELECT n FROM up;";

/// How many ids of a span one statement inserts.
const CHUNK: i64 = 4096;

/// Drops the temporary tables once the step is applied.
const CLEAR: &str = "DROP TABLE temp.of_this; DROP TABLE temp.this;
DROP TABLE temp.retyped; DROP TABLE temp.removed;";

/// Applies a step to the history, unless it was applied before. Returns false if the step was
/// computed from another history and cannot be applied; an empty history takes any step.
///
/// # Errors
/// When it cannot be applied. If a file is damaged, the error names it: the history or the step.
pub(super) fn apply(
    (history, path): (&mut Connection, &Path),
    step: &Path,
) -> Result<bool, HistoryError> {
    whole(step)?;
    let place = file::place(step).map_err(StorageError::io("find", step))?;
    // As bytes: a folder may have a name that is not UTF-8.
    let name = place.into_os_string().into_encoded_bytes();
    let failed = HistoryError::sqlite("write", path);
    history
        .execute("ATTACH DATABASE ?1 AS next", [name])
        .map_err(&failed)?;
    let applied = apply_attached(history);
    let detached = history.execute_batch("DETACH DATABASE next");
    let applied = applied.map_err(|cause| blamed(cause, (path, step)))?;
    detached.map_err(failed)?;
    Ok(applied)
}

/// Checks that a file has the tables of a step, and nothing else that SQLite would run.
fn whole(step: &Path) -> Result<Connection, HistoryError> {
    let opened = file::open(step, OpenMode::Reading)?;
    if let Some(end) = BESIDE
        .iter()
        .find(|end| file::exists(&file::beside(step, end)))
    {
        let reason = format!("it is put in place by itself, and has a file {end} beside it");
        let path = step.to_owned();
        return Err(HistoryError::Damaged { path, reason });
    }
    schema::expect_step(&opened).map_err(HistoryError::sqlite("read", step))?;
    Ok(opened)
}

/// The error of a step that was not applied, with the file that caused it.
fn blamed(cause: Error, (history, step): (&Path, &Path)) -> HistoryError {
    if matches!(cause, Error::FromSqlConversionFailure(..)) {
        return HistoryError::sqlite("read", step)(cause);
    }
    let error = HistoryError::sqlite("write", history)(cause);
    if !matches!(error, HistoryError::Damaged { .. }) {
        return error;
    }
    let damage = whole(step).and_then(|step_file| {
        integrity::pages(&step_file, Depth::Quick).map_err(HistoryError::sqlite("read", step))
    });
    match damage {
        Ok(None) => error,
        Ok(Some(reason)) => HistoryError::Damaged {
            path: step.to_owned(),
            reason,
        },
        Err(error) => error,
    }
}

fn apply_attached(history: &mut Connection) -> rusqlite::Result<bool> {
    let transaction = history.transaction()?;
    let runs = "SELECT count(*) FROM (SELECT 1 FROM next.run LIMIT 2)";
    let runs: i64 = transaction.query_row(runs, [], |row| row.get(0))?;
    if runs != 1 {
        // Each further row would multiply the inserted rows.
        return Err(malformed("a step is of one run"));
    }
    let (base, known): (i64, bool) = transaction.query_row(
        "SELECT base, run IN (SELECT run FROM main.runs) FROM next.run",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if known {
        return Ok(true);
    }
    let last = last_run(&transaction)?;
    let anew = last == 0 && base > 0;
    if base != last && !anew {
        return Ok(false);
    }
    transaction.execute_batch(APPLY)?;
    if anew {
        all_entries(&transaction)?;
    } else {
        first_seen(&transaction)?;
    }
    transaction.execute_batch(CLEAR)?;
    transaction.commit()?;
    Ok(true)
}

/// Inserts the ids of all records that a run found.
fn all_entries(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let mut blocks = transaction.prepare(
        "SELECT o.collection, o.run, x.entries
         FROM next.entries x JOIN temp.of_this o ON o.resource = x.resource",
    )?;
    let mut rows = blocks.query([])?;
    while let Some(row) = rows.next()? {
        let of = (row.get(0)?, row.get(1)?);
        let block: Vec<u8> = row.get(2)?;
        for entry in Entries::new(block) {
            let entry = entry.map_err(|error| malformed(error.to_string()))?;
            insert_id(transaction, of, &sql(&entry.id))?;
        }
    }
    Ok(())
}

/// Inserts the ids of collections that are new to the history.
///
/// A span is two numbers, and may claim 2⁶⁴ ids. So the number of inserted ids is limited by the
/// length of the step's entries in bytes: each entry takes more than one.
fn first_seen(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let spans = "SELECT EXISTS (SELECT 1 FROM next.spans)";
    if !transaction.query_row(spans, [], |row| row.get(0))? {
        return Ok(());
    }
    let mut room = room(transaction)?;
    transaction.execute_batch(OFFSETS)?;
    let mut spans = transaction.prepare(
        "SELECT o.collection, o.run, x.first, x.last
         FROM next.spans x CROSS JOIN temp.of_this o WHERE o.resource = x.resource
         ORDER BY x.rowid",
    )?;
    let mut rows = spans.query([])?;
    while let Some(row) = rows.next()? {
        let (collection, run): (i64, i64) = (row.get(0)?, row.get(1)?);
        let room = room.entry(collection).or_default();
        match (row.get(2)?, row.get(3)?) {
            (Value::Integer(first), Value::Integer(last)) => {
                take(
                    room,
                    last.checked_sub(first).and_then(|span| span.checked_add(1)),
                )?;
                insert_numbers(transaction, (collection, run), first, last)?;
            }
            (text @ Value::Text(_), _) => {
                take(room, Some(1))?;
                insert_id(transaction, (collection, run), &text)?;
            }
            _ => return Err(malformed("an id is a number or a text")),
        }
    }
    drop(rows);
    transaction.execute_batch("DROP TABLE temp.offsets")
}

/// The maximum number of ids of each collection.
fn room(transaction: &Transaction<'_>) -> rusqlite::Result<HashMap<i64, i64>> {
    transaction
        .prepare(
            "SELECT o.collection, sum(length(x.entries))
             FROM next.entries x JOIN temp.of_this o ON o.resource = x.resource GROUP BY 1",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Subtracts a number of ids from what is left of the maximum.
fn take(room: &mut i64, ids: Option<i64>) -> rusqlite::Result<()> {
    let left = ids
        .filter(|ids| *ids > 0)
        .and_then(|ids| room.checked_sub(ids))
        .filter(|left| *left >= 0);
    *room = left.ok_or_else(|| malformed("a step has no more ids than entries"))?;
    Ok(())
}

fn insert_numbers(
    transaction: &Transaction<'_>,
    (collection, run): (i64, i64),
    first: i64,
    last: i64,
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO main.records
         SELECT ?1, ?2 + n, ?3, NULL FROM temp.offsets WHERE n < ?4
         ON CONFLICT DO UPDATE SET last_run = NULL",
    )?;
    let mut from = Some(first);
    // The last chunk ends at `last`, so no number exceeds it, and none can wrap.
    while let Some(first) = from.filter(|first| *first <= last) {
        let left = last.saturating_sub(first).saturating_add(1);
        insert.execute(params![collection, first, run, left.min(CHUNK)])?;
        from = first.checked_add(CHUNK);
    }
    Ok(())
}

fn insert_id(
    transaction: &Transaction<'_>,
    (collection, run): (i64, i64),
    id: &Value,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO main.records VALUES (?1, ?2, ?3, NULL)
             ON CONFLICT DO UPDATE SET last_run = NULL",
        )?
        .execute(params![collection, id, run])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::in_memory;
    use activity_tracker_concurrency::Stop;
    use activity_tracker_concurrency::StopReason;
    use rusqlite::fallible_iterator::FallibleIterator;
    use tempfile::TempDir;

    /// A step of one new collection with these spans, and this many bytes of entries.
    fn step(folder: &TempDir, spans: &[(i64, i64)], bytes: i64) -> std::path::PathBuf {
        let path = folder.path().join("step.db");
        let step = Connection::open(&path).unwrap();
        step.execute_batch(include_str!("schema/step.sql")).unwrap();
        step.execute_batch(
            "INSERT INTO run VALUES ('r', 's', 'main', '', '', 0, 0);
             INSERT INTO collections VALUES ('users', '', 0, 0, 0, 1, 1, 0, 0, 0);",
        )
        .unwrap();
        for (first, last) in spans {
            let insert = "INSERT INTO spans VALUES ('users', ?1, ?2)";
            step.execute(insert, [first, last]).unwrap();
        }
        let insert = "INSERT INTO entries VALUES ('users', 0, zeroblob(?1))";
        step.execute(insert, [bytes]).unwrap();
        path
    }

    fn history(stop: &Stop) -> Connection {
        in_memory(stop).unwrap()
    }

    fn apply(history: &mut Connection, step: &Path) -> Result<bool, HistoryError> {
        super::apply((history, "history.db".as_ref()), step)
    }

    fn one<T: rusqlite::types::FromSql>(history: &Connection, query: &str) -> T {
        history.query_row(query, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn each_span_is_taken_in_up_to_both_ends_of_the_numbers() {
        let spans = [
            (i64::MAX, i64::MAX),
            (i64::MAX - 1, i64::MAX),
            (i64::MAX - CHUNK, i64::MAX),
            (i64::MAX - CHUNK + 1, i64::MAX),
            (i64::MAX - CHUNK - 1, i64::MAX - 1),
            (i64::MIN, i64::MIN),
            (i64::MIN, i64::MIN + 1),
            (i64::MIN, i64::MIN + CHUNK),
            (-1, 1),
            (0, 0),
            (0, CHUNK - 1),
            (1, CHUNK),
            (0, CHUNK),
            (7, 3 * CHUNK),
        ];
        for (first, last) in spans {
            let folder = tempfile::tempdir().unwrap();
            let mut history = history(&Stop::new());
            let count = last - first + 1;
            assert!(apply(&mut history, &step(&folder, &[(first, last)], count)).unwrap());
            let found = "SELECT count(*) || ' ' || min(id) || ' ' || max(id) FROM records";
            let found: String = one(&history, found);
            assert_eq!(found, format!("{count} {first} {last}"));
            assert_eq!(one::<i64>(&history, "SELECT count(*) FROM runs"), 1);
        }
    }

    #[test]
    fn spans_with_gaps_and_at_both_ends_make_one_step() {
        let folder = tempfile::tempdir().unwrap();
        let mut history = history(&Stop::new());
        let spans = [
            (i64::MIN, i64::MIN),
            (-2, 3),
            (5, 5),
            (i64::MAX - 2, i64::MAX),
        ];
        assert!(apply(&mut history, &step(&folder, &spans, 11)).unwrap());
        assert_eq!(one::<i64>(&history, "SELECT count(*) FROM records"), 11);
    }

    #[test]
    fn a_step_that_claims_more_ids_than_it_has_entries_changes_nothing() {
        let cases: [&[(i64, i64)]; 6] = [
            &[(i64::MIN, i64::MAX)],
            &[(0, i64::MAX)],
            &[(i64::MIN, 0)],
            &[(1, 11)],
            &[(1, 5), (6, 11)],
            &[(2, 1)],
        ];
        for spans in cases {
            let folder = tempfile::tempdir().unwrap();
            let mut history = history(&Stop::new());
            assert!(apply(&mut history, &step(&folder, spans, 10)).is_err());
            for table in ["runs", "records", "collections"] {
                let rows: i64 = one(&history, &format!("SELECT count(*) FROM {table}"));
                assert_eq!(rows, 0, "{table} {spans:?}");
            }
        }
    }

    #[test]
    fn no_statement_reads_all_that_the_history_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = step(&folder, &[], 0);
        let history = history(&Stop::new());
        let attach = "ATTACH DATABASE ?1 AS next";
        history.execute(attach, [path.to_str().unwrap()]).unwrap();
        let mut batch = rusqlite::Batch::new(&history, APPLY);
        let mut updates = 0;
        while let Some(mut statement) = batch.next().unwrap() {
            let text = statement.expanded_sql().unwrap();
            updates += usize::from(text.contains("UPDATE main.") || text.contains("REPLACE main."));
            let mut explain = history
                .prepare(&format!("EXPLAIN QUERY PLAN {text}"))
                .unwrap();
            let plan = explain.query_map([], |row| row.get::<_, String>("detail"));
            for part in plan.unwrap() {
                let part = part.unwrap();
                let whole = [
                    "SCAN main.records",
                    "SCAN main.changes",
                    "SCAN main.entries",
                ];
                assert!(
                    !whole.iter().any(|scan| part.starts_with(scan)),
                    "{text}: {part}"
                );
            }
            drop(explain);
            statement.raw_execute().unwrap();
        }
        assert_eq!(updates, 3, "which could");
    }

    #[test]
    fn a_step_of_several_runs_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = step(&folder, &[], 0);
        let more = "INSERT INTO run VALUES ('q', 's', 'main', '', '', 0, 0)";
        Connection::open(&path).unwrap().execute(more, []).unwrap();
        assert!(apply(&mut history(&Stop::new()), &path).is_err());
    }

    #[test]
    fn a_step_that_is_interrupted_is_taken_back_and_can_be_taken_again() {
        type Ask = fn(&Stop);
        let asks: [Ask; 2] = [|stop| stop.request(StopReason::Interrupt), Stop::hurry];
        for ask in asks {
            let folder = tempfile::tempdir().unwrap();
            let path = step(&folder, &[(1, 100_000)], 100_000);
            let stop = Stop::new();
            let mut interrupted = history(&stop);
            ask(&stop);
            let error = apply(&mut interrupted, &path).unwrap_err();
            assert!(error.to_string().ends_with(": interrupted"), "{error}");
            assert!(apply(&mut history(&Stop::new()), &path).unwrap());
        }
    }
}
