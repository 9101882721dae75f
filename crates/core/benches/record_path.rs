//! What a record costs on its way, stage by stage, in bytes per second.
//!
//! `cargo bench --bench record_path`, or with a filter behind it: `-- map`.
//! On a busy machine times say little; `docs/performance.md` tells how to count
//! instructions instead.

use std::hint::black_box;

use activity_tracker_core::activity::{ActivityCounts, Comment, Post, User};
use activity_tracker_core::record::{FromFields, Mapping, Resource, map};
use activity_tracker_json::splitter::Splitter;
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};

/// How many bytes of records each stage is given: more than the caches near a core hold.
const LENGTH: usize = 8 * 1024 * 1024;

/// How much comes from the wire at a time.
const PIECE: usize = 256 * 1024;

fn main() {
    divan::main();
}

/// The kinds of records to measure with.
#[derive(Clone, Copy, Debug)]
enum Data {
    Users,
    Posts,
    /// Posts by ten times as many people.
    Crowd,
    Comments,
    /// Posts without white space.
    Compact,
    /// Posts in a script of which each letter takes several bytes.
    Greek,
    /// Posts whose fields stand in another order each time, with others between them.
    Mixed,
}

const POSTS: [Data; 4] = [Data::Posts, Data::Compact, Data::Greek, Data::Mixed];
const ALL: [Data; 6] = [
    Data::Users,
    Data::Posts,
    Data::Comments,
    Data::Compact,
    Data::Greek,
    Data::Mixed,
];

impl Data {
    /// A whole response body, generated: the same bytes each time.
    fn body(self) -> Vec<u8> {
        let mut chance = fastrand::Rng::with_seed(42);
        let mut text = "[".to_owned();
        for id in 1.. {
            if text.len() >= LENGTH {
                break;
            }
            text += if id > 1 { ",\n  " } else { "\n  " };
            text += &self.record(id, &mut chance);
        }
        (text + "\n]").into_bytes()
    }

    fn record(self, id: u64, chance: &mut fastrand::Rng) -> String {
        let authors = if matches!(self, Self::Crowd) {
            100_000
        } else {
            10_000
        };
        let author = chance.u32(1..authors);
        let (title, body) = (words(6, chance), body(chance));
        match self {
            Self::Users => user(id, chance),
            Self::Posts | Self::Crowd => format!(
                "{{\n    \"userId\": {author},\n    \"id\": {id},\n    \"title\": \"{title}\",\n    \"body\": \"{body}\"\n  }}"
            ),
            Self::Comments => format!(
                "{{\n    \"postId\": {author},\n    \"id\": {id},\n    \"name\": \"{title}\",\n    \"email\": \"c{id}@mail.example\",\n    \"body\": \"{body}\"\n  }}"
            ),
            Self::Compact => format!(
                "{{\"userId\":{author},\"id\":{id},\"title\":\"{title}\",\"body\":\"{body}\"}}"
            ),
            Self::Greek => format!(
                "{{\n    \"userId\": {author},\n    \"id\": {id},\n    \"title\": \"{}\",\n    \"body\": \"{}\"\n  }}",
                greek(&title),
                greek(&body)
            ),
            Self::Mixed => {
                let mut members = vec![
                    format!("\"userId\": {author}"),
                    format!("\"id\": {id}"),
                    format!("\"title\": \"{title}\""),
                    format!("\"body\": \"{body}\""),
                    format!("\"tags\": {:?}", vec!["tag"; chance.usize(0..5)]),
                    format!("\"place\": {{\"at\": [{}.5, -1e-3], \"of\": null}}", id),
                    format!("\"draft\": {}", chance.bool()),
                ];
                members.truncate(chance.usize(4..=7));
                chance.shuffle(&mut members);
                format!("{{\n    {}\n  }}", members.join(",\n    "))
            }
        }
    }
}

fn words(count: usize, chance: &mut fastrand::Rng) -> String {
    const WORDS: &str = "et aut ut qui voluptatem dolores eum rerum laboriosam itaque \
        reprehenderit consequuntur tempore possimus maiores exercitationem";
    let words: Vec<_> = WORDS.split_whitespace().collect();
    let chosen: Vec<_> = (0..count)
        .map(|_| words[chance.usize(..words.len())])
        .collect();
    chosen.join(" ")
}

