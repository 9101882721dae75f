//! One run of either flow: how it starts, and how it is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::path::{self, Path};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use jiff::Timestamp;
use tracing::{Span, info, warn};

use crate::activity::{ActivityCounts, Ranking, Summary};
use crate::error::{ApiError, DataProcessingError, Error, HistoryError, StorageError};
use crate::fetch::{Event, Fetch, Observer, SharedFetch};
use crate::history::{self, History};
use crate::record::Resource;
use crate::settings::{Settings, Start};
use crate::storage::{
    Counts, Header, Journal, Journaled, Manifest, NewSnapshot, Output, Pages, Segment, Slice,
    Spool, Stage, StoredFile, write_json, write_records,
};
use activity_tracker_concurrency::{Stop, Stopped, spawn_scoped};
use activity_tracker_text::milliseconds;

use super::carry::{Carried, refuse_nothing};
use super::flow_spec::FlowSpec;
use super::invalid_children::{self, Stray};
use super::previous::Previous;
use super::reducer::{Reduced, Reducer};
use super::rejects::Rejects;
use super::repeats::{Repeats, Search};
use super::slice_processor::{SliceError, SliceProcessor, SliceResult, mappings};
use super::{Recorded, RunOutcome};

/// The result of fetching.
#[derive(Debug)]
pub(super) enum Fetched {
    /// Pages to process.
    Pages,
    /// Nothing that the last snapshot does not have; this is its summary.
    Unchanged(Box<Summary>),
}

/// A run in progress.
pub(super) struct Run {
    pub(super) settings: Settings,
    pub(super) stop: Stop,
    pub(super) stage: Stage,
    pub(super) journal: Arc<Journal>,
    pub(super) fetch: Arc<SharedFetch>,
    previous: Option<Previous>,
    /// What the run leaves out or is refused, and carries over from the last snapshot.
    pub(super) carried: Carried,
    /// Whether the server refused to list its users, and the authors replaced them.
    pub(super) users_closed: AtomicBool,
    pub(super) history: Option<Mutex<History>>,
    /// Whether some of the pages are from an interrupted run.
    pub(super) resumed: bool,
    pub(super) shape: &'static FlowSpec,
    pub(super) id: String,
    pub(super) started_at: Timestamp,
    begun: Instant,
}

impl Run {
    /// Names the run, locks the data directory, and determines what to start from.
    pub(super) fn begin(
        shape: &'static FlowSpec,
        settings: &Settings,
        stop: &Stop,
        observer: &dyn Observer,
    ) -> Result<Self, Error> {
        let begun = Self::try_begin(shape, settings, stop, observer);
        // A stop removes the folders of the run while they may be in use, so it is the cause of
        // errors.
        begun.map_err(|error| stop.check().map_or_else(Error::from, |()| error))
    }

    fn try_begin(
        shape: &'static FlowSpec,
        settings: &Settings,
        stop: &Stop,
        observer: &dyn Observer,
    ) -> Result<Self, Error> {
        let (started_at, begun) = (Timestamp::now(), Instant::now());
        let seed = fastrand::u64(..);
        let id = format!(
            "{}-{:04x}",
            started_at.strftime("%Y%m%dT%H%M%SZ"),
            seed & 0xffff
        );
        let source = &settings.source;
        refuse_nothing(source, shape)?;
        Span::current().record("id", &id);
        info!(source = source.name.as_str(), "run started");
        let queueing = || observer.on(Event::Queueing);
        let wait: Option<&dyn Fn()> = if settings.wait { Some(&queueing) } else { None };
        let whose = (shape.flow, settings.readers);
        let stage = Stage::open(&settings.data_dir, whose, wait, stop)?;
        let open = || History::open_for_run(&settings.data_dir, &id, stop);
        let history = settings.keeps_history().then(open).transpose()?;
        // Before pages are discarded that could be resumed, because this may fail.
        let carried = Carried::find(settings, shape)?;
        let header = Header::new(&id, shape.flow, started_at, source);
        let journal = journal(&stage, settings, &header, observer)?;
        let mut fetch = Fetch::new(settings.policy.clone(), source, shape.resources, seed);
        let stored = journal.stored();
        let resumed = !stored.is_empty();
        fetch.resume(stored, &journal.looks());
        let previous = Previous::find(settings, shape.flow);
        if let Some(previous) = &previous {
            fetch.ask_for_changes(previous.validators());
        }
        Ok(Self {
            settings: settings.clone(),
            stop: stop.clone(),
            stage,
            journal: Arc::new(journal),
            fetch: SharedFetch::new(fetch),
            previous,
            carried,
            users_closed: AtomicBool::new(false),
            history: history.map(Mutex::new),
            resumed,
            shape,
            id,
            started_at,
            begun,
        })
    }

