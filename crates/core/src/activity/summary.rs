//! The summary of a run, for people and for `summary.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::activity_counts::ActivityCounts;
use super::email::EmailDomain;
use super::ranking::Ranking;
use crate::record::Resource;

/// The results of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The source's name or base URL.
    pub source: String,
    /// The domain of the filtered users.
    pub email_domain: EmailDomain,
    /// The number of users.
    pub users: u64,
    /// The number of posts.
    pub posts: u64,
    /// The number of comments, if the run fetched them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comments: Option<u64>,
    /// The number of users whose e-mail address is in the domain.
    pub filtered_users: u64,
    /// The number of rejected records.
    pub rejected: u64,
    /// The number of records that have the id of an earlier one; only resources with such records.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub duplicate_ids: BTreeMap<Resource, u64>,
    /// Most posts first, then by id.
    pub posts_per_user: Ranking,
}

impl Summary {
    /// A summary of counts. The caller fills in `posts_per_user`.
    #[must_use]
    pub fn new(
        source: &str,
        email_domain: &EmailDomain,
        counts: &ActivityCounts,
        rejected: u64,
        with_comments: bool,
    ) -> Self {
        let duplicates = |resource| (resource, counts.duplicates(resource));
        let duplicate_ids = [Resource::Users, Resource::Posts, Resource::Comments]
            .map(duplicates)
            .into_iter()
            .filter(|(_, count)| *count > 0);
        Self {
            duplicate_ids: duplicate_ids.collect(),
            source: source.to_owned(),
            email_domain: email_domain.clone(),
            users: counts.users,
            posts: counts.posts,
            comments: with_comments.then_some(counts.comments),
            filtered_users: counts.filtered_users,
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
        let mut counts = ActivityCounts::default();
        for post in map::<Post<'_>>(posts.as_bytes(), &mapping) {
            counts.add_post(&post.unwrap());
        }
        let domain = "biz".parse().unwrap();
        serde_json::to_value(Summary::new("s", &domain, &counts, 0, false)).unwrap()
    }

    #[test]
    fn duplicate_ids_are_named_only_if_there_are_any() {
        let post = r#"{"id":1,"userId":1,"title":"","body":""}"#;
        let twice = summary(&format!("{post},{post}"));
        assert_eq!(twice["duplicate_ids"], serde_json::json!({"posts": 1}));
        assert_eq!(summary(post).get("duplicate_ids"), None);
    }
}
