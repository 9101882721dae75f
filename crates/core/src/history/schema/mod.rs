//! The schema of `history.db`, and its migrations.

use std::collections::BTreeSet;

use rusqlite::types::Type;
use rusqlite::{Connection, Error, Transaction};

/// The `application_id` of this program's files: `ATrk`.
pub(super) const APPLICATION: i32 = 0x4154_726b;

/// One migration per version: the first one creates the tables, each later one changes them. A
/// released migration is never changed.
const MIGRATIONS: [&str; VERSION as usize] = [include_str!("1.sql")];

/// The tables of a step.
pub(super) const STEP: &str = include_str!("step.sql");

/// The tables that SQLite adds when somebody runs `ANALYZE`.
const STATISTICS: &str = "CREATE TABLE sqlite_stat1(tbl,idx,stat);
CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)";

/// The schema version that this program writes.
pub(super) const VERSION: u32 = 1;

/// The origin and version of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DatabaseKind {
    /// Of this program, in this version or an older one that [`migrate`] updates; 0 if it is empty.
    Ours(u32),
    /// Of a newer version of this program.
    Newer(u32),
    /// Of another program.
    Foreign,
}

/// Determines the kind of a file by its header.
pub(super) fn form(connection: &Connection) -> rusqlite::Result<DatabaseKind> {
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(tables, [], |row| row.get(0))?;
    Ok(match application {
        APPLICATION if version > VERSION => DatabaseKind::Newer(version),
        // Version 0 would create tables that already exist.
        APPLICATION if version == 0 && tables > 0 => {
            return Err(malformed("it has tables, and no version"));
        }
        APPLICATION => DatabaseKind::Ours(version),
        0 if tables == 0 => DatabaseKind::Ours(0),
        _ => DatabaseKind::Foreign,
    })
}

/// Runs the migrations that a file of `version` lacks.
pub(super) fn migrate(transaction: &Transaction<'_>, version: u32) -> rusqlite::Result<()> {
    for (step, makes) in MIGRATIONS.iter().zip(1..) {
        if makes > version {
            transaction.execute_batch(step)?;
        }
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)
}

/// A table, an index, a view or a trigger: its type, its name, its table and its SQL.
type Object = (String, String, String, Option<String>);

/// Compares the schema of a history of `version` with the program's own.
///
/// # Errors
/// When it has anything else or lacks something: any query could then do anything, or never end.
pub(super) fn expect_ours(connection: &Connection, version: u32) -> rusqlite::Result<()> {
    let made = Connection::open_in_memory()?;
    for (step, _) in MIGRATIONS.iter().zip(0..version) {
        made.execute_batch(step)?;
    }
    expect_like(connection, &made)
}

/// Compares the schema of a step with the program's own.
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

/// The error of a file that this program would not have written.
pub(super) fn malformed(what: impl Into<String>) -> Error {
    Error::FromSqlConversionFailure(0, Type::Null, what.into().into())
}
