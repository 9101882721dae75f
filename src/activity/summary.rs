//! The summary of a run, for people and for `summary.json`.

use serde::{Deserialize, Serialize};

use super::email::EmailDomain;
use super::id::UserId;
use super::tally::Tally;

/// What a run found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The source's name or base URL.
    pub source: String,
    /// The domain that users were filtered by.
    pub email_domain: EmailDomain,
    /// How many users.
    pub users: u64,
    /// How many posts.
    pub posts: u64,
    /// How many comments, where the flow fetches them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comments: Option<u64>,
    /// How many users the filter took.
    pub filtered_users: u64,
    /// How many records did not map.
    pub rejected: u64,
    /// Most posts first, then by id.
    pub posts_per_user: Vec<UserPosts>,
}

/// How many posts one user wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserPosts {
    /// The author.
    pub user_id: UserId,
    /// The author's name; none where no such user was fetched.
    pub name: Option<String>,
    /// How many posts.
    pub posts: u64,
}

impl Summary {
    /// Sums up what was counted.
    #[must_use]
    pub fn new(
        source: &str,
        email_domain: &EmailDomain,
        tally: Tally,
        with_comments: bool,
    ) -> Self {
        Self {
            source: source.to_owned(),
            email_domain: email_domain.clone(),
            users: tally.users,
            posts: tally.posts,
            comments: with_comments.then_some(tally.comments),
            filtered_users: tally.filtered_users,
            rejected: 0,
            posts_per_user: tally.ranking(),
        }
    }
}
