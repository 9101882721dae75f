//! Builds a report in one pass over the stored records.
//!
//! One thread reads the files and finds record boundaries; the other maps and counts the
//! records. Users come first, because comments and posts refer to them, then comments, then
//! the posts that they belong to.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use crossbeam_channel::{Sender, bounded};
use jiff::Timestamp;

use activity_tracker_concurrency::spawn_scoped;
use activity_tracker_core::activity::Email;
use activity_tracker_core::error::{Error, HistoryError, StorageError};
use activity_tracker_core::history::{Log, LoggedRun};
use activity_tracker_core::record::{Field, Fields, FromFields, Id, Reject, Resource, Time, map};
use activity_tracker_core::storage::{Chunk, Chunks, StoredSnapshot};
use activity_tracker_json::Text;

use super::at::Then;
use super::calendar::{Calendar, EventKind};
use super::data_sources::{DataSources, ResourceFile};
use super::model::{ActivityReport, PostSummary, RunChanges, Totals, UnansweredPosts, Unlinked};
use super::people::{Author, People};
use super::replies::{Replies, Taken};
use super::zone::Zone;

/// Chunks of records in the queue between the two threads.
const QUEUE: usize = 4;

/// Total length of the titles of listed posts, in bytes; posts beyond that are only counted.
const MAX_TITLES: usize = 32 * 1024 * 1024;

/// How often the files are read if a run replaces them meanwhile.
const MAX_READS: usize = 3;

/// How many unanswered posts are listed, and the time zone.
type Options<'a> = (usize, &'a Zone);

impl ActivityReport {
    /// Builds the report from the snapshots of a data directory, in UTC, with up to `top`
    /// unanswered posts. It does not apply what a killed run left pending: call
    /// [`activity_tracker_core::history::bring_up`] first.
    ///
    /// # Errors
    /// If there is no snapshot, a manifest lacks its source definition, or a file cannot be read
    /// or does not match its manifest.
    pub fn of(data_dir: &Path, top: usize) -> Result<Self, Error> {
        Self::in_zone(data_dir, top, &Zone::default())
    }

    /// Builds the report with days, hours and times in a time zone.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn in_zone(data_dir: &Path, top: usize, zone: &Zone) -> Result<Self, Error> {
        let mut report = read_consistently(data_dir, |snapshots| {
            Self::of_snapshots(data_dir, snapshots, (top, zone))
        })?;
        report.history = run_changes(data_dir, &report.source, None)?;
        Ok(report)
    }

    /// Builds the report as it was when a run had finished (`at` is its id), at the end of a day
    /// in UTC (`2026-11-28`), or at a moment (`2026-11-28T08:00:00Z`). This needs a snapshot that
    /// is still kept.
    ///
    /// # Errors
    /// As [`of`](Self::of), and if there is no such snapshot.
    pub fn at(data_dir: &Path, top: usize, zone: &Zone, at: &str) -> Result<Self, Error> {
        let then = Then::find(data_dir, at)?;
        let mut report = Self::of_snapshots(data_dir, &then.snapshots, (top, zone))?;
        report.history = run_changes(data_dir, &report.source, Some(then.until))?;
        Ok(report)
    }

    fn of_snapshots(
        data_dir: &Path,
        snapshots: &[StoredSnapshot],
        options: Options<'_>,
    ) -> Result<Self, Error> {
        let sources = DataSources::of(data_dir, snapshots)?;
        let mut builder = Builder::new(&sources, options);
        thread::scope(|scope| {
            let (sender, chunks) = bounded(QUEUE);
            let reader = spawn_scoped(scope, {
                let sources = &sources;
                // The queue ends when its sender is dropped.
                move || read(sources, &sender)
            });
            let reader = reader.map_err(Error::start("a thread to read in"))?;
            let built = chunks
                .iter()
                .try_for_each(|(file, chunk)| builder.add(file, &chunk));
            // Makes the reader stop after an error.
            drop(chunks);
            let read = reader.join().unwrap_or_else(|panic| resume_unwind(panic));
            built.and(read)
        })?;
        Ok(builder.finish(&sources))
    }
}

/// Calls `read` with the current snapshots, and again if a run has removed their folders while it
/// was reading. Snapshots with their own folder do not change while they are read.
pub(super) fn read_consistently<T>(
    data_dir: &Path,
    mut read: impl FnMut(&[StoredSnapshot]) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut reads = 1;
    loop {
        let snapshots = StoredSnapshot::all(data_dir)?;
        let result = read(&snapshots);
        let in_folders = snapshots.iter().all(|one| one.folder != data_dir);
        let unchanged = || Ok::<_, Error>(StoredSnapshot::all(data_dir)? == snapshots);
        if result.is_ok() && in_folders || reads == MAX_READS || unchanged()? {
            return result;
        }
        reads += 1;
    }
}

