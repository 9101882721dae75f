//! Kills at random times over whole runs, each followed by `--resume`.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::crashes::is_long;
use crate::support::program::Workplace;
use crate::support::records::{compact, post};
use crate::support::server::{Reply, Route, Server};

const PAGES: usize = 12;

/// Posts in pages, and two comments for each of them.
fn serve() -> Server {
    let ids = |page: usize| (2 * page - 1)..=(2 * page);
    let total = (2 * PAGES).to_string();
    let pages = (1..=PAGES).map(|page| {
        let posts: Vec<_> = ids(page).map(|id| post(&id.to_string(), "1")).collect();
        let reply = Reply::json(compact(&posts)).header("X-Total", total.as_str());
        Route::get(&format!("/posts?n=2&page={page}"))
            .reply(reply)
            .any_times()
    });
    let comments = (1..=2 * PAGES).map(|id| {
        let comment = |n: usize| format!("{{\"id\":{},\"post\":{id}}}", 10 * id + n);
        let reply = Reply::json(compact(&[comment(1), comment(2)]));
        Route::get(&format!("/posts/{id}/comments"))
            .reply(reply)
            .any_times()
    });
    Server::start(pages.chain(comments))
}

fn place(server: &Server) -> Workplace {
    let place = Workplace::new();
    let text = format!(
        "name = 'forum'\nbase_url = '{}'\n[posts]\npath = '/posts'\n\
         pagination = {{ page = 'page', size = {{ n = 2 }} }}\ntotal = {{ header = 'X-Total' }}\n\
         [posts.fields]\nuser_id = 'userId'\n[comments]\npath = '/posts/{{post_id}}/comments'\n\
         [comments.fields]\npost_id = 'post'\n",
        server.url()
    );
    fs::write(place.path().join("forum.toml"), text).expect("write a source file");
    place
}

/// The targets of the pages that are in the journal, whole.
fn whole(place: &Workplace) -> BTreeSet<String> {
    let root = place.data_dir().join(".run-async");
    let committing = fs::read_link(root.join("staging/committing"));
    let current = fs::read_link(place.data_dir().join(".snapshots/async"));
    if committing.is_ok_and(|run| current.is_ok_and(|current| current == run)) {
        // That run has committed; the next one clears up behind it before it begins anew.
        return BTreeSet::new();
    }
    let journal = root.join("spool/journal.ndjson");
    let text = fs::read_to_string(journal).unwrap_or_default();
    let lines = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let target = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let url = line["page"]["url"].as_str()?;
        let (_, target) = url.split_once("://")?.1.split_once('/')?;
        Some(format!("/{target}"))
    };
    lines.filter_map(target).collect()
}

fn files(place: &Workplace) -> HashMap<String, String> {
    let names = [
        "posts_async.json",
        "comments_async.json",
        "summary_async.json",
    ];
    names.map(|name| (name.to_owned(), place.file(name))).into()
}

/// The targets of requests that came since the first `count` of them.
fn asked_since(server: &Server, count: usize) -> Vec<String> {
    let requests = server.requests();
    let told = |request: &_| format!("{request}").trim_start_matches("GET ").to_owned();
    requests[count..].iter().map(told).collect()
}

#[test]
fn kills_at_random_times_cost_no_page_and_change_no_byte() {
    let kills = if is_long() { 200 } else { 20 };
    let server = serve();
    let args = ["forum.toml", "--async", "--resume", "--concurrency", "3"];
    let undisturbed = place(&server);
    let begun = Instant::now();
    undisturbed.run_well(&args);
    let (length, expected) = (begun.elapsed(), files(&undisturbed));
    let seed = fastrand::u64(..);
    println!("seed {seed}, a run takes {length:?}");
    let mut dice = fastrand::Rng::with_seed(seed);
    let (mut killed, mut finished, mut recalled) = (0, 0, 0);
    let mut current = place(&server);
    while killed < kills {
        let whole = whole(&current);
        let before = server.requests().len();
        let run = current.start(&args);
        // This is about kills at any time, so time passes.
        sleep(
            dice.u32(..u32::try_from(length.as_micros()).expect("short"))
                * Duration::from_micros(1),
        );
        run.signal("KILL");
        let outcome = run.wait();
        let twice = asked_since(&server, before)
            .into_iter()
            .find(|target| whole.contains(target));
        assert_eq!(twice, None, "seed {seed}: {outcome:?}");
        recalled += whole.len();
        match outcome.status.code() {
            None => killed += 1,
            Some(0) => {
                assert_eq!(files(&current), expected, "seed {seed}");
                finished += 1;
                current = place(&server);
            }
            Some(_) => panic!("seed {seed}: {outcome:?}"),
        }
    }
    current.run_well(&args);
    assert_eq!(files(&current), expected, "seed {seed}");
    println!("{killed} kills, {finished} runs ended first, {recalled} pages came from a spool");
}
