//! One run of either flow: how it begins, and how it is stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tracing::{info, warn};

use crate::activity::{Resource, Summary, Tally};
use crate::api::{Event, Fetch, Observer, SharedFetch};
use crate::concurrency::Stop;
use crate::error::{DataProcessingError, Error};
use crate::settings::Settings;
use crate::storage::{
    Flow, Manifest, Output, Segment, Slice, Spool, Stage, StoredFile, write_json, write_records,
};

use super::Report;
use super::previous::Previous;
use super::reduction::{Reduced, Reduction};
use super::rejects::Rejects;
use super::work::{Done, Refusal};

/// What tells the flows apart once their records are processed.
pub(super) struct Shape {
    pub(super) flow: Flow,
    pub(super) resources: &'static [Resource],
    /// The record files, in the order of the manifest.
    pub(super) outputs: &'static [Output],
}

/// What came of fetching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fetched {
    /// Pages, to be processed.
    Pages,
    /// Nothing that the last snapshot does not have.
    Unchanged,
}

/// A run under way.
pub(super) struct Run {
    pub(super) settings: Settings,
    pub(super) stop: Stop,
    pub(super) stage: Stage,
    pub(super) fetch: Arc<SharedFetch>,
    previous: Option<Previous>,
    shape: &'static Shape,
    id: String,
    started_at: Timestamp,
    begun: Instant,
}

impl Run {
    /// Names the run and takes hold of the data directory.
    pub(super) fn begin(
        shape: &'static Shape,
        settings: &Settings,
        stop: &Stop,
    ) -> Result<Self, Error> {
        let (started_at, begun) = (Timestamp::now(), Instant::now());
        let seed = fastrand::u64(..);
        let id = format!(
            "{}-{:04x}",
            started_at.strftime("%Y%m%dT%H%M%SZ"),
            seed & 0xffff
        );
        info!(run = id, flow = ?shape.flow, source = settings.source.name.as_str(), "run begins");
        let stage = Stage::open(&settings.data_dir, &id, stop)?;
        let mut fetch = Fetch::new(
            settings.policy.clone(),
            &settings.source,
            shape.resources,
            seed,
        );
        let previous = Previous::find(settings, shape.flow);
        if let Some(previous) = &previous {
            fetch.ask_for_changes(previous.validators());
        }
        Ok(Self {
            settings: settings.clone(),
            stop: stop.clone(),
            stage,
            fetch: SharedFetch::new(fetch),
            previous,
            shape,
            id,
            started_at,
            begun,
        })
    }

    /// What remains to do when all is fetched: records that the server did not
    /// send again are taken from the last snapshot, unless that stands as it is.
    pub(super) fn settling(&self) -> impl FnOnce(&Spool) -> Result<Fetched, Error> + Send + use<> {
        let previous = self.previous.clone();
        let email_domain = self.settings.email_domain.clone();
        let offered = &self.settings.source.endpoints;
        let fetched = self
            .shape
            .resources
            .iter()
            .filter(|resource| offered.contains_key(resource))
            .count();
        move |spool| match previous {
            Some(previous) if previous.stands(spool, fetched, &email_domain) => {
                Ok(Fetched::Unchanged)
            }
            Some(previous) => previous.restore(spool).map(|()| Fetched::Pages),
            None => Ok(Fetched::Pages),
        }
    }

    /// The end of a run in which nothing changed: the last snapshot stands.
    fn unchanged(&self, previous: &Previous) -> Report {
        let (snapshot, summary) = previous.report();
        info!(run = self.id, since = previous.run(), "nothing changed");
        Report {
            summary,
            snapshot,
            rejects: Rejects::default(),
            unchanged: true,
            elapsed: self.begun.elapsed(),
        }
    }

    /// Step 4 for one slice: adds what came of it, and tells the fetch whose
    /// children can be asked for now.
    pub(super) fn reduce(
        &self,
        reduction: &mut Reduction,
        slice: &Slice,
        outcome: Result<Done, Refusal>,
        observer: &dyn Observer,
    ) -> Result<(), Error> {
        let done = outcome.map_err(|refusal| refusal.into_error(self.stage.folder()))?;
        if let (true, Some(refused)) = (self.settings.strict, &done.refused) {
            return Err(DataProcessingError::Rejected {
                resource: slice.resource,
                reject: Box::new(refused.first.clone()),
            }
            .into());
        }
        if slice.has_children {
            self.fetch
                .parents(slice.resource, &slice.position, slice.records, &done.ids);
        }
        reduction.add(slice, done, observer)
    }

