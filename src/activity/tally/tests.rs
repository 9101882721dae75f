use super::*;
use crate::activity::{Field, FieldMap, FieldPath, Id, Mapping, map};
use jiff::tz::TimeZone;
use proptest::prelude::*;

/// The id in `id`, and optional fields under their own names.
fn mapping(optional: &[Field]) -> Mapping {
    let optional = optional.iter().map(|field| (*field, true));
    let fields = [(Field::Id, false)].into_iter().chain(optional);
    let fields = fields.map(|(field, optional)| {
        let path = field.name().parse().unwrap();
        (field, FieldPath { path, optional })
    });
    Mapping::new(fields.collect::<FieldMap>(), TimeZone::UTC)
}

fn add_users(tally: &mut Tally, users: &str) {
    let mapping = mapping(&[Field::Name, Field::Username]);
    for user in map::<User<'_>>(users.as_bytes(), &mapping) {
        tally.add_user(&user.unwrap());
    }
}

fn add_posts(tally: &mut Tally, posts: &str) {
    let mapping = mapping(&[Field::UserId]);
    for post in map::<Post<'_>>(posts.as_bytes(), &mapping) {
        tally.add_post(&post.unwrap());
    }
}

/// Each user by id and name, each post by its author; posts have ids of their own.
fn tally(users: &[(i64, &str)], posts: &[i64]) -> Tally {
    let mut tally = Tally::default();
    for (id, name) in users {
        add_users(&mut tally, &format!(r#"{{"id":{id},"name":"{name}"}}"#));
    }
    for (id, user) in posts.iter().enumerate() {
        let post = format!(r#"{{"id":{id},"user_id":{user}}}"#);
        add_posts(&mut tally, &post);
    }
    tally
}

fn rows(tally: Tally) -> Vec<(String, Option<String>, u64)> {
    let ranking = tally.ranking().into_iter();
    ranking
        .map(|row| (row.user_id.0.to_string(), row.name, row.posts))
        .collect()
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
fn users_without_a_name_go_by_their_username_or_by_none_and_are_ranked_all_the_same() {
    let mut tally = Tally::default();
    add_users(
        &mut tally,
        r#"{"id":1,"username":"a"},{"id":2},{"id":3,"name":"C","username":"c"}"#,
    );
    add_posts(&mut tally, r#"{"id":1,"user_id":2},{"id":2}"#);
    assert_eq!(tally.posts, 2);
    let row = |id: &str, name: Option<&str>, posts| (id.to_owned(), name.map(str::to_owned), posts);
    let expected = [
        row("2", None, 1),
        row("1", Some("a"), 0),
        row("3", Some("C"), 0),
    ];
    assert_eq!(rows(tally), expected);
}

#[test]
fn ids_that_come_twice_are_counted_within_and_across_tallies() {
    let mut first = Tally::default();
    add_posts(&mut first, r#"{"id":1},{"id":2},{"id":1},{"id":"1"}"#);
    assert_eq!(first.duplicates(Resource::Posts), 1);
    let mut second = Tally::default();
    add_posts(&mut second, r#"{"id":2},{"id":"1"},{"id":3}"#);
    add_users(&mut second, r#"{"id":1}"#);
    let both = first.merge(second);
    assert_eq!(both.duplicates(Resource::Posts), 3);
    assert_eq!(both.duplicates(Resource::Users), 0);
    assert_eq!(both.duplicates(Resource::Comments), 0);
}

#[test]
fn a_tally_survives_the_way_between_processes_with_ids_of_both_kinds() {
    let mut tally = tally(&[(1, "A")], &[1]);
    add_users(&mut tally, r#"{"id":"1","name":"B"},{"id":2}"#);
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

#[test]
fn a_quoted_id_and_an_unquoted_reference_to_it_are_the_same_user() {
    let mut tally = tally(&[(5, "Five")], &[5, 7, 7]);
    let mapping = Mapping::placeholder(Resource::Users);
    let users = br#"{"id":"7","name":"Seven","username":"","email":""},{"id":"5","name":"Other","username":"","email":""}"#;
    for user in map::<User<'_>>(users, &mapping) {
        tally.add_user(&user.unwrap());
    }
    let rows: Vec<_> = tally
        .ranking()
        .into_iter()
        .map(|row| (row.user_id.0, row.name.unwrap(), row.posts))
        .collect();
    let text = |id: &str| Id::Text(id.into());
    let expected = [
        (text("7"), "Seven".to_owned(), 2),
        (Id::Number(5), "Five".to_owned(), 1),
        (text("5"), "Other".to_owned(), 0),
    ];
    assert_eq!(rows, expected);
}
