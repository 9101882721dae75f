use std::collections::BTreeMap;

use super::super::id_counts::IdCounts;
use super::*;
use crate::activity::ActivityCounts;
use crate::record::{Mapping, Resource, map};
use proptest::prelude::*;

/// A ranker for users and posts, and the encoded users.
fn ranker(users: &[(Id, Option<&str>)], posts: &[Id]) -> (Ranker, Vec<u8>) {
    let mut encoded = Vec::new();
    let mut known = IdSet::default();
    for (id, name) in users {
        known.insert(id);
        packed::put_user(&mut encoded, id, *name);
    }
    let mut counts = IdCounts::default();
    for author in posts {
        counts.add(author);
    }
    (Ranker::new(counts.finish(), known), encoded)
}

fn ranking(users: &[(Id, Option<&str>)], posts: &[Id]) -> Ranking {
    let (mut ranker, encoded) = ranker(users, posts);
    ranker.add(&encoded).unwrap();
    ranker.finish()
}

fn rows(ranking: &Ranking) -> Vec<(Id, Option<&str>, u64)> {
    let rows = ranking.iter();
    rows.map(|row| (row.user_id.0, row.name, row.posts))
        .collect()
}

fn text(id: &str) -> Id {
    Id::Text(id.into())
}

#[test]
fn users_are_ranked_by_posts_then_id_with_inactive_users_and_unknown_authors() {
    let users = [(1, "A"), (10, "C"), (2, "B")].map(|(id, name)| (Id::Number(id), Some(name)));
    let ranking = ranking(&users, &[9, 10, 2, 9].map(Id::Number));
    let expected = [
        (Id::Number(9), None, 2),
        (Id::Number(2), Some("B"), 1),
        (Id::Number(10), Some("C"), 1),
        (Id::Number(1), Some("A"), 0),
    ];
    assert_eq!(rows(&ranking), expected);
    assert_eq!((ranking.len(), ranking.is_empty()), (4, false));
}

#[test]
fn users_without_a_name_are_ranked_with_their_username_or_none() {
    let mapping = serde_json::from_str::<Mapping>(
        r#"{"zone":"UTC","fields":[["id",{"path":"/id","optional":false}],
        ["name",{"path":"/name","optional":true}],["username",{"path":"/username","optional":true}]]}"#,
    );
    let users = br#"{"id":1,"username":"a"},{"id":2},{"id":3,"name":"C","username":"c"}"#;
    let (mut counts, mut encoded) = (ActivityCounts::default(), Vec::new());
    for user in map::<User<'_>>(users, &mapping.unwrap()) {
        let user = user.unwrap();
        counts.add_user(&user);
        encode_user(&user, &mut encoded);
    }
    let mut ranker = counts.ranker().with_capacity(3, 10);
    ranker.add(&encoded).unwrap();
    let expected = [
        (Id::Number(1), Some("a"), 0),
        (Id::Number(2), None, 0),
        (Id::Number(3), Some("C"), 0),
    ];
    assert_eq!(rows(&ranker.finish()), expected);
}

#[test]
fn a_quoted_id_matches_an_unquoted_reference() {
    let users = [
        (Id::Number(5), Some("Five")),
        (text("7"), Some("Seven")),
        (text("5"), Some("Other")),
        (Id::Number(8), Some("Eight")),
    ];
    let posts = [
        Id::Number(5),
        Id::Number(7),
        Id::Number(7),
        text("8"),
        text("08"),
    ];
    let expected = [
        (text("7"), Some("Seven"), 2),
        (Id::Number(5), Some("Five"), 1),
        (Id::Number(8), Some("Eight"), 1),
        (text("08"), None, 1),
        (text("5"), Some("Other"), 0),
    ];
    assert_eq!(rows(&ranking(&users, &posts)), expected);
}

#[test]
fn users_with_the_same_id_are_one_with_the_name_that_sorts_first() {
    let one = Id::Number(1);
    let users = [None, Some("B"), Some("A"), None].map(|name| (one.clone(), name));
    let ranking = ranking(&users, &[one.clone(), one.clone()]);
    assert_eq!(rows(&ranking), [(one, Some("A"), 2)]);
}

#[test]
fn invalid_bytes_are_an_error() {
    let (mut ranker, encoded) = ranker(&[(Id::Number(1), Some("A"))], &[]);
    assert_eq!(ranker.add(&encoded[1..]), Err(InvalidUsers));
}

#[test]
fn a_ranking_is_a_list_in_json() {
    let users = [(Id::Number(1), Some("A\"")), (text("x"), None)];
    let ranking = ranking(&users, &[Id::Number(1)]);
    let json = serde_json::to_string(&ranking).unwrap();
    let expected =
        r#"[{"user_id":1,"name":"A\"","posts":1},{"user_id":"x","name":null,"posts":0}]"#;
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_str::<Ranking>(&json).unwrap(), ranking);
    assert!(serde_json::from_str::<Ranking>("7").is_err());
}

fn id() -> impl Strategy<Value = Id> {
    prop_oneof![
        3 => (-2i64..6).prop_map(Id::Number),
        1 => "[0-3]{1,2}".prop_map(|id| text(&id)),
    ]
}

proptest! {
    #[test]
    fn a_ranking_matches_a_simple_map_in_any_order_of_users(
        users in prop::collection::vec((id(), prop::option::of("[ab]{0,2}")), 0..12),
        posts in prop::collection::vec(id(), 0..30),
    ) {
        let users: Vec<(Id, Option<&str>)> = users.iter().map(|(id, name)| (id.clone(), name.as_deref())).collect();
        let mut plain: BTreeMap<Id, (Option<&str>, u64)> = BTreeMap::new();
        for (id, name) in &users {
            let (known, _) = plain.entry(id.clone()).or_insert((*name, 0));
            *known = [*known, *name].into_iter().flatten().min();
        }
        let known: Vec<_> = plain.keys().cloned().collect();
        for post in &posts {
            let twin = post.twin().filter(|twin| known.contains(twin));
            let author = if known.contains(post) { None } else { twin };
            plain.entry(author.unwrap_or_else(|| post.clone())).or_default().1 += 1;
        }
        let mut plain: Vec<_> = plain.into_iter().map(|(id, (name, posts))| (id, name, posts)).collect();
        plain.sort_by_key(|(_, _, posts)| std::cmp::Reverse(*posts));
        let reversed: Vec<_> = users.iter().rev().cloned().collect();
        for users in [users, reversed] {
            let ranking = ranking(&users, &posts);
            prop_assert_eq!(&rows(&ranking), &plain);
        }
    }
}

#[test]
fn users_are_encoded_with_id_and_name() {
    let user = br#"{"id":1,"name":"A\u0041","username":"a","email":"a@x.biz"}"#;
    let mut encoded = Vec::new();
    for user in map::<User<'_>>(user, &Mapping::placeholder(Resource::Users)) {
        encode_user(&user.unwrap(), &mut encoded);
    }
    assert_eq!(
        packed::take_user(&mut encoded.as_slice()),
        Some((Id::Number(1), Some("AA")))
    );
}
