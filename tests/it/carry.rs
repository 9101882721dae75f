//! `--resources`: what is chosen is fetched, and the rest of the snapshot stays as it was.

use serde_json::{Value, json};

use super::support::program::{Running, Workplace};
use super::support::records::{compact, post, user};
use super::support::server::{Reply, Route, Server};

/// The suffix of a flow's files, and how it is asked for.
const FLOWS: [(&str, &[&str]); 2] = [("", &[]), ("_async", &["--async"])];

/// Users and posts, both as they are in each run that fetches them.
fn api(users: [&str; 2], posts: &[&str], with_comments: bool) -> Server {
    let users = users.map(|users| Reply::json(users.to_owned()));
    let [first, second] = users;
    let mut routes = vec![Route::get("/users").reply(first).then(second)];
    let mut replies = posts.iter().map(|posts| Reply::json((*posts).to_owned()));
    let mut route = Route::get("/posts").reply(replies.next().expect("posts"));
    for reply in replies {
        route = route.then(reply);
    }
    routes.push(route);
    if with_comments {
        routes.push(Route::get("/comments").reply(Reply::json("[]")));
    }
    Server::start(routes)
}

fn report(place: &Workplace) -> Value {
    let printed = Running::start(&mut place.command(&["report", "--format", "json"])).wait();
    printed.assert_code(0);
    serde_json::from_str(&printed.stdout).expect("JSON")
}

fn entry(manifest: &Value, name: &str) -> Value {
    let files = manifest["files"].as_array().expect("files");
    let found = files.iter().find(|file| file["name"] == name);
    found.cloned().unwrap_or_default()
}

#[test]
fn what_is_not_chosen_is_in_the_new_snapshot_as_it_was() {
    for (suffix, flow) in FLOWS {
        let users = [user("1", "Ada", "a@x.biz"), user("1", "Eve", "e@x.org")];
        let users = users.map(|user| compact(&[user]));
        let posts = compact(&[post("1", "1"), post("2", "1")]);
        let server = api([&users[0], &users[1]], &[&posts], !flow.is_empty());
        let place = Workplace::new();
        let run = |args: &[&str]| place.run_well(&[&[server.url()], flow, args].concat());
        let name = |stem: &str| format!("{stem}{suffix}.json");
        run(&[]);
        let first = (place.json(&name("manifest")), place.file(&name("posts")));
        let told = run(&["--resources", "users"]).stderr;
        assert!(
            told.contains("posts: not fetched, kept from the run of "),
            "{told}"
        );
        let (manifest, summary) = (place.json(&name("manifest")), place.json(&name("summary")));
        assert_eq!(place.file(&name("posts")), first.1);
        assert_eq!(
            entry(&manifest, &name("posts")),
            entry(&first.0, &name("posts"))
        );
        assert_eq!(manifest["carried"]["posts"]["run"], first.0["run"]);
        assert_eq!(
            manifest["carried"]["posts"]["finished_at"],
            first.0["finished_at"]
        );
        assert_eq!(manifest["resources"], first.0["resources"]);
        let by_eve = json!([{"user_id": 1, "name": "Eve", "posts": 2}]);
        assert_eq!(summary["posts_per_user"], by_eve);
        assert_eq!(
            (&summary["posts"], &summary["filtered_users"]),
            (&json!(2), &json!(0))
        );
        let verified = Running::start(&mut place.command(&["verify"])).wait();
        verified.assert_code(0);
        let report = report(&place);
        assert_eq!(report["users"][0]["name"], "Eve");
        assert_eq!(report["snapshots"]["posts"]["run"], first.0["run"]);
        assert_eq!(report["snapshots"]["users"]["run"], manifest["run"]);
        // The history knows of users alone that they were looked at.
        let changes = Running::start(&mut place.command(&["changes", "--format", "csv"])).wait();
        assert_eq!(
            changes.stdout.matches(",users,").count(),
            1,
            "{}",
            changes.stdout
        );
        assert_eq!(
            changes.stdout.matches(",posts,").count(),
            0,
            "{}",
            changes.stdout
        );
        server.finish();
    }
}