    /// The processor of the slices.
    pub(super) fn bench(&self) -> SliceProcessor {
        let mappings = self.carried.with_mappings(mappings(&self.source()));
        SliceProcessor::new(self.stage.folder(), &self.settings, mappings)
    }

    /// Configures a spool to set long records aside, and to send slices on while their response is
    /// received. The latter not in a strict run: a rejected record fails it, and must not be in a
    /// response that is interrupted and retried.
    pub(super) fn prepared(&self, spool: Spool) -> Spool {
        let spool = spool.with_longest_record(self.settings.max_record);
        if self.settings.strict {
            spool
        } else {
            spool.streaming()
        }
    }

    /// Whether there is no snapshot that could be reused: then there will be slices to process.
    pub(super) fn is_first(&self) -> bool {
        self.previous.is_none()
    }

    /// Whether the pages are those that another run kept.
    pub(super) fn replays(&self) -> bool {
        matches!(self.settings.start, Start::Replay(_))
    }

    /// The reducer for the results of slices.
    pub(super) fn reduction(&self) -> Reducer {
        if self.replays() {
            Reducer::of_pages()
        } else {
            Reducer::default()
        }
    }

    /// The search for records that were received on more than one page.
    pub(super) fn search(&self, bench: &SliceProcessor, suspects: &BTreeSet<Resource>) -> Search {
        let spool = Spool::new(self.stage.staging(), Arc::clone(&self.journal), |_| Ok(()));
        Search {
            spool: self.prepared(spool),
            source: self.settings.source.clone(),
            mappings: bench.mappings.clone(),
            suspects: suspects.clone(),
        }
    }

    /// Whether to fetch pages again, because records moved between them.
    ///
    /// # Errors
    /// When records may be missing, and no attempts are left.
    pub(super) fn looks_again(
        &self,
        repeats: &Repeats,
        suspects: &BTreeSet<Resource>,
    ) -> Result<bool, Error> {
        if self.replays() {
            return Ok(false);
        }
        Ok(self.fetch.repeated(&repeats.of(suspects))?)
    }

    /// Processes the stored pages again.
    pub(super) fn again(
        &self,
        choice: Repeats,
    ) -> impl FnOnce(&Spool, &dyn Observer) -> Result<(), Error> + Send + use<> {
        let (carried, source) = (self.carried.clone(), self.settings.source.clone());
        move |spool, observer| {
            spool.replay(&choice, observer)?;
            carried.restore(&source, spool)
        }
    }

    /// Completes another attempt to fetch the pages.
    pub(super) fn looked(&self) -> impl FnOnce(&Spool) -> Result<(), Error> + Send + use<> {
        let (journal, fetch) = (Arc::clone(&self.journal), Arc::clone(&self.fetch));
        move |spool| {
            spool.looked();
            let missing = fetch.missing();
            Ok(journal.complete(&missing)?)
        }
    }

    /// What remains to do after fetching: resources that the server reported as unchanged are taken
    /// from the last snapshot, unless all of it is reused.
    pub(super) fn settling(&self) -> impl FnOnce(&Spool) -> Result<Fetched, Error> + Send + use<> {
        let (previous, carried) = (self.previous.clone(), self.carried.clone());
        let (journal, missing) = (Arc::clone(&self.journal), self.fetch.missing());
        let source = self.settings.source.clone();
        let email_domain = self.settings.email_domain.clone();
        let offered = &self.settings.source.endpoints;
        let wanted = self.shape.resources.iter();
        let fetched = wanted
            .filter(|resource| offered.contains_key(resource))
            .count();
        move |spool| {
            if let Some(previous) = previous {
                if let Some(summary) = previous.stands(spool, fetched, &email_domain) {
                    return Ok(Fetched::Unchanged(Box::new(summary)));
                }
                previous.restore(spool)?;
            }
            carried.restore(&source, spool)?;
            spool.looked();
            journal.complete(&missing)?;
            Ok(Fetched::Pages)
        }
    }

