//! The numbers of a report, counted in one pass over the stored records.
//!
//! One thread reads the files and finds where records begin; the other one maps and
//! counts them. Users come first, so that everybody is known who may be named, then
//! comments, then the posts that they answer.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use crossbeam_channel::{Sender, bounded};
use jiff::Timestamp;

use crate::activity::Email;
use crate::concurrency::spawn_scoped;
use crate::error::{Error, StopReason, StorageError};
use crate::history::{Log, LoggedRun};
use crate::json::Text;
use crate::record::{Field, Fields, FromFields, Id, Reject, Resource, Time, map};
use crate::storage::{Piece, StoredSnapshot, each_piece};

use super::answers::{Answers, Found};
use super::at::Then;
use super::calendar::{Calendar, Kind, Zone};
use super::model::{ActivityReport, PostLine, RunChanges, Totals, Unanswered, Unlinked};
use super::people::{Author, People};
use super::taken::{Choice, Chosen};

/// Pieces that wait to be counted.
const WAITING: usize = 4;

/// Bytes of the titles of posts that are named; those behind them are only counted.
const TITLES: usize = 32 * 1024 * 1024;

/// How often a data directory is looked at anew that changes while it is read.
const LOOKS: usize = 3;

/// How many posts are named, and whose days are counted.
type How<'a> = (usize, Option<&'a Zone>);

impl ActivityReport {
    /// Counts what is in the snapshots of a data directory, as it is: a run that was killed may
    /// have left work that only [`crate::history::bring_up`] settles. Of posts without an
    /// answer it names the first `top`.
    ///
    /// # Errors
    /// When there is no snapshot, one does not say how its records are read, or a file
    /// cannot be read or is not what its manifest says.
    pub fn of(data_dir: &Path, top: usize) -> Result<Self, Error> {
        Self::in_zone(data_dir, top, None)
    }

    /// The same, with days, weeks and hours of a time zone in the place of UTC.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn in_zone(data_dir: &Path, top: usize, zone: Option<&Zone>) -> Result<Self, Error> {
        let how = (top, zone);
        let mut report = steadily(data_dir, |snapshots| {
            Self::of_snapshots(data_dir, snapshots, how)
        })?;
        report.history = past(data_dir, &report.source, None)?;
        Ok(report)
    }

    /// The same, as it was when a run had finished, or at the end of a day in UTC, or at a moment
    /// (`2026-11-28T08:00:00Z`). Only snapshots that are kept can tell.
    ///
    /// # Errors
    /// As [`of`](Self::of), and when there is no such snapshot.
    pub fn at(data_dir: &Path, top: usize, zone: Option<&Zone>, at: &str) -> Result<Self, Error> {
        let then = Then::find(data_dir, at)?;
        let mut report = Self::of_snapshots(data_dir, &then.snapshots, (top, zone))?;
        report.history = past(data_dir, &report.source, Some(then.until))?;
        Ok(report)
    }

    fn of_snapshots(
        data_dir: &Path,
        snapshots: &[StoredSnapshot],
        how: How<'_>,
    ) -> Result<Self, Error> {
        let choice = Choice::of(data_dir, snapshots)?;
        let mut count = Count::new(&choice, how);
        thread::scope(|scope| {
            let (sender, pieces) = bounded(WAITING);
            let reader = spawn_scoped(scope, {
                let choice = &choice;
                // The queue ends when its sender is dropped.
                move || read(choice, &sender)
            });
            let reader = reader.map_err(Error::start("a thread to read in"))?;
            let counted = pieces
                .iter()
                .try_for_each(|(chosen, piece)| count.add(chosen, &piece));
            // A reader that nobody listens to ends by itself.
            drop(pieces);
            let read = reader.join().unwrap_or_else(|panic| resume_unwind(panic));
            counted.and(read)
        })?;
        Ok(count.finish(&choice))
    }
}

/// Reads what the current snapshots of a data directory hold. What was read is of one run each,
/// and where it could not be read, since a run has removed the folder meanwhile, it is read anew.
pub(super) fn steadily<T>(
    data_dir: &Path,
    mut read: impl FnMut(&[StoredSnapshot]) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut looks = 1;
    loop {
        let snapshots = StoredSnapshot::all(data_dir)?;
        let found = read(&snapshots);
        let in_folders = snapshots.iter().all(|one| one.folder != data_dir);
        let stands = || Ok::<_, Error>(StoredSnapshot::all(data_dir)? == snapshots);
        if found.is_ok() && in_folders || looks == LOOKS || stands()? {
            return found;
        }
        looks += 1;
    }
}

/// Hands over the records of all files, in the order in which they are to be counted.
fn read<'c>(choice: &'c Choice, sender: &Sender<(&'c Chosen, Piece)>) -> Result<(), Error> {
    for chosen in choice.in_order() {
        let mut listening = true;
        let handed_over = each_piece(&chosen.folder, &chosen.file, |piece| {
            listening = sender.send((chosen, piece)).is_ok();
            if listening {
                Ok(())
            } else {
                Err(Error::Stopped(StopReason::Failure))
            }
        });
        if !listening {
            // Whoever counts tells why it ended.
            return Ok(());
        }
        handed_over?;
    }
    Ok(())
}

/// What is counted so far.
struct Count {
    top: usize,
    with_comments: bool,
    people: People,
    answers: Answers,
    calendar: Calendar,
    totals: Totals,
    comments: u64,
    by_others: u64,
    /// Whether a comment has named its post.
    linked: bool,
    unanswered: Unanswered,
    /// How many bytes of titles there is room for.
    room: usize,
}

