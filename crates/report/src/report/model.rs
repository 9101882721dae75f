//! The contents of a report, independent of any output format.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil};
use serde::Serialize;

use super::zone::Zone;
pub use activity_tracker_core::activity::Unlinked;
pub use activity_tracker_core::history::ChangeCounts;
pub use activity_tracker_core::record::{Id, Resource};

/// Who is active at one source.
///
/// Data that the source does not offer (comments, dates, history) is `None`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActivityReport {
    /// The source's name or base URL.
    pub source: String,
    /// The zone of days, weeks and hours, and of all times shown to people.
    pub time_zone: Zone,
    /// The stored file of each resource, and the run that fetched it.
    pub snapshots: BTreeMap<Resource, SnapshotFile>,
    /// Overall counts.
    pub totals: Totals,
    /// All users, and all guests: authors who are not in the source's user list. Sorted by posts
    /// and comments written, then by comments received, then by id, then in the API's order.
    pub users: Vec<UserActivity>,
    /// Posts without comments, in the API's order. `None` without comments, and if comments do not
    /// name their posts.
    pub unanswered: Option<UnansweredPosts>,
    /// Why `unanswered` is `None` although there are posts and comments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unanswered_reason: Option<Unlinked>,
    /// The domains of users' e-mail addresses, most users first, then by name.
    pub domains: Vec<Domain>,
    /// Activity over time; `None` if neither posts nor comments have dates.
    pub dates: Option<Dates>,
    /// What each run changed, oldest first; `None` without a history.
    pub history: Option<Vec<RunChanges>>,
}

/// A stored file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SnapshotFile {
    /// The id of the run that fetched it.
    pub run: String,
    /// When that run finished.
    pub at: Timestamp,
    /// The file name in the data directory.
    pub file: String,
}

/// Overall counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Users.
    pub users: u64,
    /// Posts.
    pub posts: u64,
    /// Comments; `None` if the source has none or they were not fetched.
    pub comments: Option<u64>,
    /// Users who wrote neither a post nor a comment.
    pub inactive_users: u64,
    /// Comments with an author who is not in the source's user list.
    pub comments_by_guests: Option<u64>,
    /// Records that failed validation in the last runs; no other count includes them.
    pub rejects: u64,
}

/// What one author wrote and received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserActivity {
    /// The id; `None` for a guest known only by e-mail address.
    pub id: Option<Id>,
    /// The display name.
    pub name: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether the source lists this author as a user; guests are not listed.
    pub is_user: bool,
    /// Posts written.
    pub posts: u64,
    /// Comments on this author's posts; `None` without comments, and if comments do not name their
    /// posts.
    pub comments_received: Option<u64>,
    /// Comments written; `None` without comments.
    pub comments_written: Option<u64>,
    /// When the account was created, if the API says.
    pub joined: Option<Timestamp>,
    /// The first and the last dated post or comment.
    pub active: Option<(Timestamp, Timestamp)>,
}

/// Posts without comments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnansweredPosts {
    /// How many there are.
    pub count: u64,
    /// The first of them, up to the requested number.
    pub posts: Vec<PostSummary>,
}

/// A post without its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PostSummary {
    /// The id.
    pub id: Id,
    /// The author.
    pub user_id: Option<Id>,
    /// The title.
    pub title: Option<String>,
    /// When it was published.
    pub created_at: Option<Timestamp>,
}

/// An e-mail domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Domain {
    /// The name, in lowercase.
    pub domain: String,
    /// How many users have an address in this domain.
    pub users: u64,
}

/// Activity over time. Days and hours are in the report's time zone; weeks start on Monday.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dates {
    /// Days with at least one post or comment, oldest first.
    pub days: Vec<Day>,
    /// All weeks from the first to the last, except gaps of ten years and more: a single wrong
    /// date must not add thousands of empty weeks.
    pub weeks: Vec<Week>,
    /// Posts and comments in each hour (0 to 23) of each weekday, Monday first.
    pub hours: [[u64; 24]; 7],
    /// How long posts waited for their first comment; `None` without dated comments.
    pub time_to_first_reply: Option<ReplyTimes>,
}

/// The activity of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Day {
    /// The day.
    pub date: civil::Date,
    /// Posts.
    pub posts: u64,
    /// Comments.
    pub comments: u64,
}

/// The activity of one week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Week {
    /// Its Monday.
    pub monday: civil::Date,
    /// Posts.
    pub posts: u64,
    /// Comments.
    pub comments: u64,
    /// Authors who wrote for the first time.
    pub new_users: u64,
    /// Authors who also wrote in an earlier week.
    pub returning_users: u64,
    /// Accounts created; `None` if the API has no such dates.
    pub joined: Option<u64>,
}

/// Time from a post to its first comment. A comment dated before its post counts as zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ReplyTimes {
    /// Posts with a dated comment.
    pub posts: u64,
    /// The median.
    pub median: SignedDuration,
    /// The 90th percentile.
    pub percentile_90: SignedDuration,
}

/// What one run changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunChanges {
    /// The run's id.
    pub run: String,
    /// When the run finished.
    pub at: Timestamp,
    /// By resource.
    pub changes: BTreeMap<Resource, ChangeCounts>,
}