    /// Ends a run. If it failed, the error says whether it can be resumed.
    pub(super) fn end(self, outcome: Result<RunOutcome, Error>) -> Result<RunOutcome, Error> {
        outcome.map_err(|error| {
            let pages = self.journal.pages();
            match &error {
                // These pages are inconsistent, and would be so in the next run, too.
                Error::Api(ApiError::Paging { .. } | ApiError::Expired { .. }) => {
                    self.stage.keep_spool(false);
                    return error;
                }
                // The pages are kept, but resuming is not suggested.
                Error::Api(cause) if cause.is_lasting() => return error,
                _ => {}
            }
            if pages == 0 || self.replays() {
                return error;
            }
            info!(pages, "pages kept; `run --resume` continues from them");
            let cause = Box::new(error);
            Error::Unfinished { cause, pages }
        })
    }

    /// Ends a run in which nothing changed: the last snapshot is reused.
    fn unchanged(&self, previous: &Previous, summary: Summary) -> Result<RunOutcome, Error> {
        info!(previous = previous.run(), "nothing changed");
        self.stage.keep_snapshots(self.settings.keep_snapshots);
        let recorded = self.history.as_ref().map(|history| {
            let run = self.new_run(Timestamp::now());
            let mut history = open(history);
            history.unchanged(&run, self.shape.resources)?;
            self.let_read_history();
            Ok::<_, HistoryError>(Recorded {
                run: self.id.clone(),
                set_aside: history.set_aside().to_vec(),
                lacks: history.lacks().map(str::to_owned),
                ..Recorded::default()
            })
        });
        Ok(RunOutcome {
            recorded: recorded.transpose()?,
            summary,
            snapshot: previous.snapshot(),
            rejects: Rejects::default(),
            missing: self.missing(),
            carried: self.carried.from(),
            incomplete: BTreeSet::new(),
            repeated: BTreeMap::new(),
            hidden: BTreeMap::new(),
            remarks: self.fetch.remarks(),
            unchanged: true,
            elapsed: self.begun.elapsed(),
        })
    }

    /// Step 4 for one slice: adds its result, and informs the fetch which children can be
    /// requested.
    pub(super) fn reduce(
        &self,
        reduction: &mut Reducer,
        slice: &Slice,
        outcome: Result<SliceResult, SliceError>,
        observer: &dyn Observer,
    ) -> Result<(), Error> {
        if slice
            .response
            .is_some_and(|response| self.journal.broke_off(response))
        {
            return Ok(());
        }
        let done = outcome.map_err(|refusal| refusal.into_error(self.stage.folder()))?;
        if let (true, Some(refused)) = (self.settings.strict, &done.refused) {
            return Err(DataProcessingError::Rejected {
                resource: slice.resource,
                reject: Box::new(refused.first.clone()),
            }
            .into());
        }
        if slice.has_children {
            if !reduction.is_of_pages() {
                self.fetch
                    .parents(slice.resource, &slice.position, slice.records, &done.ids);
            }
            self.reject_strays(reduction, slice, &done.strays)?;
        }
        reduction.add(slice, done, observer)
    }

    /// Rejects the children of records whose ids would change the path of requests.
    fn reject_strays(
        &self,
        reduction: &mut Reducer,
        slice: &Slice,
        strays: &[Stray],
    ) -> Result<(), Error> {
        let endpoints = &self.settings.source.endpoints;
        let wanted = self.shape.resources.iter().copied();
        let is_child = |resource: &Resource| {
            let endpoint = endpoints.get(resource);
            endpoint.and_then(|endpoint| endpoint.parent) == Some(slice.resource)
        };
        for children in wanted.filter(is_child) {
            let rejected = invalid_children::reject(children, slice, strays, self.stage.folder())?;
            let Some(rejected) = rejected else { continue };
            if self.settings.strict {
                return Err(DataProcessingError::Rejected {
                    resource: children,
                    reject: Box::new(rejected.refused.first),
                }
                .into());
            }
            reduction.add_strays(slice, rejected);
        }
        Ok(())
    }

