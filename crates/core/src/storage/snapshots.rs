//! The snapshots of a data directory, and which of them is the current one.
//!
//! ```text
//! data/.snapshots/20261128T060000Z-1a2b/users.json   the files of a run, which nobody changes
//! data/.snapshots/main   -> 20261128T060000Z-1a2b    the current snapshot of a flow
//! data/users.json        -> .snapshots/main/users.json
//! ```
//!
//! A reader that follows the flow's link once, and then reads the folder that it names, sees a
//! single run, no matter how many commits happen meanwhile. Version 0 of the program had no links:
//! its files are in the data directory itself, and are read there until a run takes them over.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use crate::storage::StorageError;

use super::disk::{self, At, Folder};
use super::manifest::{Manifest, read_json};
use crate::source::Definition;

use super::names;
use super::output::{Flow, is_public};
use super::stored_file::StoredFile;
use super::workspace::{Folders, NEXT, SNAPSHOTS};

/// Prefix of a snapshot folder that cannot be named after the run of its files.
const BEFORE: &str = "before-";

/// A snapshot in a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSnapshot {
    /// The folder that its files are in.
    pub folder: PathBuf,
    /// Its parsed manifest.
    pub manifest: Manifest,
}

/// A snapshot that was replaced by a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Earlier {
    /// The name of its folder.
    pub(super) run: String,
    pub(super) flow: Flow,
    /// `None` if it cannot be read.
    pub(super) manifest: Option<Manifest>,
}

impl StoredSnapshot {
    /// The current snapshot of a flow; `None` if there is none that can be read.
    #[must_use]
    pub fn last(data_dir: &Path, flow: Flow) -> Option<Self> {
        Self::current(data_dir, flow)
            .inspect_err(|error| tracing::debug!(%error, "the last snapshot cannot be read"))
            .ok()?
    }

    /// The definition of its source.
    ///
    /// # Errors
    /// If an older version of the program made the snapshot and did not store the definition.
    pub fn definition(&self) -> Result<&Definition, StorageError> {
        let manifest = &self.manifest;
        let definition = manifest.source_definition.as_ref();
        definition.ok_or_else(|| StorageError::Undescribed {
            path: self.folder.join(manifest.flow.file_name("manifest")),
            command: match manifest.flow {
                Flow::Main => "activity-tracker run --fresh",
                Flow::Async => "activity-tracker run --async --fresh",
            },
        })
    }

    /// The current snapshots of both flows in `data_dir`, the newest one first. Remains of a killed
    /// run do not affect them, unless they are of version 0 of the program, whose commits
    /// [`crate::history::bring_up`] finishes.
    ///
    /// # Errors
    /// If a snapshot cannot be read, or there is none.
    pub fn all(data_dir: &Path) -> Result<Vec<Self>, StorageError> {
        let mut found = Vec::new();
        for flow in Flow::BOTH {
            found.extend(Self::current(data_dir, flow)?);
        }
        if found.is_empty() {
            return Err(StorageError::NoSnapshot(data_dir.to_owned()));
        }
        found.sort_by_key(|snapshot| Reverse(snapshot.manifest.finished_at));
        Ok(found)
    }

    /// The earlier snapshots of both flows that are kept and can be read, the newest one first.
    ///
    /// # Errors
    /// If the folder of snapshots cannot be listed.
    pub fn earlier(data_dir: &Path) -> Result<Vec<Self>, StorageError> {
        let snapshots = data_dir.join(SNAPSHOTS);
        let kept = earlier(data_dir)?.into_iter().filter_map(|kept| {
            let folder = snapshots.join(kept.run);
            Some(Self {
                folder,
                manifest: kept.manifest?,
            })
        });
        Ok(kept.collect())
    }

    pub(super) fn current(data_dir: &Path, flow: Flow) -> Result<Option<Self>, StorageError> {
        loop {
            let Some(folder) = folder_of(data_dir, flow) else {
                return Ok(None);
            };
            if let Some(found) = Self::read(&folder, flow)? {
                return Ok(Some(found));
            }
            if folder_of(data_dir, flow).as_ref() == Some(&folder) {
                return Ok(None);
            }
            // A later run has committed meanwhile and removed the folder.
        }
    }

    /// Reads the manifest in a folder; `None` if there is none.
    pub(super) fn read(folder: &Path, flow: Flow) -> Result<Option<Self>, StorageError> {
        let path = folder.join(flow.file_name("manifest"));
        let Some(bytes) = disk::read(&path)? else {
            return Ok(None);
        };
        let manifest =
            serde_json::from_slice(&bytes).map_err(|error| StorageError::unsound(&path, &error))?;
        let folder = folder.to_owned();
        Ok(Some(Self { folder, manifest }))
    }

    /// The path of one of its files.
    #[must_use]
    pub fn path(&self, file: &StoredFile) -> PathBuf {
        self.folder.join(&file.name)
    }

    /// The names of its public files in the data directory, including its manifest.
    pub(super) fn names(&self, flow: Flow) -> Vec<String> {
        let files = self.manifest.files.iter().map(|file| &file.name);
        let files = files.filter(|name| is_public(name)).cloned();
        files.chain([flow.file_name("manifest")]).collect()
    }
}

/// The folder of the current snapshot of a flow: the target of its link, or the data directory
/// itself if no run has taken over the files of version 0 yet.
#[must_use]
pub fn folder_of(data_dir: &Path, flow: Flow) -> Option<PathBuf> {
    let manifest = flow.file_name("manifest");
    let Some(run) = linked(data_dir, flow) else {
        // A dangling link with our text was left by a first run that was killed.
        return (!names::is_ours(data_dir, flow, &manifest)).then(|| data_dir.to_owned());
    };
    let path = data_dir.join(manifest);
    if disk::at(&path) == At::File
        && read_json::<Manifest>(&path).is_some_and(|beside| beside.run != run)
    {
        // From a copy that turned links into files, or from version 0.
        return Some(data_dir.to_owned());
    }
    Some(data_dir.join(SNAPSHOTS).join(run))
}

