//! Runs again and again: what is asked and told in each turn, and how a watch is stopped.
//!
//! Turns are a second apart at least, so these tests take real time: few turns each.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::processes::{NOBODY, until, workers_below};
use super::support::program::{Outcome, Running, SNAPSHOT, Workplace};
use super::support::records::{compact, post, posts, stored, user, users};
use super::support::server::{Reply, Route, Server};

/// Far longer than it takes, and far shorter than any wait that would end it too.
const SOON: Duration = Duration::from_secs(20);

fn tagged(records: &[String], tag: &str) -> Reply {
    Reply::json(compact(records)).header("ETag", tag)
}

/// Users that stay as they are.
fn same_users() -> Route {
    let route = Route::get("/users").reply(tagged(&users(), "\"u\""));
    route.then(Reply::status(304)).any_times()
}

/// Two posts more than before, one less, and one that is another.
fn new_posts() -> Vec<String> {
    let changed = post("2", "1").replace("\"t\"", "\"new\"");
    vec![post("1", "3"), changed, post("8", "1"), post("9", "2")]
}

/// Posts that change with the second response.
fn changing_posts() -> Route {
    let first = tagged(&posts(), "\"p1\"");
    let route = Route::get("/posts").reply(first);
    route.then(tagged(&new_posts(), "\"p2\""))
}

fn start(place: &Workplace, args: &[&str]) -> Running {
    start_every(place, "1s", args)
}

fn start_every(place: &Workplace, every: &str, args: &[&str]) -> Running {
    let usual = [
        "watch",
        "--every",
        every,
        "--backoff",
        "0s",
        "--retries",
        "0",
    ];
    Running::start(&mut place.command(&[&usual, args].concat()))
}

#[track_caller]
fn watch(place: &Workplace, args: &[&str]) -> Outcome {
    start(place, args).wait()
}

/// The lines that were printed, without the times in them.
fn told(outcome: &Outcome) -> Vec<String> {
    let without_times = |line: &str| {
        let (first, rest) = line.split_once("  ").unwrap_or(("", line));
        let is_time = first.len() == 12 && first.matches(':').count() == 2;
        let rest = if is_time { rest } else { line };
        let rest = rest.split(" (").next().unwrap_or(rest);
        let again = rest.split_once("next attempt at ");
        again.map_or(rest.to_owned(), |(rest, _)| format!("{rest}next attempt"))
    };
    outcome.stderr.lines().map(without_times).collect()
}

fn conditions(server: &Server, path: &str) -> Vec<Option<String>> {
    let of_path = server.requests().into_iter().filter(|it| it.path == path);
    of_path
        .map(|request| request.header("if-none-match").map(str::to_owned))
        .collect()
}

#[test]
fn each_turn_asks_what_changed_and_tells_it_in_a_line() {
    for flow in [&[][..], &["--async", "--resources", "users,posts"]] {
        let place = Workplace::new();
        let server = Server::start([same_users(), changing_posts().then(Reply::status(304))]);
        let outcome = watch(&place, &[&[server.url(), "--runs", "3"], flow].concat());
        outcome.assert_code(0);
        let expected = [
            "first run: 3 users, 3 posts",
            "2 new posts, 1 changed, 1 removed",
            "no changes",
        ];
        assert_eq!(told(&outcome), expected, "{flow:?}");
        assert_eq!(outcome.stdout, "");
        let tag = |tag: &str| Some(tag.to_owned());
        let of_users = [None, tag("\"u\""), tag("\"u\"")];
        assert_eq!(conditions(&server, "/users"), of_users);
        let of_posts = [None, tag("\"p1\""), tag("\"p2\"")];
        assert_eq!(conditions(&server, "/posts"), of_posts);
        assert_eq!(place.log().matches(" run started ").count(), 3);
        server.finish();
    }
}

#[test]
fn a_turn_that_fails_is_told_and_the_next_one_goes_on_with_its_pages() {
    let place = Workplace::new();
    // The users that came with the second turn are not asked for in the third.
    let server = Server::start([
        Route::get("/users")
            .reply(Reply::json(compact(&users())))
            .times(2),
        Route::get("/posts")
            .reply(Reply::json(compact(&posts())))
            .then(Reply::status(503))
            .then(Reply::json(compact(&new_posts()))),
    ]);
    let args = ["--runs", "3", "--quiet", "--concurrency", "1"];
    let outcome = watch(&place, &[&[server.url()][..], &args].concat());
    outcome.assert_code(0);
    let url = server.url();
    let failed = format!(
        "failed: cannot fetch posts from {url}/posts: the server responded with 503 Service Unavailable"
    );
    let lines: Vec<_> = outcome.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(&failed), "{lines:?}");
    assert!(lines[0].contains("; next attempt at "), "{lines:?}");
    assert_eq!(place.file("posts.json"), stored(&new_posts()));
    let log = place.log();
    assert_eq!(log.matches(": cannot fetch posts").count(), 1, "{log}");
    server.finish();
}

