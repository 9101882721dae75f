//! Access to the runs of the history without loading all of them.

use rusqlite::OptionalExtension;

use super::HistoryError;

use super::query::{Log, LoggedRun, found, logged, resource};

impl Log {
    /// The number of the run with this id or number; `None` if the history does not have it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn find_run(&self, named: &str) -> Result<Option<i64>, HistoryError> {
        let text = "SELECT id FROM runs WHERE run = ?1 OR CAST(id AS TEXT) = ?1";
        let number = self.connection.query_row(text, [named], |row| row.get(0));
        number
            .optional()
            .map_err(HistoryError::sqlite("read", &self.path))
    }

    /// The last runs, at most `limit`, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn last_runs(&self, limit: u64) -> Result<Vec<LoggedRun>, HistoryError> {
        self.read_runs(None, Some(limit))
            .map_err(HistoryError::sqlite("read", &self.path))
    }

    /// Calls `take` for each run, newest first. Memory use does not grow with the number of runs.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn each_run(&self, mut take: impl FnMut(LoggedRun)) -> Result<(), HistoryError> {
        let mut read = || {
            let mut statement = self.connection.prepare(
                "SELECT id, run, source, flow, started_at, finished_at, retries, unchanged
                 FROM runs ORDER BY id DESC",
            )?;
            let mut of_run = self.connection.prepare(
                "SELECT r.run, c.resource, r.received, r.records, r.rejects, r.first, r.complete,
                        r.added, r.changed, r.removed
                 FROM run_collections r JOIN collections c ON c.id = r.collection
                 WHERE r.run = ?1",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let mut run = logged(row)?;
                let mut rows = of_run.query([run.number])?;
                while let Some(row) = rows.next()? {
                    run.resources.insert(resource(row, 1)?, found(row)?);
                }
                take(run);
            }
            Ok(())
        };
        read().map_err(HistoryError::sqlite("read", &self.path))
    }
}
