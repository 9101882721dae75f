//! Reports of small snapshots.

mod formats;
mod numbers;
mod snapshots;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use activity_tracker_core::record::Resource;
use activity_tracker_core::source::{EmptyEnvironment, Source, SourceFile, Vars};
use activity_tracker_core::storage::{Counts, Flow, Manifest, StoredFile};

/// A source with all fields optional but the id.
const DATED: &str = r#"
name = "dated"
base_url = "http://api.test"
[users]
path = "/users"
[users.fields]
name = { path = "name", optional = true }
username = { path = "login", optional = true }
email = { path = "email", optional = true }
created_at = { path = "joined", optional = true }
[posts]
path = "/posts"
[posts.fields]
user_id = { path = "user", optional = true }
title = { path = "title", optional = true }
created_at = { path = "at", optional = true }
[comments]
path = "/comments"
[comments.fields]
post_id = { path = "post", optional = true }
user_id = { path = "user", optional = true }
email = { path = "email", optional = true }
created_at = { path = "at", optional = true }
"#;

/// A data directory with a run of all three resources of a source that does not map `post_id`.
pub(crate) fn unlinked(users: &str, posts: &str, comments: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::new(Flow::Async, 1);
    run.source = source(&DATED.replace("post_id = { path = \"post\", optional = true }\n", ""));
    run.with(Resource::Users, users)
        .with(Resource::Posts, posts)
        .with(Resource::Comments, comments)
        .store(folder.path());
    folder
}

/// The source defined by a file.
fn source(text: &str) -> Source {
    let file = SourceFile::parse("test.toml", text).unwrap();
    file.resolve(&Vars::new(), &EmptyEnvironment).unwrap()
}

/// A run that finished at a second of 2026-01-01.
struct Run {
    flow: Flow,
    second: i64,
    source: Source,
    files: Vec<(Resource, String)>,
    rejects: u64,
}

impl Run {
    fn new(flow: Flow, second: i64) -> Self {
        Self {
            flow,
            second,
            source: source(DATED),
            files: Vec::new(),
            rejects: 0,
        }
    }

    fn with(mut self, resource: Resource, records: &str) -> Self {
        self.files.push((resource, records.to_owned()));
        self
    }

    /// Stores its files in a data directory and returns the manifest.
    fn store(self, data_dir: &Path) -> Manifest {
        let started = "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap();
        let at = Timestamp::from_second(started.as_second() + self.second).unwrap();
        let mut resources = BTreeMap::new();
        let mut files = Vec::new();
        for (resource, records) in &self.files {
            let all: Vec<Value> = serde_json::from_str(records).unwrap();
            let name = self.flow.file_name(resource.name());
            fs::write(data_dir.join(&name), records).unwrap();
            let counts = Counts {
                received: all.len() as u64 + self.rejects,
                records: all.len() as u64,
                rejects: self.rejects,
                repeated: 0,
                incomplete: false,
            };
            resources.insert(*resource, counts);
            files.push(StoredFile {
                name,
                records: Some(all.len() as u64),
                bytes: records.len() as u64,
                blake3: String::new(),
            });
        }
        let manifest = Manifest {
            missing: BTreeMap::new(),
            run: format!("run-{}", self.second),
            flow: self.flow,
            source: self.source.name.clone(),
            started_at: started,
            finished_at: at,
            email_domain: None,
            definition: self.source.fingerprint(),
            source_definition: Some(self.source.definition),
            validators: BTreeMap::new(),
            resources,
            carried: BTreeMap::new(),
            in_history: false,
            files,
        };
        store_manifest(data_dir, &manifest);
        manifest
    }
}

fn store_manifest(data_dir: &Path, manifest: &Manifest) {
    let name = manifest.flow.file_name("manifest");
    let text = serde_json::to_string(manifest).unwrap();
    fs::write(data_dir.join(name), text).unwrap();
}

/// A data directory with a run of all three resources.
pub(crate) fn stored(users: &str, posts: &str, comments: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    Run::new(Flow::Async, 1)
        .with(Resource::Users, users)
        .with(Resource::Posts, posts)
        .with(Resource::Comments, comments)
        .store(folder.path());
    folder
}
