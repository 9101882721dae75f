//! Runs that are cut off and gone on with, pages that are kept, and pages that are
//! processed again.

mod kills;

use std::fs;

use super::support::program::{SNAPSHOT, Workplace};
use super::support::records::{compact, post, posts, serve_records, stored, users};
use super::support::server::{Gate, Reply, Route, Server};

const FLOWS: [(&[&str], &str, &str); 2] = [
    (&[], ".run-main", "posts.json"),
    (&["--async"], ".run-async", "posts_async.json"),
];

/// A source of posts in pages of two.
fn source(place: &Workplace, url: &str, more: &str) {
    let text = format!(
        "name = 'forum'\nbase_url = '{url}'\n[posts]\npath = '/posts'\n{more}\n\
         pagination = {{ page = 'page', size = {{ n = 2 }} }}\ntotal = {{ header = 'X-Total' }}\n\
         [posts.fields]\nuser_id = 'userId'\ntitle = 'title'\nbody = 'body'\n"
    );
    fs::write(place.path().join("forum.toml"), text).expect("write a source file");
}

fn eight_posts() -> Vec<String> {
    (1..=8).map(|id| post(&format!("{id}"), "1")).collect()
}

fn target(number: usize) -> String {
    format!("/posts?n=2&page={number}")
}

fn page(number: usize) -> Route {
    let posts = compact(&eight_posts()[2 * number - 2..2 * number]);
    Route::get(&target(number)).reply(Reply::json(posts).header("X-Total", "8"))
}

/// A server whose page 3 fails once, and a run that failed of it.
fn cut_off(flow: &[&str]) -> (Workplace, Server) {
    let place = Workplace::with_old_snapshot();
    let third = compact(&eight_posts()[4..6]);
    let third = Reply::json(third).header("X-Total", "8");
    let failing = Route::get(&target(3)).reply(Reply::status(404)).then(third);
    let others = [1, 2, 4].map(|number| page(number).any_times());
    let server = Server::start(others.into_iter().chain([failing.any_times()]));
    source(&place, server.url(), "");
    let before = place.data();
    let args = [&["forum.toml", "--concurrency", "1"], flow].concat();
    let outcome = place.run(&args);
    outcome.assert_code(3);
    place.assert_unchanged(&before);
    let hint = "; 2 pages are kept; --resume continues from them\n";
    assert!(outcome.stderr.ends_with(hint), "{outcome:?}");
    assert_eq!(asked(&server), [1, 2, 3]);
    (place, server)
}

/// The pages that were asked for, in order.
fn asked(server: &Server) -> Vec<usize> {
    let requests = server.requests();
    let number = |query: &str| query.rsplit_once('=').and_then(|(_, n)| n.parse().ok());
    requests
        .iter()
        .map(|request| number(&request.query).expect("a page number"))
        .collect()
}

#[test]
fn a_run_goes_on_with_the_pages_that_are_whole() {
    for (flow, folder, file) in FLOWS {
        let (place, server) = cut_off(flow);
        let outcome = place.run_well(&[&["forum.toml", "--resume"], flow].concat());
        let says = outcome.first_line();
        assert!(
            says.starts_with("Resuming the interrupted run of "),
            "{says}"
        );
        assert!(says.ends_with(" UTC (2 of ~4 pages done)"), "{says}");
        let mut again = asked(&server)[3..].to_vec();
        again.sort_unstable();
        assert_eq!(again, [3, 4]);
        assert_eq!(place.file(file), stored(&eight_posts()));
        assert!(!place.data_dir().join(folder).exists());
    }
}

#[test]
fn a_run_starts_afresh_unless_it_is_told_to_go_on() {
    for (flow, folder, file) in FLOWS {
        let (place, server) = cut_off(flow);
        let args = [&["forum.toml", "--concurrency", "1"], flow].concat();
        let outcome = place.run_well(&args);
        let says = outcome.first_line();
        let begins = "Starting a new run, and discarding the interrupted run of ";
        assert!(says.starts_with(begins), "{says}");
        let ends = " UTC (2 of ~4 pages done); --resume continues one";
        assert!(says.ends_with(ends), "{says}");
        assert_eq!(asked(&server)[3..], [1, 2, 3, 4]);
        assert_eq!(place.file(file), stored(&eight_posts()));
        assert!(!place.data_dir().join(folder).exists());
    }
}

#[test]
fn a_page_that_was_torn_is_fetched_again() {
    for (flow, folder, file) in FLOWS {
        let (place, server) = cut_off(flow);
        let page = place.data_dir().join(folder).join("spool/posts-1.page");
        let whole = fs::read(&page).expect("the page");
        fs::write(&page, &whole[..whole.len() / 2]).expect("tear the page");
        place.run_well(&[&["forum.toml", "--resume", "--concurrency", "1"], flow].concat());
        assert_eq!(asked(&server)[3..], [2, 3, 4]);
        assert_eq!(place.file(file), stored(&eight_posts()));
    }
}

