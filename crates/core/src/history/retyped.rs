//! Ids that an API changed from numbers to texts, or back. The records are the same, so a removed
//! and an added record become one.

use std::path::Path;

use rusqlite::{Connection, params};

use super::HistoryError;
use crate::record::{Mapping, Resource};

use super::change_counts::ChangeCounts;
use super::change_writer::difference;

/// The rows of a removed and an added record with the same id, in pairs.
const PAIRS: &str = "
WITH new AS MATERIALIZED (
    SELECT id, typeof(record) AS type, CAST(record AS TEXT) AS text FROM changes
    WHERE resource = ?1 AND kind = 'added'
)
SELECT old.id, new.id FROM changes old JOIN new
  ON new.text = CAST(old.record AS TEXT) AND new.type <> typeof(old.record)
WHERE old.resource = ?1 AND old.kind = 'removed' ORDER BY new.id";

/// Joins a removed and an added record that are the same record.
///
/// A row of the kind `retyped` makes the history replace the id when the step is applied.
pub(super) fn join(
    (step, path): (&Connection, &Path),
    resource: Resource,
    mapping: &Mapping,
    counts: &mut ChangeCounts,
) -> Result<(), HistoryError> {
    if counts.added == 0 || counts.removed == 0 {
        return Ok(());
    }
    joined(step, resource, mapping, counts).map_err(HistoryError::sqlite("write", path))
}

fn joined(
    step: &Connection,
    resource: Resource,
    mapping: &Mapping,
    counts: &mut ChangeCounts,
) -> rusqlite::Result<()> {
    let pairs = step
        .prepare(PAIRS)?
        .query_map([resource.name()], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<(i64, i64)>>>()?;
    let text = "SELECT coalesce(before, after) FROM changes WHERE id = ?1";
    let mut text = step.prepare(text)?;
    let mut read = |row: i64| text.query_row([row], |row| row.get::<_, Option<String>>(0));
    for (removed, added) in pairs {
        let fields = match (read(removed)?, read(added)?) {
            (Some(before), Some(after)) => difference(mapping, &before, &after),
            _ => None,
        };
        let fields = fields.filter(|fields| !fields.is_empty());
        step.prepare_cached("DELETE FROM changes WHERE id = ?1")?
            .execute([removed])?;
        counts.removed = counts.removed.saturating_sub(1);
        counts.added = counts.added.saturating_sub(1);
        counts.retyped = counts.retyped.saturating_add(1);
        if let Some(fields) = fields {
            counts.changed = counts.changed.saturating_add(1);
            step.prepare_cached(
                "INSERT INTO changes (resource, record, kind, label, user, email, before, after)
                 SELECT resource, record, 'changed', label, user, email, ?2, ?3
                 FROM changes WHERE id = ?1",
            )?
            .execute(params![added, fields.before(), fields.after()])?;
        }
        step.prepare_cached(
            "UPDATE changes SET kind = 'retyped', before = NULL, after = NULL WHERE id = ?1",
        )?
        .execute([added])?;
    }
    Ok(())
}
