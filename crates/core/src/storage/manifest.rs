//! The manifest: what a run left, and how to check it.

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

/// What a run left, and how to check it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The id of the run.
    pub run: String,
    /// Which flow it was.
    pub flow: Flow,
    /// The source's name or base URL.
    pub source: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When its files were about to be put in place.
    pub finished_at: Timestamp,
    /// The domain that users were filtered by.
    #[serde(default)]
    pub email_domain: Option<EmailDomain>,
    /// Tells the source's definition from others.
    #[serde(default)]
    pub definition: String,
    /// The source as it was written, to read its records again with; none where an older
    /// version of the program stored them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_definition: Option<Definition>,
    /// What to ask the server with whether anything changed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub validators: BTreeMap<Resource, Validators>,
    /// How many records came of each resource, and what became of them.
    #[serde(default)]
    pub resources: BTreeMap<Resource, Counts>,
    /// What the server refused to give: the files lack it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<Resource, Missing>,
    /// What the run was told to leave out, and is as an earlier run left it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub carried: BTreeMap<Resource, CarriedFrom>,
    /// Whether the history was to have the run: not with `--no-history`, and not of a replay.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_history: bool,
    /// All files of the snapshot but the manifest itself.
    pub files: Vec<StoredFile>,
}

/// The run that fetched what a later one carried over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedFrom {
    /// The id of the run.
    pub run: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When its files were about to be put in place.
    pub finished_at: Timestamp,
}

impl Manifest {
    /// Whether both are of the same API, whichever resources of it were fetched.
    #[must_use]
    pub fn same_source(&self, other: &Self) -> bool {
        let written = self.source_definition.as_ref();
        let alike = written.zip(other.source_definition.as_ref());
        (!self.definition.is_empty() && self.definition == other.definition)
            || alike.is_some_and(|(one, other)| one.same_source(other))
    }

    /// The run that fetched a resource: this one, or the one that it was carried over from.
    #[must_use]
    pub fn fetched_by(&self, resource: Resource) -> CarriedFrom {
        let earlier = self.carried.get(&resource).cloned();
        earlier.unwrap_or_else(|| CarriedFrom {
            run: self.run.clone(),
            started_at: self.started_at,
            finished_at: self.finished_at,
        })
    }

    /// The file of an output, where the snapshot has one.
    #[must_use]
    pub fn file(&self, output: Output) -> Option<&StoredFile> {
        let name = output.file_name(self.flow);
        self.files.iter().find(|file| file.name == name)
    }
}

/// Reads a file of the data directory; nothing where there is none of that form.
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

/// What became of the records of a resource. Each that came is stored, rejected or repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// How many the API sent.
    pub received: u64,
    /// How many of them are stored.
    pub records: u64,
    /// How many of them did not map.
    pub rejects: u64,
    /// How many of them came again on a later page, as records do that move while the pages are
    /// fetched: the later one is stored.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeated: u64,
    /// Whether some may be missing: they moved from page to page each time they were fetched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
