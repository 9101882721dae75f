//! The summary of a run, for people and for `summary.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::email::EmailDomain;
use super::ranking::Ranking;
use super::tally::Tally;
use crate::record::Resource;

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
    /// How many records have an id that another one of their resource had
    /// before; only resources in which there are such.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub duplicate_ids: BTreeMap<Resource, u64>,
    /// Most posts first, then by id.
    pub posts_per_user: Ranking,
}

impl Summary {
    /// Sums up what was counted. Whose posts they are is to be filled in.
    #[must_use]
    pub fn new(
        source: &str,
        email_domain: &EmailDomain,
        tally: &Tally,
        rejected: u64,
        with_comments: bool,
    ) -> Self {
        let duplicates = |resource| (resource, tally.duplicates(resource));
        let duplicate_ids = [Resource::Users, Resource::Posts, Resource::Comments]
            .map(duplicates)
            .into_iter()
            .filter(|(_, count)| *count > 0);
        Self {
            duplicate_ids: duplicate_ids.collect(),
            source: source.to_owned(),
            email_domain: email_domain.clone(),
            users: tally.users,
            posts: tally.posts,
            comments: with_comments.then_some(tally.comments),
            filtered_users: tally.filtered_users,
            rejected,
            posts_per_user: Ranking::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::Post;
    use crate::record::{Mapping, map};

    fn summary(posts: &str) -> serde_json::Value {
        let mapping = Mapping::placeholder(Resource::Posts);
        let mut tally = Tally::default();
        for post in map::<Post<'_>>(posts.as_bytes(), &mapping) {
            tally.add_post(&post.unwrap());
        }
        let domain = "biz".parse().unwrap();
        serde_json::to_value(Summary::new("s", &domain, &tally, 0, false)).unwrap()
    }

    #[test]
    fn ids_that_come_twice_are_told_only_where_there_are_some() {
        let post = r#"{"id":1,"userId":1,"title":"","body":""}"#;
        let twice = summary(&format!("{post},{post}"));
        assert_eq!(twice["duplicate_ids"], serde_json::json!({"posts": 1}));
        assert_eq!(summary(post).get("duplicate_ids"), None);
    }
}
