//! What a report says, before anybody has decided how it looks.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil};
use serde::Serialize;

pub use crate::activity::Unlinked;
pub use crate::history::ChangeCounts;
use crate::record::{Id, Resource};

/// Who is active at one source.
///
/// What the source does not offer is none: no comments, no dates, no history.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActivityReport {
    /// The source's name or base URL.
    pub source: String,
    /// Which run each resource was taken from.
    pub snapshots: BTreeMap<Resource, Taken>,
    /// How many there are of everything.
    pub totals: Totals,
    /// All users and all others who wrote something: those first who wrote most, then
    /// those who received most comments, then by id, then in the API's order.
    pub users: Vec<UserActivity>,
    /// Posts that nobody answered, in the API's order; none without comments, and where
    /// comments do not tell which posts they are on.
    pub unanswered: Option<Unanswered>,
    /// Why that is not known, where there are posts and comments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unanswered_reason: Option<Unlinked>,
    /// The domains of users' e-mail addresses, most users first, then by name.
    pub domains: Vec<Domain>,
    /// When people are active; none where neither posts nor comments have dates.
    pub dates: Option<Dates>,
    /// What changed over the runs; none without a history.
    pub history: Option<Vec<RunChanges>>,
}

/// Where a resource was taken from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// The run's id.
    pub run: String,
    /// When it was finished.
    pub at: Timestamp,
    /// The file in the data directory.
    pub file: String,
}

/// How many there are of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Users.
    pub users: u64,
    /// Posts.
    pub posts: u64,
    /// Comments; none where the source has none or they were not fetched.
    pub comments: Option<u64>,
    /// Users who wrote neither a post nor a comment.
    pub silent_users: u64,
    /// Comments whose author is named and is no user of the source.
    pub comments_by_others: Option<u64>,
    /// Records that the last runs could not map, so that they are in no number here.
    pub rejects: u64,
}

/// What one user wrote and received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserActivity {
    /// The id; none for somebody who is known by an e-mail address alone.
    pub id: Option<Id>,
    /// What to call them.
    pub name: Option<String>,
    /// Their e-mail address.
    pub email: Option<String>,
    /// Whether the source lists them as a user.
    pub is_user: bool,
    /// Posts that they wrote.
    pub posts: u64,
    /// Comments that their posts received; none where there are no comments, or they do not
    /// tell which posts they are on.
    pub comments_received: Option<u64>,
    /// Comments that they wrote; none where there are no comments.
    pub comments_written: Option<u64>,
    /// When the account was made, where the API tells.
    pub joined: Option<Timestamp>,
    /// When they first and last wrote something, where that is dated.
    pub active: Option<(Timestamp, Timestamp)>,
}

/// Posts that nobody answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unanswered {
    /// How many.
    pub count: u64,
    /// The first of them, as many as were asked for.
    pub posts: Vec<PostLine>,
}

/// A post in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PostLine {
    /// The id.
    pub id: Id,
    /// Who wrote it.
    pub user_id: Option<Id>,
    /// The headline.
    pub title: Option<String>,
    /// When it was published.
    pub created_at: Option<Timestamp>,
}

/// An e-mail domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Domain {
    /// Its name, in small letters.
    pub domain: String,
    /// How many users have an address there.
    pub users: u64,
}

/// When people are active. Days and hours are those of the time zone; weeks begin on Monday.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dates {
    /// Days on which something was written, oldest first.
    pub days: Vec<Day>,
    /// All weeks from the first to the last, quiet ones too, unless ten years of them
    /// are quiet: a wrong date makes no thousand weeks.
    pub weeks: Vec<Week>,
    /// What was written in each hour (0 to 23) of each weekday, Monday first.
    pub hours: [[u64; 24]; 7],
    /// How long the first answer to a post took; none without dated comments.
    pub first_answer: Option<FirstAnswer>,
    /// The zone that days, weeks and hours are those of; UTC where none was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

impl Dates {
    /// The name of the zone that days, weeks and hours are those of.
    #[must_use]
    pub fn zone(&self) -> &str {
        self.time_zone.as_deref().unwrap_or("UTC")
    }
}

/// What was written on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Day {
    /// The day.
    pub date: civil::Date,
    /// Posts.
    pub posts: u64,
    /// Comments.
    pub comments: u64,
}

/// What was written in one week, and by how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Week {
    /// Its Monday.
    pub monday: civil::Date,
    /// Posts.
    pub posts: u64,
    /// Comments.
    pub comments: u64,
    /// Those who wrote something for the first time.
    pub new_users: u64,
    /// Those who wrote something and had done so in an earlier week.
    pub returning_users: u64,
    /// Accounts that were made; none where the API has no dates of users.
    pub joined: Option<u64>,
}

/// How long posts waited for their first answer. One that is dated before its post took no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FirstAnswer {
    /// Posts with a dated answer.
    pub answered: u64,
    /// Half of them waited no longer than this.
    pub median: SignedDuration,
    /// Nine of ten waited no longer than this.
    pub percentile_90: SignedDuration,
}

/// What one run found changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunChanges {
    /// The run's id.
    pub run: String,
    /// When it was finished.
    pub at: Timestamp,
    /// By resource.
    pub changes: BTreeMap<Resource, ChangeCounts>,
}
