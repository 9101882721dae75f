//! What changed between runs comes out exactly, and nothing is taken for gone that may be there.

mod damage;
mod ends;
mod planted;

use std::collections::BTreeSet;

use fastrand::Rng;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::support::program::{HISTORY, Workplace};
use super::support::records::{compact, post, user, users};
use super::support::server::{Reply, Route, Server};

/// A server whose posts are others each time.
fn serve(posts: &[Vec<String>]) -> Server {
    let responses = posts.iter().map(|posts| Reply::json(compact(posts)));
    let posts = responses.fold(Route::get("/posts"), Route::reply);
    Server::start([
        Route::get("/users")
            .reply(Reply::json(compact(&users())))
            .any_times(),
        posts,
    ])
}

fn history(place: &Workplace) -> Connection {
    Connection::open(place.data_dir().join(HISTORY)).expect("a history")
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    }
}

/// The rows of a query, their columns with blanks between them.
fn rows(place: &Workplace, query: &str) -> Vec<String> {
    let history = history(place);
    let mut statement = history.prepare(query).expect("a query");
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        let values = (0..columns).map(|column| row.get::<_, Value>(column));
        let values: Result<Vec<_>, _> = values.collect();
        Ok(values?.iter().map(text).collect::<Vec<_>>().join(" "))
    };
    let found = statement.query_map([], row).expect("rows");
    found.map(|row| row.expect("a row")).collect()
}

/// What the last run changed: `added 7`.
fn last(place: &Workplace) -> BTreeSet<String> {
    let query = "SELECT kind, record FROM changes WHERE run = (SELECT max(id) FROM runs)";
    rows(place, query).into_iter().collect()
}

fn run(place: &Workplace, server: &Server, more: &[&str]) {
    place.run_well(&[&[server.url(), "--fresh"], more].concat());
}

fn titled(id: &str, title: &str) -> String {
    format!(
        r#"{{"userId":1,"id":{id},"title":"{title}","body":"some text that fills the record"}}"#
    )
}

/// Posts, then the same with `changed` others, `gone` fewer and as many new; in `order`.
fn altered(
    count: usize,
    (changed, gone): (usize, usize),
    id: impl Fn(usize) -> String,
    order: impl Fn(&mut [String]),
) -> ([Vec<String>; 2], BTreeSet<String>) {
    let mut dice = Rng::with_seed(7);
    let mut picked: Vec<usize> = (0..count).collect();
    dice.shuffle(&mut picked);
    let (edited, rest) = picked.split_at(changed);
    let removed = &rest[..gone];
    let before = (0..count).map(|at| titled(&id(at), "old")).collect();
    let mut after: Vec<_> = (0..count).map(|at| Some(titled(&id(at), "old"))).collect();
    let name = |at: &usize| id(*at).trim_matches('"').to_owned();
    let mut expected = BTreeSet::new();
    for at in edited {
        after[*at] = Some(titled(&id(*at), "new"));
        expected.insert(format!("changed {}", name(at)));
    }
    for at in removed {
        after[*at] = None;
        expected.insert(format!("removed {}", name(at)));
    }
    for at in count..count + gone {
        after.push(Some(titled(&id(at), "old")));
        expected.insert(format!("added {}", name(&at)));
    }
    let mut after: Vec<_> = after.into_iter().flatten().collect();
    order(&mut after);
    ([before, after], expected)
}

fn shuffled(records: &mut [String]) {
    Rng::with_seed(11).shuffle(records);
}

