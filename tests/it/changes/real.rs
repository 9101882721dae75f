//! Tests against a json-server whose data is changed through its API.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::support::processes::until;
use super::super::support::program::{Running, Workplace};
use super::{Db, listed, naive, plain, summarized};

/// A json-server of this test; killed on drop.
struct JsonServer {
    host: String,
    _process: Running,
}

impl JsonServer {
    /// `None`, and a message, if json-server is not installed.
    fn start(place: &Workplace) -> Option<Self> {
        let variables =
            ["NODE_PATH", "DB"].map(|name| env::var(format!("ACTIVITY_TRACKER_TEST_{name}")).ok());
        let [Some(modules), Some(db)] = variables else {
            println!("skipped: .ci/run installs json-server for this test where it has the data");
            return None;
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/json-server.js");
        let port = place.path().join("port");
        let mut command = Command::new("node");
        command
            .args([&script, Path::new(&db), &port])
            .env("NODE_PATH", modules)
            .env("NODE_NO_WARNINGS", "1")
            .stdin(Stdio::null());
        let process = Running::start(&mut command);
        let port = until("json-server starts", || fs::read_to_string(&port).ok());
        Some(Self {
            host: format!("127.0.0.1:{port}"),
            _process: process,
        })
    }

    /// Sends a request over a plain socket and returns the body.
    #[track_caller]
    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let mut stream = TcpStream::connect(&self.host).expect("connect");
        let limit = Some(Duration::from_secs(30));
        stream.set_read_timeout(limit).expect("set a limit");
        let body = body.map(Value::to_string).unwrap_or_default();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        )
        .expect("send the request");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("a response");
        let (headers, body) = response.split_once("\r\n\r\n").expect("headers and a body");
        assert!(
            headers.starts_with("HTTP/1.1 20"),
            "{method} {path}: {headers}"
        );
        serde_json::from_str(body).expect("JSON")
    }

    /// All its records.
    fn db(&self) -> Db {
        let records = |resource: &'static str| {
            let records = self.send("GET", &format!("/{resource}"), None);
            (resource, serde_json::from_value(records).expect("records"))
        };
        ["users", "posts"].map(records).into()
    }
}

#[test]
fn created_updated_and_deleted_records_are_reported_exactly() {
    let place = Workplace::new();
    let Some(server) = JsonServer::start(&place) else {
        return;
    };
    let url = format!("http://{}", server.host);
    place.run_well(&[&url]);
    let first = server.db();

    let eve = json!({"name": "Eve \"E\" 😀", "username": "eve", "email": "Eve@x.biz", "n": 1.5});
    server.send("POST", "/users", Some(&eve));
    let post = json!({"userId": 11, "title": "by Eve", "body": ""});
    server.send("POST", "/posts", Some(&post));
    let quoted = json!({"id": "slug-1", "userId": 2, "title": "quoted", "body": "b"});
    server.send("POST", "/posts", Some(&quoted));
    let moved = json!({"address": {"city": "Oslo"}, "phone": null});
    server.send("PATCH", "/users/2", Some(&moved));
    let edited = json!({"title": "another title"});
    server.send("PATCH", "/posts/7", Some(&edited));
    // Deleting a user deletes the user's posts, too.
    server.send("DELETE", "/users/3", None);
    server.send("DELETE", "/posts/100", None);
    place.run_well(&[&url]);
    let second = server.db();
    let found = listed(&place, &[]);
    assert_eq!(found.len(), 3 + 2 + 1 + 11, "{found:#?}");
    assert_eq!(plain(found), naive(&first, &second));
    let of_eve = ["added users 11", "added posts 101"];
    for user in ["11", "eve", "EVE@x.biz", "Eve \"E\" 😀"] {
        assert_eq!(summarized(&place, &["--user", user]), of_eve, "{user}");
    }
    let of_clementine = summarized(&place, &["--user", "Clementine Bauch"]);
    assert_eq!(of_clementine.len(), 1 + 10, "{of_clementine:?}");

    // One resource changes; the response for the other one is 304.
    server.send("PATCH", "/posts/8", Some(&edited));
    place.run_well(&[&url]);
    let third = server.db();
    let found = listed(&place, &["--since", "2"]);
    assert_eq!(plain(found), naive(&second, &third));
    assert_eq!(summarized(&place, &["--since", "2"]), ["changed posts 8"]);
    place.run_well(&[&url]);
    assert_eq!(summarized(&place, &["--since", "3"]), [""; 0]);
}
