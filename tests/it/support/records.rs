//! Users and posts to serve, and what is to become of them.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::server::{Reply, Server};

/// A user as compact JSON. `id` is JSON: a number, or a string in its quotes.
pub(crate) fn user(id: &str, name: &str, email: &str) -> String {
    format!(r#"{{"id":{id},"name":"{name}","username":"u","email":"{email}"}}"#)
}

/// A post as compact JSON. Both ids are JSON.
pub(crate) fn post(id: &str, user_id: &str) -> String {
    format!(r#"{{"userId":{user_id},"id":{id},"title":"t","body":"b"}}"#)
}

/// A response in one line.
pub(crate) fn compact(records: &[String]) -> String {
    format!("[{}]", records.join(","))
}

/// What is stored: the same records, each on a line of its own.
pub(crate) fn stored(records: &[String]) -> String {
    format!("[\n  {}\n]", records.join(",\n  "))
}

/// A body as a server with `Content-Encoding: gzip` sends it.
pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).expect("compress");
    encoder.finish().expect("compress")
}

/// Three users, one of them outside `.biz`.
pub(crate) fn users() -> Vec<String> {
    vec![
        user("1", "Ada", "ada@april.biz"),
        user("2", "Bob", "bob@melissa.tv"),
        user("3", "Cleo", "Cleo@May.BIZ"),
    ]
}

/// Three posts by two of the three users.
pub(crate) fn posts() -> Vec<String> {
    vec![post("1", "3"), post("2", "1"), post("3", "3")]
}

/// A server that responses a run of the main flow with these.
pub(crate) fn serve_records() -> Server {
    let json = |records: &[String]| Reply::json(compact(records));
    Server::for_main_flow(json(&users()), json(&posts()))
}

/// The response of a server that indents by two, as json-server does.
pub(crate) const INDENTED_USERS: &str = r#"[
  {
    "id": 1,
    "name": "Ada \u00e9 \"quoted\" 😀",
    "username": "ada",
    "email": "ada@april.biz",
    "address": {
      "street": "Kulas Light",
      "geo": {
        "lat": "-37.3159",
        "lng": "81.1496"
      }
    },
    "tags": [
      "a",
      1.50,
      null
    ]
  },
  {
    "id": 2,
    "name": "Bob",
    "username": "bob",
    "email": "bob@melissa.tv"
  }
]"#;

/// The same for posts.
pub(crate) const INDENTED_POSTS: &str = r#"[
  {
    "userId": 1,
    "id": 1,
    "title": "[{not a record}]",
    "body": "two\nlines"
  }
]"#;
