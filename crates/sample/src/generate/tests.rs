//! What records look like.

use serde_json::Value;

use super::*;
use crate::Sample;

fn forum(users: u64, posts: u64, comments: u64) -> Forum {
    Forum::new(&Sample {
        users,
        posts,
        comments,
        ..Sample::default()
    })
}

fn text(resource: Resource, id: u64, at: Moment) -> String {
    record(&Forum::new(&Sample::default()), resource, id, at)
}

fn value(forum: &Forum, resource: Resource, id: u64) -> Value {
    serde_json::from_str(&record(forum, resource, id, Moment::END)).unwrap()
}

#[test]
fn a_user_of_seed_1_is_this_text_on_every_machine() {
    assert_eq!(
        text(Resource::Users, 1, Moment::END),
        r#"{
  "id": 1,
  "name": "Katelyn Daugherty",
  "username": "Jaylon",
  "email": "Polly@funk.tv",
  "address": {
    "street": "Hammes Brook",
    "suite": "Apt. 947",
    "city": "West Malinda Gutkowskifort",
    "zipcode": "29286-7941",
    "geo": {
      "lat": "-10.0131",
      "lng": "98.0559"
    }
  },
  "phone": "(948) 691-1652",
  "website": "kuvalis.tv",
  "company": {
    "name": "Kihn LLC",
    "catchPhrase": "Upgradable high-level project",
    "bs": "redefine efficient methodologies"
  },
  "createdAt": "2026-01-05T08:03:00Z"
}"#
    );
}

#[test]
fn a_post_of_seed_1_is_this_text_on_every_machine() {
    assert_eq!(
        text(Resource::Posts, 84, Moment::END),
        r#"{
  "userId": 1,
  "id": 84,
  "title": "[solved] Help: rear tyre feels wrong again",
  "body": "I bought a used tandem last month, and the rear tyre feels wrong. I have tried to replace it twice, without luck. It only happens when I pedal hard uphill.\nWhat would you do?\nEdit: it was the cable. Everything is fine now.",
  "createdAt": "2026-05-26T10:51:48Z"
}"#
    );
}

#[test]
fn before_it_was_edited_that_post_was_this_text() {
    let at = "2026-05-31".parse().unwrap();
    assert_eq!(
        text(Resource::Posts, 84, at),
        r#"{
  "userId": 1,
  "id": 84,
  "title": "Help: rear tyre feels wrong again",
  "body": "I bought a used tandem last month, and the rear tyre feels wrong. I have tried to replace it twice, without luck. It only happens when I pedal hard uphill.\nWhat would you do?",
  "createdAt": "2026-05-26T10:51:48Z"
}"#
    );
}

#[test]
fn a_comment_of_seed_1_is_this_text_on_every_machine() {
    assert_eq!(
        text(Resource::Comments, 250, Moment::END),
        r#"{
  "postId": 41,
  "id": 250,
  "name": "Re: My folding bike: gear hub feels wrong",
  "email": "Polly@funk.tv",
  "body": "Mine feels wrong, too. A drop of oil helped.\nI learned that the hard way.\nYou need a 15 mm spanner and some patience.",
  "createdAt": "2026-03-27T08:00:26Z"
}"#
    );
}

#[test]
fn two_to_four_of_the_ten_users_have_an_address_in_biz() {
    let forum = forum(10, 0, 0);
    let in_biz = |id: &u64| {
        let user = value(&forum, Resource::Users, *id);
        user["email"].as_str().unwrap().rsplit('.').next() == Some("biz")
    };
    let found = (1..=10).filter(in_biz).count();
    assert!((2..=4).contains(&found), "{found}");
}

#[test]
fn seed_resource_and_id_change_the_data() {
    let forum = forum(10, 100, 500);
    let other_seed = Forum::new(&Sample {
        seed: 2,
        ..Sample::default()
    });
    let body = |forum, resource, id| value(forum, resource, id)["body"].clone();
    let first = body(&forum, Resource::Posts, 1);
    assert_eq!(first, body(&forum, Resource::Posts, 1));
    assert_ne!(first, body(&forum, Resource::Posts, 2));
    assert_ne!(first, body(&forum, Resource::Comments, 1));
    assert_ne!(first, body(&other_seed, Resource::Posts, 1));
}

#[test]
fn texts_are_of_the_length_of_forum_texts() {
    let forum = forum(10, 2000, 2000);
    let field = |resource, id, name| {
        let record = value(&forum, resource, id);
        record[name].as_str().unwrap().to_owned()
    };
    for id in 1..=2000 {
        let body = field(Resource::Posts, id, "body");
        assert!((70..=400).contains(&body.len()), "{body}");
        assert!(body.lines().count() >= 2, "{body}");
        let reply = field(Resource::Comments, id, "body");
        assert!((10..=300).contains(&reply.len()), "{reply}");
        let title = field(Resource::Posts, id, "title");
        assert!((10..=90).contains(&title.len()), "{title}");
    }
}

#[test]
fn every_record_is_json_and_its_email_has_a_plain_host() {
    let forum = forum(2000, 10, 2000);
    for id in 1..=2000 {
        for resource in [Resource::Users, Resource::Comments] {
            let record = value(&forum, resource, id);
            assert_eq!(record["id"], id);
            let (name, host) = record["email"].as_str().unwrap().split_once('@').unwrap();
            assert!(!name.is_empty());
            assert!(
                host.chars().all(|c| c.is_ascii_lowercase() || c == '.'),
                "{host}"
            );
        }
    }
}

#[test]
fn most_comments_carry_the_address_of_a_user_and_some_that_of_a_guest() {
    let forum = forum(10, 100, 500);
    let all = |resource| -> Vec<Value> {
        let ids = forum.existing(resource, Moment::END).into_iter();
        ids.map(|id| value(&forum, resource, id)).collect()
    };
    let users: Vec<_> = all(Resource::Users);
    let by_user = |comment: &&Value| users.iter().any(|it| it["email"] == comment["email"]);
    let comments = all(Resource::Comments);
    let by_users = comments.iter().filter(by_user).count();
    assert!((400..490).contains(&by_users), "{by_users}");
    for guest in comments.iter().filter(|comment| !by_user(comment)) {
        let (_, suffix) = guest["email"].as_str().unwrap().rsplit_once('.').unwrap();
        assert!(GUEST_SUFFIXES.contains(&suffix), "{guest}");
    }
}
