//! Carries over resources from the last snapshot that a run leaves out, or that the server refuses.
//!
//! Their records go through the spool as if they had been fetched, so that the summary is correct,
//! and so are the files made of several resources. Only the history and the counts of received
//! records treat them differently.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use tracing::{info, warn};

use crate::error::{Error, StorageError};
use crate::fetch::{Page, Position};
use crate::record::{Mapping, Mappings, Resource};
use crate::settings::Settings;
use crate::source::{Definition, Source};
use crate::storage::{
    CarriedFrom, Counts, Layout, Output, STAGING, Segment, SegmentWriter, Spool, StoredFile,
    StoredSnapshot, is_whole, read, snapshot_folder,
};

use super::flow_spec::FlowSpec;
use super::slice_processor::mappings;

/// The maximum length of buffered rejects, in bytes, before they are written.
const SEGMENT: usize = 1024 * 1024;

/// The resources that a run carries over from the last snapshot.
#[derive(Clone, Default)]
pub(super) struct Carried(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// Where the files of the last snapshot are.
    folder: PathBuf,
    resources: BTreeMap<Resource, Kept>,
    /// The rejects of the last snapshot, if some are of these resources.
    rejected: Option<StoredFile>,
    /// The source of the last snapshot, if something is carried over.
    definition: Option<Definition>,
}

struct Kept {
    file: StoredFile,
    mapping: Mapping,
    /// `None` if the last snapshot has none.
    counts: Option<Counts>,
    from: CarriedFrom,
}

/// The resource of a line in `rejected.ndjson`.
#[derive(Deserialize)]
struct OfLine {
    resource: Resource,
}

impl Carried {
    /// Finds the resources that the last snapshot of the flow has of the same source and that the
    /// run leaves out.
    ///
    /// # Errors
    /// When a file exists but cannot be read, or has changed since it was stored: the run must keep
    /// it, and would lose it.
    pub(super) fn find(settings: &Settings, shape: &FlowSpec) -> Result<Self, Error> {
        let carried = Self::default();
        let source = &settings.source;
        if !source.definition.is_narrowed() {
            return Ok(carried);
        }
        let whole = source.definition.whole().source()?;
        let resources = shape.resources.iter().copied();
        let left_out = resources.filter(|of| whole.offers(*of) && !source.offers(*of));
        let left_out: Vec<_> = left_out.collect();
        // If every resource that the source offers is selected, nothing is carried over.
        if !left_out.is_empty() {
            expect_manifest(&settings.data_dir, shape, &left_out)?;
            carried.keep(settings, shape, &left_out, "it was not requested")?;
            carried.expect_whole()?;
        }
        Ok(carried)
    }

    /// Verifies the files that are carried over.
    ///
    /// # Errors
    /// When a file has changed since it was stored, or is missing.
    fn expect_whole(&self) -> Result<(), StorageError> {
        let inner = self.inner();
        let files = inner.resources.values().map(|kept| &kept.file);
        for file in files.chain(&inner.rejected) {
            if !is_whole(&inner.folder, file)? {
                let path = inner.folder.join(&file.name);
                let reason = "it is not as it was written, or not there";
                return Err(StorageError::NotKept { path, reason });
            }
        }
        Ok(())
    }

    /// Whether the file of a resource is unchanged since it was stored. A damaged one is dropped.
    ///
    /// # Errors
    /// When it exists but cannot be read.
    pub(super) fn holds(&self, resource: Resource) -> Result<bool, Error> {
        let found = {
            let inner = self.inner();
            let kept = inner.resources.get(&resource);
            kept.map(|kept| (inner.folder.clone(), kept.file.clone()))
        };
        let Some((folder, file)) = found else {
            return Ok(false);
        };
        let is_whole = is_whole(&folder, &file)?;
        if !is_whole {
            warn!(file = file.name, "it is damaged, and not carried over");
            self.inner().resources.remove(&resource);
        }
        Ok(is_whole)
    }

    /// Looks in the last snapshot for a resource that the server refused. Returns whether it is
    /// kept, provided that [`holds`](Self::holds) confirms its file.
    ///
    /// # Errors
    /// When the source of the last snapshot cannot be read.
    pub(super) fn keep_refused(
        &self,
        settings: &Settings,
        shape: &FlowSpec,
        resource: Resource,
    ) -> Result<bool, Error> {
        self.keep(settings, shape, &[resource], "it was refused")?;
        Ok(self.has(resource))
    }