#[test]
fn a_hundred_thousand_posts_are_compared_whatever_their_order() {
    let numbers = |at: usize| (at + 1).to_string();
    let orders: [fn(&mut [String]); 2] = [|_| {}, shuffled];
    for order in orders {
        let (responses, expected) = altered(100_000, (1000, 500), numbers, order);
        let server = serve(&responses);
        let place = Workplace::new();
        run(&place, &server, &[]);
        assert_eq!(last(&place), BTreeSet::new(), "nothing was known before");
        run(&place, &server, &[]);
        assert_eq!(expected.len(), 2000);
        assert!(last(&place) == expected);
        let fields = "SELECT DISTINCT before, after FROM changes WHERE kind = 'changed'";
        assert_eq!(rows(&place, fields), [r#"{"title":"old"} {"title":"new"}"#]);
        let there =
            "SELECT count(*), sum(is_there), count(DISTINCT id) FROM seen WHERE resource = 'posts'";
        assert_eq!(rows(&place, there), ["100500 100000 100500"]);
        server.finish();
    }
}

#[test]
fn ids_that_are_texts_are_compared_in_any_order_too() {
    let texts = |at: usize| format!("\"{:08x}-é\"", at * 2_654_435_761 % (1 << 32));
    let orders: [fn(&mut [String]); 3] = [|_| {}, |records| records.reverse(), shuffled];
    for order in orders {
        let (responses, expected) = altered(3000, (30, 20), texts, order);
        let server = serve(&responses);
        let place = Workplace::new();
        run(&place, &server, &[]);
        run(&place, &server, &[]);
        assert_eq!(last(&place), expected);
        server.finish();
    }
}

#[test]
fn what_comes_back_was_first_seen_long_ago() {
    let (one, two) = (post("1", "1"), post("2", "3"));
    let both = vec![one.clone(), two];
    let server = serve(&[both.clone(), vec![one], both]);
    let place = Workplace::new();
    for expected in [&[][..], &["removed 2"], &["added 2"]] {
        run(&place, &server, &[]);
        assert_eq!(last(&place).iter().collect::<Vec<_>>(), expected);
    }
    let records = "SELECT id, first_run, last_run FROM records WHERE collection = 2";
    assert_eq!(rows(&place, records), ["1 1 -", "2 1 -"]);
    let removed = "SELECT label, user, before, after FROM changes WHERE kind = 'removed'";
    assert_eq!(rows(&place, removed), [format!("t 3 {} -", post("2", "3"))]);
    server.finish();
}

#[test]
fn another_order_of_fields_is_no_change() {
    let server = serve(&[
        vec![r#"{"id":1,"userId":1,"title":"t","body":"b"}"#.to_owned()],
        vec![r#"{ "title": "t", "body":"b", "id":1, "userId":1 }"#.to_owned()],
        vec![r#"{"title":"t","body":"b","id":1,"userId":2}"#.to_owned()],
    ]);
    let place = Workplace::new();
    for expected in [&[][..], &[], &["changed 1"]] {
        run(&place, &server, &[]);
        assert_eq!(last(&place).iter().collect::<Vec<_>>(), expected);
    }
    let fields = "SELECT before, after FROM changes";
    assert_eq!(rows(&place, fields), [r#"{"userId":1} {"userId":2}"#]);
    server.finish();
}

#[test]
fn resources_that_a_run_leaves_out_lose_nothing() {
    let server = serve(&[vec![post("1", "1")], vec![]]);
    let place = Workplace::new();
    run(&place, &server, &[]);
    run(&place, &server, &["--resources", "users"]);
    assert_eq!(last(&place), BTreeSet::new());
    run(&place, &server, &[]);
    assert_eq!(last(&place), BTreeSet::from(["removed 1".to_owned()]));
    server.finish();
}

#[test]
fn a_record_that_cannot_be_read_is_not_gone() {
    let bad = r#"{"id":2,"userId":{},"title":"t","body":"b"}"#.to_owned();
    let nameless = r#"{"userId":1,"title":"t","body":"b"}"#.to_owned();
    let two = [post("1", "1"), post("2", "1")];
    let server = serve(&[
        [&two[..], &[post("3", "1")]].concat(),
        vec![post("1", "1"), bad],
        vec![post("1", "1"), nameless],
        vec![post("1", "1")],
    ]);
    let place = Workplace::new();
    let with_rejects = ["--max-rejects", "1"];
    for expected in [&[][..], &["removed 3"], &[], &["removed 2"]] {
        run(&place, &server, &with_rejects);
        assert_eq!(last(&place).iter().collect::<Vec<_>>(), expected);
    }
    let complete = "SELECT complete FROM run_collections WHERE collection = 2 ORDER BY run";
    assert_eq!(rows(&place, complete), ["1", "1", "0", "1"]);
    server.finish();
}

#[test]
fn a_run_that_was_gone_on_with_takes_nothing_for_gone() {
    let users = Route::get("/users")
        .reply(Reply::json(compact(&users())))
        .any_times();
    let posts = Route::get("/posts")
        .reply(Reply::json(compact(&[post("1", "1"), post("2", "1")])))
        .reply(Reply::status(404))
        .reply(Reply::json(compact(&[post("1", "1")])))
        .reply(Reply::json(compact(&[post("1", "1")])));
    let server = Server::start([users, posts]);
    let place = Workplace::new();
    run(&place, &server, &[]);
    place
        .run(&[server.url(), "--fresh", "--concurrency", "1"])
        .assert_code(3);
    run(&place, &server, &["--resume"]);
    assert_eq!(last(&place), BTreeSet::new());
    run(&place, &server, &[]);
    assert_eq!(last(&place), BTreeSet::from(["removed 2".to_owned()]));
    server.finish();
}

#[test]
fn a_run_without_history_leaves_it_alone_and_the_next_one_makes_up_for_it() {
    let titles = ["a", "b", "c"].map(|title| vec![titled("1", title)]);
    let server = serve(&titles);
    let place = Workplace::new();
    run(&place, &server, &[]);
    run(&place, &server, &["--no-history"]);
    assert_eq!(rows(&place, "SELECT count(*) FROM runs"), ["1"]);
    run(&place, &server, &[]);
    let changes = "SELECT record, kind, before, after FROM changes";
    // What it was is not at hand any more.
    assert_eq!(rows(&place, changes), ["1 changed - -"]);
    server.finish();
}

#[test]
fn both_flows_go_on_with_one_history() {
    let ada = |name: &str| user("1", name, "Ada@x.biz");
    let server = Server::start([
        Route::get("/users")
            .reply(Reply::json(compact(&[ada("Ada")])))
            .reply(Reply::json(compact(&[ada("Ada L.")]))),
        Route::get("/posts")
            .reply(Reply::json("[]".to_owned()))
            .any_times(),
        Route::get("/comments")
            .reply(Reply::json("[]".to_owned()))
            .any_times(),
    ]);
    let place = Workplace::new();
    run(&place, &server, &[]);
    run(&place, &server, &["--async"]);
    let changes = "SELECT r.flow, kind, label, user, email, before, after FROM changes x JOIN runs r ON r.id = x.run";
    let expected = r#"async changed Ada L. 1 ada@x.biz {"name":"Ada"} {"name":"Ada L."}"#;
    assert_eq!(rows(&place, changes), [expected]);
    server.finish();
}

#[test]
fn a_replay_is_no_news() {
    let server = serve(&[vec![post("1", "1")]]);
    let place = Workplace::new();
    run(&place, &server, &["--keep-raw"]);
    let raw = std::fs::read_dir(place.data_dir()).expect("the data directory");
    let raw = raw.map(|entry| entry.expect("an entry").path());
    let raw = raw
        .into_iter()
        .find(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with("raw-"))
        })
        .expect("the pages");
    place.run_well(&["--replay", raw.to_str().expect("UTF-8")]);
    assert_eq!(rows(&place, "SELECT count(*) FROM runs"), ["1"]);
    server.finish();
}

#[test]
fn a_run_whose_history_is_of_no_use_says_what_to_do_and_changes_nothing() {
    let place = Workplace::new();
    place.run_well(&["sample"]);
    let file = place.data_dir().join(HISTORY);
    history(&place)
        .pragma_update(None, "user_version", 99)
        .expect("a version");
    let newer = std::fs::read(&file).expect("the history");
    let foreign = "it belongs to another program";
    std::fs::remove_file(&file).expect("remove it");
    history(&place)
        .execute_batch("CREATE TABLE theirs (x)")
        .expect("a table");
    let theirs = std::fs::read(&file).expect("their file");
    let cases = [(newer, "it was made by a newer version"), (theirs, foreign)];
    for (bytes, reason) in cases {
        std::fs::write(&file, &bytes).expect("write it");
        let before = place.data();
        let outcome = place.run(&["sample"]);
        outcome.assert_code(5);
        assert!(outcome.stderr.contains(reason), "{}", outcome.stderr);
        assert!(
            outcome.stderr.contains("--no-history"),
            "{}",
            outcome.stderr
        );
        assert_eq!(std::fs::read(&file).expect("it"), bytes);
        place.assert_unchanged(&before);
        place.run_well(&["sample", "--no-history"]);
        assert_eq!(std::fs::read(&file).expect("it"), bytes);
    }
}
