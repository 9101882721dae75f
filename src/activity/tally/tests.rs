use super::*;
use crate::record::{Field, FieldMap, FieldPath, Mapping, map};
use jiff::tz::TimeZone;
use proptest::prelude::*;

/// The id in `id`, and optional fields under their own names.
fn mapping(optional: &[Field]) -> Mapping {
    let optional = optional.iter().map(|field| (*field, true));
    let fields = [(Field::Id, false)].into_iter().chain(optional);
    let fields = fields.map(|(field, optional)| {
        let path = field.name().parse().unwrap();
        (field, FieldPath::new(path, optional))
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
