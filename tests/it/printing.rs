//! What a run prints: data to stdout, everything for people to stderr.

use super::support::program::Workplace;
use super::support::records::{compact, post, posts, serve_records, stored, user, users};
use super::support::server::{Reply, Route, Server};

#[test]
fn json_prints_the_summary_on_stdout_and_nothing_else() {
    let place = Workplace::new();
    let server = serve_records();
    let outcome = place.run_well(&[server.url(), "--json"]);
    assert_eq!(outcome.stdout, place.file("summary.json"));
    assert!(outcome.stderr.starts_with("3 users, 3 posts from http://"));
}

#[test]
fn quiet_prints_nothing_and_leaves_json_alone() {
    for (args, printed) in [(&["--quiet"][..], false), (&["-q", "--json"], true)] {
        let place = Workplace::new();
        let server = serve_records();
        let outcome = place.run_well(&[&[server.url()], args].concat());
        assert_eq!(outcome.stderr, "", "{args:?}");
        assert_eq!(!outcome.stdout.is_empty(), printed, "{args:?}");
    }
}

#[test]
fn verbose_lists_the_files() {
    let outcome = Workplace::new().run_well(&["sample", "--verbose"]);
    let (head, rest) = outcome.stderr.split_once('\n').expect("lines");
    assert!(
        head.starts_with("10 users, 100 posts from sample in ") && head.ends_with(" s"),
        "{head}"
    );
    insta::assert_snapshot!(rest, @r"
    2 users match e-mail domain biz

    Most posts
        29  Robbie Denesik (8)
        26  Katelyn Daugherty (1)
        14  Alicia O'Keefe (4)
        11  Barbara Abernathy (2)
        10  Paris O'Keefe (6)

    Files in data
      users.json              6.03 kB  10 records
      posts.json             33.08 kB  100 records
      filtered_users.json     1.22 kB  2 records
      user_names.json           209 B  10 records
      summary.json              980 B
      manifest.json                    sizes and checksums

    Log: logs/app.log
    ");
}

#[test]
fn a_first_run_prints_what_it_found_and_where() {
    let outcome = Workplace::new().run_well(&["sample"]);
    let (_, rest) = outcome.stderr.split_once('\n').expect("lines");
    insta::assert_snapshot!(rest, @r"
    2 users match e-mail domain biz

    Most posts
        29  Robbie Denesik (8)
        26  Katelyn Daugherty (1)
        14  Alicia O'Keefe (4)
        11  Barbara Abernathy (2)
        10  Paris O'Keefe (6)

    Saved to data (-v lists the files)
    ");
}

#[test]
fn a_later_run_prints_what_changed_and_where_or_one_line() {
    let place = Workplace::new();
    let mut more = posts();
    more.push(post("9", "2"));
    let pages = [posts(), more.clone(), more];
    let [first, second, third] = pages.map(|posts| Reply::json(compact(&posts)));
    let server = Server::start([
        Route::get("/users")
            .reply(Reply::json(compact(&users())))
            .times(3),
        Route::get("/posts").reply(first).then(second).then(third),
    ]);
    place.run_well(&[server.url()]);
    let changed = place.run_well(&[server.url()]).stderr;
    let url = server.url();
    assert!(
        changed.starts_with(&format!("1 new post ({url}, ")),
        "{changed}"
    );
    let rest: Vec<_> = changed.lines().skip(1).collect();
    assert_eq!(
        rest,
        [
            "2 users match e-mail domain biz",
            "Saved to data: 3 users, 4 posts"
        ]
    );
    let same = place.run_well(&[server.url()]).stderr;
    assert_eq!(same, format!("Up to date: 3 users, 4 posts ({url})\n"));
    server.finish();
}

#[test]
fn control_characters_in_names_do_not_reach_the_terminal() {
    let place = Workplace::new();
    let name = r"\u001b]0;owned\u0007\u202eA\r\nB";
    let users = [user(r#""\u001b[31m""#, name, "a@x.biz")];
    let server = Server::for_main_flow(Reply::json(compact(&users)), Reply::json("[]"));
    let outcome = place.run_well(&[server.url(), "--json"]);
    let line = outcome.stderr.lines().find(|line| line.contains("owned"));
    assert_eq!(
        line,
        Some(r"     0  \u{1b}]0;owned\u{7}\u{202e}A\u{d}\u{a}B (\u{1b}[31m)")
    );
    let raw = |c: char| c.is_control() && c != '\n';
    assert!(!outcome.stderr.contains(raw) && !outcome.stdout.contains(raw));
    assert!(!place.log().contains(raw));
    // The data is what it was.
    assert_eq!(place.file("users.json"), stored(&users));
}

#[test]
fn the_summary_is_printed_with_escapes_and_stored_as_it_is() {
    let (place, name) = (
        Workplace::new(),
        "\u{9b}1m\u{61c}\u{200b}\u{202e}\u{2028}\u{e0041}\u{7f}é",
    );
    let users = [user("1", name, "a@x.biz")];
    let server = Server::for_main_flow(
        Reply::json(compact(&users)),
        Reply::json(r#"[{"userId":1,"id":1,"title":"t","body":"b"}]"#),
    );
    let outcome = place.run_well(&[server.url(), "--json"]);
    let escaped = r"\u009b1m\u061c\u200b\u202e\u2028\udb40\udc41\u007fé";
    assert!(outcome.stdout.contains(escaped), "{}", outcome.stdout);
    let printed: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(printed, place.json("summary.json"));
    assert!(place.file("summary.json").contains(name));
}
