//! Generates one record as JSON text: a pure function of seed, resource, id and story.
//!
//! Words and names come from the crate `fake` and from `topic.rs`, random numbers from `random.rs`,
//! keyed with the seed, the kind of data and the id: every machine generates the same bytes, and
//! each record can be generated on its own. `fake` is pinned because a new version may change its
//! word lists; tests compare records with literal text.

use fake::faker::{
    address::en::{CityName, StreetName},
    company::en::{Bs, CatchPhrase, CompanyName},
    name::en::{FirstName, LastName},
    phone_number::en::PhoneNumber,
};
use fake::{Fake, RngExt};
use serde::Serialize;

use super::Resource;
use super::forum::Forum;
use super::moment::Moment;
use super::random::{Random, Stream, pick};
use super::timeline::{Author, Place, Timeline};
use super::topic::{self, Topic};

/// `biz` is listed twice because three of ten users of `JSONPlaceholder` have it.
const SUFFIXES: [&str; 8] = ["biz", "biz", "com", "info", "io", "net", "org", "tv"];

/// Hosts that some users share.
const SHARED_HOSTS: [&str; 3] = ["veloclub.biz", "citycyclists.org", "pedalmail.net"];

/// Suffixes that no user has.
const GUEST_SUFFIXES: [&str; 3] = ["dev", "email", "me"];

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
    let rng = &mut Random::of(seed, Stream::User, id, 0);
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

/// The employer of a user: the first one, or the one after a change.
fn company(seed: u64, user: u64, number: u64) -> Company {
    let rng = &mut Random::of(seed, Stream::Employer, user, number);
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

/// The topic of a post, and the random numbers for its text.
fn topic_of(forum: &Forum, post: u64, place: Place<'_>) -> (Topic, Random) {
    let mut rng = Random::of(forum.seed(), Stream::Post, post, 0);
    (Topic::draw(place.is_doomed(), &mut rng), rng)
}

fn comment(forum: &Forum, id: u64, place: Place<'_>, at: Moment) -> String {
    let seed = forum.seed();
    let rng = &mut Random::of(seed, Stream::Comment, id, 0);
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

/// `Bret`, `Elwyn.Skiles` or `Maxime_Nienow`.
fn username(rng: &mut Random) -> String {
    let first: &str = FirstName().fake_with_rng(rng);
    match pick(&["", ".", "_"], rng) {
        "" => first.to_owned(),
        between => {
            let last: &str = LastName().fake_with_rng(rng);
            format!("{first}{between}{last}")
        }
    }
}

/// `Sincere@april.biz`. It has its own stream, because comments contain it, too.
fn email(seed: u64, stream: Stream, id: u64, number: u64) -> String {
    let rng = &mut Random::of(seed, stream, id, number);
    let name: &str = FirstName().fake_with_rng(rng);
    let host = match stream {
        Stream::GuestEmail => host(&GUEST_SUFFIXES, rng),
        _ if rng.random_range(0..3) == 0 => pick(&SHARED_HOSTS, rng).to_owned(),
        _ => host(&SUFFIXES, rng),
    };
    format!("{name}@{host}")
}

/// `april.biz`
fn host(suffixes: &[&str], rng: &mut Random) -> String {
    let name: &str = LastName().fake_with_rng(rng);
    // Drops the apostrophe of O'Connell.
    let mut host: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    host.make_ascii_lowercase();
    host + "." + pick(suffixes, rng)
}

/// Degrees from minus to plus `max`, with four decimals. Computed with integers, because floats
/// may be printed differently on other machines.
fn degrees(max: i32, rng: &mut Random) -> String {
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
mod tests;