#[test]
fn what_is_carried_over_is_carried_over_again_and_compared_when_it_is_fetched() {
    let users = compact(&[user("1", "Ada", "a@x.biz")]);
    let posts = [compact(&[post("1", "1")]), compact(&[post("1", "2")])];
    let server = Server::start([
        Route::get("/users")
            .reply(Reply::json(users.clone()))
            .times(3),
        Route::get("/posts")
            .reply(Reply::json(posts[0].clone()))
            .then(Reply::json(posts[1].clone())),
    ]);
    let place = Workplace::new();
    let run = |args: &[&str]| place.run_well(&[&[server.url()], args].concat());
    run(&[]);
    let first = place.json("manifest.json");
    run(&["--resources", "users"]);
    run(&["--resources", "users"]);
    assert_eq!(
        place.json("manifest.json")["carried"]["posts"]["run"],
        first["run"]
    );
    run(&["--resources", "posts"]);
    let manifest = place.json("manifest.json");
    assert_eq!(
        manifest["carried"]
            .as_object()
            .map(|carried| carried.keys().cloned().collect()),
        Some(vec!["users".to_owned()])
    );
    let changes = Running::start(&mut place.command(&["changes", "--format", "json"])).wait();
    let changes: Value = serde_json::from_str(&changes.stdout).expect("JSON");
    assert_eq!(changes.as_array().map(Vec::len), Some(1));
    assert_eq!(changes[0]["before"], json!({"userId": 1}));
    server.finish();
}

#[test]
fn rejects_of_what_is_not_chosen_stay_too() {
    for (suffix, flow) in FLOWS {
        let bad = r#"{"id":2,"userId":{},"title":"t","body":"b"}"#.to_owned();
        let worse = r#"{"id":9}"#.to_owned();
        let ada = user("1", "Ada", "a@x.biz");
        let users = [compact(std::slice::from_ref(&ada)), compact(&[ada, worse])];
        let posts = compact(&[post("1", "1"), bad]);
        let server = api([&users[0], &users[1]], &[&posts], !flow.is_empty());
        let place = Workplace::new();
        let run = |args: &[&str]| {
            let args = [&[server.url(), "--max-rejects", "1"], flow, args].concat();
            place.run_well(&args)
        };
        let rejected = format!("rejected{suffix}.ndjson");
        run(&[]);
        let first = place.file(&rejected);
        run(&["--resources", "users"]);
        let second = place.file(&rejected);
        assert!(
            second.starts_with(&first) && second.lines().count() == 2,
            "{second}"
        );
        let manifest = place.json(&format!("manifest{suffix}.json"));
        assert_eq!(manifest["resources"]["posts"]["rejects"], 1);
        assert_eq!(place.json(&format!("summary{suffix}.json"))["rejected"], 2);
        Running::start(&mut place.command(&["verify"]))
            .wait()
            .assert_code(0);
        server.finish();
    }
}

#[test]
fn the_sample_is_the_same_source_wherever_it_is() {
    let place = Workplace::new();
    place.run_well(&["sample"]);
    let posts = place.file("posts.json");
    place.run_well(&["sample", "--resources", "users"]);
    assert_eq!(place.file("posts.json"), posts);
    assert_eq!(place.json("summary.json")["posts"], 100);
    assert_eq!(report(&place)["totals"]["posts"], 100);
}

#[test]
fn a_choice_that_gives_nothing_is_refused_and_nothing_is_touched() {
    let place = Workplace::new();
    place.run_well(&["sample"]);
    let before = place.data();
    let outcome = place.run(&["sample", "--resources", "comments"]);
    outcome.assert_code(2);
    assert_eq!(
        outcome.stderr,
        "error: there is nothing to fetch: the main flow takes users and posts, and what is wanted \
         of sample is comments; add --async to take comments too, or name others with --resources\n"
    );
    place.assert_unchanged(&before);
    place.run_well(&["--async", "sample", "--resources", "comments"]);
}

