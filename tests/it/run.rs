//! Runs that end well: what is asked for, stored and printed.

use serde_json::{Value, json};

use super::support::program::{SNAPSHOT, Workplace};
use super::support::records::{
    INDENTED_POSTS, INDENTED_USERS, compact, gzip, post, posts, serve_records, stored, user, users,
};
use super::support::server::{Gate, Reply, Route, Server};

#[test]
fn a_run_leaves_the_documented_files_and_nothing_else() {
    let place = Workplace::new();
    let server = serve_records();
    let outcome = place.run_well(&[server.url()]);
    server.finish();
    assert_eq!(place.data().into_keys().collect::<Vec<_>>(), SNAPSHOT);
    let users = users();
    assert_eq!(place.file("users.json"), stored(&users));
    assert_eq!(place.file("posts.json"), stored(&posts()));
    let filtered = [users[0].clone(), users[2].clone()];
    assert_eq!(place.file("filtered_users.json"), stored(&filtered));
    let names = "[\n  \"Ada\",\n  \"Bob\",\n  \"Cleo\"\n]";
    assert_eq!(place.file("user_names.json"), names);
    assert_eq!(outcome.stdout, "");
}

#[test]
fn indented_responses_are_stored_byte_for_byte() {
    let place = Workplace::new();
    let server = Server::for_main_flow(Reply::json(INDENTED_USERS), Reply::json(INDENTED_POSTS));
    place.run_well(&[server.url()]);
    assert_eq!(place.file("users.json"), INDENTED_USERS);
    assert_eq!(place.file("posts.json"), INDENTED_POSTS);
    // A name is read and written anew: the same text, whatever its escapes were.
    let names = json!(["Ada é \"quoted\" 😀", "Bob"]);
    assert_eq!(place.json("user_names.json"), names);
}

#[test]
fn however_a_response_travels_the_same_records_are_stored() {
    let plain = compact(&users());
    let json = || Reply::json(plain.as_str());
    let compressed = gzip(plain.as_bytes());
    let cases = [
        ("in chunks", json().chunked(7)),
        ("without a length", json().until_close()),
        ("with the connection closed behind it", json().then_close()),
        ("compressed", Reply::gzip(compressed.as_slice())),
        (
            "compressed in chunks",
            Reply::gzip(compressed.as_slice()).chunked(11),
        ),
        (
            "in two gzip members",
            Reply::gzip([gzip(&plain.as_bytes()[..40]), gzip(&plain.as_bytes()[40..])].concat()),
        ),
        ("as identity", json().header("Content-Encoding", "identity")),
        (
            "under another media type",
            Reply::status(200)
                .header("Content-Type", "text/plain")
                .body(plain.as_str()),
        ),
        (
            "with space around it",
            Reply::json(format!("\n {plain}\r\n")),
        ),
    ];
    for (how, reply) in cases {
        let place = Workplace::new();
        let server = Server::for_main_flow(reply, Reply::json(compact(&posts())));
        let outcome = place.run(&[server.url()]);
        assert_eq!(outcome.status.code(), Some(0), "{how}: {outcome:?}");
        assert_eq!(place.file("users.json"), stored(&users()), "{how}");
        server.finish();
    }
}

#[test]
fn redirects_are_followed_here_and_to_another_server() {
    let other = Server::start([Route::get("/moved").reply(Reply::json(compact(&posts())))]);
    let elsewhere = format!("{}/moved", other.url());
    let to = |status, location: &str| Reply::status(status).header("Location", location);
    let server = Server::start([
        Route::get("/api/users").reply(to(301, "../v2/users?all=1#top")),
        Route::get("/v2/users?all=1").reply(to(307, "/v3")),
        Route::get("/v3").reply(Reply::json(compact(&users()))),
        Route::get("/api/posts").reply(to(302, &elsewhere)),
    ]);
    let place = Workplace::new();
    place.run_well(&[&format!("{}/api/", server.url())]);
    assert_eq!(place.file("users.json"), stored(&users()));
    assert_eq!(place.file("posts.json"), stored(&posts()));
    server.finish();
    other.finish();
}