    /// If the run was stopped on request, this is its error, whatever failed because of it.
    pub(super) fn stop_or<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        match self.stop.check() {
            Err(Stopped(reason)) if reason.is_wish() => Err(Error::Stopped(reason)),
            _ => outcome,
        }
    }

    /// Step 5: writes the files and commits them together.
    pub(super) fn store(
        &self,
        fetched: Fetched,
        reduction: Reducer,
        observer: &dyn Observer,
    ) -> Result<RunOutcome, Error> {
        if let (Fetched::Unchanged(summary), Some(previous)) = (fetched, &self.previous) {
            return self.stop_or(self.unchanged(previous, *summary));
        }
        let missing = self.missing();
        let mut lacking = missing.iter().filter(|(_, missing)| missing.is_lacking());
        if let (true, Some((resource, first))) = (self.settings.strict, lacking.next()) {
            let (resource, first) = (*resource, first.to_string());
            return Err(DataProcessingError::Missing { resource, first }.into());
        }
        observer.on(Event::Committing);
        let Reduced {
            tally,
            mut segments,
            rejects,
            mut resources,
            listed,
        } = reduction.finish()?;
        for resource in self.fetch.moving() {
            resources.entry(resource).or_default().incomplete = true;
        }
        self.carried.count(&mut resources);
        let carried = self.carried.rejects(self.stage.folder())?;
        if !carried.is_empty() {
            let rejected = segments.entry(Output::Rejected).or_default();
            rejected.splice(..0, carried);
        }
        let all_rejects = resources.values().map(|counts| counts.rejects).sum();
        let incomplete = resources.iter().filter(|(_, counts)| counts.incomplete);
        let incomplete = incomplete.map(|(resource, _)| *resource).collect();
        let repeated = self.repeated(&resources);
        let mut summary = self.sum_up(&tally, &rejects, all_rejects);
        let stored = self.write(&mut summary, tally, &segments);
        drop(segments);
        let files = self.stop_or(stored)?;
        // Rejected records are in no output, so a "not modified" response could not restore them.
        let mut validators = self.fetch.validators();
        // What replaces a refused resource is not what the server would report as unchanged.
        validators.retain(|resource, _| {
            rejects.of(*resource) == 0 && !missing.get(resource).is_some_and(|missing| missing.all)
        });
        let finished_at = Timestamp::now();
        let of_all = (&resources, files.as_slice());
        let compare = |history| self.compare(history, finished_at, listed, of_all);
        let compared = self.history.as_ref().map(compare).transpose();
        let changes = self.stop_or(compared.map_err(Error::from))?;
        let manifest = Manifest {
            run: self.id.clone(),
            flow: self.shape.flow,
            source: self.settings.source.name.clone(),
            started_at: self.started_at,
            finished_at,
            email_domain: Some(self.settings.email_domain.clone()),
            definition: self.settings.source.fingerprint(),
            source_definition: Some(self.carried.users_as(&self.source().definition)),
            validators,
            resources,
            missing: missing.clone(),
            carried: self.carried.from(),
            in_history: self.history.is_some(),
            files: files.clone(),
        };
        let name = self.shape.flow.file_name("manifest");
        let manifest = self
            .stop_or(write_json(&self.stage.new_files(), name, &manifest).map_err(Error::from))?;
        for file in files.iter().chain([&manifest]) {
            info!(
                file = file.name,
                records = file.records,
                bytes = file.bytes,
                blake3 = file.blake3,
                "stored"
            );
        }
        let new = NewSnapshot {
            run: &self.id,
            files: &files,
            manifest: &manifest,
            beside: changes.is_some().then_some(history::STEP),
            keep_raw: self.settings.keep_raw,
            keep_snapshots: self.settings.keep_snapshots,
        };
        let snapshot = self.stage.commit(new, &self.stop)?;
        let history = self.history.as_ref().zip(changes);
        let recorded = history.map(|(history, changes)| self.record(history, changes));
        let elapsed = self.begun.elapsed();
        let elapsed_ms = milliseconds(elapsed);
        info!(elapsed_ms, "run finished");
        Ok(RunOutcome {
            summary,
            snapshot,
            rejects,
            missing,
            carried: self.carried.from(),
            incomplete,
            repeated,
            hidden: self.fetch.hidden(),
            remarks: self.fetch.remarks(),
            recorded,
            unchanged: false,
            elapsed,
        })
    }

    /// How many of the fetched records were received again on a later page.
    fn repeated(&self, resources: &BTreeMap<Resource, Counts>) -> BTreeMap<Resource, u64> {
        let repeated = resources.iter().map(|(of, counts)| (*of, counts.repeated));
        let fetched = repeated.filter(|(of, count)| *count > 0 && !self.carried.has(*of));
        fetched
            .inspect(|(resource, count)| {
                warn!(%resource, count, "records came again on a later page and are stored once");
            })
            .collect()
    }

    fn sum_up(&self, tally: &ActivityCounts, rejects: &Rejects, all_rejects: u64) -> Summary {
        let Settings {
            source,
            email_domain,
            ..
        } = &self.settings;
        let comments = Resource::Comments;
        let offered = source.offers(comments) || self.carried.has(comments);
        let with_comments = self.shape.resources.contains(&comments) && offered;
        let name = source.name.as_str();
        let summary = Summary::new(name, email_domain, tally, all_rejects, with_comments);
        for (resource, count) in &summary.duplicate_ids {
            warn!(%resource, count, "records have an id that another one had before");
        }
        if let Some((resource, first)) = rejects.first() {
            warn!(count = rejects.total(), %resource, %first, "records did not map");
        }
        summary
    }

    /// Writes the files: those of records on another thread, while the summary is computed.
    fn write(
        &self,
        summary: &mut Summary,
        tally: ActivityCounts,
        segments: &BTreeMap<Output, Vec<Segment>>,
    ) -> Result<Vec<StoredFile>, Error> {
        let (flow, new_files) = (self.shape.flow, self.stage.new_files());
        let folders = (self.stage.folder(), new_files.as_path());
        let pages = Pages {
            journal: &self.journal,
            stay: self.settings.keep_raw || self.replays(),
        };
        let source = &self.settings.source;
        let offered = |output: &&Output| {
            output
                .resource()
                .is_none_or(|resource| source.offers(resource) || self.carried.has(resource))
        };
        let parts = |output: Output| segments.get(&output).map_or(&[][..], Vec::as_slice);
        let rejected = Some(&Output::Rejected).filter(|output| !parts(**output).is_empty());
        let records = || {
            let outputs = self.shape.outputs.iter().filter(offered).chain(rejected);
            let write = |output: &Output| {
                let name = output.file_name(flow);
                write_records(folders, name, output.layout(), parts(*output), pages)
            };
            outputs.map(write).collect::<Result<Vec<_>, _>>()
        };
        let (records, summary) = thread::scope(|scope| {
            // If no thread can be started, the records are written first.
            let records = spawn_scoped(scope, records).map_err(|_| records());
            let ranking = rank(self.stage.folder(), tally, parts(Output::Called));
            let summary = ranking.and_then(|ranking| {
                summary.posts_per_user = ranking;
                write_json(&new_files, flow.file_name("summary"), summary)
            });
            let join = |thread: ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| resume_unwind(panic))
            };
            let records = records.map_or_else(|written| written, join);
            (records, summary)
        });
        let mut files = records?;
        files.push(summary?);
        Ok(files)
    }
}