/// The target of the link of a flow, if that is the folder of a run.
pub(super) fn linked(data_dir: &Path, flow: Flow) -> Option<String> {
    let snapshots = data_dir.join(SNAPSHOTS);
    let is_folder = |path: &Path| disk::at(path) == At::Folder;
    if !is_folder(&snapshots) {
        return None;
    }
    let link = snapshots.join(flow.name());
    followed(
        || disk::link_to(&link).filter(|run| is_run(run)),
        |run| is_folder(&snapshots.join(run)),
    )
}

/// The target of a link, if a folder is there. Two commits may remove the folder between reading
/// the link and checking the folder. The link has changed then, and is followed again.
fn followed(
    mut link: impl FnMut() -> Option<String>,
    is_folder: impl Fn(&str) -> bool,
) -> Option<String> {
    let mut run = link()?;
    while !is_folder(&run) {
        let now = link()?;
        if now == run {
            return None;
        }
        run = now;
    }
    Some(run)
}

/// Points the link of the flow to the snapshot of a run.
pub(super) fn point_at(folders: &Folders, run: &str) -> Result<(), StorageError> {
    let next = folders.staging().join(NEXT);
    if disk::at(&next) != At::Nothing {
        // From an earlier attempt.
        disk::remove_file(&next)?;
    }
    disk::make_link(run, &next)?;
    disk::rename(&next, &folders.snapshots().join(folders.flow.name()))?;
    disk::sync_folder(&folders.snapshots())
}

/// A name for the folder that takes over the files of a run.
pub(super) fn name_for(run: &str, data_dir: &Path, by: &str) -> String {
    let is_free = || disk::at(&data_dir.join(SNAPSHOTS).join(run)) == At::Nothing;
    if is_run(run) && !run.starts_with(BEFORE) && is_free() {
        run.to_owned()
    } else {
        format!("{BEFORE}{by}")
    }
}

/// Whether a folder name is that of a run: `20261128T060000Z-1a2b`.
pub(super) fn is_run(name: &str) -> bool {
    let name = name.strip_prefix(BEFORE).unwrap_or(name);
    let fits = |(form, byte): (u8, u8)| match form {
        b'0' => byte.is_ascii_digit(),
        b'f' => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        other => byte == other,
    };
    let form = b"00000000T000000Z-ffff";
    name.len() == form.len() && form.iter().copied().zip(name.bytes()).all(fits)
}

/// The snapshots that are not current for any flow, the newest one first. Runs may have started in
/// the same second, so their names do not give the order. Unreadable snapshots count as the oldest.
pub(super) fn earlier(data_dir: &Path) -> Result<Vec<Earlier>, StorageError> {
    let mut found = Vec::new();
    for run in not_current(data_dir)? {
        let folder = data_dir.join(SNAPSHOTS).join(&run);
        let manifest = |flow: Flow| folder.join(flow.file_name("manifest"));
        let has = |flow: &Flow| disk::at(&manifest(*flow)) == At::File;
        if let Some(flow) = Flow::BOTH.into_iter().find(has) {
            found.push(Earlier {
                run,
                flow,
                manifest: read_json(&manifest(flow)),
            });
        }
    }
    let age = |earlier: &Earlier| earlier.manifest.as_ref().map(|found| found.finished_at);
    found.sort_by_key(|earlier| Reverse(age(earlier)));
    Ok(found)
}

/// The folders of runs that are not current for any flow.
pub(super) fn not_current(data_dir: &Path) -> Result<Vec<String>, StorageError> {
    let folder = Folder::open(data_dir)?.map(|data_dir| data_dir.inner(SNAPSHOTS));
    let Some(folder) = folder.transpose()?.flatten() else {
        return Ok(Vec::new());
    };
    let current = Flow::BOTH.map(|flow| linked(data_dir, flow));
    let entries = folder.entries()?.into_iter();
    let folders = entries.filter(|entry| entry.is_folder);
    let names = folders.filter_map(|entry| entry.name.into_string().ok());
    let of_runs = names.filter(|name| is_run(name));
    let others = of_runs.filter(|name| !current.iter().flatten().any(|run| run == name));
    Ok(others.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_whose_folder_went_is_followed_again_if_it_changed() {
        let there = |run: &str| run == "there";
        let cases: [(&[Option<&str>], Option<&str>); 6] = [
            (&[Some("there")], Some("there")),
            (&[Some("gone"), Some("there")], Some("there")),
            (
                &[Some("gone"), Some("gone too"), Some("there")],
                Some("there"),
            ),
            (&[Some("gone"), Some("gone")], None),
            (&[Some("gone"), None], None),
            (&[None], None),
        ];
        for (seen, expected) in cases {
            let mut looks = seen.iter();
            let link = || looks.next().expect("a look").map(str::to_owned);
            assert_eq!(followed(link, there).as_deref(), expected, "{seen:?}");
        }
    }

    #[test]
    fn folders_of_runs_are_told_from_others() {
        for name in ["20261128T060000Z-1a2b", "before-20261128T060000Z-1a2b"] {
            assert!(is_run(name), "{name}");
        }
        for name in [
            "",
            "..",
            "main",
            "before-",
            "20261128T060000Z-1a2",
            "20261128T060000Z-1a2B",
            "20261128T060000Z-1a2b/",
            "../20261128T060000Z-1",
        ] {
            assert!(!is_run(name), "{name}");
        }
    }
}