#[test]
fn fields_that_nobody_knows_are_kept() {
    let odd = r#"{"zeta":{"deep":[1,{"x":null}]},"id":1,"name":"A","username":"a","email":"a@x.biz","big":12345678901234567890.000,"\u0065scaped":"\/"}"#;
    let odd_post = r#"{ "id" : 1 ,"userId":1, "title":"", "body":"", "likes":1e3 }"#;
    let place = Workplace::new();
    let server = Server::for_main_flow(
        Reply::json(format!("[{odd}]")),
        Reply::json(format!("[{odd_post}]")),
    );
    place.run_well(&[server.url()]);
    let alone = |record: &str| stored(&[record.to_owned()]);
    assert_eq!(place.file("users.json"), alone(odd));
    assert_eq!(place.file("filtered_users.json"), alone(odd));
    assert_eq!(place.file("posts.json"), alone(odd_post));
}

#[test]
fn ids_may_be_strings_and_are_never_taken_for_numbers() {
    let place = Workplace::new();
    let users = [
        user("\"1\"", "Text", "t@x.biz"),
        user("1", "Number", "n@x.biz"),
        user("\"9f-a\"", "Slug", "s@x.biz"),
    ];
    let posts = [post("\"p\"", "\"1\""), post("7", "\"9f-a\"")];
    let server = Server::for_main_flow(Reply::json(compact(&users)), Reply::json(compact(&posts)));
    place.run_well(&[server.url()]);
    let expected = json!([
        {"user_id": "1", "name": "Text", "posts": 1},
        {"user_id": "9f-a", "name": "Slug", "posts": 1},
        {"user_id": 1, "name": "Number", "posts": 0},
    ]);
    assert_eq!(place.json("summary.json")["posts_per_user"], expected);
    assert_eq!(place.file("posts.json"), stored(&posts));
}

#[test]
fn empty_arrays_are_a_snapshot_too() {
    let place = Workplace::new();
    let server = Server::for_main_flow(Reply::json("[]"), Reply::json(" [ ] "));
    let outcome = place.run_well(&[server.url()]);
    for name in ["users", "posts", "filtered_users", "user_names"] {
        assert_eq!(place.file(&format!("{name}.json")), "[]");
    }
    let expected = json!({
        "source": server.url(), "email_domain": "biz", "users": 0, "posts": 0,
        "filtered_users": 0, "rejected": 0, "posts_per_user": [],
    });
    assert_eq!(place.json("summary.json"), expected);
    let first = format!("0 users, 0 posts from {} in ", server.url());
    assert!(outcome.stderr.starts_with(&first), "{}", outcome.stderr);
}

#[test]
fn the_summary_ranks_by_posts_then_id_with_silent_users_and_unknown_authors() {
    let place = Workplace::new();
    let users = [
        user("10", "Ten", "a@x.biz"),
        user("9", "Nine", "b@x.com"),
        user("2", "Silent", "c@x.com"),
        user("1", "First", "d@x.com"),
    ];
    let authors = ["10", "9", "77", "9", "10", "1", "77", "77"];
    let posts: Vec<_> = (1..)
        .zip(authors)
        .map(|(id, author)| post(&id.to_string(), author))
        .collect();
    let server = Server::for_main_flow(Reply::json(compact(&users)), Reply::json(compact(&posts)));
    place.run_well(&[server.url()]);
    let expected = json!({
        "source": server.url(), "email_domain": "biz", "users": 4, "posts": 8,
        "filtered_users": 1, "rejected": 0,
        "posts_per_user": [
            {"user_id": 77, "name": null, "posts": 3},
            {"user_id": 9, "name": "Nine", "posts": 2},
            {"user_id": 10, "name": "Ten", "posts": 2},
            {"user_id": 1, "name": "First", "posts": 1},
            {"user_id": 2, "name": "Silent", "posts": 0},
        ],
    });
    assert_eq!(place.json("summary.json"), expected);
}