/// Ranks the users by posts. Their names are read only here.
fn rank(folder: &Path, tally: ActivityCounts, called: &[Segment]) -> Result<Ranking, StorageError> {
    let bytes = called.iter().map(|segment| segment.place.length).sum();
    let users = called.iter().map(|segment| segment.records).sum();
    let mut ranker = tally.ranker().with_capacity(users, bytes);
    let mut bytes = Vec::new();
    for Segment { place, .. } in called {
        place.read_into(folder, &mut bytes)?;
        let damaged = |_| StorageError::Damaged(folder.join(&place.file));
        ranker.add(&bytes).map_err(damaged)?;
    }
    Ok(ranker.finish())
}

/// The journal of the spool that the run writes to, or whose pages it replays.
fn journal(
    stage: &Stage,
    settings: &Settings,
    header: &Header,
    observer: &dyn Observer,
) -> Result<Journal, Error> {
    let unfinished = stage.unfinished()?;
    let resumed = settings.start == Start::Resume;
    if let Some(left) = unfinished {
        let (run, started_at) = (&left.header.run, left.header.started_at);
        let (pages, planned) = (left.pages(), left.planned());
        if let Some(misfit) = left.header.misfit(header).filter(|_| resumed) {
            return Err(Error::Usage(format!(
                "cannot resume the interrupted run {run}: it belongs to {misfit}; start a new one without --resume"
            )));
        }
        info!(
            interrupted = run,
            pages, resumed, "found pages of an interrupted run"
        );
        observer.on(Event::Unfinished {
            started_at,
            pages,
            planned,
            resumed,
        });
        if resumed {
            return Ok(stage.resume_spool(left)?);
        }
    }
    let journal = stage.begin_spool(header)?;
    let Start::Replay(folder) = &settings.start else {
        return Ok(journal);
    };
    // The working directory of workers is another one.
    let folder = path::absolute(folder).map_err(StorageError::io("find", folder))?;
    let kept = Journaled::read(&folder)?.filter(|kept| kept.complete);
    let kept = kept.ok_or_else(|| StorageError::Damaged(folder.clone()))?;
    Ok(Journal::read_only(&folder, kept))
}

/// Locks the history, even if a thread panicked while it held the lock: SQLite rolls back an
/// unfinished transaction.
pub(super) fn open(history: &Mutex<History>) -> MutexGuard<'_, History> {
    history.lock().unwrap_or_else(PoisonError::into_inner)
}
