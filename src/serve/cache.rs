//! The report, counted once and again only when the files are others.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;

use crate::concurrency::Stop;
use crate::error::{Error, chain};
use crate::record::Id;
use crate::report::html::{self, Home};
use crate::report::{ActivityReport, PostLine, UserActivity, json};
use crate::storage::Flow;
use crate::{history, regular_file, storage};

/// How many posts without an answer the report names: as many as the command does.
const NAMED: usize = 10;

/// The longest manifest, in bytes; a longer one is as if it were not there.
const LONGEST_MANIFEST: u64 = 1 << 30;

/// How many of them are known, for the pages of their authors.
const KNOWN: usize = 100_000;

/// A data directory and what was counted in it last.
#[derive(Debug)]
pub(super) struct Live {
    data_dir: PathBuf,
    last: Mutex<Option<(Sight, Arc<Counted>)>>,
}

/// A report and what is made of it.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) report: ActivityReport,
    /// Posts without an answer, as many as are known; none where there are no comments.
    unanswered: Option<Vec<PostLine>>,
    /// Why the history may lack the last run.
    pub(super) behind: Option<String>,
    page: OnceLock<Bytes>,
    json: OnceLock<Bytes>,
}

impl Live {
    pub(super) fn new(data_dir: PathBuf) -> Self {
        Self {
            data_dir,
            last: Mutex::new(None),
        }
    }

    pub(super) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The report of what is there now. Whoever asks while it is counted waits for it.
    ///
    /// # Errors
    /// As [`ActivityReport::of`]. An error is not kept: it may have passed.
    pub(super) fn counted(&self) -> Result<Arc<Counted>, Error> {
        // A count that panicked has left the last one as it was.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at before it is counted: what comes meanwhile is seen the next time.
        let sight = Sight::of(&self.data_dir);
        if let Some((seen, counted)) = &*last
            && *seen == sight
        {
            return Ok(Arc::clone(counted));
        }
        let counted = Arc::new(Counted::of(&self.data_dir)?);
        *last = Some((sight, Arc::clone(&counted)));
        Ok(counted)
    }
}

impl Counted {
    fn of(data_dir: &Path) -> Result<Self, Error> {
        // A directory that cannot be written to can be read.
        let behind = history::bring_up(data_dir, &Stop::new()).err();
        let behind = behind.map(|error| chain(&error));
        let mut report = ActivityReport::of(data_dir, KNOWN)?;
        let unanswered = report.unanswered.as_mut().map(|unanswered| {
            let all = std::mem::take(&mut unanswered.posts);
            unanswered.posts = all.iter().take(NAMED).cloned().collect();
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

    /// The report as a page.
    pub(super) fn page(&self) -> Bytes {
        let made = || html::page(&self.report, Home::Server).into();
        self.page.get_or_init(made).clone()
    }

    /// The report as JSON, as the command prints it.
    pub(super) fn json(&self) -> Bytes {
        let made = || {
            let mut text = Vec::new();
            // Memory takes whatever is written.
            let _ = json::write(&mut text, &self.report);
            text.into()
        };
        self.json.get_or_init(made).clone()
    }

    /// Somebody by id as it stands in a path, and their place in the list. A number stands for
    /// a text too that no user has as a number; in quotes it is a text for certain.
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

    /// Their posts that nobody answered; none where that is not known.
    pub(super) fn unanswered(&self, user: &UserActivity) -> Option<Vec<&PostLine>> {
        let all = self.unanswered.as_ref()?;
        let theirs = |post: &&PostLine| user.id.is_some() && post.user_id == user.id;
        Some(all.iter().filter(theirs).collect())
    }

    /// The ids that records may name somebody by: quotes make no difference where nobody else
    /// has the other form.
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

/// What tells one state of a data directory from another, without reading its records.
#[derive(Debug, PartialEq, Eq)]
struct Sight {
    /// These name their runs: two of them are never alike.
    manifests: [Option<Vec<u8>>; 2],
    /// Paths, lengths, and when they were written to.
    files: Vec<(PathBuf, u64, Option<SystemTime>)>,
}

impl Sight {
    /// What cannot be looked at is as if it were not there: who reads it will tell.
    fn of(data_dir: &Path) -> Self {
        let folders = Flow::BOTH.map(|flow| storage::snapshot_folder(data_dir, flow));
        let manifest = |(flow, folder): (Flow, &Option<PathBuf>)| {
            let path = folder.as_ref()?.join(flow.file_name("manifest"));
            regular_file::read_no_link(&path, LONGEST_MANIFEST).ok()
        };
        let [main, tasks] = &folders;
        let manifests = [(Flow::Main, main), (Flow::Async, tasks)].map(manifest);
        let all = folders.iter().flatten().map(PathBuf::as_path);
        let entries = all
            .chain([data_dir])
            .flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
        let mut files: Vec<_> = entries
            .filter_map(|entry| {
                let about = entry.metadata().ok().filter(fs::Metadata::is_file)?;
                Some((entry.path(), about.len(), about.modified().ok()))
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
    fn a_report_is_counted_once_and_again_when_a_file_is_another() {
        let folder = stored(USERS, "[]", "[]");
        let live = Live::new(folder.path().to_owned());
        let counted = || live.counted().unwrap();
        let first = counted();
        let others: Vec<_> = thread::scope(|scope| {
            let asked: Vec<_> = (0..8).map(|_| scope.spawn(counted)).collect();
            asked.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(others.iter().all(|other| Arc::ptr_eq(other, &first)));
        // As long as before, and maybe of the same moment: manifests count by what they say.
        let path = folder.path().join("manifest_async.json");
        let manifest = fs::read_to_string(&path).unwrap();
        fs::write(&path, manifest.replace("run-1", "run-2")).unwrap();
        let second = counted();
        assert!(!Arc::ptr_eq(&second, &first));
        assert!(
            second
                .report
                .snapshots
                .values()
                .all(|taken| taken.run == "run-2")
        );
    }

    #[test]
    fn an_error_lasts_no_longer_than_its_cause() {
        let folder = stored(USERS, "[]", "[]");
        let live = Live::new(folder.path().to_owned());
        let users = folder.path().join("users_async.json");
        fs::write(&users, "[").unwrap();
        assert!(live.counted().is_err());
        fs::write(&users, USERS).unwrap();
        assert_eq!(live.counted().unwrap().report.totals.users, 5);
    }

    #[test]
    fn an_id_in_a_path_is_a_number_before_it_is_a_text() {
        let folder = stored(USERS, "[]", "[]");
        let counted = Counted::of(folder.path()).unwrap();
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
            let found = counted.user(path).and_then(|(_, user)| user.id.clone());
            assert_eq!(found, id, "{path}");
        }
    }
}