#[test]
fn what_is_to_stay_and_is_damaged_ends_the_run_and_is_left_as_it_is() {
    type Harm = fn(&std::path::Path);
    let flip: Harm = |path| {
        let mut bytes = std::fs::read(path).expect("read it");
        bytes[20] ^= 1;
        std::fs::write(path, bytes).expect("write it");
    };
    let lengthen: Harm = |path| {
        let bytes = [std::fs::read(path).expect("read it"), b"\n".to_vec()].concat();
        std::fs::write(path, bytes).expect("write it");
    };
    let remove: Harm = |path| std::fs::remove_file(path).expect("remove it");
    let into_link: Harm = |path| {
        std::fs::remove_file(path).expect("remove it");
        std::os::unix::fs::symlink("/dev/null", path).expect("a link");
    };
    let not_as_written = "it is not as it was written, or not there";
    let cases = [
        ("posts", flip, "posts", not_as_written),
        ("posts", lengthen, "posts", not_as_written),
        ("posts", remove, "posts", not_as_written),
        ("posts", into_link, "posts", not_as_written),
        ("rejected", flip, "rejected", not_as_written),
        (
            "manifest",
            lengthen_with_nonsense,
            "manifest",
            "the manifest cannot be read",
        ),
        ("manifest", remove, "posts", "no manifest lists it"),
    ];
    let bad = r#"{"id":2,"userId":{},"title":"t","body":"b"}"#.to_owned();
    let posts = compact(&[post("1", "1"), bad]);
    let nothing = "[]".to_owned();
    for (suffix, flow) in FLOWS {
        let users = compact(&[user("1", "Ada", "a@x.biz")]);
        let name = |stem: &str| {
            let end = if stem == "rejected" { "ndjson" } else { "json" };
            format!("{stem}{suffix}.{end}")
        };
        for (harmed, harm, named, reason) in cases {
            let routes = [
                ("/users", &users),
                ("/posts", &posts),
                ("/comments", &nothing),
            ];
            let taken = if flow.is_empty() { 2 } else { 3 };
            let response = |(path, body): (&'static str, &String)| {
                Route::get(path).reply(Reply::json(body.clone()))
            };
            let server = Server::start(routes.into_iter().take(taken).map(response));
            let place = Workplace::new();
            place.run_well(&[&[server.url(), "--max-rejects", "1"], flow].concat());
            let stored = |stem| place.stored(&name(stem));
            let named = stored(named);
            harm(&place.path().join(stored(harmed)));
            let before = place.data();
            let outcome = place.run(&[&[server.url(), "--resources", "users"], flow].concat());
            outcome.assert_code(5);
            let told = format!(
                "error: cannot keep {}: {reason}\n  try: nothing was changed; `run \
                 --fresh` without --resources fetches it again\n",
                named.display()
            );
            assert_eq!(outcome.stderr, told, "{harmed}");
            place.assert_unchanged(&before);
        }
    }
}

fn lengthen_with_nonsense(path: &std::path::Path) {
    let bytes = [std::fs::read(path).expect("read it"), b"}".to_vec()].concat();
    std::fs::write(path, bytes).expect("write it");
}

#[test]
fn files_of_another_source_do_not_stay_behind() {
    let place = Workplace::new();
    place.run_well(&["sample"]);
    let server = Server::start([Route::get("/people").reply(Reply::json(r#"[{"id":1}]"#))]);
    let source = format!(
        "name = \"one\"\nbase_url = \"{}\"\n[users]\npath = \"/people\"\n[users.fields]\nname = {{ path = \"name\", optional = true }}\n",
        server.url()
    );
    std::fs::write(place.path().join("one.toml"), source).expect("a source file");
    place.run_well(&["one.toml"]);
    let names: Vec<_> = place.data().into_keys().collect();
    assert!(
        !names.iter().any(|name| name.starts_with("posts")),
        "{names:?}"
    );
    server.finish();
}
