use super::*;
use crate::record::{Field, FieldMap, FieldPath, Mapping, map};
use jiff::tz::TimeZone;
use proptest::prelude::*;

/// A mapping with a required `id` and optional fields, under their own names.
fn mapping(optional: &[Field]) -> Mapping {
    let optional = optional.iter().map(|field| (*field, true));
    let fields = [(Field::Id, false)].into_iter().chain(optional);
    let fields = fields.map(|(field, optional)| {
        let path = field.name().parse().unwrap();
        (field, FieldPath::new(path, optional))
    });
    Mapping::new(fields.collect::<FieldMap>(), TimeZone::UTC)
}

fn add_users(counts: &mut ActivityCounts, users: &str) {
    let mapping = mapping(&[Field::Name, Field::Username]);
    for user in map::<User<'_>>(users.as_bytes(), &mapping) {
        counts.add_user(&user.unwrap());
    }
}

fn add_posts(counts: &mut ActivityCounts, posts: &str) {
    let mapping = mapping(&[Field::UserId]);
    for post in map::<Post<'_>>(posts.as_bytes(), &mapping) {
        counts.add_post(&post.unwrap());
    }
}

/// Counts users, by id and name, and posts, by author.
fn counts(users: &[(i64, &str)], posts: &[i64]) -> ActivityCounts {
    let mut counts = ActivityCounts::default();
    for (id, name) in users {
        add_users(&mut counts, &format!(r#"{{"id":{id},"name":"{name}"}}"#));
    }
    for (id, user) in posts.iter().enumerate() {
        let post = format!(r#"{{"id":{id},"user_id":{user}}}"#);
        add_posts(&mut counts, &post);
    }
    counts
}

#[test]
fn duplicate_ids_are_counted_within_and_across_counts() {
    let mut first = ActivityCounts::default();
    add_posts(&mut first, r#"{"id":1},{"id":2},{"id":1},{"id":"1"}"#);
    assert_eq!(first.duplicates(Resource::Posts), 1);
    let mut second = ActivityCounts::default();
    add_posts(&mut second, r#"{"id":2},{"id":"1"},{"id":3}"#);
    add_users(&mut second, r#"{"id":1}"#);
    let both = first.merge(second);
    assert_eq!(both.duplicates(Resource::Posts), 3);
    assert_eq!(both.duplicates(Resource::Users), 0);
    assert_eq!(both.duplicates(Resource::Comments), 0);
}

#[test]
fn counts_are_equal_after_serialization_with_ids_of_both_kinds() {
    let mut counts = counts(&[(1, "A")], &[1]);
    add_users(&mut counts, r#"{"id":"1","name":"B"},{"id":2}"#);
    let wire = serde_json::to_string(&counts).unwrap();
    assert_eq!(
        serde_json::from_str::<ActivityCounts>(&wire).unwrap(),
        counts
    );
}

proptest! {
    #[test]
    fn counts_merge_in_any_order(
        parts in prop::collection::vec((prop::collection::vec((0i64..5, "[ab]"), 0..4), prop::collection::vec(0i64..8, 0..6)), 0..5)
    ) {
        let all: Vec<_> = parts.iter().map(|(users, posts)| {
            let users: Vec<_> = users.iter().map(|(id, name)| (*id, name.as_str())).collect();
            counts(&users, posts)
        }).collect();
        let forward = all.iter().cloned().fold(ActivityCounts::default(), ActivityCounts::merge);
        let backward = all.into_iter().rev().fold(ActivityCounts::default(), |all, part| part.merge(all));
        prop_assert_eq!(forward, backward);
    }
}
