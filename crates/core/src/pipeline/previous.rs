//! The last snapshot of a flow, which conditional requests refer to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tracing::{debug, info};

use crate::activity::{EmailDomain, Summary};
use crate::error::Error;
use crate::fetch::{PageInfo, Validators};
use crate::record::Resource;
use crate::settings::{Settings, Start};
use crate::storage::{
    Flow, Output, Snapshot, Spool, StoredSnapshot, is_whole, names_stand, read_json,
};

/// An intact snapshot of the same source, so that its records can be reused.
#[derive(Clone)]
pub(super) struct Previous(Arc<Inner>);

struct Inner {
    data_dir: PathBuf,
    stored: StoredSnapshot,
}

impl Previous {
    /// Finds the last snapshot of `flow`. A snapshot that is damaged, or of another definition, is
    /// ignored, and everything is fetched.
    pub(super) fn find(settings: &Settings, flow: Flow) -> Option<Self> {
        if settings.fresh || matches!(settings.start, Start::Replay(_)) {
            return None;
        }
        let data_dir = settings.data_dir.clone();
        let stored = StoredSnapshot::last(&data_dir, flow)?;
        let manifest = &stored.manifest;
        if manifest.definition != settings.source.fingerprint() {
            debug!("the last snapshot is of another source");
            return None;
        }
        if manifest.validators.is_empty() {
            // No conditional requests are possible, so the files need not be verified.
            return None;
        }
        let damaged = manifest
            .files
            .iter()
            .find(|file| !is_whole(&stored.folder, file).unwrap_or_default());
        if let Some(file) = damaged {
            info!(
                file = file.name,
                "the last snapshot is damaged; nothing of it is kept"
            );
            return None;
        }
        if !names_stand(&data_dir, &stored) {
            info!("file names of the last snapshot lead elsewhere; storing it again");
            return None;
        }
        Some(Self(Arc::new(Inner { data_dir, stored })))
    }

    /// The validators for conditional requests.
    pub(super) fn validators(&self) -> BTreeMap<Resource, Validators> {
        self.0.stored.manifest.validators.clone()
    }

    /// The summary, if the snapshot is what a run would store in which all of its `fetched`
    /// resources are unchanged. It is read only then, because it has the names of all users.
    pub(super) fn stands(
        &self,
        spool: &Spool,
        fetched: usize,
        email_domain: &EmailDomain,
    ) -> Option<Summary> {
        let StoredSnapshot { folder, manifest } = &self.0.stored;
        let stands =
            spool.kept().len() == fetched && manifest.email_domain.as_ref() == Some(email_domain);
        let read = || read_json(&folder.join(manifest.flow.file_name("summary")));
        stands.then(read).flatten()
    }

    /// Puts the records of unchanged pages into the spool, as if they had been fetched.
    pub(super) fn restore(&self, spool: &Spool) -> Result<(), Error> {
        for page in spool.kept() {
            let resource = page.subject.resource;
            let stored = &self.0.stored;
            let output = Output::all_of(resource);
            let usual = || output.file_name(stored.manifest.flow);
            let file = stored.manifest.file(output);
            let name = file.map_or_else(usual, |file| file.name.clone());
            let validators = stored.manifest.validators.get(&resource).cloned();
            let path = stored.folder.join(name);
            spool.take_stored(page, &path, &PageInfo::unchanged(validators))?;
        }
        Ok(())
    }

    /// The snapshot.
    pub(super) fn snapshot(&self) -> Snapshot {
        let Inner { data_dir, stored } = &*self.0;
        let manifest = &stored.manifest;
        Snapshot {
            data_dir: data_dir.clone(),
            files: manifest.files.clone(),
            manifest: manifest.flow.file_name("manifest"),
            raw: None,
        }
    }

    /// The run that stored it.
    pub(super) fn run(&self) -> &str {
        &self.0.stored.manifest.run
    }
}
