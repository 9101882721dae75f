//! What reducing records gives: counts that merge into one, in any order.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::id::UserId;
use super::ids::IdSet;
use super::models::{Comment, Post, Record, Resource, User};
use super::summary::UserPosts;

/// What users are called, if anything.
type Names = HashMap<UserId, Option<String>, RandomState>;

/// The counts of some records. An empty tally counts nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many users.
    pub users: u64,
    /// How many posts.
    pub posts: u64,
    /// How many comments.
    pub comments: u64,
    /// How many users the e-mail filter took.
    pub filtered_users: u64,
    #[serde(default, skip_serializing_if = "IdSet::is_empty")]
    user_ids: IdSet,
    #[serde(default, skip_serializing_if = "IdSet::is_empty")]
    post_ids: IdSet,
    #[serde(default, skip_serializing_if = "IdSet::is_empty")]
    comment_ids: IdSet,
    /// What each user is called, if anything.
    #[serde(with = "pairs")]
    names: Names,
    posts_per_user: Counts,
}

impl Tally {
    /// Counts a user and remembers the name.
    pub fn add_user(&mut self, user: &User<'_>) {
        self.users += 1;
        self.user_ids.insert(user.id());
        let name = user.called().map(|name| name.as_str().to_owned());
        remember(&mut self.names, user.id.clone(), name);
    }

    /// Counts a post, for its author where the API tells.
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

    /// How many records of a resource.
    #[must_use]
    pub fn records(&self, resource: Resource) -> u64 {
        match resource {
            Resource::Users => self.users,
            Resource::Posts => self.posts,
            Resource::Comments => self.comments,
        }
    }

    /// How many records of a resource have an id that another one had before.
    #[must_use]
    pub fn duplicates(&self, resource: Resource) -> u64 {
        let ids = match resource {
            Resource::Users => &self.user_ids,
            Resource::Posts => &self.post_ids,
            Resource::Comments => &self.comment_ids,
        };
        self.records(resource).saturating_sub(ids.len())
    }

    /// This tally and another as one. The order of merging makes no difference.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.users += other.users;
        self.posts += other.posts;
        self.comments += other.comments;
        self.filtered_users += other.filtered_users;
        self.user_ids = self.user_ids.merge(other.user_ids);
        self.post_ids = self.post_ids.merge(other.post_ids);
        self.comment_ids = self.comment_ids.merge(other.comment_ids);
        for (id, name) in other.names {
            remember(&mut self.names, id, name);
        }
        self.posts_per_user.merge(other.posts_per_user);
        self
    }

    /// Posts per user: most posts first, then by id. Users without posts are
    /// there with 0; unknown authors and users who have none are without a name.
    #[must_use]
    pub fn ranking(self) -> Vec<UserPosts> {
        let Self {
            mut names,
            posts_per_user,
            ..
        } = self;
        let mut counts: HashMap<UserId, u64, RandomState> = HashMap::default();
        for (author, posts) in posts_per_user.into_all() {
            *counts.entry(known_as(&names, UserId(author))).or_default() += posts;
        }
        let mut ranking: Vec<_> = counts
            .into_iter()
            .map(|(user_id, posts)| UserPosts {
                name: names.remove(&user_id).flatten(),
                user_id,
                posts,
            })
            .collect();
        let silent = names.into_iter().map(|(user_id, name)| UserPosts {
            user_id,
            name,
            posts: 0,
        });
        ranking.extend(silent);
        ranking.sort_unstable_by(|a, b| {
            b.posts
                .cmp(&a.posts)
                .then_with(|| a.user_id.cmp(&b.user_id))
        });
        ranking
    }
}

/// The id of the user whom posts name: where nobody has the very id, `7` and `"7"` are the same.
fn known_as(names: &Names, author: UserId) -> UserId {
    if names.contains_key(&author) {
        return author;
    }
    let twin = author.0.twin().map(UserId);
    twin.filter(|twin| names.contains_key(twin))
        .unwrap_or(author)
}

/// Two users of one id keep the name that sorts first, so that merging has no
/// order; any name is better than none.
fn remember(names: &mut Names, id: UserId, name: Option<String>) {
    match names.entry(id) {
        Entry::Vacant(place) => {
            place.insert(name);
        }
        Entry::Occupied(mut known) => {
            let better = match (&name, known.get()) {
                (Some(name), Some(known)) => name < known,
                (name, _) => name.is_some(),
            };
            if better {
                known.insert(name);
            }
        }
    }
}

/// JSON has only strings for keys; a list of pairs keeps an id's kind.
mod pairs {
    use std::collections::HashMap;
    use std::hash::{BuildHasher, Hash};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<K: Serialize, V: Serialize, H, S: Serializer>(
        map: &HashMap<K, V, H>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, K, V, H, D>(
        deserializer: D,
    ) -> Result<HashMap<K, V, H>, D::Error>
    where
        K: Deserialize<'de> + Eq + Hash,
        V: Deserialize<'de>,
        H: BuildHasher + Default,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?
            .into_iter()
            .collect())
    }
}

#[cfg(test)]
mod tests;
