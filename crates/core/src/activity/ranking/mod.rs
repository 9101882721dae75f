//! Posts per user, ranked; packed, because there is an entry for each user.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

use super::id_counts::FinalCounts;
use super::models::User;
use super::packed;
use crate::record::{Id, IdSet, UserId};
use activity_tracker_json::Text;
use activity_tracker_text::beginning;

/// The maximum length of a name in a ranking, in bytes.
pub const MAX_NAME: usize = 1024;

/// The number of posts of one user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserPosts<'a> {
    /// The author.
    pub user_id: UserId,
    /// The author's name; `None` for unknown users.
    pub name: Option<&'a str>,
    /// The number of posts.
    pub posts: u64,
}

/// Posts per user: most posts first, then by id. Users without posts are included; unknown
/// authors have no name.
///
/// An entry takes about 30 bytes, in two allocations for all of them.
#[derive(Clone, Default)]
pub struct Ranking {
    /// Unsorted entries: posts, id, name.
    packed: Vec<u8>,
    /// The start of each entry, sorted.
    order: Vec<Start>,
}

/// The start of an entry, in five bytes: eight would add 10% per user, and four may be too small.
#[derive(Clone, Copy, Default)]
struct Start([u8; 5]);

impl Start {
    fn new(start: usize) -> Self {
        let mut bytes = [0; 5];
        bytes.copy_from_slice(&(start as u64).to_le_bytes()[..5]);
        Self(bytes)
    }

    fn get(self) -> usize {
        let mut bytes = [0; 8];
        bytes[..5].copy_from_slice(&self.0);
        usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(usize::MAX)
    }
}

impl Ranking {
    /// The number of users.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are no users.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The users in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = UserPosts<'_>> {
        self.order.iter().map(|start| self.entry(*start))
    }

    fn from(&self, start: Start) -> &[u8] {
        self.packed.get(start.get()..).unwrap_or_default()
    }

    fn entry(&self, start: Start) -> UserPosts<'_> {
        let mut bytes = self.from(start);
        let posts = packed::take_number(&mut bytes).unwrap_or_default();
        let (id, name) = packed::take_user(&mut bytes).unwrap_or((Id::Number(0), None));
        UserPosts {
            user_id: UserId(id),
            name,
            posts,
        }
    }

    /// Most posts first, then by id. Of users with the same id, the name that sorts first wins;
    /// any name wins over none.
    fn compare(&self, a: Start, b: Start) -> Ordering {
        let (mut a, mut b) = (self.from(a), self.from(b));
        // Reads only as much as each comparison needs.
        let posts = packed::take_number(&mut b).cmp(&packed::take_number(&mut a));
        let ids = || packed::take_id(&mut a).cmp(&packed::take_id(&mut b));
        posts.then_with(ids).then_with(|| {
            let (a, b) = (packed::take_text(&mut a), packed::take_text(&mut b));
            let (a, b) = (a.flatten(), b.flatten());
            (a.is_none(), a).cmp(&(b.is_none(), b))
        })
    }

    /// Sorts entries: most posts first, then by id.
    ///
    /// This is a counting sort by posts, because few numbers of posts differ: a thousand different
    /// ones take half a million posts. Within a bucket, most APIs' users are sorted already, so
    /// few comparisons remain.
    fn sort(&mut self) {
        let posts = |start: Start| packed::take_number(&mut self.from(start)).unwrap_or_default();
        let mut buckets = BTreeMap::new();
        for start in &self.order {
            *buckets.entry(Reverse(posts(*start))).or_insert(0) += 1;
        }
        let mut next = 0;
        for bucket in buckets.values_mut() {
            next += std::mem::replace(bucket, next);
        }
        let mut sorted = vec![Start::default(); self.order.len()];
        for start in &self.order {
            if let Some(next) = buckets.get_mut(&Reverse(posts(*start))) {
                sorted[*next] = *start;
                *next += 1;
            }
        }
        for bucket in sorted.chunk_by_mut(|a, b| posts(*a) == posts(*b)) {
            bucket.sort_unstable_by(|a, b| self.compare(*a, *b));
        }
        self.order = sorted;
    }

    fn id(&self, start: Start) -> Option<Id> {
        let mut bytes = self.from(start);
        packed::take_number(&mut bytes)?;
        packed::take_id(&mut bytes)
    }

    fn push(&mut self, posts: u64, id: &Id, name: Option<&str>) {
        self.order.push(Start::new(self.packed.len()));
        packed::put_number(&mut self.packed, posts);
        packed::put_user(&mut self.packed, id, name);
    }
}

