//! The manifest: what a run stored, and how to verify it.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::activity::EmailDomain;
use crate::fetch::{Missing, Validators};
use crate::record::Resource;
use crate::source::Definition;

use super::disk;
use super::output::{Flow, Output};
use super::stored_file::StoredFile;

/// What a run stored, and how to verify it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The id of the run.
    pub run: String,
    /// Which flow it is.
    pub flow: Flow,
    /// The source's name or base URL.
    pub source: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When its files were ready to be committed.
    pub finished_at: Timestamp,
    /// The domain that users were filtered by.
    #[serde(default)]
    pub email_domain: Option<EmailDomain>,
    /// Identifies the source definition.
    #[serde(default)]
    pub definition: String,
    /// The source definition, verbatim, for reading its records again; `None` in snapshots of older
    /// versions of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_definition: Option<Definition>,
    /// For conditional requests: they tell the server which version is already stored.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub validators: BTreeMap<Resource, Validators>,
    /// The record counts of each resource.
    #[serde(default)]
    pub resources: BTreeMap<Resource, Counts>,
    /// What the server refused to deliver and the files therefore lack.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<Resource, Missing>,
    /// Resources that the run was told to skip, and the run that fetched their data.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub carried: BTreeMap<Resource, CarriedFrom>,
    /// Whether the history includes the run: not with `--no-history`, and not for a replay.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_history: bool,
    /// All files of the snapshot except the manifest.
    pub files: Vec<StoredFile>,
}

/// The run that fetched what a later one carried over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedFrom {
    /// The id of the run.
    pub run: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When its files were ready to be committed.
    pub finished_at: Timestamp,
}

impl Manifest {
    /// Whether both are of the same API, whichever of its resources were fetched.
    #[must_use]
    pub fn same_source(&self, other: &Self) -> bool {
        let written = self.source_definition.as_ref();
        let alike = written.zip(other.source_definition.as_ref());
        (!self.definition.is_empty() && self.definition == other.definition)
            || alike.is_some_and(|(one, other)| one.same_source(other))
    }

    /// The run that fetched a resource: this one, or the one that the data was carried over from.
    #[must_use]
    pub fn fetched_by(&self, resource: Resource) -> CarriedFrom {
        let earlier = self.carried.get(&resource).cloned();
        earlier.unwrap_or_else(|| CarriedFrom {
            run: self.run.clone(),
            started_at: self.started_at,
            finished_at: self.finished_at,
        })
    }

    /// The file of an output, if the snapshot has one.
    #[must_use]
    pub fn file(&self, output: Output) -> Option<&StoredFile> {
        let name = output.file_name(self.flow);
        self.files.iter().find(|file| file.name == name)
    }
}

/// Reads a JSON file of the data directory; `None` if it is missing or cannot be parsed.
#[must_use]
pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    let unreadable = |error: &dyn std::fmt::Display| {
        tracing::debug!(path = %path.display(), %error, "cannot be read");
    };
    let file = disk::reader(path)
        .inspect_err(|error| unreadable(error))
        .ok()?;
    serde_json::from_reader(file)
        .inspect_err(|error| unreadable(error))
        .ok()
}

/// The record counts of a resource. Each received record is stored, rejected or repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// How many records the API sent.
    pub received: u64,
    /// How many of them are stored.
    pub records: u64,
    /// How many of them were rejected.
    pub rejects: u64,
    /// How many of them were received again on a later page, because records moved while the pages
    /// were fetched. The later copy is stored.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeated: u64,
    /// Whether some may be missing: records moved between pages during every fetch pass.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "required by serde")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
