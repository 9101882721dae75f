//! The cached report; recomputed only when the files change.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;

use crate::report::html::{self, PageContext};
use crate::report::{ActivityReport, PostSummary, UserActivity, json};
use activity_tracker_concurrency::Stop;
use activity_tracker_core::error::{Error, chain};
use activity_tracker_core::record::Id;
use activity_tracker_core::storage::Flow;
use activity_tracker_core::{history, regular_file, storage};

/// The maximum number of unanswered posts in the report, like the default of the command.
const LISTED: usize = 10;

/// The maximum length of a manifest, in bytes; a longer one counts as missing.
const MAX_MANIFEST: u64 = 1 << 30;

/// The maximum number of unanswered posts kept for their authors' pages.
const MAX_UNANSWERED: usize = 100_000;

/// The latest report of a data directory.
#[derive(Debug)]
pub(super) struct ReportCache {
    data_dir: PathBuf,
    last: Mutex<Option<(Fingerprint, Arc<CachedReport>)>>,
}

/// A report, and its HTML and JSON.
#[derive(Debug)]
pub(super) struct CachedReport {
    pub(super) report: ActivityReport,
    /// Unanswered posts, up to the maximum; `None` if they are unknown.
    unanswered: Option<Vec<PostSummary>>,
    /// Why the history may lack the last run.
    pub(super) behind: Option<String>,
    page: OnceLock<Bytes>,
    json: OnceLock<Bytes>,
}

impl ReportCache {
    pub(super) fn new(data_dir: PathBuf) -> Self {
        Self {
            data_dir,
            last: Mutex::new(None),
        }
    }

    pub(super) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The current report. Concurrent calls wait for the same computation.
    ///
    /// # Errors
    /// Like [`ActivityReport::of`]. Errors are not cached.
    pub(super) fn report(&self) -> Result<Arc<CachedReport>, Error> {
        // A panic leaves the previous report.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken before the files are read, so that later changes are noticed the next time.
        let fingerprint = Fingerprint::of(&self.data_dir);
        if let Some((known, report)) = &*last
            && *known == fingerprint
        {
            return Ok(Arc::clone(report));
        }
        let report = Arc::new(CachedReport::of(&self.data_dir)?);
        *last = Some((fingerprint, Arc::clone(&report)));
        Ok(report)
    }
}

impl CachedReport {
    fn of(data_dir: &Path) -> Result<Self, Error> {
        // A read-only directory can be served without this step.
        let behind = history::bring_up(data_dir, &Stop::new()).err();
        let behind = behind.map(|error| chain(&error));
        let mut report = ActivityReport::of(data_dir, MAX_UNANSWERED)?;
        let unanswered = report.unanswered.as_mut().map(|unanswered| {
            let all = std::mem::take(&mut unanswered.posts);
            unanswered.posts = all.iter().take(LISTED).cloned().collect();
            all
        });
        Ok(Self {
            report,
            unanswered,
            behind,
            page: OnceLock::new(),
            json: OnceLock::new(),
        })
    }

    /// The report as HTML.
    pub(super) fn page(&self) -> Bytes {
        let make = || html::page(&self.report, PageContext::Server).into();
        self.page.get_or_init(make).clone()
    }

    /// The report as JSON, as the command `report` prints it.
    pub(super) fn json(&self) -> Bytes {
        let make = || {
            let mut text = Vec::new();
            // Writing to memory does not fail.
            let _ = json::write(&mut text, &self.report);
            text.into()
        };
        self.json.get_or_init(make).clone()
    }

    /// Finds a user by the id in a URL path, with the position in the list. A number also matches
    /// the same text if no user has that number; a quoted id is always text.
    pub(super) fn user(&self, text: &str) -> Option<(usize, &UserActivity)> {
        let quoted = text
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        let id = Id::Text(quoted.unwrap_or(text).into());
        let number = id.twin().filter(|_| quoted.is_none());
        let find = |id: &Id| {
            let mut people = self.report.users.iter().enumerate();
            people.find(|(_, user)| user.id.as_ref() == Some(id))
        };
        number.as_ref().and_then(find).or_else(|| find(&id))
    }

