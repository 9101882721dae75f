//! The tables of `history.db`, and how an older file is brought to this form.

use rusqlite::{Connection, Transaction};

/// Says that a file is one of ours: `ATrk`.
pub(super) const APPLICATION: i32 = 0x4154_726b;

/// One step for each version: the first makes the tables, each later one changes them.
/// A step that was released is never changed.
const MIGRATIONS: [&str; VERSION as usize] = [include_str!("schema/1.sql")];

/// The version that this program writes.
pub(super) const VERSION: u32 = 1;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Of this version, or empty or older, which is mended by [`migrate`].
    Ours(u32),
    /// Of a later version of this program.
    Newer(u32),
    /// Another program's.
    Foreign,
}

/// Looks at the marks of a file.
pub(super) fn form(connection: &Connection) -> rusqlite::Result<Form> {
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(tables, [], |row| row.get(0))?;
    Ok(match application {
        APPLICATION if version > VERSION => Form::Newer(version),
        APPLICATION => Form::Ours(version),
        0 if tables == 0 => Form::Ours(0),
        _ => Form::Foreign,
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