impl Count {
    fn new(choice: &Choice, (top, zone): How<'_>) -> Self {
        Self {
            top,
            with_comments: choice.has(Resource::Comments),
            people: People::new(choice.has(Resource::Comments)),
            answers: Answers::default(),
            calendar: Calendar::of(zone),
            totals: Totals::default(),
            comments: 0,
            by_others: 0,
            linked: false,
            unanswered: Unanswered {
                count: 0,
                posts: Vec::new(),
            },
            room: TITLES,
        }
    }

    fn add(&mut self, chosen: &Chosen, piece: &Piece) -> Result<(), Error> {
        match chosen.resource {
            Resource::Users => each(chosen, piece, |user| self.add_user(user)),
            Resource::Posts => each(chosen, piece, |post| self.add_post(post)),
            Resource::Comments => each(chosen, piece, |comment| {
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
            self.answers.add(post, when);
        }
        let email = comment.email.as_ref().map(Email::as_str);
        let id = comment.user_id.as_ref();
        let author = self.people.author_of_comment(id, email);
        let number = match author {
            Author::Person(number) => Some(number),
            Author::Guest | Author::Unnamed => None,
        };
        let is_user = number.is_some_and(|number| self.people.is_user(number));
        self.by_others += u64::from(!is_user && author != Author::Unnamed);
        if let Some(number) = number {
            self.people.add_comment(number, when);
        }
        if let Some(when) = when {
            self.calendar.add(Kind::Comment, when, number);
        }
    }

    fn add_post(&mut self, post: Post<'_>) {
        self.totals.posts += 1;
        let when = post.created_at.as_ref().map(Time::instant);
        let author = post.user_id.as_ref();
        let author = author.map(|author| self.people.author_of_post(author));
        let found = self.answers.take(&post.id);
        let received = match found {
            Found::Answered(answer) => answer.count,
            Found::Nothing | Found::Again => 0,
        };
        if let Some(author) = author {
            self.people.add_post(author, received, when);
        }
        if let Some(when) = when {
            self.calendar.add(Kind::Post, when, author);
            if let Found::Answered(answer) = found
                && let Some(first) = answer.first
            {
                self.calendar.add_wait(when, first);
            }
        }
        if found == Found::Nothing {
            self.unanswered.count += 1;
            if self.with_comments && self.unanswered.posts.len() < self.top {
                self.name_unanswered(post, when);
            }
        }
    }

    fn name_unanswered(&mut self, post: Post<'_>, when: Option<Timestamp>) {
        let title = post.title.as_ref().map_or("", Text::as_str);
        // Of a title that there is no room for, nothing follows: the list has no gaps.
        let Some(room) = self.room.checked_sub(title.len()) else {
            self.room = 0;
            return;
        };
        self.room = room;
        self.unanswered.posts.push(PostLine {
            id: post.id,
            user_id: post.user_id,
            title: post.title.map(|title| title.as_str().to_owned()),
            created_at: when,
        });
    }

    /// Why it is not known which posts have an answer, where there are comments.
    fn unlinked(&self, choice: &Choice) -> Option<Unlinked> {
        if !self.with_comments || !choice.has(Resource::Posts) {
            return None;
        }
        if !choice.comments_name_posts() {
            return Some(Unlinked::NoField);
        }
        (self.comments > 0 && !self.linked).then_some(Unlinked::NoValue)
    }

    fn finish(mut self, choice: &Choice) -> ActivityReport {
        let with_comments = self.with_comments;
        let unlinked = self.unlinked(choice);
        if unlinked.is_some() {
            self.people.forget_received();
        }
        let of_comments = |count| with_comments.then_some(count);
        let totals = Totals {
            comments: of_comments(self.comments),
            silent_users: self.people.silent(),
            comments_by_others: of_comments(self.by_others),
            rejects: choice.rejects(),
            ..self.totals
        };
        let has_posts = choice.has(Resource::Posts);
        let snapshots: BTreeMap<_, _> = choice.taken().collect();
        ActivityReport {
            source: choice.source.clone(),
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

/// What the runs of a source changed, oldest first, up to some time; none without a history.
fn past(
    data_dir: &Path,
    source: &str,
    until: Option<Timestamp>,
) -> Result<Option<Vec<RunChanges>>, StorageError> {
    let Some(log) = Log::open(data_dir)? else {
        return Ok(None);
    };
    let found = log.runs(Some(source))?.into_iter();
    let is_told =
        |run: &LoggedRun| !run.unchanged && until.is_none_or(|until| run.finished_at <= until);
    let changes = found.filter(is_told).map(|run| RunChanges {
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

/// Reads the records of a piece.
pub(super) fn each<'a, T: FromFields<'a>>(
    chosen: &Chosen,
    piece: &'a Piece,
    mut take: impl FnMut(T),
) -> Result<(), Error> {
    for record in map::<T>(piece.records(), &chosen.mapping) {
        let record = record.map_err(|rejected| {
            let mut reject = Reject::from(rejected);
            reject.index += piece.first;
            StorageError::unsound(&chosen.folder.join(&chosen.file.name), &reject)
        })?;
        take(record.into_record());
    }
    Ok(())
}

/// What a report needs of a user.
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

/// What a report needs of a post.
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

/// What a report needs of a comment.
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