    /// The user's unanswered posts; `None` if they are unknown.
    pub(super) fn unanswered(&self, user: &UserActivity) -> Option<Vec<&PostSummary>> {
        let all = self.unanswered.as_ref()?;
        let theirs = |post: &&PostSummary| user.id.is_some() && post.user_id == user.id;
        Some(all.iter().filter(theirs).collect())
    }

    /// The ids by which records may refer to a user: quoted and unquoted, unless another user has
    /// the other form.
    pub(super) fn ids(&self, user: &UserActivity) -> Vec<Id> {
        let is_free = |id: &Id| {
            !self
                .report
                .users
                .iter()
                .any(|user| user.id.as_ref() == Some(id))
        };
        let twin = user.id.as_ref().and_then(Id::twin).filter(is_free);
        user.id.iter().cloned().chain(twin).collect()
    }
}

/// Identifies a state of a data directory without reading its records.
#[derive(Debug, PartialEq, Eq)]
struct Fingerprint {
    /// Manifests contain the run's id, so they always differ.
    manifests: [Option<Vec<u8>>; 2],
    /// Paths, lengths and modification times.
    files: Vec<(PathBuf, u64, Option<SystemTime>)>,
}

impl Fingerprint {
    /// Unreadable files count as missing; reading them returns the error.
    fn of(data_dir: &Path) -> Self {
        let folders =
            Flow::BOTH.map(|flow| Some((flow, storage::snapshot_folder(data_dir, flow)?)));
        let manifests = folders.each_ref().map(|found| {
            let (flow, folder) = found.as_ref()?;
            let path = folder.join(flow.file_name("manifest"));
            regular_file::read_no_link(&path, MAX_MANIFEST).ok()
        });
        let all = folders.iter().flatten().map(|(_, folder)| folder.as_path());
        let entries = all
            .chain([data_dir])
            .flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
        let mut files: Vec<_> = entries
            .filter_map(|entry| {
                let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
                Some((entry.path(), metadata.len(), metadata.modified().ok()))
            })
            .collect();
        files.sort_unstable();
        Self { manifests, files }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::report::tests::stored;

    const USERS: &str = r#"[{"id": 1}, {"id": "1"}, {"id": 2}, {"id": "x"}, {"id": "\"7\""}]"#;

    #[test]
    fn a_report_is_cached_until_a_file_changes() {
        let folder = stored(USERS, "[]", "[]");
        let cache = ReportCache::new(folder.path().to_owned());
        let report = || cache.report().unwrap();
        let first = report();
        let others: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(report)).collect();
            threads.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(others.iter().all(|other| Arc::ptr_eq(other, &first)));
        // The length and maybe the time stay the same, but not the content.
        let path = folder.path().join("manifest_async.json");
        let manifest = fs::read_to_string(&path).unwrap();
        fs::write(&path, manifest.replace("run-1", "run-2")).unwrap();
        let second = report();
        assert!(!Arc::ptr_eq(&second, &first));
        assert!(
            second
                .report
                .snapshots
                .values()
                .all(|snapshot| snapshot.run == "run-2")
        );
    }

    #[test]
    fn errors_are_not_cached() {
        let folder = stored(USERS, "[]", "[]");
        let cache = ReportCache::new(folder.path().to_owned());
        let users = folder.path().join("users_async.json");
        fs::write(&users, "[").unwrap();
        assert!(cache.report().is_err());
        fs::write(&users, USERS).unwrap();
        assert_eq!(cache.report().unwrap().report.totals.users, 5);
    }

    #[test]
    fn an_id_in_a_path_matches_a_number_before_text() {
        let folder = stored(USERS, "[]", "[]");
        let report = CachedReport::of(folder.path()).unwrap();
        let text = |text: &str| Some(Id::Text(text.into()));
        let cases = [
            ("1", Some(Id::Number(1))),
            ("\"1\"", text("1")),
            ("2", Some(Id::Number(2))),
            ("\"2\"", None),
            ("x", text("x")),
            ("\"\"7\"\"", text("\"7\"")),
            ("\"", None),
            ("", None),
        ];
        for (path, id) in cases {
            let found = report.user(path).and_then(|(_, user)| user.id.clone());
            assert_eq!(found, id, "{path}");
        }
    }
}