/// Sends the records of all files, in the order in which they have to be counted.
fn read<'s>(
    sources: &'s DataSources,
    sender: &Sender<(&'s ResourceFile, Chunk)>,
) -> Result<(), Error> {
    for file in sources.in_order() {
        for chunk in Chunks::open(&file.folder, &file.file)? {
            if sender.send((file, chunk?)).is_err() {
                // The receiver returns the error that made it stop.
                return Ok(());
            }
        }
    }
    Ok(())
}

/// A report under construction.
struct Builder<'z> {
    top: usize,
    zone: &'z Zone,
    with_comments: bool,
    people: People,
    replies: Replies,
    calendar: Calendar,
    totals: Totals,
    comments: u64,
    comments_by_guests: u64,
    /// Whether any comment named its post.
    linked: bool,
    unanswered: UnansweredPosts,
    /// How many bytes of titles may still be kept.
    title_budget: usize,
}

impl<'z> Builder<'z> {
    fn new(sources: &DataSources, (top, zone): Options<'z>) -> Self {
        Self {
            top,
            zone,
            with_comments: sources.has(Resource::Comments),
            people: People::new(sources.has(Resource::Comments)),
            replies: Replies::default(),
            calendar: Calendar::new(zone),
            totals: Totals::default(),
            comments: 0,
            comments_by_guests: 0,
            linked: false,
            unanswered: UnansweredPosts {
                count: 0,
                posts: Vec::new(),
            },
            title_budget: MAX_TITLES,
        }
    }

    fn add(&mut self, file: &ResourceFile, chunk: &Chunk) -> Result<(), Error> {
        match file.resource {
            Resource::Users => each_record(file, chunk, |user| self.add_user(user)),
            Resource::Posts => each_record(file, chunk, |post| self.add_post(post)),
            Resource::Comments => each_record(file, chunk, |comment| {
                self.add_comment(&comment);
            }),
        }
    }

    fn add_user(&mut self, user: User<'_>) {
        self.totals.users += 1;
        let joined = user.created_at.as_ref().map(Time::instant);
        if let Some(joined) = joined {
            self.calendar.add_account(joined);
        }
        let name = user.name.as_ref().map(Text::as_str);
        let email = user.email.as_ref().map(Email::as_str);
        self.people.add_user(user.id, name, email, joined);
    }

    fn add_comment(&mut self, comment: &Comment<'_>) {
        self.comments += 1;
        let when = comment.created_at.as_ref().map(Time::instant);
        if let Some(post) = &comment.post_id {
            self.linked = true;
            self.replies.add(post, when);
        }
        let email = comment.email.as_ref().map(Email::as_str);
        let id = comment.user_id.as_ref();
        let author = self.people.author_of_comment(id, email);
        let person = match author {
            Author::Person(person) => Some(person),
            Author::Anonymous | Author::Missing => None,
        };
        let is_user = person.is_some_and(|person| self.people.is_user(person));
        self.comments_by_guests += u64::from(!is_user && author != Author::Missing);
        if let Some(person) = person {
            self.people.add_comment(person, when);
        }
        if let Some(when) = when {
            self.calendar.add(EventKind::Comment, when, person);
        }
    }

    fn add_post(&mut self, post: Post<'_>) {
        self.totals.posts += 1;
        let when = post.created_at.as_ref().map(Time::instant);
        let author = post.user_id.as_ref();
        let author = author.map(|author| self.people.author_of_post(author));
        let taken = self.replies.take(&post.id);
        let received = match taken {
            Taken::Replies(replies) => replies.count,
            Taken::None | Taken::Already => 0,
        };
        if let Some(author) = author {
            self.people.add_post(author, received, when);
        }
        if let Some(when) = when {
            self.calendar.add(EventKind::Post, when, author);
            if let Taken::Replies(replies) = taken
                && let Some(first) = replies.first
            {
                self.calendar.add_first_reply(when, first);
            }
        }
        if taken == Taken::None {
            self.unanswered.count += 1;
            if self.with_comments && self.unanswered.posts.len() < self.top {
                self.list_unanswered(post, when);
            }
        }
    }

    fn list_unanswered(&mut self, post: Post<'_>, when: Option<Timestamp>) {
        let title = post.title.as_ref().map_or("", Text::as_str);
        // After the first title that does not fit, no post is listed: the list has no gaps.
        let Some(rest) = self.title_budget.checked_sub(title.len()) else {
            self.title_budget = 0;
            return;
        };
        self.title_budget = rest;
        self.unanswered.posts.push(PostSummary {
            id: post.id,
            user_id: post.user_id,
            title: post.title.map(|title| title.as_str().to_owned()),
            created_at: when,
        });
    }

