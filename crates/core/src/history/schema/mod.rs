//! The tables of `history.db`, and how an older file is brought to this form.

use std::collections::BTreeSet;

use rusqlite::types::Type;
use rusqlite::{Connection, Error, Transaction};

/// Says that a file is one of ours: `ATrk`.
pub(super) const APPLICATION: i32 = 0x4154_726b;

/// One step for each version: the first makes the tables, each later one changes them.
/// A step that was released is never changed.
const MIGRATIONS: [&str; VERSION as usize] = [include_str!("1.sql")];

/// The tables of a step.
pub(super) const STEP: &str = include_str!("step.sql");

/// What SQLite adds when somebody has it look at the values (`ANALYZE`).
const STATISTICS: &str = "CREATE TABLE sqlite_stat1(tbl,idx,stat);
CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)";

/// The version that this program writes.
pub(super) const VERSION: u32 = 1;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DatabaseKind {
    /// Of this version, or empty or older, which is mended by [`migrate`].
    Ours(u32),
    /// Of a later version of this program.
    Newer(u32),
    /// Another program's.
    Foreign,
}

/// Looks at the marks of a file.
pub(super) fn form(connection: &Connection) -> rusqlite::Result<DatabaseKind> {
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(tables, [], |row| row.get(0))?;
    Ok(match application {
        APPLICATION if version > VERSION => DatabaseKind::Newer(version),
        // Version 0 would have the tables made that are there.
        APPLICATION if version == 0 && tables > 0 => {
            return Err(malformed("it has tables, and no version"));
        }
        APPLICATION => DatabaseKind::Ours(version),
        0 if tables == 0 => DatabaseKind::Ours(0),
        _ => DatabaseKind::Foreign,
    })
}

/// Takes the steps that a file of `version` has not had yet.
pub(super) fn migrate(transaction: &Transaction<'_>, version: u32) -> rusqlite::Result<()> {
    for (step, makes) in MIGRATIONS.iter().zip(1..) {
        if makes > version {
            transaction.execute_batch(step)?;
        }
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)
}

/// A table, an index, a view or a trigger: its type, its name, whose it is, and how it was made.
type Object = (String, String, String, Option<String>);

/// Compares the schema of a history of `version` with what this program makes.
///
/// # Errors
/// When it has something else, or lacks something: whatever is asked of it could then do
/// anything, or go on for ever.
pub(super) fn expect_ours(connection: &Connection, version: u32) -> rusqlite::Result<()> {
    let made = Connection::open_in_memory()?;
    for (step, _) in MIGRATIONS.iter().zip(0..version) {
        made.execute_batch(step)?;
    }
    expect_like(connection, &made)
}

/// Compares the schema of a step with what this program makes.
///
/// # Errors
/// As [`expect_ours`].
pub(super) fn expect_step(connection: &Connection) -> rusqlite::Result<()> {
    let made = Connection::open_in_memory()?;
    made.execute_batch(STEP)?;
    expect_like(connection, &made)
}

/// Compares a schema with the one of `made`.
///
/// # Errors
/// As [`expect_ours`].
pub(super) fn expect_like(found: &Connection, made: &Connection) -> rusqlite::Result<()> {
    let mut expected = BTreeSet::new();
    each_object(made, |object| {
        expected.insert(object);
        Ok(())
    })?;
    each_object(found, |object| {
        let (kind, name, _, sql) = &object;
        let statistics = sql.as_deref().is_some_and(|sql| {
            STATISTICS.split(";\n").any(|table| table == sql) && kind == "table"
        });
        if expected.remove(&object) || statistics {
            return Ok(());
        }
        Err(malformed(format!("its {kind} {name} is not the program's")))
    })?;
    match expected.first() {
        None => Ok(()),
        Some((kind, name, ..)) => Err(malformed(format!("it lacks the {kind} {name}"))),
    }
}

fn each_object(
    connection: &Connection,
    mut take: impl FnMut(Object) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let query = "SELECT type, name, tbl_name, sql FROM sqlite_schema";
    let mut statement = connection.prepare(query)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        take((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))?;
    }
    Ok(())
}

/// A file that this program did not write like that.
pub(super) fn malformed(what: impl Into<String>) -> Error {
    Error::FromSqlConversionFailure(0, Type::Null, what.into().into())
}