    /// A run that was stopped by a person ends for that reason, whatever broke because of it.
    pub(super) fn stop_or<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        match self.stop.check() {
            Err(Error::Stopped(reason)) if reason.is_wish() => Err(Error::Stopped(reason)),
            _ => outcome,
        }
    }

    /// Step 5: writes the files and puts them in place, all together.
    pub(super) fn store(
        self,
        fetched: Fetched,
        reduction: Reduction,
        observer: &dyn Observer,
    ) -> Result<Report, Error> {
        if let (Fetched::Unchanged, Some(previous)) = (fetched, &self.previous) {
            return Ok(self.unchanged(previous));
        }
        observer.on(Event::Committing);
        let Reduced {
            tally,
            segments,
            rejects,
            resources,
        } = reduction.finish()?;
        let summary = self.sum_up(tally, &rejects);
        let stored = self.write(&summary, &segments);
        let files = self.stop_or(stored)?;
        // What was rejected is in no output, so "not modified" could not bring it back.
        let mut validators = self.fetch.validators();
        validators.retain(|resource, _| rejects.of(*resource) == 0);
        let manifest = Manifest {
            run: self.id.clone(),
            flow: self.shape.flow,
            source: self.settings.source.name.clone(),
            started_at: self.started_at,
            finished_at: Timestamp::now(),
            email_domain: Some(self.settings.email_domain.clone()),
            definition: self.settings.source.fingerprint(),
            validators,
            resources,
            files: files.clone(),
        };
        let name = self.shape.flow.file_name("manifest");
        let manifest =
            self.stop_or(write_json(self.stage.folder(), name, &manifest).map_err(Error::from))?;
        for file in files.iter().chain([&manifest]) {
            info!(
                file = file.name,
                records = file.records,
                bytes = file.bytes,
                blake3 = file.blake3,
                "stored"
            );
        }
        let snapshot = self.stage.commit(files, &manifest, &self.stop)?;
        let elapsed = self.begun.elapsed();
        info!(run = self.id, ?elapsed, "run is done");
        Ok(Report {
            summary,
            snapshot,
            rejects,
            unchanged: false,
            elapsed,
        })
    }

    fn sum_up(&self, tally: Tally, rejects: &Rejects) -> Summary {
        let Settings {
            source,
            email_domain,
            ..
        } = &self.settings;
        let comments = Resource::Comments;
        let with_comments = self.shape.resources.contains(&comments) && source.offers(comments);
        let name = source.name.as_str();
        let summary = Summary::new(name, email_domain, tally, rejects.total(), with_comments);
        for (resource, count) in &summary.duplicate_ids {
            warn!(%resource, count, "records have an id that another one had before");
        }
        if let Some((resource, first)) = rejects.first() {
            warn!(count = summary.rejected, %resource, %first, "records did not map");
        }
        summary
    }

    fn write(
        &self,
        summary: &Summary,
        segments: &BTreeMap<Output, Vec<Segment>>,
    ) -> Result<Vec<StoredFile>, Error> {
        let (flow, folder) = (self.shape.flow, self.stage.folder());
        let source = &self.settings.source;
        let offered = |output: &&Output| {
            output
                .resource()
                .is_none_or(|resource| source.offers(resource))
        };
        let mut files = Vec::new();
        for output in self.shape.outputs.iter().filter(offered) {
            let parts = segments.get(output).map_or(&[][..], Vec::as_slice);
            let name = output.file_name(flow);
            files.push(write_records(folder, name, output.layout(), parts)?);
        }
        if let Some(rejected) = segments.get(&Output::Rejected) {
            let name = Output::Rejected.file_name(flow);
            files.push(write_records(
                folder,
                name,
                Output::Rejected.layout(),
                rejected,
            )?);
        }
        files.push(write_json(folder, flow.file_name("summary"), summary)?);
        Ok(files)
    }
}