#[test]
fn pages_of_something_else_are_refused_with_the_reason_and_stay() {
    let (place, server) = cut_off(&[]);
    let elsewhere = Server::start([]);
    let others = [(server.url(), "past_end = [410]"), (elsewhere.url(), "")];
    for (url, more) in others {
        source(&place, url, more);
        let outcome = place.run(&["forum.toml", "--resume"]);
        outcome.assert_code(2);
        let says = outcome.first_line();
        let begins = "error: cannot resume the interrupted run ";
        assert!(says.starts_with(begins), "{says}");
        assert!(says.contains(": it belongs to another source; "), "{says}");
        let page = place.data_dir().join(".run-main/spool/posts-0.page");
        assert!(page.exists());
    }
    // What the source offers, named: that is no other thing to ask for.
    source(&place, server.url(), "");
    place.run_well(&["forum.toml", "--resume", "--resources", "posts"]);
    assert_eq!(place.file("posts.json"), stored(&eight_posts()));
}

#[test]
fn there_may_be_nothing_to_go_on_with() {
    let server = Server::start([
        Route::get("/users")
            .reply(Reply::json(compact(&users())))
            .any_times(),
        Route::get("/posts")
            .reply(Reply::json(compact(&posts())))
            .any_times(),
    ]);
    let place = Workplace::new();
    place.run_well(&[server.url(), "--resume"]);
    // A run that is done leaves nothing to go on with either.
    place.run_well(&[server.url(), "--resume"]);
    assert_eq!(server.requests().len(), 4);
    assert_eq!(place.data().keys().collect::<Vec<_>>(), SNAPSHOT);
}

#[test]
fn pages_that_do_not_fit_together_are_not_kept() {
    let place = Workplace::new();
    let pages = [
        page(1),
        page(2),
        page(3),
        Route::get(&target(4)).reply(Reply::json("[]").header("X-Total", "8")),
    ];
    // They are fetched once more, for records may have moved.
    let server = Server::start(pages.map(|page| page.times(2)));
    source(&place, server.url(), "");
    let outcome = place.run(&["forum.toml"]);
    outcome.assert_code(3);
    assert!(!outcome.stderr.contains("--resume"), "{outcome:?}");
    assert!(!place.data_dir().exists());
    server.finish();
}

#[test]
fn pages_that_were_kept_are_processed_again_without_a_network() {
    for (flow, suffix) in [(&[][..], ""), (&["--async"][..], "_async")] {
        let server = Server::start([
            Route::get("/users")
                .reply(Reply::json(compact(&users())))
                .any_times(),
            Route::get("/posts")
                .reply(Reply::json(compact(&posts())))
                .any_times(),
            Route::get("/comments").reply(Reply::json("[]")).any_times(),
        ]);
        let place = Workplace::new();
        place.run_well(&[&[server.url(), "--keep-raw"], flow].concat());
        let asked = server.requests().len();
        let raw = place
            .data()
            .into_keys()
            .find(|name| name.starts_with("raw-"));
        let raw = format!("data/{}", raw.expect("the pages").trim_end_matches('/'));
        let replay = ["--replay", &raw, "--data-dir", "again"];
        place.run_well(&[&replay, flow].concat());
        let again =
            |name: &str| fs::read_to_string(place.path().join("again").join(name)).expect("a file");
        for stem in ["users", "posts", "filtered_users", "summary"] {
            let name = format!("{stem}{suffix}.json");
            assert_eq!(again(&name), place.file(&name), "{name}");
        }
        // With another filter, and through another source's eyes.
        place.run_well(&[&replay, flow, &["--email-domain", "com"]].concat());
        let filtered = again(&format!("filtered_users{suffix}.json"));
        assert_ne!(
            filtered,
            place.file(&format!("filtered_users{suffix}.json"))
        );
        assert_eq!(server.requests().len(), asked);
        assert!(place.path().join(&raw).join("users-0.page").exists());
    }
}

#[test]
fn pages_that_cannot_be_replayed_are_told() {
    let (place, _server) = cut_off(&[]);
    let server = Server::start([
        Route::get("/users").reply(Reply::json("[]")),
        Route::get("/posts").reply(Reply::json(compact(&posts()))),
    ]);
    let other = Workplace::new();
    other.run_well(&[server.url(), "--keep-raw"]);
    let raw = other
        .data()
        .into_keys()
        .find(|name| name.starts_with("raw-"));
    let raw = other.data_dir().join(raw.expect("the pages"));
    fs::write(raw.join("posts-0.page"), "[]").expect("spoil a page");
    let raw = raw.to_str().expect("UTF-8");
    let spoiled = format!(
        "error: cannot use {}: checksum mismatch",
        std::path::Path::new(raw).join("posts-0.page").display()
    );
    let cases = [
        (
            vec!["--replay", "nowhere"],
            2,
            "error: cannot replay nowhere: expected a folder that `--keep-raw` saved",
        ),
        (
            vec!["--replay", "data/.run-main/spool"],
            2,
            "error: cannot replay the run ",
        ),
        (vec!["--replay", raw, "--async"], 2, "error: cannot replay "),
        (vec!["--replay", raw], 5, spoiled.as_str()),
        (
            vec!["--replay", raw, "--resume"],
            2,
            "error: the argument '--replay <DIR>' cannot be used with",
        ),
    ];
    for (args, code, says) in cases {
        let outcome = place.run(&args);
        outcome.assert_code(code);
        // The run that was cut off here before is told of first.
        let error = outcome
            .stderr
            .lines()
            .find(|line| line.starts_with("error: "));
        assert!(
            error.is_some_and(|error| error.starts_with(says)),
            "{outcome:?}"
        );
    }
}