#[test]
fn pages_that_cannot_be_read_are_not_gone_on_with() {
    let place = Workplace::new();
    let no_post = [r#"{"id":"none"}"#.to_owned()];
    let server = Server::start([
        Route::get("/users")
            .reply(Reply::json(compact(&users())))
            .times(2),
        Route::get("/posts")
            .reply(Reply::json(compact(&no_post)))
            .then(Reply::json(compact(&posts()))),
    ]);
    let outcome = watch(&place, &[server.url(), "--runs", "2"]);
    outcome.assert_code(0);
    let lines = told(&outcome);
    assert!(
        lines[0].starts_with("failed: posts: the only record was rejected"),
        "{lines:?}"
    );
    assert_eq!(lines[1], "first run: 3 users, 3 posts");
    server.finish();
}

#[test]
fn pages_of_another_source_are_not_gone_on_with_either() {
    let place = Workplace::new();
    let half = Server::start([
        Route::get("/users").reply(Reply::json(compact(&users()))),
        Route::get("/posts").reply(Reply::status(500)),
    ]);
    let args = [half.url(), "--retries", "0", "--concurrency", "1"];
    place.run(&args).assert_code(3);
    let server = Server::start([
        same_users(),
        Route::get("/posts").reply(tagged(&posts(), "\"p\"")),
    ]);
    let outcome = watch(&place, &[server.url(), "--runs", "1"]);
    outcome.assert_code(0);
    assert!(place.log().contains("cannot resume the interrupted run"));
    server.finish();
    half.finish();
}

#[test]
fn the_last_of_the_runs_that_are_wanted_gives_the_exit_code() {
    let place = Workplace::new();
    let bad = [users()[0].clone(), r#"{"id":7}"#.to_owned()];
    let server = Server::start([
        Route::get("/users")
            .reply(Reply::json(compact(&bad)))
            .times(2),
        Route::get("/posts")
            .reply(Reply::json(compact(&posts())))
            .times(2),
    ]);
    let outcome = watch(&place, &[server.url(), "--runs", "2"]);
    outcome.assert_code(4);
    let lines = told(&outcome);
    assert!(
        lines[0].starts_with("failed: 1 record rejected, more than the 0 allowed"),
        "{lines:?}"
    );
    assert!(
        lines[0].contains("; first run: 1 user, 3 posts; 1 record rejected"),
        "{lines:?}"
    );
    assert!(
        outcome.stderr.contains("\nerror: 1 record rejected"),
        "{outcome:?}"
    );
    assert_eq!(place.file("posts.json"), stored(&posts()));
    server.finish();
}

#[test]
fn a_data_directory_that_another_run_has_is_a_turn_that_failed() {
    let place = Workplace::new();
    let slow = Server::start([
        Route::get("/users").reply(Reply::hang()),
        Route::get("/posts").reply(Reply::hang()),
    ]);
    let other = place.start(&[slow.url()]);
    slow.wait_for_requests(2);
    let server = Server::start([
        same_users(),
        Route::get("/posts").reply(tagged(&posts(), "\"p\"")),
    ]);
    let watch = start(&place, &[server.url(), "--runs", "2"]);
    let failed = || {
        place
            .log()
            .contains("another run is writing to it")
            .then_some(())
    };
    until("a turn that failed", failed);
    other.signal("INT");
    other.wait_within(SOON).assert_code(130);
    let outcome = watch.wait_within(SOON);
    outcome.assert_code(0);
    let lines = told(&outcome);
    assert!(
        lines[0].contains("another run is writing to it; next attempt"),
        "{lines:?}"
    );
    assert_eq!(lines[1], "first run: 3 users, 3 posts");
    server.finish();
    slow.finish();
}

#[test]
fn a_command_is_given_the_changes_and_nothing_where_there_are_none() {
    let place = Workplace::new();
    let server = Server::start([same_users(), changing_posts().then(Reply::status(304))]);
    let command = "cat > changes.$ACTIVITY_TRACKER_RUN; echo \"$ACTIVITY_TRACKER_DATA_DIR\"";
    let outcome = watch(&place, &[server.url(), "--runs", "3", "--exec", command]);
    outcome.assert_code(0);
    let data_dir = place.data_dir();
    assert_eq!(outcome.stdout, format!("{}\n", data_dir.display()));
    let run = place.json("manifest.json")["run"]
        .as_str()
        .expect("a run")
        .to_owned();
    let given = fs::read_to_string(place.path().join(format!("changes.{run}"))).expect("changes");
    assert_eq!(given.lines().count(), 6, "a line for each: {given}");
    let given: Vec<Value> = serde_json::from_str(&given).expect("a JSON array");
    let mut found: Vec<_> = given
        .iter()
        .map(|change| {
            assert_eq!(change["run"], run.as_str());
            assert_eq!(change["resource"], "posts");
            (change["id"].as_u64(), change["kind"].as_str())
        })
        .collect();
    found.sort();
    let expected = [(2, "changed"), (3, "removed"), (8, "added"), (9, "added")];
    assert_eq!(found, expected.map(|(id, kind)| (Some(id), Some(kind))));
    let others = fs::read_dir(place.path()).expect("the folder");
    let others = others.filter(|entry| {
        let name = entry.as_ref().expect("an entry").file_name();
        name.to_string_lossy().starts_with("changes.")
    });
    assert_eq!(others.count(), 1);
    let left = place.data();
    assert!(
        !left.keys().any(|name| name.starts_with('.')),
        "{:?}",
        left.keys()
    );
    server.finish();
}

#[test]
fn a_command_that_fails_or_takes_too_long_is_told_and_does_no_harm() {
    let cases = [
        (&["--exec", "exit 7"][..], "exit status: 7"),
        (&["--exec", "kill -9 $$"], "signal: 9 (SIGKILL)"),
        (
            &["--exec", "sleep 600", "--exec-timeout", "100ms"],
            "timed out after 100ms",
        ),
    ];
    for (args, says) in cases {
        let place = Workplace::new();
        // Users are not asked for again: one change after the first run.
        let server = Server::start([same_users(), changing_posts()]);
        let outcome = watch(
            &place,
            &[&[server.url(), "--runs", "2", "--quiet"], args].concat(),
        );
        outcome.assert_code(0);
        assert!(
            outcome.stderr.contains("--exec failed for run "),
            "{outcome:?}"
        );
        assert!(outcome.stderr.contains(says), "{outcome:?}");
        let log = place.log();
        assert!(log.contains(": the command failed "), "{log}");
        server.finish();
    }
}

#[test]
fn a_command_may_leave_its_input_unread() {
    let place = Workplace::new();
    let many: Vec<_> = (1..3000).map(|id| post(&id.to_string(), "1")).collect();
    let posts = Route::get("/posts").reply(tagged(&posts(), "\"p1\""));
    let server = Server::start([same_users(), posts.then(tagged(&many, "\"p2\""))]);
    let outcome = watch(&place, &[server.url(), "--runs", "2", "--exec", "true"]);
    outcome.assert_code(0);
    assert!(
        told(&outcome)[1].starts_with("2,996 new posts"),
        "{outcome:?}"
    );
    assert!(!outcome.stderr.contains("failed"), "{outcome:?}");
    server.finish();
}

#[test]
fn a_watch_that_waits_is_stopped_at_once() {
    for signal in ["INT", "TERM"] {
        let place = Workplace::new();
        let server = Server::start([
            same_users(),
            Route::get("/posts").reply(tagged(&posts(), "\"p\"")),
        ]);
        let watch = start_every(&place, "24h", &[server.url()]);
        until("the first run", || {
            place.log().contains("run finished").then_some(())
        });
        watch.signal(signal);
        let outcome = watch.wait_within(SOON);
        outcome.assert_code(0);
        assert_eq!(
            told(&outcome).last().map(String::as_str),
            Some("Stopped after 1 run")
        );
        server.finish();
    }
}

#[test]
fn a_watch_in_the_middle_of_a_run_is_stopped_and_keeps_its_pages() {
    for flow in [&[][..], &["--async", "--resources", "users,posts"]] {
        let place = Workplace::with_old_snapshot();
        let server = Server::start([
            Route::get("/users").reply(Reply::json(compact(&users()))),
            Route::get("/posts").reply(Reply::hang()),
        ]);
        let debug = ["--log-level", "debug"];
        let watch = start(&place, &[&[server.url()], &debug[..], flow].concat());
        server.wait_for_requests(2);
        until("the users", || {
            let log = place.log();
            log.contains("page fetched resource=users").then_some(())
        });
        watch.signal("TERM");
        let outcome = watch.wait_within(SOON);
        outcome.assert_code(0);
        assert_eq!(outcome.stderr, "Stopped after 0 runs\n");
        assert_eq!(workers_below(place.path()), NOBODY);
        place.assert_unchanged(&Workplace::with_old_snapshot().data());
        server.finish();
    }
}

#[test]
fn a_command_gets_no_credentials_and_leaves_no_process_behind() {
    let place = Workplace::new();
    let server = Server::start([same_users(), changing_posts()]);
    let source = format!(
        "name = 'forum'\nbase_url = '{}'\nauth = {{ bearer = '${{FORUM_KEY}}' }}\n\
         [users]\npath = '/users'\n[users.fields]\nname = 'name'\nemail = 'email'\n\
         [posts]\npath = '/posts'\n[posts.fields]\nuser_id = 'userId'\ntitle = 'title'\n",
        server.url()
    );
    std::fs::write(place.path().join("forum.toml"), source).expect("write a source file");
    // What it starts has the same stderr: the watch would have no end for those who read that.
    let command = "env > seen; sleep 600 & echo $! > left";
    let args = [
        "watch",
        "--every",
        "1s",
        "--runs",
        "2",
        "forum.toml",
        "--exec",
        command,
    ];
    let mut watch = place.command(&args);
    watch.env("FORUM_KEY", "s3cret").env("FORUM_NAME", "kept");
    watch.env("ACTIVITY_TRACKER_TRUST", "1");
    Running::start(&mut watch).wait().assert_code(0);
    let seen = std::fs::read_to_string(place.path().join("seen")).expect("what it saw");
    assert!(seen.contains("FORUM_NAME=kept") && seen.contains("ACTIVITY_TRACKER_RUN="));
    assert!(!seen.contains("FORUM_KEY") && !seen.contains("ACTIVITY_TRACKER_TRUST"));
    server.finish();
}

#[test]
fn a_command_that_hangs_ends_with_the_watch() {
    let place = Workplace::new();
    let server = Server::start([same_users(), changing_posts()]);
    let command = "trap '' TERM; touch begun; while :; do sleep 600; done";
    let watch = start_every(&place, "2s", &[server.url(), "--exec", command]);
    let begun = || place.path().join("begun").exists().then_some(());
    until("the command", begun);
    let asked = Instant::now();
    watch.signal("TERM");
    // Its output ends only when nobody has it any more, not the command either.
    let outcome = watch.wait_within(SOON);
    outcome.assert_code(0);
    assert!(
        asked.elapsed() >= Duration::from_secs(2),
        "the command has a moment to end"
    );
    assert!(
        outcome
            .stderr
            .contains("killed because the watch was stopped"),
        "{outcome:?}"
    );
    assert!(
        outcome.stderr.ends_with("Stopped after 2 runs\n"),
        "{outcome:?}"
    );
    assert_eq!(
        place.data().keys().map(String::as_str).collect::<Vec<_>>(),
        SNAPSHOT
    );
    server.finish();
}

#[test]
fn a_second_signal_ends_the_watch_and_its_command_at_once() {
    let place = Workplace::new();
    let server = Server::start([same_users(), changing_posts()]);
    let command = "trap '' TERM; touch begun; sleep 600";
    let watch = start(&place, &[server.url(), "--exec", command]);
    let begun = || place.path().join("begun").exists().then_some(());
    until("the command", begun);
    let asked = Instant::now();
    watch.signal("INT");
    // Two of them at once would count as one.
    let told = || place.log().contains("stop requested").then_some(());
    until("the first of them", told);
    watch.signal("INT");
    watch.wait_within(SOON).assert_code(130);
    assert!(asked.elapsed() < Duration::from_secs(2));
    server.finish();
}

#[test]
fn what_makes_no_sense_is_told_with_exit_code_2() {
    let cases = [
        (
            &["sample"][..],
            "the following required arguments were not provided",
        ),
        (
            &["sample", "--every", "0"],
            "expected a duration such as 30s",
        ),
        (&["sample", "--every", "0s"], "must be at least 1s"),
        (&["sample", "--every", "999ms"], "must be at least 1s"),
        (&["sample", "--every", "1s", "--runs", "0"], "--runs <N>"),
        (
            &["sample", "--every", "1s", "--resume"],
            "unexpected argument '--resume'",
        ),
        (
            &["sample", "--every", "1s", "--replay", "x"],
            "unexpected argument '--replay'",
        ),
        (
            &["sample", "--every", "1s", "--exec", "x", "--no-history"],
            "cannot be used with",
        ),
        (
            &["nowhere", "--every", "1s"],
            "error: unknown source `nowhere`",
        ),
    ];
    for (args, says) in cases {
        let place = Workplace::new();
        let mut command = place.command(&[&["watch"], args].concat());
        let outcome = Running::start(&mut command).wait();
        outcome.assert_code(2);
        assert!(outcome.stderr.contains(says), "{args:?}: {outcome:?}");
        assert!(!place.data_dir().exists());
    }
}

#[test]
fn a_user_who_changes_is_told_with_the_posts() {
    let place = Workplace::new();
    let mut other = users();
    other[1] = user("2", "Robert", "bob@melissa.tv");
    let server = Server::start([
        Route::get("/users")
            .reply(Reply::json(compact(&users())))
            .then(Reply::json(compact(&other))),
        changing_posts(),
    ]);
    let outcome = watch(&place, &[server.url(), "--runs", "2"]);
    outcome.assert_code(0);
    let says = "1 changed user; 2 new posts, 1 changed, 1 removed";
    assert_eq!(told(&outcome)[1], says);
    server.finish();
}
