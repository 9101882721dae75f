//! What a run is told to leave out and the last snapshot has: it stays, in the new one.
//!
//! Its records go through the spool as if they had been fetched, so that the summary and the
//! files made of several resources are right. Only the history and the counts of what came know
//! that they were not.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use tracing::{info, warn};

use crate::activity::{Mapping, Mappings, Resource};
use crate::api::{Page, Position, Subject};
use crate::error::{Error, StorageError};
use crate::settings::Settings;
use crate::source::Source;
use crate::storage::{
    CarriedFrom, Counts, Layout, Manifest, Output, STAGING, Segment, SegmentWriter, Spool,
    StoredFile, is_whole, read,
};

use super::Shape;
use super::work::mappings;

/// Bytes of rejects that are held in memory before they are written.
const SEGMENT: usize = 1024 * 1024;

/// The resources of the last snapshot that a run leaves as they are.
#[derive(Clone, Default)]
pub(super) struct Carried(Arc<Inner>);

#[derive(Default)]
struct Inner {
    data_dir: PathBuf,
    resources: BTreeMap<Resource, Kept>,
    /// The rejects of the last snapshot, where some are of these.
    rejected: Option<StoredFile>,
}

struct Kept {
    file: StoredFile,
    mapping: Mapping,
    /// None where none came.
    counts: Option<Counts>,
    from: CarriedFrom,
}

/// The resource that a line of `rejected.ndjson` is of.
#[derive(Deserialize)]
struct OfLine {
    resource: Resource,
}

impl Carried {
    /// Looks for what the last snapshot of the flow has of the same source, and the run was told
    /// to leave out. What is damaged is not carried on.
    ///
    /// # Errors
    /// When a file is there and cannot be read.
    pub(super) fn find(settings: &Settings, shape: &Shape) -> Result<Self, Error> {
        let (source, data_dir) = (&settings.source, settings.data_dir.clone());
        let Some((last, whole)) = last(&data_dir, source, shape)? else {
            return Ok(Self::default());
        };
        let mappings = mappings(&whole);
        let mut resources = BTreeMap::new();
        let left_out = |resource: &&Resource| !source.offers(**resource);
        for resource in shape
            .resources
            .iter()
            .copied()
            .filter(|resource| left_out(&resource))
        {
            let Some(file) = last.file(Output::all_of(resource)) else {
                continue;
            };
            if !is_whole(&data_dir, file)? {
                warn!(file = file.name, "it is damaged, and not carried over");
                continue;
            }
            info!(
                file = file.name,
                "it was not asked for, and is carried over"
            );
            let kept = Kept {
                file: file.clone(),
                mapping: mappings.of(resource).clone(),
                counts: last.resources.get(&resource).copied(),
                from: last.fetched_by(resource),
            };
            resources.insert(resource, kept);
        }
        let rejected = last.file(Output::Rejected).cloned();
        let mut counts = resources.values().filter_map(|kept| kept.counts);
        let has_rejects = counts.any(|counts| counts.rejects > 0);
        Ok(Self(Arc::new(Inner {
            data_dir,
            resources,
            rejected: rejected.filter(|_| has_rejects),
        })))
    }

    pub(super) fn has(&self, resource: Resource) -> bool {
        self.0.resources.contains_key(&resource)
    }

    /// Which runs they are of.
    pub(super) fn from(&self) -> BTreeMap<Resource, CarriedFrom> {
        let resources = self.0.resources.iter();
        resources
            .map(|(of, kept)| (*of, kept.from.clone()))
            .collect()
    }

    /// How their records are read, beside those that are fetched.
    pub(super) fn with_mappings(&self, mut mappings: Mappings) -> Mappings {
        for (resource, kept) in &self.0.resources {
            mappings = mappings.with(*resource, kept.mapping.clone());
        }
        mappings
    }

    /// Puts their records into the spool.
    ///
    /// # Errors
    /// When a file cannot be read, or nobody takes the records.
    pub(super) fn restore(&self, source: &Source, spool: &Spool) -> Result<(), Error> {
        for (resource, kept) in &self.0.resources {
            let page = Page {
                subject: Subject {
                    resource: *resource,
                    url: source.base_url.clone(),
                },
                position: Position::default().then(0),
                records_at: Arc::default(),
                one_of_many: false,
                has_children: false,
                leads_on: false,
                look: None,
            };
            spool.carry(page, &self.0.data_dir.join(&kept.file.name))?;
        }
        Ok(())
    }

    /// Counts them as they were counted when they came. Records that cannot be read any more,
    /// by another version of the program, are rejects.
    pub(super) fn count(&self, resources: &mut BTreeMap<Resource, Counts>) {
        for (resource, kept) in &self.0.resources {
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

    /// The rejects of these resources, as segments in the staging folder of a run.
    ///
    /// # Errors
    /// When they cannot be read or written.
    pub(super) fn rejects(&self, folder: &Path) -> Result<Vec<Segment>, StorageError> {
        let mut segments = Vec::new();
        let Some(file) = &self.0.rejected else {
            return Ok(segments);
        };
        let path = self.0.data_dir.join(&file.name);
        if !is_whole(&self.0.data_dir, file)? {
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

/// The last snapshot of the flow, if it is of the same source, and that source with all of its
/// resources.
fn last(
    data_dir: &Path,
    source: &Source,
    shape: &Shape,
) -> Result<Option<(Manifest, Source)>, Error> {
    let Some(last) = Manifest::last(data_dir, shape.flow) else {
        return Ok(None);
    };
    let same = last.source_definition.as_ref();
    let same = same.is_some_and(|written| written.same_source(&source.definition));
    if !same || !source.definition.is_narrowed() {
        return Ok(None);
    }
    let whole = source.definition.whole().source()?;
    Ok(Some((last, whole)))
}

/// The files of a flow that the new snapshot does not have: those of a source that offered other
/// resources, and rejects where there are none any more.
pub(super) fn gone(data_dir: &Path, shape: &Shape, files: &[StoredFile]) -> Vec<String> {
    let last = Manifest::last(data_dir, shape.flow);
    let had = |output: &Output| {
        // No other name than one of these is ever removed, whatever a manifest says.
        let rejected = *output == Output::Rejected;
        rejected
            || last
                .as_ref()
                .is_some_and(|last| last.file(*output).is_some())
    };
    let outputs = shape.outputs.iter().copied().chain([Output::Rejected]);
    let names = outputs
        .filter(had)
        .map(|output| output.file_name(shape.flow));
    let is_new = |name: &String| files.iter().any(|file| file.name == *name);
    names.filter(|name| !is_new(name)).collect()
}

/// Says what to do where a run would fetch nothing at all.
///
/// # Errors
/// When it would.
pub(super) fn refuse_nothing(source: &Source, shape: &Shape) -> Result<(), Error> {
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
        crate::text::Printable(&source.name),
    )))
}
