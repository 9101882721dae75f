//! What a run adds to the history: computed before its commit, applied after it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;

use jiff::Timestamp;
use tracing::warn;

use crate::error::HistoryError;
use crate::history::{self, Changes, Found, History, NewRun, Places};
use crate::record::Resource;
use crate::storage::{Counts, StoredFile};
use activity_tracker_concurrency::spawn_scoped;

use super::Recorded;
use super::entry_recorder::SliceEntries;
use super::run::{Run, open};
use super::slice_processor::mappings;

impl Run {
    /// The run as the history records it.
    pub(super) fn new_run(&self, finished_at: Timestamp) -> NewRun<'_> {
        NewRun {
            run: &self.id,
            source: &self.settings.source.name,
            flow: self.shape.flow,
            started_at: self.started_at,
            finished_at,
            retries: self.fetch.retries(),
        }
    }

    /// Computes what the run changes in the history.
    pub(super) fn compare(
        &self,
        history: &Mutex<History>,
        finished_at: Timestamp,
        mut listed: BTreeMap<Resource, Vec<SliceEntries>>,
        (resources, files): (&BTreeMap<Resource, Counts>, &[StoredFile]),
    ) -> Result<Changes, HistoryError> {
        let offered = self.shape.resources.iter();
        // A resource that was not fetched says nothing about the API's data.
        let missing = self.missing();
        let closed = |resource| {
            let missing = missing.get(resource);
            missing.is_some_and(|missing| missing.all && missing.is_lacking())
        };
        let fetched =
            offered.filter(|resource| !self.carried.has(**resource) && !closed(*resource));
        let found = fetched.filter_map(|resource| {
            let name = self.shape.flow.file_name(resource.name());
            let file = files.iter().find(|file| file.name == name)?;
            let listed = listed.remove(resource).unwrap_or_default();
            let counts = resources.get(resource).copied().unwrap_or_default();
            let unnamed: u64 = listed.iter().map(|listed| listed.unnamed).sum();
            Some(Found {
                resource: *resource,
                counts,
                file,
                listings: listed.into_iter().filter_map(|one| one.listing).collect(),
                complete: !self.resumed
                    && unnamed == 0
                    && !counts.incomplete
                    && !missing.contains_key(resource),
            })
        });
        let new_files = self.stage.new_files();
        let places = Places {
            data_dir: &self.settings.data_dir,
            folder: self.stage.folder(),
            new_files: &new_files,
        };
        let mappings = mappings(&self.source());
        open(history).compare(
            &self.new_run(finished_at),
            &found.collect::<Vec<_>>(),
            places,
            &mappings,
        )
    }

    /// Lets everyone who may read the snapshot read the history.
    pub(super) fn let_read_history(&self) {
        let path = self.settings.data_dir.join(history::FILE);
        if let Err(error) = self.settings.readers.of_file(&path) {
            // For example, because another user owns it. This does not fail the run.
            warn!(%error, "the history keeps its permissions");
        }
    }

    /// Applies the run's changes to the history, after the commit. If this fails, the next command
    /// does it.
    pub(super) fn record(&self, history: &Mutex<History>, changes: Changes) -> Recorded {
        let taken = thread::scope(|scope| {
            // Removing the last snapshot takes long if it is large.
            if spawn_scoped(scope, || self.stage.clean()).is_err() {
                self.stage.clean();
            }
            open(history).take_step()
        });
        self.let_read_history();
        let behind = taken.err().map(|error| {
            warn!(%error, "the history is one run behind; the next command updates it");
            error.to_string()
        });
        let history = open(history);
        Recorded {
            run: self.id.clone(),
            changes,
            behind,
            set_aside: history.set_aside().to_vec(),
            lacks: history.lacks().map(str::to_owned),
        }
    }
}
