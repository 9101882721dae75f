//! The last snapshot of a flow: what a server that says "not modified" refers to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tracing::{debug, info};

use crate::activity::{EmailDomain, Summary};
use crate::error::Error;
use crate::fetch::{PageInfo, Validators};
use crate::record::Resource;
use crate::settings::{Settings, Start};
use crate::storage::{Flow, Manifest, Snapshot, Spool, is_whole, read_json};

/// A snapshot that is whole and of the same source, so that its records may be kept.
#[derive(Clone)]
pub(super) struct Previous(Arc<Inner>);

struct Inner {
    data_dir: PathBuf,
    manifest: Manifest,
}

impl Previous {
    /// Looks for the last snapshot of `flow`. One that is damaged, or of another
    /// definition, is as good as none: everything is fetched then.
    pub(super) fn find(settings: &Settings, flow: Flow) -> Option<Self> {
        if settings.fresh || matches!(settings.start, Start::Replay(_)) {
            return None;
        }
        let data_dir = settings.data_dir.clone();
        let manifest = Manifest::last(&data_dir, flow)?;
        if manifest.definition != settings.source.fingerprint() {
            debug!("the last snapshot is of another source");
            return None;
        }
        if manifest.validators.is_empty() {
            // There is nothing to ask with: the files need not be read to find out if they are whole.
            return None;
        }
        let damaged = manifest
            .files
            .iter()
            .find(|file| !is_whole(&data_dir, file).unwrap_or_default());
        if let Some(file) = damaged {
            info!(
                file = file.name,
                "the last snapshot is damaged; nothing of it is kept"
            );
            return None;
        }
        Some(Self(Arc::new(Inner { data_dir, manifest })))
    }

    /// What to ask with whether anything changed.
    pub(super) fn validators(&self) -> BTreeMap<Resource, Validators> {
        self.0.manifest.validators.clone()
    }

    /// Whether the snapshot is what a run would give that keeps all of its `fetched` resources;
    /// its summary then, which is read no sooner, for it names all users.
    pub(super) fn stands(
        &self,
        spool: &Spool,
        fetched: usize,
        email_domain: &EmailDomain,
    ) -> Option<Summary> {
        let Inner { data_dir, manifest } = &*self.0;
        let stands =
            spool.kept().len() == fetched && manifest.email_domain.as_ref() == Some(email_domain);
        let read = || read_json(&data_dir.join(manifest.flow.file_name("summary")));
        stands.then(read).flatten()
    }

    /// Puts the records of kept pages into the spool, as if they had been fetched.
    pub(super) fn restore(&self, spool: &Spool) -> Result<(), Error> {
        for page in spool.kept() {
            let resource = page.subject.resource;
            let name = self.0.manifest.flow.file_name(resource.name());
            let validators = self.0.manifest.validators.get(&resource).cloned();
            let path = self.0.data_dir.join(name);
            spool.take_stored(page, &path, &PageInfo::unchanged(validators))?;
        }
        Ok(())
    }

    /// The snapshot.
    pub(super) fn snapshot(&self) -> Snapshot {
        let Inner { data_dir, manifest } = &*self.0;
        Snapshot {
            data_dir: data_dir.clone(),
            files: manifest.files.clone(),
            manifest: manifest.flow.file_name("manifest"),
            raw: None,
        }
    }

    /// The run that it came from.
    pub(super) fn run(&self) -> &str {
        &self.0.manifest.run
    }
}