#[test]
fn no_credential_is_in_the_pages_or_their_journal() {
    let secret = "s3cret-0f-the-spool";
    let server = Server::start_with(|url| {
        let next = format!("{url}/posts?page=2&key={secret}&again={secret}");
        let first = format!(
            r#"{{"posts":[{}],"next":"{next}","you":"{secret}"}}"#,
            post("1", "1")
        );
        let second = format!(r#"{{"posts":[{}],"next":null}}"#, post("2", "1"));
        [
            Route::get(&format!("/posts?key={secret}"))
                .reply(Reply::json(first).header("Link", format!("<{next}>; rel=next"))),
            Route::get(&format!("/posts?page=2&key={secret}")).reply(Reply::json(second)),
        ]
    });
    let place = Workplace::new();
    let text = format!(
        "name = 'forum'\nbase_url = '{}'\nauth = {{ query = {{ parameter = 'key', value = '${{KEY}}' }} }}\n\
         [posts]\npath = '/posts'\nrecords = 'posts'\npagination = {{ next = 'next' }}\n\
         [posts.fields]\nuser_id = 'userId'\ntitle = 'title'\nbody = 'body'\n",
        server.url()
    );
    fs::write(place.path().join("forum.toml"), text).expect("write a source file");
    let mut command = place.command(&["run", "forum.toml", "--keep-raw"]);
    let run = super::support::program::Running::start(command.env("KEY", secret));
    run.wait().assert_code(0);
    server.finish();
    let everything = std::process::Command::new("grep")
        .args(["-r", "-l", secret, "."])
        .current_dir(place.path())
        .output()
        .expect("look for it");
    assert_eq!(String::from_utf8_lossy(&everything.stdout), "");
}

#[test]
fn a_run_can_wait_for_another_one() {
    let place = Workplace::new();
    let held = Gate::new();
    let server = Server::start([
        Route::get("/users")
            .reply(Reply::json("[]").after(&held))
            .then(Reply::json("[]")),
        Route::get("/posts").reply(Reply::json("[]")).times(2),
    ]);
    let first = place.start(&[server.url()]);
    server.wait_for_requests(2);
    let second = place.start(&[server.url(), "--wait"]);
    let waits = || {
        place
            .log()
            .contains("waiting for another run")
            .then_some(())
    };
    super::support::processes::until("the second run", waits);
    held.open();
    first.wait().assert_code(0);
    let second = second.wait();
    second.assert_code(0);
    assert_eq!(second.first_line(), "Waiting for another run to finish");
    server.finish();
}

#[test]
fn what_is_damaged_is_told_with_its_run() {
    let server = serve_records();
    let place = Workplace::new();
    let verify = || {
        let mut command = place.command(&["verify"]);
        super::support::program::Running::start(&mut command).wait()
    };
    let outcome = verify();
    outcome.assert_code(5);
    assert_eq!(outcome.first_line(), "error: no snapshot in data");
    place.run_well(&[server.url()]);
    let outcome = verify();
    outcome.assert_code(0);
    let run = place.json("manifest.json")["run"]
        .as_str()
        .expect("a run")
        .to_owned();
    let says = format!(
        "manifest.json: ok, 5 files; run {run} of {}, ",
        server.url()
    );
    assert!(outcome.stdout.starts_with(&says), "{outcome:?}");
    assert!(
        outcome
            .stdout
            .contains("\n  users: 3 records, 0 rejected\n"),
        "{outcome:?}"
    );
    fs::write(place.data_dir().join("users.json"), "[]").expect("spoil a file");
    let stored = ["users.json", "posts.json"].map(|name| place.stored(name));
    fs::remove_file(place.path().join(&stored[1])).expect("remove a file");
    let outcome = verify();
    outcome.assert_code(5);
    assert!(
        outcome.stdout.starts_with("manifest.json: damaged, "),
        "{outcome:?}"
    );
    for path in &stored {
        let says = format!("\n  damaged or missing: {}\n", path.display());
        assert!(outcome.stdout.contains(&says), "{outcome:?}");
    }
    assert_eq!(
        outcome.first_line(),
        format!(
            "error: cannot use {}: checksum mismatch",
            stored[0].display()
        )
    );
}
