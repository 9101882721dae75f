//! Generates one record as JSON text: a pure function of seed, resource, id and story.
//!
//! Words and names come from the crate `fake` and from `topic.rs`, random numbers from `ChaCha`,
//! keyed with the seed, the kind of data and the id: the algorithm is fixed, so every machine
//! generates the same bytes, and each record can be generated on its own. `fake` is pinned because
//! a new version may change its word lists; tests compare records with literal text.

use fake::faker::{
    address::en::{CityName, StreetName},
    company::en::{Bs, CatchPhrase, CompanyName},
    name::en::{FirstName, LastName},
    phone_number::en::PhoneNumber,
};
use fake::rand::{SeedableRng, rngs::ChaCha8Rng};
use fake::{Fake, RngExt};
use serde::Serialize;

use super::Resource;
use super::forum::Forum;
use super::moment::Moment;
use super::timeline::{Author, Place, Timeline};
use super::topic::{self, Topic};

/// `biz` is there twice because three of ten users of `JSONPlaceholder` have it.
const SUFFIXES: [&str; 8] = ["biz", "biz", "com", "info", "io", "net", "org", "tv"];

/// No user has one of these.
const GUEST_SUFFIXES: [&str; 3] = ["dev", "email", "me"];

/// What random numbers are for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stream {
    User = 1,
    Post = 2,
    Comment = 3,
    UserEmail = 4,
    GuestEmail = 5,
    Employer = 6,
    Story = 7,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct User {
    id: u64,
    name: String,
    username: String,
    email: String,
    address: Address,
    phone: String,
    website: String,
    company: Company,
    created_at: Moment,
}

#[derive(Serialize)]
struct Address {
    street: String,
    suite: String,
    city: String,
    zipcode: String,
    geo: Geo,
}

