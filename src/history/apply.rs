//! Takes a step into `history.db`: all of it or nothing, in one transaction.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::types::{Type, Value};
use rusqlite::{Connection, Error, Transaction, params};

use super::step::last_run;

/// What takes a step into the history, except for the ids that were in no run before.
const APPLY: &str = include_str!("schema/apply.sql");

/// The numbers that a span of ids is expanded with, [`CHUNK`] of them.
const OFFSETS: &str = "CREATE TEMP TABLE offsets (n INTEGER PRIMARY KEY) STRICT;
INSERT INTO temp.offsets
WITH RECURSIVE up (n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM up WHERE n < 4095)
SELECT n FROM up;";

/// How many ids of a span are written by one statement.
const CHUNK: i64 = 4096;

/// What is of no use when the step is in the history.
const CLEAR: &str = "DROP TABLE temp.offsets; DROP TABLE temp.of_this; DROP TABLE temp.this;";

/// Takes a step into the history, unless it is in it already. Gives whether it could be:
/// a step that was made behind another history is of no use.
pub(super) fn apply(history: &mut Connection, step: &Path) -> rusqlite::Result<bool> {
    history.execute("ATTACH DATABASE ?1 AS next", [name(step)?])?;
    let applied = apply_attached(history);
    let detached = history.execute_batch("DETACH DATABASE next");
    let applied = applied?;
    detached?;
    Ok(applied)
}

/// A path as SQLite takes it, which would read one that begins with `file:` as a URI.
fn name(path: &Path) -> rusqlite::Result<String> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let name = absolute.into_os_string().into_string();
    name.map_err(|_| Error::InvalidPath(path.to_owned()))
}

fn apply_attached(history: &mut Connection) -> rusqlite::Result<bool> {
    let transaction = history.transaction()?;
    let runs = "SELECT count(*) FROM (SELECT 1 FROM next.run LIMIT 2)";
    let runs: i64 = transaction.query_row(runs, [], |row| row.get(0))?;
    if runs != 1 {
        // Each further one would multiply what is written.
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
    if base != last_run(&transaction)? {
        return Ok(false);
    }
    transaction.execute_batch(APPLY)?;
    transaction.execute_batch(OFFSETS)?;
    first_seen(&transaction)?;
    transaction.execute_batch(CLEAR)?;
    transaction.commit()?;
    Ok(true)
}

/// Takes in the ids of collections that were not known before.
///
/// A span is two numbers, and may claim 2⁶⁴ ids. So no more are written than the step has
/// room for in its entries, which take more than a byte each.
fn first_seen(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let mut room = room(transaction)?;
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
                insert_text(transaction, (collection, run), &text)?;
            }
            _ => return Err(malformed("an id is a number or a text")),
        }
    }
    Ok(())
}

/// How many ids of each collection there can be at most.
fn room(transaction: &Transaction<'_>) -> rusqlite::Result<HashMap<i64, i64>> {
    transaction
        .prepare(
            "SELECT o.collection, sum(length(x.entries))
             FROM next.entries x JOIN temp.of_this o ON o.resource = x.resource GROUP BY 1",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Takes so many ids from the room for them.
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
    // The last chunk ends at `last`, so no number lies beyond it: none can wrap.
    while let Some(first) = from.filter(|first| *first <= last) {
        let left = last.saturating_sub(first).saturating_add(1);
        insert.execute(params![collection, first, run, left.min(CHUNK)])?;
        from = first.checked_add(CHUNK);
    }
    Ok(())
}

fn insert_text(
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

/// A step that this program did not write.
fn malformed(expected: &'static str) -> Error {
    Error::FromSqlConversionFailure(0, Type::Null, expected.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::concurrency::Stop;
    use crate::error::StopReason;
    use crate::history::connect;
    use rusqlite::ErrorCode;
    use tempfile::TempDir;

    /// A step of one new collection with these spans, and entries of so many bytes.
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
        connect("history.db".as_ref(), true, stop).unwrap()
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
            assert_eq!(
                error.sqlite_error_code(),
                Some(ErrorCode::OperationInterrupted)
            );
            assert!(apply(&mut history(&Stop::new()), &path).unwrap());
        }
    }
}