#[test]
fn the_email_domain_decides_which_users_are_filtered() {
    let cases = [
        ("april.biz", &["Ada"][..]),
        ("BIZ", &["Ada", "Cleo"]),
        ("@tv", &["Bob"]),
        ("pril.biz", &[]),
    ];
    for (domain, expected) in cases {
        let place = Workplace::new();
        let server = serve_records();
        place.run_well(&[server.url(), "--email-domain", domain]);
        let filtered = place.json("filtered_users.json");
        let names: Vec<_> = filtered
            .as_array()
            .expect("an array")
            .iter()
            .map(|user| &user["name"])
            .collect();
        assert_eq!(names, expected, "{domain}");
        assert_eq!(place.json("summary.json")["filtered_users"], names.len());
    }
}

#[test]
fn the_manifest_tells_the_size_checksum_and_records_of_every_file() {
    let place = Workplace::new();
    let server = serve_records();
    place.run_well(&[server.url()]);
    let manifest = place.json("manifest.json");
    assert_eq!(manifest["source"], server.url());
    assert_eq!(manifest["flow"], "main");
    let time = |field: &str| -> jiff::Timestamp {
        let text = manifest[field].as_str().expect("a time");
        text.parse().expect("a time in RFC 3339")
    };
    assert!(time("started_at") <= time("finished_at"));
    let mut listed: Vec<_> = Vec::new();
    for file in manifest["files"].as_array().expect("files") {
        let name = file["name"].as_str().expect("a name");
        let bytes = &place.data()[name];
        assert_eq!(file["bytes"], bytes.len(), "{name}");
        assert_eq!(
            file["blake3"],
            blake3::hash(bytes).to_hex().as_str(),
            "{name}"
        );
        let content: Value = serde_json::from_slice(bytes).expect("JSON");
        let records = content
            .as_array()
            .map_or(Value::Null, |all| all.len().into());
        assert_eq!(file["records"], records, "{name}");
        listed.push(name);
    }
    listed.push("manifest.json");
    listed.sort_unstable();
    assert_eq!(listed, SNAPSHOT);
}

#[test]
fn a_second_run_replaces_the_snapshot_and_leaves_what_is_not_its_own() {
    let place = Workplace::with_old_snapshot();
    let server = serve_records();
    place.run_well(&[server.url()]);
    server.finish();
    let first = place.json("manifest.json")["run"].clone();
    let server = Server::for_main_flow(Reply::json("[]"), Reply::json(compact(&posts())));
    place.run_well(&[server.url()]);
    assert_eq!(place.file("users.json"), "[]");
    assert_eq!(place.file("filtered_users.json"), "[]");
    assert_eq!(place.file("posts.json"), stored(&posts()));
    assert_eq!(place.json("summary.json")["users"], 0);
    assert_ne!(place.json("manifest.json")["run"], first);
    assert_eq!(place.file("notes.txt"), "old notes.txt");
    assert_eq!(place.data().len(), SNAPSHOT.len() + 1);
}

#[test]
fn a_data_directory_that_is_missing_is_made_with_those_above_it() {
    let place = Workplace::new();
    let server = serve_records();
    let deep = place.path().join("a/b c/data");
    let deep = deep.to_str().expect("UTF-8");
    place.run_well(&[server.url(), "--data-dir", deep]);
    let names = super::support::program::contents(deep.as_ref()).into_keys();
    assert_eq!(names.collect::<Vec<_>>(), SNAPSHOT);
    assert!(!place.data_dir().exists());
}

#[test]
fn the_data_directory_and_the_log_can_be_set_in_the_environment() {
    let place = Workplace::new();
    let server = serve_records();
    let mut command = place.command(&["run", server.url()]);
    command.env("ACTIVITY_TRACKER_DATA_DIR", "elsewhere");
    command.env("ACTIVITY_TRACKER_LOG_FILE", "deep/er/a.log");
    command.env("ACTIVITY_TRACKER_LOG_LEVEL", "error");
    super::support::program::Running::start(&mut command)
        .wait()
        .assert_code(0);
    let made = super::support::program::contents(place.path());
    assert_eq!(
        made.into_keys().collect::<Vec<_>>(),
        ["deep/", "elsewhere/"]
    );
    let log = std::fs::read_to_string(place.path().join("deep/er/a.log"));
    assert_eq!(log.expect("the log"), "");
}

