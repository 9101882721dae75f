//! Against json-server with JSONPlaceholder's own data, where `.ci/run` has started it.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::support::program::Workplace;

/// The server's URL and its database; none where they are not there, which is said.
pub(crate) fn real_api() -> Option<(String, Value)> {
    let server = env::var("ACTIVITY_TRACKER_TEST_JSON_SERVER");
    let (Ok(url), Ok(db)) = (server, env::var("ACTIVITY_TRACKER_TEST_DB")) else {
        println!("skipped: .ci/run starts json-server for this test where it has the data");
        return None;
    };
    let db = fs::read(db).expect("read the database");
    Some((
        url,
        serde_json::from_slice(&db).expect("a database of JSON"),
    ))
}

/// What the server responses, fetched by nothing but a socket.
fn get(url: &str, path: &str) -> String {
    let host = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).expect("connect");
    let limit = Some(Duration::from_secs(30));
    stream.set_read_timeout(limit).expect("set a limit");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .expect("ask");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("a response");
    let (head, body) = response.split_once("\r\n\r\n").expect("a head and a body");
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.contains("Content-Length: "),
        "{head}"
    );
    body.to_owned()
}

fn ids(records: &Value) -> Vec<u64> {
    let records = records.as_array().expect("an array").iter();
    records
        .map(|record| record["id"].as_u64().expect("an id"))
        .collect()
}

#[test]
fn the_real_data_set_is_stored_whole_and_summed_up() {
    let Some((url, db)) = real_api() else { return };
    let place = Workplace::new();
    place.run_well(&[&url]);

    for resource in ["users", "posts"] {
        let name = format!("{resource}.json");
        let stored = place.json(&name);
        let (stored, expected) = (stored.as_array(), db[resource].as_array());
        let (stored, expected) = (stored.expect("an array"), expected.expect("an array"));
        assert_eq!(stored.len(), expected.len(), "{resource}");
        for (stored, expected) in stored.iter().zip(expected) {
            assert_eq!(stored, expected, "{resource}");
        }
        assert_eq!(
            place.file(&name),
            get(&url, &format!("/{resource}")),
            "{resource}"
        );
    }
    assert_eq!(ids(&place.json("users.json")), (1..=10).collect::<Vec<_>>());
    assert_eq!(
        ids(&place.json("posts.json")),
        (1..=100).collect::<Vec<_>>()
    );
    assert_eq!(ids(&place.json("filtered_users.json")), [1, 7, 10]);
    for user in place
        .json("filtered_users.json")
        .as_array()
        .expect("an array")
    {
        assert!(db["users"].as_array().expect("users").contains(user));
    }

    let names = [
        "Leanne Graham",
        "Ervin Howell",
        "Clementine Bauch",
        "Patricia Lebsack",
        "Chelsey Dietrich",
        "Mrs. Dennis Schulist",
        "Kurtis Weissnat",
        "Nicholas Runolfsdottir V",
        "Glenna Reichert",
        "Clementina DuBuque",
    ];
    assert_eq!(place.json("user_names.json"), json!(names));
    let ranking: Vec<_> = (1..)
        .zip(names)
        .map(|(id, name)| json!({"user_id": id, "name": name, "posts": 10}))
        .collect();
    let expected = json!({
        "source": url, "email_domain": "biz", "users": 10, "posts": 100,
        "filtered_users": 3, "rejected": 0, "posts_per_user": ranking,
    });
    assert_eq!(place.json("summary.json"), expected);
}