    /// Why replies cannot be matched to posts, although there are comments.
    fn unlinked(&self, sources: &DataSources) -> Option<Unlinked> {
        if !self.with_comments || !sources.has(Resource::Posts) {
            return None;
        }
        if !sources.maps_post_ids() {
            return Some(Unlinked::NoField);
        }
        (self.comments > 0 && !self.linked).then_some(Unlinked::NoValue)
    }

    fn finish(mut self, sources: &DataSources) -> ActivityReport {
        let with_comments = self.with_comments;
        let unlinked = self.unlinked(sources);
        if unlinked.is_some() {
            self.people.clear_received();
        }
        let if_comments = |count| with_comments.then_some(count);
        let totals = Totals {
            comments: if_comments(self.comments),
            inactive_users: self.people.inactive(),
            comments_by_guests: if_comments(self.comments_by_guests),
            rejects: sources.rejects(),
            ..self.totals
        };
        let has_posts = sources.has(Resource::Posts);
        let snapshots: BTreeMap<_, _> = sources.snapshot_files().collect();
        ActivityReport {
            source: sources.source.clone(),
            time_zone: self.zone.clone(),
            snapshots,
            totals,
            domains: self.people.domains(),
            users: self.people.ranking(),
            unanswered: (with_comments && has_posts && unlinked.is_none())
                .then_some(self.unanswered),
            unanswered_reason: unlinked,
            dates: self.calendar.finish(),
            history: None,
        }
    }
}

/// What each run of a source changed, oldest first, up to `until`; `None` without a history.
fn run_changes(
    data_dir: &Path,
    source: &str,
    until: Option<Timestamp>,
) -> Result<Option<Vec<RunChanges>>, HistoryError> {
    let Some(log) = Log::open(data_dir)? else {
        return Ok(None);
    };
    let runs = log.runs(Some(source))?.into_iter();
    let counts =
        |run: &LoggedRun| !run.unchanged && until.is_none_or(|until| run.finished_at <= until);
    let changes = runs.filter(counts).map(|run| RunChanges {
        run: run.run,
        at: run.finished_at,
        changes: run
            .resources
            .iter()
            .map(|(of, found)| (*of, found.changes))
            .collect(),
    });
    Ok(Some(changes.collect()))
}

/// Maps the records of a chunk.
pub(super) fn each_record<'a, T: FromFields<'a>>(
    file: &ResourceFile,
    chunk: &'a Chunk,
    mut take: impl FnMut(T),
) -> Result<(), Error> {
    for record in map::<T>(chunk.records(), &file.mapping) {
        let record = record.map_err(|rejected| {
            let mut reject = Reject::from(rejected);
            reject.index += chunk.first;
            StorageError::unsound(&file.folder.join(&file.file.name), &reject)
        })?;
        take(record.into_record());
    }
    Ok(())
}

/// The fields of a user that a report needs.
struct User<'a> {
    id: Id,
    name: Option<Text<'a>>,
    email: Option<Email<'a>>,
    created_at: Option<Time<'a>>,
}

impl<'a> FromFields<'a> for User<'a> {
    fn from_fields(fields: &Fields<'a, '_>) -> Result<Self, Box<Reject>> {
        let name = fields.get(Field::Name)?;
        Ok(Self {
            id: fields.required(Field::Id)?,
            name: match name {
                Some(name) => Some(name),
                None => fields.get(Field::Username)?,
            },
            email: fields.get(Field::Email)?,
            created_at: fields.get(Field::CreatedAt)?,
        })
    }
}

/// The fields of a post that a report needs.
struct Post<'a> {
    id: Id,
    user_id: Option<Id>,
    title: Option<Text<'a>>,
    created_at: Option<Time<'a>>,
}

impl<'a> FromFields<'a> for Post<'a> {
    fn from_fields(fields: &Fields<'a, '_>) -> Result<Self, Box<Reject>> {
        Ok(Self {
            id: fields.required(Field::Id)?,
            user_id: fields.get(Field::UserId)?,
            title: fields.get(Field::Title)?,
            created_at: fields.get(Field::CreatedAt)?,
        })
    }
}

/// The fields of a comment that a report needs.
struct Comment<'a> {
    post_id: Option<Id>,
    user_id: Option<Id>,
    email: Option<Email<'a>>,
    created_at: Option<Time<'a>>,
}

impl<'a> FromFields<'a> for Comment<'a> {
    fn from_fields(fields: &Fields<'a, '_>) -> Result<Self, Box<Reject>> {
        Ok(Self {
            post_id: fields.get(Field::PostId)?,
            user_id: fields.get(Field::UserId)?,
            email: fields.get(Field::Email)?,
            created_at: fields.get(Field::CreatedAt)?,
        })
    }
}