fn body(chance: &mut fastrand::Rng) -> String {
    let lines: Vec<_> = (0..4).map(|_| words(5, chance)).collect();
    lines.join("\\n")
}

/// The same text with other letters, and its escapes as they were.
fn greek(text: &str) -> String {
    let other = |letter: char| char::from_u32(letter as u32 - 'a' as u32 + 'α' as u32);
    let lines = text.split("\\n").map(|line| {
        let letters = line.chars().map(|letter| match letter {
            'a'..='z' => other(letter).unwrap_or(letter),
            _ => letter,
        });
        letters.collect::<String>()
    });
    lines.collect::<Vec<_>>().join("\\n")
}

fn user(id: u64, chance: &mut fastrand::Rng) -> String {
    let (name, street) = (words(2, chance), words(2, chance));
    let (city, company) = (words(1, chance), words(3, chance));
    let top = if chance.u8(..3) == 0 { "biz" } else { "com" };
    format!(
        "{{\n    \"id\": {id},\n    \"name\": \"{name}\",\n    \"username\": \"user{id}\",\n    \"email\": \"u{id}@april.{top}\",\n    \"address\": {{\n      \"street\": \"{street}\",\n      \"suite\": \"Apt. 556\",\n      \"city\": \"{city}\",\n      \"zipcode\": \"92998-3874\",\n      \"geo\": {{\n        \"lat\": \"-37.3159\",\n        \"lng\": \"81.1496\"\n      }}\n    }},\n    \"phone\": \"1-770-736-8031 x56442\",\n    \"website\": \"hildegard.org\",\n    \"company\": {{\n      \"name\": \"{company}\",\n      \"catchPhrase\": \"Multi-layered client-server neural-net\",\n      \"bs\": \"harness real-time e-markets\"\n    }}\n  }}"
    )
}

/// The records of a body as the spool gives them to a worker: a row without brackets.
fn slice(body: &[u8]) -> &[u8] {
    let inner = body.get(1..body.len() - 1).unwrap_or_default();
    inner.trim_ascii()
}

/// Splits a body as it arrives; gives how many records there are.
fn cut(body: &[u8]) -> u64 {
    let mut splitter = Splitter::of_array();
    let mut records = 0;
    for piece in body.chunks(PIECE) {
        let whole = splitter.advance_over(piece, |_| records += 1);
        assert!(whole.is_ok());
    }
    assert!(splitter.finish().is_ok());
    records
}

#[divan::bench(args = ALL)]
fn cut_answer(bencher: Bencher, data: Data) {
    let body = data.body();
    bencher
        .counter(BytesCount::of_slice(&body))
        .bench_local(|| cut(black_box(&body)));
}

/// Maps all records of a slice; gives how many did.
fn mapped<'a, T: FromFields<'a>>(slice: &'a [u8], mapping: &Mapping) -> u64 {
    map::<T>(slice, mapping)
        .map(|record| u64::from(record.is_ok()))
        .sum()
}

fn map_bench(bencher: Bencher, data: Data, resource: Resource, all: fn(&[u8], &Mapping) -> u64) {
    let body = data.body();
    let slice = slice(&body);
    let mapping = Mapping::placeholder(resource);
    assert_eq!(all(slice, &mapping), cut(&body));
    bencher
        .counter(BytesCount::of_slice(slice))
        .bench_local(|| all(black_box(slice), &mapping));
}

#[divan::bench]
fn map_users(bencher: Bencher) {
    map_bench(bencher, Data::Users, Resource::Users, |slice, mapping| {
        mapped::<User<'_>>(slice, mapping)
    });
}

#[divan::bench(args = POSTS)]
fn map_posts(bencher: Bencher, data: Data) {
    map_bench(bencher, data, Resource::Posts, |slice, mapping| {
        mapped::<Post<'_>>(slice, mapping)
    });
}

