//! Which stored file each resource of a report comes from.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use activity_tracker_core::error::{Error, StorageError};
use activity_tracker_core::pipeline::mappings;
use activity_tracker_core::record::{Field, FieldMap, Mapping, Resource};
use activity_tracker_core::source::Source;
use activity_tracker_core::storage::{Output, StoredFile, StoredSnapshot};

use super::model::SnapshotFile;

/// The fields that a report reads.
const FIELDS: [Field; 8] = [
    Field::Id,
    Field::UserId,
    Field::PostId,
    Field::Name,
    Field::Username,
    Field::Email,
    Field::Title,
    Field::CreatedAt,
];

/// The input of a report.
#[derive(Debug)]
pub(super) struct DataSources {
    /// The source's name or base URL.
    pub(super) source: String,
    /// In the order in which they have to be counted.
    files: Vec<ResourceFile>,
}

/// The stored records of one resource, and how to read them.
#[derive(Debug)]
pub(super) struct ResourceFile {
    pub(super) resource: Resource,
    /// The folder that the file is in.
    pub(super) folder: PathBuf,
    pub(super) file: StoredFile,
    pub(super) mapping: Mapping,
    /// Whether the source maps `post_id`.
    maps_post_id: bool,
    snapshot: SnapshotFile,
    rejects: u64,
}

impl DataSources {
    /// Picks the newest file of each resource, among the snapshots of the source that the newest
    /// snapshot is of.
    pub(super) fn of(data_dir: &Path, snapshots: &[StoredSnapshot]) -> Result<Self, Error> {
        let Some(StoredSnapshot {
            manifest: newest, ..
        }) = snapshots.first()
        else {
            return Err(StorageError::NoSnapshot(data_dir.to_owned()).into());
        };
        let same_source = |StoredSnapshot { manifest, .. }: &&StoredSnapshot| {
            manifest.run == newest.run || manifest.same_source(newest)
        };
        let candidates: Vec<_> = snapshots.iter().filter(same_source).collect();
        let mut files = Vec::new();
        for (resource, output) in [
            (Resource::Users, Output::Users),
            (Resource::Comments, Output::Comments),
            (Resource::Posts, Output::Posts),
        ] {
            let found = candidates.iter();
            let found = found.filter_map(|stored| Some((stored, stored.manifest.file(output)?)));
            // A snapshot may contain a resource of an older run. `min_by_key` returns the first
            // of equals, which is that of the newest snapshot.
            let age = |(stored, _): &(&&StoredSnapshot, &StoredFile)| {
                Reverse(stored.manifest.fetched_by(resource).finished_at)
            };
            if let Some((stored, file)) = found.min_by_key(age) {
                files.push(ResourceFile::new(resource, stored, file)?);
            }
        }
        Ok(Self {
            source: newest.source.clone(),
            files,
        })
    }

    pub(super) fn in_order(&self) -> impl Iterator<Item = &ResourceFile> {
        self.files.iter()
    }

    pub(super) fn has(&self, resource: Resource) -> bool {
        self.files.iter().any(|file| file.resource == resource)
    }

    /// Whether the source says which post a comment belongs to.
    pub(super) fn maps_post_ids(&self) -> bool {
        let mut files = self.files.iter();
        files.any(|file| file.resource == Resource::Comments && file.maps_post_id)
    }

    pub(super) fn rejects(&self) -> u64 {
        self.files.iter().map(|file| file.rejects).sum()
    }

    pub(super) fn snapshot_files(&self) -> impl Iterator<Item = (Resource, SnapshotFile)> {
        self.files
            .iter()
            .map(|file| (file.resource, file.snapshot.clone()))
    }
}

impl ResourceFile {
    fn new(resource: Resource, stored: &StoredSnapshot, file: &StoredFile) -> Result<Self, Error> {
        let StoredSnapshot { folder, manifest } = stored;
        // A run with `--resources` narrows its source; the whole one has all fields.
        let source = narrowed(stored.definition()?.whole().source()?);
        let fetched = manifest.fetched_by(resource);
        let counts = manifest.resources.get(&resource);
        let endpoint = source.endpoints.get(&resource);
        let maps_post_id = endpoint.is_some_and(|endpoint| endpoint.fields.has(Field::PostId));
        Ok(Self {
            resource,
            folder: folder.clone(),
            file: file.clone(),
            mapping: mappings(&source).of(resource).clone(),
            maps_post_id,
            snapshot: SnapshotFile {
                run: fetched.run,
                at: fetched.finished_at,
                file: file.name.clone(),
            },
            rejects: counts.map_or(0, |counts| counts.rejects),
        })
    }
}

/// The source with only the fields that a report reads.
fn narrowed(mut source: Source) -> Source {
    let narrow = |fields: &mut FieldMap| {
        let read = fields.iter().filter(|(field, _)| FIELDS.contains(field));
        *fields = read.map(|(field, path)| (field, path.clone())).collect();
    };
    for endpoint in source.endpoints.values_mut() {
        narrow(&mut endpoint.fields);
    }
    if let Some(authors) = &mut source.authors {
        narrow(&mut authors.fields);
        authors.within.clear();
    }
    source
}