#[derive(Serialize)]
struct Geo {
    lat: String,
    lng: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Company {
    name: String,
    catch_phrase: String,
    bs: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Post {
    user_id: u64,
    id: u64,
    title: String,
    body: String,
    created_at: Moment,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Comment {
    post_id: u64,
    id: u64,
    name: String,
    email: String,
    body: String,
    created_at: Moment,
}

/// The record `id` of `resource` as it was at a moment, formatted like
/// `JSON.stringify(record, null, 2)`. The caller checks that it existed.
pub(super) fn record(forum: &Forum, resource: Resource, id: u64, at: Moment) -> String {
    let Some(place) = forum.timeline(resource).place(id) else {
        return String::new();
    };
    match resource {
        Resource::Users => user(forum, id, place, at),
        Resource::Posts => post(forum, id, place, at),
        Resource::Comments => comment(forum, id, place, at),
    }
}

fn user(forum: &Forum, id: u64, place: Place<'_>, at: Moment) -> String {
    let seed = forum.seed();
    let rng = &mut generator(seed, Stream::User, id, 0);
    let first: &str = FirstName().fake_with_rng(rng);
    let last: &str = LastName().fake_with_rng(rng);
    json(&User {
        id,
        name: format!("{first} {last}"),
        username: username(rng),
        email: email(seed, Stream::UserEmail, id, 0),
        address: Address {
            street: StreetName().fake_with_rng(rng),
            suite: format!(
                "{} {}",
                pick(&["Apt.", "Suite"], rng),
                rng.random_range(100..1000)
            ),
            city: CityName().fake_with_rng(rng),
            zipcode: format!(
                "{:05}-{:04}",
                rng.random_range(0..100_000),
                rng.random_range(0..10_000)
            ),
            geo: Geo {
                lat: degrees(90, rng),
                lng: degrees(180, rng),
            },
        },
        phone: PhoneNumber().fake_with_rng(rng),
        website: host(&SUFFIXES, rng),
        company: company(seed, id, place.is_edited(at).into()),
        created_at: place.created(),
    })
}

/// The first employer of a user, or the next one.
fn company(seed: u64, user: u64, number: u64) -> Company {
    let rng = &mut generator(seed, Stream::Employer, user, number);
    Company {
        name: CompanyName().fake_with_rng(rng),
        catch_phrase: CatchPhrase().fake_with_rng(rng),
        bs: Bs().fake_with_rng(rng),
    }
}

fn post(forum: &Forum, id: u64, place: Place<'_>, at: Moment) -> String {
    let (topic, mut rng) = topic_of(forum, id, place);
    let (mut title, mut body) = (topic.title(), topic.body(&mut rng));
    if place.is_edited(at) {
        topic.edit_post(&mut title, &mut body, &mut rng);
    }
    json(&Post {
        user_id: forum.owner(Resource::Posts, place),
        id,
        title,
        body,
        created_at: place.created(),
    })
}

/// What a post is about, and the random numbers for its text.
fn topic_of(forum: &Forum, post: u64, place: Place<'_>) -> (Topic, ChaCha8Rng) {
    let mut rng = generator(forum.seed(), Stream::Post, post, 0);
    (Topic::draw(place.is_doomed(), &mut rng), rng)
}

fn comment(forum: &Forum, id: u64, place: Place<'_>, at: Moment) -> String {
    let seed = forum.seed();
    let rng = &mut generator(seed, Stream::Comment, id, 0);
    let post_id = forum.owner(Resource::Comments, place);
    let topic = match forum.timeline(Resource::Posts).place(post_id) {
        Some(post) => topic_of(forum, post_id, post).0,
        None => Topic::draw(false, rng),
    };
    let mut body = if place.is_doomed() {
        topic.advertisement(rng)
    } else {
        topic.reply(rng)
    };
    if place.is_edited(at) {
        topic::correct(&mut body, rng);
    }
    json(&Comment {
        post_id,
        id,
        name: format!("Re: {}", topic.title()),
        email: match place.slot.author {
            Author::User(user) => {
                let user = Timeline::member(place, forum.timeline(Resource::Users), user);
                email(seed, Stream::UserEmail, user, 0)
            }
            Author::Guest(guest) => email(seed, Stream::GuestEmail, guest, place.index),
        },
        body,
        created_at: place.created(),
    })
}

/// The random numbers for one thing. Keys of a cipher need no mixing: consecutive ids give
/// unrelated streams. `number` tells things with the same id apart.
pub(super) fn generator(seed: u64, stream: Stream, id: u64, number: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&id.to_le_bytes());
    key[16] = stream as u8;
    key[24..].copy_from_slice(&number.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

fn pick<'a>(words: &[&'a str], rng: &mut ChaCha8Rng) -> &'a str {
    words[rng.random_range(0..words.len())]
}

/// `Bret`, `Elwyn.Skiles` or `Maxime_Nienow`.
fn username(rng: &mut ChaCha8Rng) -> String {
    let first: &str = FirstName().fake_with_rng(rng);
    match pick(&["", ".", "_"], rng) {
        "" => first.to_owned(),
        between => {
            let last: &str = LastName().fake_with_rng(rng);
            format!("{first}{between}{last}")
        }
    }
}

/// `Sincere@april.biz`. It has a stream of its own, since comments name it, too.
fn email(seed: u64, stream: Stream, id: u64, number: u64) -> String {
    let rng = &mut generator(seed, stream, id, number);
    let suffixes = match stream {
        Stream::GuestEmail => &GUEST_SUFFIXES[..],
        _ => &SUFFIXES,
    };
    let name: &str = FirstName().fake_with_rng(rng);
    format!("{name}@{}", host(suffixes, rng))
}

/// `april.biz`
fn host(suffixes: &[&str], rng: &mut ChaCha8Rng) -> String {
    let name: &str = LastName().fake_with_rng(rng);
    // Drops the apostrophe of O'Connell.
    let mut host: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    host.make_ascii_lowercase();
    host + "." + pick(suffixes, rng)
}

/// Degrees from minus to plus `max`, with four decimals. Computed with integers, because floats
/// may be printed differently on other machines.
fn degrees(max: i32, rng: &mut ChaCha8Rng) -> String {
    let max = max * 10_000;
    let value: i32 = rng.random_range(-max..=max);
    let sign = if value < 0 { "-" } else { "" };
    let value = value.abs();
    format!("{sign}{}.{:04}", value / 10_000, value % 10_000)
}

fn json(record: &impl Serialize) -> String {
    // Only non-string keys or a failing `Serialize` are errors; there are none here.
    serde_json::to_string_pretty(record).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::sample::Sample;

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
  "name": "Maudie Huel",
  "username": "Ken.Kuhlman",
  "email": "Wilhelm@weber.info",
  "address": {
    "street": "Macie Rapids",
    "suite": "Suite 772",
    "city": "Considinefort",
    "zipcode": "57428-9220",
    "geo": {
      "lat": "63.5211",
      "lng": "13.1776"
    }
  },
  "phone": "297-688-9267 x657",
  "website": "towne.io",
  "company": {
    "name": "Jaskolski and Douglas Group",
    "catchPhrase": "Streamlined actuating project",
    "bs": "engage synergistic architectures"
  },
  "createdAt": "2026-01-05T08:03:00Z"
}"#
        );
    }

    #[test]
    fn a_post_of_seed_1_is_this_text_on_every_machine() {
        assert_eq!(
            text(Resource::Posts, 80, Moment::END),
            r#"{
  "userId": 1,
  "id": 80,
  "title": "[solved] Derailleur feels wrong, what now?",
  "body": "After a week of rain the derailleur of my cargo bike feels wrong, and I cannot find out why. I have tried to tighten it twice, without luck.\nAny ideas?\nEdit: I bought a new one, and it works.",
  "createdAt": "2026-05-08T20:26:38Z"
}"#
        );
    }

    #[test]
    fn before_it_was_edited_that_post_was_this_text() {
        let at = "2026-05-31".parse().unwrap();
        assert_eq!(
            text(Resource::Posts, 80, at),
            r#"{
  "userId": 1,
  "id": 80,
  "title": "Derailleur feels wrong, what now?",
  "body": "After a week of rain the derailleur of my cargo bike feels wrong, and I cannot find out why. I have tried to tighten it twice, without luck.\nAny ideas?",
  "createdAt": "2026-05-08T20:26:38Z"
}"#
        );
    }

    #[test]
    fn a_comment_of_seed_1_is_this_text_on_every_machine() {
        assert_eq!(
            text(Resource::Comments, 250, Moment::END),
            r#"{
  "postId": 52,
  "id": 250,
  "name": "Re: How do I tighten the chain?",
  "email": "Wilhelm@weber.info",
  "body": "Mine came loose, too. A drop of oil helped.\nYou need a 15 mm spanner and some patience. A new chain costs less than an hour in the shop.",
  "createdAt": "2026-03-23T12:34:32Z"
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
}