#[divan::bench]
fn map_comments(bencher: Bencher) {
    map_bench(
        bencher,
        Data::Comments,
        Resource::Comments,
        |slice, mapping| mapped::<Comment<'_>>(slice, mapping),
    );
}

/// What a worker counts in a slice of posts, apart from reading them.
#[divan::bench]
fn count_posts(bencher: Bencher) {
    let body = Data::Posts.body();
    let slice = slice(&body);
    let mapping = Mapping::placeholder(Resource::Posts);
    let posts: Vec<_> = map::<Post<'_>>(slice, &mapping)
        .filter_map(Result::ok)
        .collect();
    bencher
        .counter(BytesCount::of_slice(slice))
        .bench_local(|| {
            let mut counts = ActivityCounts::default();
            for post in black_box(&posts) {
                counts.add_post(post);
            }
            counts
        });
}

#[divan::bench]
fn count_users(bencher: Bencher) {
    let body = Data::Users.body();
    let slice = slice(&body);
    let mapping = Mapping::placeholder(Resource::Users);
    let users: Vec<_> = map::<User<'_>>(slice, &mapping)
        .filter_map(Result::ok)
        .collect();
    bencher
        .counter(BytesCount::of_slice(slice))
        .bench_local(|| {
            let mut counts = ActivityCounts::default();
            for user in black_box(&users) {
                counts.add_user(user);
            }
            counts
        });
}

/// What is counted of each 1 MiB of a body.
fn all_counts(data: Data) -> Vec<ActivityCounts> {
    let body = data.body();
    let (users, posts) = (
        Mapping::placeholder(Resource::Users),
        Mapping::placeholder(Resource::Posts),
    );
    let mut all_counts = vec![ActivityCounts::default()];
    let mut length = 0;
    for record in activity_tracker_json::splitter::records(slice(&body)).flatten() {
        length += record.len();
        if length > 1024 * 1024 {
            length = 0;
            all_counts.push(ActivityCounts::default());
        }
        let Some(counts) = all_counts.last_mut() else {
            break;
        };
        if matches!(data, Data::Users) {
            map(record, &users)
                .flatten()
                .for_each(|user| counts.add_user(&user));
        } else {
            map(record, &posts)
                .flatten()
                .for_each(|post| counts.add_post(&post));
        }
    }
    all_counts
}

/// The counts of 8 slices, as workers send them.
#[divan::bench(args = [Data::Users, Data::Posts, Data::Crowd])]
fn tell_all_counts(bencher: Bencher, data: Data) {
    let all_counts = all_counts(data);
    bencher
        .counter(ItemsCount::new(all_counts.len()))
        .bench_local(|| {
            for counts in black_box(&all_counts) {
                black_box(serde_json::to_string(counts).is_ok());
            }
        });
}

/// The same as they are read and added to those of a long run, which knows all authors.
#[divan::bench(args = [Data::Users, Data::Posts, Data::Crowd])]
fn add_told_all_counts(bencher: Bencher, data: Data) {
    let all_counts = all_counts(data);
    let lines: Vec<_> = all_counts
        .iter()
        .filter_map(|counts| serde_json::to_string(counts).ok())
        .collect();
    let mut all = all_counts
        .into_iter()
        .fold(ActivityCounts::default(), ActivityCounts::merge);
    bencher
        .counter(ItemsCount::new(lines.len()))
        .bench_local(|| {
            for line in black_box(&lines) {
                if let Ok(counts) = serde_json::from_str(line) {
                    all = std::mem::take(&mut all).merge(counts);
                }
            }
        });
}

/// What hashing costs, to hold the rest against.
#[divan::bench]
fn hash(bencher: Bencher) {
    let body = Data::Posts.body();
    bencher
        .counter(BytesCount::of_slice(&body))
        .bench_local(|| blake3::hash(black_box(&body)));
}

/// What `serde_json` takes to check a body and keep nothing of it, to compare the mapper with.
#[divan::bench(args = ALL)]
fn check_with_serde_json(bencher: Bencher, data: Data) {
    let body = data.body();
    bencher
        .counter(BytesCount::of_slice(&body))
        .bench_local(|| serde_json::from_slice::<serde::de::IgnoredAny>(black_box(&body)).is_ok());
}