#[test]
fn users_and_posts_are_asked_for_at_the_same_time() {
    let both = Gate::opening_at(2);
    let server = Server::for_main_flow(
        Reply::json(compact(&users())).after(&both),
        Reply::json(compact(&posts())).after(&both),
    );
    Workplace::new().run_well(&[server.url(), "--workers", "1"]);
    assert_eq!(server.most_at_once(), 2);
    server.finish();
}

#[test]
fn a_request_says_who_asks_and_for_what() {
    let server = serve_records();
    Workplace::new().run_well(&[server.url()]);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        let mut headers = request.headers.clone();
        headers.sort();
        let expected = [
            ("accept", "application/json"),
            ("accept-encoding", "gzip"),
            ("host", server.url().trim_start_matches("http://")),
            (
                "user-agent",
                concat!("activity-tracker/", env!("CARGO_PKG_VERSION")),
            ),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(headers, expected, "{request}");
    }
}

#[test]
fn a_page_of_many_slices_keeps_its_order_and_its_bytes() {
    let text = "x".repeat(2_000);
    let posts: Vec<_> = (0..3_000)
        .map(|id| {
            let user = id % 7;
            format!("{{\n    \"userId\": {user},\n    \"id\": {id},\n    \"title\": \"\",\n    \"body\": \"{text}\"\n  }}")
        })
        .collect();
    let page = stored(&posts);
    assert!(page.len() > 5 * 1024 * 1024);
    let place = Workplace::new();
    let server = Server::for_main_flow(Reply::json(compact(&users())), Reply::json(page.as_str()));
    place.run_well(&[server.url(), "--workers", "3"]);
    // Compared, not printed: it is long.
    assert!(place.file("posts.json") == page);
    let summary = place.json("summary.json");
    assert_eq!(summary["posts"], 3_000);
    let first = json!({"user_id": 0, "name": null, "posts": 429});
    assert_eq!(summary["posts_per_user"][0], first);
}

#[test]
fn the_sample_gives_the_same_snapshot_every_time() {
    let place = Workplace::new();
    let stored = || {
        place.run_well(&["sample"]);
        let mut data = place.data();
        data.remove("manifest.json").expect("a manifest");
        data
    };
    let first = stored();
    assert_eq!(first, stored());
    assert_eq!(place.json("summary.json")["users"], 10);
    assert_eq!(place.json("summary.json")["posts"], 100);
}

#[test]
fn what_came_of_a_response_that_broke_off_does_not_count() {
    let long = |author: &str, from: u32| -> Vec<String> {
        let body = "x".repeat(1000);
        let post =
            |id: u32| format!(r#"{{"id":{id},"userId":{author},"title":"t","body":"{body}"}}"#);
        (from..from + 4000).map(post).collect()
    };
    let (broken, whole) = (long("1", 1), long("2", 9000));
    for (flow, suffix) in [(&[][..], ""), (&["--async"][..], "_async")] {
        // Most of it is processed when it breaks off, for it comes in many slices.
        let first = Reply::json(compact(&broken)).cut_short(4_000_000);
        let server = Server::start([
            Route::get("/users").reply(Reply::json("[]")),
            Route::get("/posts")
                .reply(first)
                .then(Reply::json(compact(&whole))),
            Route::get("/comments").reply(Reply::json("[]")).any_times(),
        ]);
        let place = Workplace::new();
        place.run_well(&[&[server.url(), "--backoff", "0s"], flow].concat());
        assert!(place.file(&format!("posts{suffix}.json")) == stored(&whole));
        let summary = place.json(&format!("summary{suffix}.json"));
        assert_eq!(summary["posts"], 4000);
        let counted = serde_json::json!([{"user_id": 2, "name": null, "posts": 4000}]);
        assert_eq!(summary["posts_per_user"], counted);
        server.finish();
    }
}
