//! What reducing records gives: counts that merge into one, in any order.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::{Deserialize, Serialize};

use super::id::UserId;
use super::models::{Comment, Post, User};
use super::summary::UserPosts;

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
    #[serde(with = "pairs")]
    names: HashMap<UserId, String>,
    #[serde(with = "pairs")]
    posts_per_user: HashMap<UserId, u64>,
}

impl Tally {
    /// Counts a user and remembers the name.
    pub fn add_user(&mut self, user: &User<'_>) {
        self.users += 1;
        remember(
            &mut self.names,
            user.id.clone(),
            user.name.as_str().to_owned(),
        );
    }

    /// Counts a post for its author.
    pub fn add_post(&mut self, post: &Post<'_>) {
        self.posts += 1;
        // Looked up by reference first: nearly every post is by an author seen before.
        if let Some(count) = self.posts_per_user.get_mut(&post.user_id) {
            *count += 1;
        } else {
            self.posts_per_user.insert(post.user_id.clone(), 1);
        }
    }

    /// Counts a comment.
    pub fn add_comment(&mut self, _: &Comment<'_>) {
        self.comments += 1;
    }

    /// This tally and another as one. The order of merging makes no difference.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.users += other.users;
        self.posts += other.posts;
        self.comments += other.comments;
        self.filtered_users += other.filtered_users;
        for (id, name) in other.names {
            remember(&mut self.names, id, name);
        }
        for (id, posts) in other.posts_per_user {
            *self.posts_per_user.entry(id).or_default() += posts;
        }
        self
    }

    /// Posts per user: most posts first, then by id. Users without posts are
    /// there with 0, unknown authors without a name.
    #[must_use]
    pub fn ranking(self) -> Vec<UserPosts> {
        let Self {
            mut names,
            posts_per_user,
            ..
        } = self;
        let mut ranking: Vec<_> = posts_per_user
            .into_iter()
            .map(|(user_id, posts)| UserPosts {
                name: names.remove(&user_id),
                user_id,
                posts,
            })
            .collect();
        let silent = names.into_iter().map(|(user_id, name)| UserPosts {
            user_id,
            name: Some(name),
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

/// Two users of one id keep the name that sorts first, so that merging has no order.
fn remember(names: &mut HashMap<UserId, String>, id: UserId, name: String) {
    match names.entry(id) {
        Entry::Vacant(place) => {
            place.insert(name);
        }
        Entry::Occupied(mut known) if name < *known.get() => {
            known.insert(name);
        }
        Entry::Occupied(_) => {}
    }
}

/// JSON has only strings for keys; a list of pairs keeps an id's kind.
mod pairs {
    use std::collections::HashMap;
    use std::hash::Hash;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &HashMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<HashMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Eq + Hash,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?
            .into_iter()
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::Id;
    use proptest::prelude::*;

    fn tally(users: &[(i64, &str)], posts: &[i64]) -> Tally {
        let mut tally = Tally::default();
        for (id, name) in users {
            let json = format!(r#"{{"id":{id},"name":"{name}","username":"","email":""}}"#);
            tally.add_user(&serde_json::from_str(&json).unwrap());
        }
        for user in posts {
            let json = format!(r#"{{"id":1,"userId":{user},"title":"","body":""}}"#);
            tally.add_post(&serde_json::from_str(&json).unwrap());
        }
        tally
    }

    #[test]
    fn most_posts_come_first_then_ids_with_silent_users_and_unknown_authors() {
        let ranking = tally(&[(1, "A"), (2, "B"), (10, "C")], &[9, 10, 2, 9]).ranking();
        let rows: Vec<_> = ranking
            .iter()
            .map(|row| (&row.user_id.0, row.name.as_deref(), row.posts))
            .collect();
        let expected = [
            (&Id::Number(9), None, 2),
            (&Id::Number(2), Some("B"), 1),
            (&Id::Number(10), Some("C"), 1),
            (&Id::Number(1), Some("A"), 0),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn a_tally_survives_the_way_between_processes_with_ids_of_both_kinds() {
        let mut tally = tally(&[(1, "A")], &[1]);
        let json = r#"{"id":"1","name":"B","username":"","email":""}"#;
        tally.add_user(&serde_json::from_str(json).unwrap());
        let wire = serde_json::to_string(&tally).unwrap();
        assert_eq!(serde_json::from_str::<Tally>(&wire).unwrap(), tally);
    }

    proptest! {
        #[test]
        fn tallies_merge_in_any_order_to_the_same(
            parts in prop::collection::vec((prop::collection::vec((0i64..5, "[ab]"), 0..4), prop::collection::vec(0i64..8, 0..6)), 0..5)
        ) {
            let tallies: Vec<_> = parts.iter().map(|(users, posts)| {
                let users: Vec<_> = users.iter().map(|(id, name)| (*id, name.as_str())).collect();
                tally(&users, posts)
            }).collect();
            let forward = tallies.iter().cloned().fold(Tally::default(), Tally::merge);
            let backward = tallies.into_iter().rev().fold(Tally::default(), |all, part| part.merge(all));
            prop_assert_eq!(forward, backward);
        }
    }
}
