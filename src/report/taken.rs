//! Which snapshot each resource is taken from.

use std::path::{Path, PathBuf};

use crate::error::{Error, StorageError};
use crate::pipeline::mappings;
use crate::record::{Field, FieldMap, Mapping, Resource};
use crate::source::Source;
use crate::storage::{Flow, Output, StoredFile, StoredSnapshot};

use super::model::Taken;

/// The fields that a report reads.
const READ: [Field; 8] = [
    Field::Id,
    Field::UserId,
    Field::PostId,
    Field::Name,
    Field::Username,
    Field::Email,
    Field::Title,
    Field::CreatedAt,
];

/// What a report is made from.
#[derive(Debug)]
pub(super) struct Choice {
    /// The source's name or base URL.
    pub(super) source: String,
    /// In the order in which they are to be counted.
    chosen: Vec<Chosen>,
}

/// Where one resource is taken from.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) resource: Resource,
    /// The folder that the file is in.
    pub(super) folder: PathBuf,
    pub(super) file: StoredFile,
    pub(super) mapping: Mapping,
    /// Whether its records may name posts.
    names_posts: bool,
    taken: Taken,
    rejects: u64,
}

impl Choice {
    /// Takes each resource from the newest snapshot that has it. Snapshots of another
    /// source than the newest one do not count.
    pub(super) fn of(data_dir: &Path, snapshots: &[StoredSnapshot]) -> Result<Self, Error> {
        let Some(StoredSnapshot {
            manifest: newest, ..
        }) = snapshots.first()
        else {
            return Err(StorageError::NoSnapshot(data_dir.to_owned()).into());
        };
        let alike = |StoredSnapshot { manifest, .. }: &&StoredSnapshot| {
            manifest.run == newest.run || manifest.same_source(newest)
        };
        let alike: Vec<_> = snapshots.iter().filter(alike).collect();
        let mut chosen = Vec::new();
        for (resource, output) in [
            (Resource::Users, Output::Users),
            (Resource::Comments, Output::Comments),
            (Resource::Posts, Output::Posts),
        ] {
            let found = alike.iter();
            let found = found.filter_map(|stored| Some((stored, stored.manifest.file(output)?)));
            // A snapshot may have carried it over from an older run. Of two that are as old, the
            // first one is the newest.
            let age = |(stored, _): &(&&StoredSnapshot, &StoredFile)| {
                std::cmp::Reverse(stored.manifest.fetched_by(resource).finished_at)
            };
            if let Some((stored, file)) = found.min_by_key(age) {
                chosen.push(Chosen::new(resource, stored, file)?);
            }
        }
        Ok(Self {
            source: newest.source.clone(),
            chosen,
        })
    }

    pub(super) fn in_order(&self) -> impl Iterator<Item = &Chosen> {
        self.chosen.iter()
    }

    pub(super) fn has(&self, resource: Resource) -> bool {
        self.chosen.iter().any(|chosen| chosen.resource == resource)
    }

    /// Whether the source says which post a comment is on.
    pub(super) fn comments_name_posts(&self) -> bool {
        let mut comments = self.chosen.iter();
        comments.any(|chosen| chosen.resource == Resource::Comments && chosen.names_posts)
    }

    pub(super) fn rejects(&self) -> u64 {
        self.chosen.iter().map(|chosen| chosen.rejects).sum()
    }

    pub(super) fn taken(&self) -> impl Iterator<Item = (Resource, Taken)> {
        self.chosen
            .iter()
            .map(|chosen| (chosen.resource, chosen.taken.clone()))
    }
}

impl Chosen {
    fn new(
        resource: Resource,
        StoredSnapshot { folder, manifest }: &StoredSnapshot,
        file: &StoredFile,
    ) -> Result<Self, Error> {
        let Some(definition) = &manifest.source_definition else {
            let path = folder.join(manifest.flow.file_name("manifest"));
            let command = match manifest.flow {
                Flow::Main => "activity-tracker run --fresh",
                Flow::Async => "activity-tracker run --async --fresh",
            };
            return Err(StorageError::Undescribed { path, command }.into());
        };
        // Of a resource that was carried over, a narrower source would not know the fields.
        let source = narrowed(definition.whole().source()?);
        let fetched = manifest.fetched_by(resource);
        let counts = manifest.resources.get(&resource);
        let endpoint = source.endpoints.get(&resource);
        let names_posts = endpoint.is_some_and(|endpoint| endpoint.fields.has(Field::PostId));
        Ok(Self {
            resource,
            folder: folder.clone(),
            file: file.clone(),
            mapping: mappings(&source).of(resource).clone(),
            names_posts,
            taken: Taken {
                run: fetched.run,
                at: fetched.finished_at,
                file: file.name.clone(),
            },
            rejects: counts.map_or(0, |counts| counts.rejects),
        })
    }
}

/// The source with no other fields than those that are read here.
fn narrowed(mut source: Source) -> Source {
    let narrow = |fields: &mut FieldMap| {
        let read = fields.iter().filter(|(field, _)| READ.contains(field));
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
