//! The reduce step: counts of records, which merge in any order.

use serde::{Deserialize, Serialize};

use super::id_counts::IdCounts;
use super::models::{Comment, Post, User};
use super::ranking::Ranker;
use crate::record::IdSet;
use crate::record::{Record, Resource};

/// The counts of some records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityCounts {
    /// The number of users.
    pub users: u64,
    /// The number of posts.
    pub posts: u64,
    /// The number of comments.
    pub comments: u64,
    /// The number of users whose e-mail address is in the domain.
    pub filtered_users: u64,
    #[serde(default, skip_serializing_if = "IdSet::is_empty")]
    user_ids: IdSet,
    #[serde(default, skip_serializing_if = "IdSet::is_empty")]
    post_ids: IdSet,
    #[serde(default, skip_serializing_if = "IdSet::is_empty")]
    comment_ids: IdSet,
    posts_per_user: IdCounts,
}

impl ActivityCounts {
    /// Counts a user. Names are kept elsewhere, so that counts stay small.
    pub fn add_user(&mut self, user: &User<'_>) {
        self.users += 1;
        self.user_ids.insert(user.id());
    }

    /// Counts a post, and its author if the API has one.
    pub fn add_post(&mut self, post: &Post<'_>) {
        self.posts += 1;
        self.post_ids.insert(post.id());
        if let Some(author) = &post.user_id {
            self.posts_per_user.add(&author.0);
        }
    }

    /// Counts a comment.
    pub fn add_comment(&mut self, comment: &Comment<'_>) {
        self.comments += 1;
        self.comment_ids.insert(comment.id());
    }

    /// The number of records of a resource.
    #[must_use]
    pub fn records(&self, resource: Resource) -> u64 {
        match resource {
            Resource::Users => self.users,
            Resource::Posts => self.posts,
            Resource::Comments => self.comments,
        }
    }

    /// The number of records of a resource that have the id of an earlier one.
    #[must_use]
    pub fn duplicates(&self, resource: Resource) -> u64 {
        let ids = match resource {
            Resource::Users => &self.user_ids,
            Resource::Posts => &self.post_ids,
            Resource::Comments => &self.comment_ids,
        };
        self.records(resource).saturating_sub(ids.len())
    }

    /// Merges two counts. The order does not matter.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.users += other.users;
        self.posts += other.posts;
        self.comments += other.comments;
        self.filtered_users += other.filtered_users;
        self.user_ids = self.user_ids.merge(other.user_ids);
        self.post_ids = self.post_ids.merge(other.post_ids);
        self.comment_ids = self.comment_ids.merge(other.comment_ids);
        self.posts_per_user.merge(other.posts_per_user);
        self
    }

    /// Ranks users by posts; the users are still to be added.
    #[must_use]
    pub fn ranker(self) -> Ranker {
        Ranker::new(self.posts_per_user.finish(), self.user_ids)
    }
}

#[cfg(test)]
mod tests;
