//! The two flows side by side: the same requests, the same records, files of their own.

use std::fs;

use super::support::program::{SNAPSHOT, Workplace};
use super::support::records::{compact, gzip, posts, stored, users};
use super::support::server::{Gate, Reply, Request, Route, Server};

const ASYNC_SNAPSHOT: [&str; 6] = [
    "comments_async.json",
    "filtered_users_async.json",
    "manifest_async.json",
    "posts_async.json",
    "summary_async.json",
    "users_async.json",
];

fn comments() -> Vec<String> {
    (1..=3)
        .map(|id| {
            format!(r#"{{"postId":1,"id":{id},"name":"n","email":"e@x.org","body":"b","odd":1.0}}"#)
        })
        .collect()
}

/// A server of all three resources, one of which comes only after trouble and one behind a redirect.
fn serve() -> Server {
    Server::start([
        Route::get("/users")
            .reply(Reply::status(503).header("Retry-After", "0"))
            .then(Reply::gzip(gzip(compact(&users()).as_bytes()))),
        Route::get("/posts").reply(Reply::status(308).header("Location", "/moved?to=here")),
        Route::get("/moved?to=here").reply(Reply::json(compact(&posts())).chunked(50)),
        Route::get("/comments")
            .reply(Reply::json(compact(&comments())))
            .any_times(),
    ])
}

/// What was asked, in an order that does not depend on who was faster, comments apart.
fn asked(server: &Server) -> Vec<Request> {
    let mut requests = server.requests();
    requests.retain(|request| request.path != "/comments");
    for request in &mut requests {
        request.connection = 0;
        request.headers.retain(|(name, _)| name != "host");
        request.headers.sort();
    }
    requests.sort_by(|one, other| one.path.cmp(&other.path));
    requests
}

#[test]
fn both_flows_make_the_same_requests_and_store_the_same_records() {
    let place = Workplace::new();
    let server = serve();
    place.run_well(&[server.url(), "--backoff", "0s"]);
    let by_threads = asked(&server);
    server.finish();
    let server = serve();
    place.run_well(&[server.url(), "--backoff", "0s", "--async"]);
    assert_eq!(asked(&server), by_threads);
    assert_eq!(by_threads.len(), 4);
    server.finish();

    for stem in ["users", "posts", "filtered_users"] {
        let [by_threads, by_tasks] =
            ["", "_async"].map(|flow| place.file(&format!("{stem}{flow}.json")));
        assert_eq!(by_threads, by_tasks, "{stem}");
    }
    assert_eq!(place.file("users_async.json"), stored(&users()));
    assert_eq!(place.file("comments_async.json"), stored(&comments()));
    let (one, other) = (place.json("summary.json"), place.json("summary_async.json"));
    assert_eq!(one["posts_per_user"], other["posts_per_user"]);
    assert_eq!(one.get("comments"), None);
    assert_eq!(other["comments"], 3);
}

#[test]
fn each_flow_leaves_the_files_of_the_other_alone() {
    let place = Workplace::new();
    let main = |args: &[&str]| {
        place.run_well(args);
        place.data()
    };
    let one = main(&["sample"]);
    let both = main(&["sample", "--async"]);
    assert!(
        one.iter()
            .all(|(name, bytes)| both.get(name) == Some(bytes))
    );
    let mut names = [SNAPSHOT, ASYNC_SNAPSHOT].concat();
    names.sort_unstable();
    assert_eq!(
        both.keys().collect::<Vec<_>>(),
        names.iter().collect::<Vec<_>>()
    );
    let again = main(&["sample"]);
    let is_async = |name: &str| ASYNC_SNAPSHOT.contains(&name);
    assert!(
        both.iter()
            .filter(|(name, _)| is_async(name))
            .all(|(name, bytes)| again.get(name) == Some(bytes))
    );
}

#[test]
fn the_async_manifest_tells_the_size_and_checksum_of_every_file() {
    let place = Workplace::new();
    place.run_well(&["sample", "--async"]);
    let manifest = place.json("manifest_async.json");
    assert_eq!(manifest["flow"], "async");
    let files = manifest["files"].as_array().expect("files");
    assert_eq!(files.len(), ASYNC_SNAPSHOT.len() - 1);
    for file in files {
        let name = file["name"].as_str().expect("a name");
        let bytes = fs::read(place.data_dir().join(name)).expect("the file");
        assert_eq!(file["bytes"], bytes.len(), "{name}");
        assert_eq!(
            file["blake3"],
            blake3::hash(&bytes).to_hex().as_str(),
            "{name}"
        );
    }
}

#[test]
fn the_async_flow_asks_for_all_three_at_the_same_time() {
    let all = Gate::opening_at(3);
    let route = |path, records: &[String]| {
        Route::get(path).reply(Reply::json(compact(records)).after(&all))
    };
    let server = Server::start([
        route("/users", &users()),
        route("/posts", &posts()),
        route("/comments", &comments()),
    ]);
    Workplace::new().run_well(&[server.url(), "--async", "--workers", "1"]);
    assert_eq!(server.most_at_once(), 3);
    server.finish();
}

#[test]
fn a_long_page_comes_through_both_flows_in_order() {
    let posts: Vec<_> = (0..1_500)
        .map(|id| {
            let text = "y".repeat(2_000);
            format!(
                r#"{{"userId":{},"id":{id},"title":"","body":"{text}"}}"#,
                id % 7
            )
        })
        .collect();
    let expected = stored(&posts);
    for (flow, file) in [(&[][..], "posts.json"), (&["--async"], "posts_async.json")] {
        let place = Workplace::new();
        let server = Server::start([
            Route::get("/users").reply(Reply::json(compact(&users()))),
            Route::get("/posts").reply(Reply::json(compact(&posts))),
            Route::get("/comments").reply(Reply::json("[]")).any_times(),
        ]);
        place.run_well(&[&[server.url(), "--workers", "3"], flow].concat());
        // Compared, not printed: it is long.
        assert!(place.file(file) == expected, "{file}");
        server.finish();
    }
}

#[test]
fn the_flows_do_not_share_a_data_directory_at_the_same_time() {
    let place = Workplace::with_old_snapshot();
    let held = Gate::new();
    let server = Server::start([
        Route::get("/users").reply(Reply::json("[]").after(&held)),
        Route::get("/posts").reply(Reply::json("[]")),
        Route::get("/comments").reply(Reply::json("[]")),
    ]);
    let first = place.start(&[server.url(), "--async"]);
    server.wait_for_requests(3);
    let second = place.run(&[server.url()]);
    second.assert_code(5);
    let says = "error: cannot use data: another run is writing to it";
    assert_eq!(second.first_line(), says);
    held.open();
    first.wait().assert_code(0);
    server.finish();
}