    fn keep(
        &self,
        settings: &Settings,
        shape: &FlowSpec,
        wanted: &[Resource],
        why: &str,
    ) -> Result<(), Error> {
        let data_dir = &settings.data_dir;
        let Some((stored, whole)) = last(data_dir, &settings.source, shape)? else {
            return Ok(());
        };
        let StoredSnapshot {
            folder,
            manifest: last,
        } = stored;
        let mappings = mappings(&whole);
        let mut inner = self.inner();
        for resource in wanted.iter().copied() {
            let Some(file) = last.file(Output::all_of(resource)) else {
                continue;
            };
            if file.records == Some(0) && settings.source.offers(resource) {
                // There is nothing to keep: it was refused then, too.
                continue;
            }
            info!(file = file.name, "{why}, and is carried over");
            let kept = Kept {
                file: file.clone(),
                mapping: mappings.of(resource).clone(),
                counts: last.resources.get(&resource).copied(),
                from: last.fetched_by(resource),
            };
            inner.resources.insert(resource, kept);
        }
        inner.folder = folder;
        let mut counts = inner.resources.values().filter_map(|kept| kept.counts);
        let has_rejects = counts.any(|counts| counts.rejects > 0);
        inner.rejected = last.file(Output::Rejected).cloned();
        inner.rejected.take_if(|_| !has_rejects);
        inner.definition = Some(whole.definition);
        Ok(())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The definition of a run; if users are carried over, with the way in which they were
    /// obtained.
    pub(super) fn users_as(&self, definition: &Definition) -> Definition {
        let inner = self.inner();
        let has_users = inner.resources.contains_key(&Resource::Users);
        match inner.definition.as_ref().filter(|_| has_users) {
            Some(last) => definition.with_users_as(last),
            None => definition.clone(),
        }
    }

    pub(super) fn has(&self, resource: Resource) -> bool {
        self.inner().resources.contains_key(&resource)
    }

    /// The runs that fetched the carried resources.
    pub(super) fn from(&self) -> BTreeMap<Resource, CarriedFrom> {
        let inner = self.inner();
        let resources = inner.resources.iter();
        resources
            .map(|(of, kept)| (*of, kept.from.clone()))
            .collect()
    }

    /// Adds the mappings of the carried records to those of the fetched ones.
    pub(super) fn with_mappings(&self, mut mappings: Mappings) -> Mappings {
        for (resource, kept) in &self.inner().resources {
            mappings = mappings.with(*resource, kept.mapping.clone());
        }
        mappings
    }

    /// Puts the carried records into the spool.
    ///
    /// # Errors
    /// When a file cannot be read, or the receiver of the slices is gone.
    pub(super) fn restore(&self, source: &Source, spool: &Spool) -> Result<(), Error> {
        let resources: Vec<_> = self.inner().resources.keys().copied().collect();
        let mut resources = resources.into_iter();
        resources.try_for_each(|resource| self.restore_one(resource, source, spool))
    }

    /// Puts the carried records of one resource into the spool.
    ///
    /// # Errors
    /// When its file cannot be read, or the receiver of the slices is gone.
    pub(super) fn restore_one(
        &self,
        resource: Resource,
        source: &Source,
        spool: &Spool,
    ) -> Result<(), Error> {
        let path = {
            let inner = self.inner();
            let kept = inner.resources.get(&resource);
            kept.map(|kept| inner.folder.join(&kept.file.name))
        };
        if let Some(path) = path {
            let position = Position::default().then(0);
            let page = Page::of_records(resource, &source.base_url, position);
            spool.carry(page, &path)?;
        }
        Ok(())
    }

    /// Counts the carried records as they were counted when they were fetched. Records that another
    /// version of the program can no longer read are rejects.
    pub(super) fn count(&self, resources: &mut BTreeMap<Resource, Counts>) {
        for (resource, kept) in &self.inner().resources {
            let Some(then) = kept.counts else { continue };
            let now = resources.get(resource).copied().unwrap_or_default();
            let counts = Counts {
                received: then.received,
                records: now.records,
                rejects: then.rejects.saturating_add(now.rejects),
                repeated: then.repeated,
                incomplete: then.incomplete,
            };
            resources.insert(*resource, counts);
        }
    }

    /// The rejects of the carried resources, as segments in the staging folder of a run.
    ///
    /// # Errors
    /// When they cannot be read or written.
    pub(super) fn rejects(&self, folder: &Path) -> Result<Vec<Segment>, StorageError> {
        let mut segments = Vec::new();
        let (from, file) = {
            let inner = self.inner();
            (inner.folder.clone(), inner.rejected.clone())
        };
        let Some(file) = file else {
            return Ok(segments);
        };
        let path = from.join(&file.name);
        if !is_whole(&from, &file)? {
            warn!(file = file.name, "it is damaged, and not carried over");
            return Ok(segments);
        }
        let failed = || StorageError::io("read", &path);
        let mut lines = BufReader::new(read(&path)?);
        let mut kept = SegmentWriter::new(Layout::LINES);
        let mut line = String::new();
        loop {
            let length = lines.read_line(&mut line).map_err(failed())?;
            if kept.records() > 0 && (length == 0 || kept.bytes().len() > SEGMENT) {
                let name = format!("{STAGING}/carried-{}.segments", segments.len());
                let full = std::mem::replace(&mut kept, SegmentWriter::new(Layout::LINES));
                segments.push(full.write(folder, &name)?);
            }
            if length == 0 {
                return Ok(segments);
            }
            let of = serde_json::from_str::<OfLine>(&line);
            if of.is_ok_and(|of| self.has(of.resource)) {
                kept.push(line.trim_end_matches('\n'));
            }
            line.clear();
        }
    }
}

/// Requires a manifest: without it, it is unknown what a file contains and whether it is intact.
///
/// # Errors
/// When the manifest cannot be read, or is missing although a file exists that it should list.
fn expect_manifest(data_dir: &Path, shape: &FlowSpec, left_out: &[Resource]) -> Result<(), Error> {
    if StoredSnapshot::last(data_dir, shape.flow).is_some() {
        return Ok(());
    }
    let is_there = |path: &PathBuf| path.symlink_metadata().is_ok();
    let folder = snapshot_folder(data_dir, shape.flow).unwrap_or_else(|| data_dir.to_owned());
    let manifest = folder.join(shape.flow.file_name("manifest"));
    let mut files = left_out
        .iter()
        .map(|of| folder.join(Output::all_of(*of).file_name(shape.flow)));
    let (found, reason) = if is_there(&manifest) {
        (Some(manifest), "the manifest cannot be read")
    } else {
        (files.find(is_there), "no manifest lists it")
    };
    match found {
        Some(path) => Err(StorageError::NotKept { path, reason }.into()),
        None => Ok(()),
    }
}

/// The last snapshot of the flow, if it is of the same source, and that source with all of its
/// resources.
fn last(
    data_dir: &Path,
    source: &Source,
    shape: &FlowSpec,
) -> Result<Option<(StoredSnapshot, Source)>, Error> {
    let Some(last) = StoredSnapshot::last(data_dir, shape.flow) else {
        return Ok(None);
    };
    let written = last.manifest.source_definition.as_ref();
    let Some(written) = written.filter(|written| written.same_source(&source.definition)) else {
        return Ok(None);
    };
    let whole = source.definition.whole().with_users_as(written).source()?;
    Ok(Some((last, whole)))
}

/// Rejects a run that would fetch nothing, and says what to do.
///
/// # Errors
/// When the source offers none of the flow's resources.
pub(super) fn refuse_nothing(source: &Source, shape: &FlowSpec) -> Result<(), Error> {
    if shape
        .resources
        .iter()
        .any(|resource| source.offers(*resource))
    {
        return Ok(());
    }
    let names = |resources: &mut dyn Iterator<Item = Resource>| {
        let names: Vec<_> = resources.map(Resource::name).collect();
        names.join(" and ")
    };
    let all = [Resource::Users, Resource::Posts, Resource::Comments];
    let chosen = names(&mut all.into_iter().filter(|resource| source.offers(*resource)));
    let takes = names(&mut shape.resources.iter().copied());
    Err(Error::Usage(format!(
        "there is nothing to fetch: the {} flow takes {takes}, and what is wanted of {} is {chosen}; \
         add --async to take comments too, or name others with --resources",
        shape.flow.name(),
        activity_tracker_text::Printable(&source.name),
    )))
}