impl PartialEq for Ranking {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Ranking {}

impl fmt::Debug for Ranking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Ranking {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Ranking {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Owned, because names may have escapes.
        #[derive(serde::Deserialize)]
        struct Entry {
            user_id: UserId,
            name: Option<String>,
            posts: u64,
        }

        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Ranking;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of users with their posts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Ranking, A::Error> {
                let mut ranking = Ranking::default();
                while let Some(entry) = entries.next_element::<Entry>()? {
                    ranking.push(entry.posts, &entry.user_id.0, entry.name.as_deref());
                }
                Ok(ranking)
            }
        }
        deserializer.deserialize_seq(Entries)
    }
}

/// Builds a ranking from all users, in any order.
#[derive(Debug)]
pub struct Ranker {
    counts: FinalCounts,
    /// The ids of users; other authors are unknown.
    known: IdSet,
    ranking: Ranking,
}

/// The bytes are not encoded users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid encoding of users")]
pub struct InvalidUsers;

impl Ranker {
    pub(super) fn new(counts: FinalCounts, known: IdSet) -> Self {
        Self {
            counts,
            known,
            ranking: Ranking::default(),
        }
    }

    /// Reserves memory for a number of users and their encoded bytes.
    #[must_use]
    pub fn with_capacity(mut self, users: u64, bytes: u64) -> Self {
        let length = |length| usize::try_from(length).unwrap_or_default();
        let (users, bytes) = (length(users), length(bytes));
        self.ranking.order.reserve_exact(users);
        // The number of posts is a byte or two.
        self.ranking.packed.reserve_exact(bytes + 2 * users);
        self
    }

    /// Adds users encoded by [`encode_user`].
    ///
    /// # Errors
    /// If the bytes are invalid.
    pub fn add(&mut self, mut users: &[u8]) -> Result<(), InvalidUsers> {
        while !users.is_empty() {
            let (id, name) = packed::take_user(&mut users).ok_or(InvalidUsers)?;
            let posts = self.posts(&id);
            self.ranking.push(posts, &id, name);
        }
        Ok(())
    }

    /// The posts of a user; `7` also matches `"7"` if no user has the exact id.
    fn posts(&self, id: &Id) -> u64 {
        let twin = self.counts.twin(id);
        let twin = twin.filter(|(twin, _)| !self.known.contains(twin));
        self.counts.of(id) + twin.map_or(0, |(_, posts)| posts)
    }

    /// The ranking of the users and of unknown authors.
    #[must_use]
    pub fn finish(self) -> Ranking {
        let Self {
            counts,
            known,
            mut ranking,
        } = self;
        for (author, posts) in counts.all() {
            let is_known =
                known.contains(&author) || author.twin().is_some_and(|twin| known.contains(&twin));
            if !is_known {
                ranking.push(posts, &author, None);
            }
        }
        drop((counts, known));
        ranking.sort();
        // Of users with the same id, the first one is kept.
        let mut order = std::mem::take(&mut ranking.order);
        order.dedup_by(|a, b| ranking.id(*a) == ranking.id(*b));
        ranking.order = order;
        ranking
    }
}

/// Appends a user's id and name to `bytes`, for a [`Ranker`].
///
/// All names are in memory at once, so long ones are truncated.
pub fn encode_user(user: &User<'_>, bytes: &mut Vec<u8>) {
    let name = user.called().map(Text::as_str);
    let name = name.map(|name| beginning(name, MAX_NAME));
    packed::put_user(bytes, &user.id.0, name);
}

#[cfg(test)]
mod tests;
