//! The formats of a report, also with hostile text.

use std::collections::BTreeMap;

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::stored;
use crate::report::{
    ActivityReport, ChangeCounts, RunChanges, UserActivity, csv, json, markdown, terminal,
};
use activity_tracker_core::record::{Id, Resource};

fn written(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The terminal output without styles.
fn terminal_of(report: &ActivityReport, width: usize, top: usize) -> String {
    let text = written(|out| terminal::write(out, report, width, top));
    anstream::adapter::strip_str(&text).to_string()
}

fn csv_of(report: &ActivityReport, table: csv::CsvTable) -> String {
    written(|out| csv::write(out, report, table))
}

/// A report with some data for each section.
fn full() -> ActivityReport {
    let users = r#"[{"id": 1, "name": "Ada Lovelace", "email": "ada@april.biz", "joined": "2024-04-29T08:00:00Z"},
        {"id": 2, "name": "山田太郎", "email": "yamada@例え.jp", "joined": "2024-05-02T08:00:00Z"},
        {"id": 3, "login": "cleo", "email": "cleo@april.biz"}, {"id": "x-4"}]"#;
    let posts = r#"[{"id": 1, "user": 1, "title": "First", "at": "2024-05-01T08:00:00Z"},
        {"id": 2, "user": 2, "title": "A long title that does not fit, without any comment below it", "at": "2024-05-07T21:15:00Z"},
        {"id": 3, "user": 1, "title": "Third", "at": "2024-05-20T08:30:00Z"}, {"id": 4, "user": 77, "title": "No date"}]"#;
    let comments = r#"[{"id": 1, "post": 1, "user": 2, "at": "2024-05-01T09:30:00Z"},
        {"id": 2, "post": 1, "email": "guest@example.org", "at": "2024-05-03T08:00:00Z"},
        {"id": 3, "post": 3, "email": "ADA@april.biz", "at": "2024-05-22T20:00:00Z"}]"#;
    let folder = stored(users, posts, comments);
    let mut report = ActivityReport::of(folder.path(), 10).unwrap();
    let changes = |added, changed, removed| ChangeCounts {
        added,
        changed,
        removed,
        retyped: 0,
    };
    let run = |name: &str, at: &str, changes: &[(Resource, ChangeCounts)]| RunChanges {
        run: name.to_owned(),
        at: at.parse().unwrap(),
        changes: changes.iter().copied().collect::<BTreeMap<_, _>>(),
    };
    report.history = Some(vec![
        run(
            "20240520T000000Z-0001",
            "2024-05-20T00:00:01Z",
            &[
                (Resource::Users, changes(4, 0, 0)),
                (Resource::Posts, changes(3, 0, 0)),
            ],
        ),
        run(
            "20240523T000000Z-0002",
            "2024-05-23T00:00:01Z",
            &[
                (Resource::Users, changes(1, 2, 1)),
                (Resource::Posts, changes(1, 0, 0)),
                (Resource::Comments, changes(1200, 34, 5)),
            ],
        ),
    ]);
    report
}

#[test]
fn reports_match_their_snapshots() {
    let report = full();
    for width in [60, 100] {
        insta::assert_snapshot!(format!("terminal_{width}"), terminal_of(&report, width, 10));
    }
    insta::assert_snapshot!("markdown", written(|out| markdown::write(out, &report, 10)));
    insta::assert_snapshot!("json", written(|out| json::write(out, &report)));
    let tables = [
        ("users", csv::CsvTable::Users),
        ("domains", csv::CsvTable::Domains),
        ("unanswered", csv::CsvTable::Unanswered),
        ("days", csv::CsvTable::Days),
        ("weeks", csv::CsvTable::Weeks),
        ("hours", csv::CsvTable::Hours),
        ("runs", csv::CsvTable::Runs),
    ];
    let all = tables.map(|(name, table)| {
        let text = csv_of(&report, table);
        // The table of hours has 168 lines.
        let text: Vec<_> = text.lines().take(12).collect();
        format!("== {name}\n{}\n", text.join("\n"))
    });
    insta::assert_snapshot!("csv", all.concat());
}

#[test]
fn missing_data_has_no_section() {
    let folder = tempfile::tempdir().unwrap();
    super::Run::new(activity_tracker_core::storage::Flow::Main, 1)
        .with(Resource::Users, r#"[{"id": 1, "name": "Ada"}]"#)
        .with(
            Resource::Posts,
            r#"[{"id": 1, "user": 1, "title": "First"}]"#,
        )
        .store(folder.path());
    let report = ActivityReport::of(folder.path(), 10).unwrap();
    insta::assert_snapshot!("users_and_posts", terminal_of(&report, 80, 10));
    let empty = [
        csv::CsvTable::Unanswered,
        csv::CsvTable::Days,
        csv::CsvTable::Weeks,
        csv::CsvTable::Hours,
        csv::CsvTable::Runs,
    ];
    for table in empty {
        assert_eq!(csv_of(&report, table).lines().count(), 1, "{table:?}");
    }
}

#[test]
fn lists_have_the_requested_length() {
    let report = full();
    for top in [0, 1, 2] {
        let text = terminal_of(&report, 100, top);
        assert_eq!(text.contains("Ada Lovelace"), top > 0, "{text}");
        assert_eq!(text.contains("and 1 more domain"), top == 1, "{text}");
        assert_eq!(text.contains("山田太郎"), top > 1, "{text}");
        let text = written(|out| markdown::write(out, &report, top));
        assert_eq!(text.contains("Ada Lovelace"), top > 0, "{text}");
    }
    assert_eq!(csv_of(&report, csv::CsvTable::Users).lines().count(), 1 + 6);
}

/// Hostile names, also used as ids.
fn hostile() -> Vec<String> {
    let mut names: Vec<_> = [
        "<script>alert(1)</script>",
        "\u{202e}evil\u{2066}",
        "👩‍👩‍👧 🇩🇪 emoji",
        "a|b`c`\nnew line",
        "=cmd|' /C calc'!A0",
        "\u{1b}[31mred\u{9b}2J",
        "[x](https://evil.test) www.evil.test",
        "Z̸̢a̵l̷g̸o",
        "",
    ]
    .map(str::to_owned)
    .into();
    names.push("x".repeat(1000));
    names.push("long name ".repeat(100));
    names.push("漢".repeat(340));
    names
}

fn hostile_report() -> ActivityReport {
    let names = hostile();
    let user = |(id, name): (usize, &String)| {
        let name = Value::from(name.as_str());
        let email = Value::from(format!("e@{}", name.as_str().unwrap_or_default()));
        format!(r#"{{"id": {name}, "name": {name}, "email": {email}, "n": {id}}}"#)
    };
    let post = |(id, name): (usize, &String)| {
        let name = Value::from(name.as_str());
        format!(r#"{{"id": {id}, "user": {name}, "title": {name}}}"#)
    };
    let users: Vec<_> = names.iter().enumerate().map(user).collect();
    let posts: Vec<_> = names.iter().enumerate().map(post).collect();
    let [users, posts] = [users, posts].map(|records| format!("[{}]", records.join(",")));
    let folder = stored(&users, &posts, "[]");
    let mut report = ActivityReport::of(folder.path(), 100).unwrap();
    report.source = hostile().concat();
    report
}

#[test]
fn hostile_text_is_escaped_and_lines_fit() {
    let report = hostile_report();
    let invisible = |text: &str| {
        let mut characters = activity_tracker_text::characters(text);
        characters.any(|(c, shows)| !shows && c != '\n')
    };
    for width in [40, 60, 100] {
        let text = terminal_of(&report, width, 100);
        assert!(!invisible(&text));
        assert_fits(&text, width);
        if width == 100 {
            insta::assert_snapshot!("hostile_terminal", text);
        }
    }
    let short = ActivityReport {
        source: "s".to_owned(),
        users: report
            .users
            .iter()
            .filter(|user| is_short(user))
            .cloned()
            .collect(),
        domains: Vec::new(),
        unanswered: None,
        ..report.clone()
    };
    insta::assert_snapshot!(
        "hostile_markdown",
        written(|out| markdown::write(out, &short, 100))
    );
    insta::assert_snapshot!("hostile_csv", csv_of(&short, csv::CsvTable::Users));
    insta::assert_snapshot!("hostile_json", written(|out| json::write(out, &short)));
    let text = written(|out| markdown::write(out, &report, 100));
    assert!(!invisible(&text) && !text.contains("<script"));
    let text = csv_of(&report, csv::CsvTable::Users);
    assert!(!invisible(&text));
}

fn is_short(user: &UserActivity) -> bool {
    user.name.as_ref().is_some_and(|name| name.len() < 100)
}

/// A terminal would wrap longer lines, inside words.
#[track_caller]
fn assert_fits(text: &str, width: usize) {
    for line in text.lines() {
        let columns = line.width();
        assert!(columns <= width, "{columns} of {width}: {line}");
    }
}

#[test]
fn lines_fit_into_60_columns_with_long_names_and_large_numbers() {
    let mut report = full();
    report.source = "https://api.a-very-long-host-name.example.org/v1/".repeat(3);
    report.totals.inactive_users = 1_234_567;
    report.totals.comments_by_guests = Some(98_765_432);
    report.totals.comments = Some(987_654_321);
    report.totals.rejects = 1_000_000;
    for user in &mut report.users {
        user.name = user.name.take().map(|name| name.repeat(20));
        user.posts *= 123_456;
    }
    for post in &mut report.unanswered.as_mut().unwrap().posts {
        post.title = Some("incomprehensibility ".repeat(9));
    }
    for width in [40, 60, 80] {
        assert_fits(&terminal_of(&report, width, 10), width);
    }
    insta::assert_snapshot!("long_terminal", terminal_of(&report, 60, 1));
}

#[test]
fn all_times_are_in_the_chosen_zone() {
    let mut report = full();
    report.time_zone = "+02:00".parse().unwrap();
    let text = terminal_of(&report, 100, 10);
    for part in ["Times in +02:00", "2026-01-01 02:00", "2024-05-20 02:00"] {
        assert!(text.contains(part), "{text}");
    }
    let page = crate::report::html::page(&report, crate::report::html::PageContext::File);
    for part in ["Times in +02:00", "1 Jan 2026, 02:00 +02"] {
        assert!(page.contains(part), "{page}");
    }
    assert!(!text.contains("UTC") && !page.contains("UTC"));
}

#[test]
fn json_is_verbatim_and_csv_can_be_read_back() {
    let report = hostile_report();
    let text = written(|out| json::write(out, &report));
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read, serde_json::to_value(&report).unwrap());
    let names: Vec<_> = read["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["name"].as_str().unwrap().to_owned())
        .collect();
    for name in hostile() {
        assert!(names.contains(&name));
    }
    let text = csv_of(&report, csv::CsvTable::Users);
    let mut rows = ::csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<_> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), hostile().len());
    for row in &rows {
        let first = row
            .iter()
            .find_map(|field| field.chars().next().filter(|c| "=+-@".contains(*c)));
        assert_eq!(first, None, "{row:?}");
    }
    assert!(
        report
            .users
            .iter()
            .all(|user| matches!(user.id, Some(Id::Text(_))))
    );
}

#[test]
fn unknown_replies_are_named_in_every_format() {
    let posts = r#"[{"id": 1, "user": 1}, {"id": 2, "user": 1}]"#;
    let folder = super::unlinked(r#"[{"id": 1}]"#, posts, r#"[{"id": 1, "user": 1}]"#);
    let report = ActivityReport::of(folder.path(), 10).unwrap();
    let reason = "the source does not map `post_id` of comments";
    let says = format!("Unknown: {reason}.");
    let table = terminal_of(&report, 100, 10);
    assert!(
        table.contains(&says) && !table.contains("received"),
        "{table}"
    );
    let text = written(|out| markdown::write(out, &report, 10));
    assert!(text.contains(&says) && !text.contains("received"), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&written(|out| json::write(out, &report))).unwrap();
    assert_eq!(json["unanswered"], serde_json::Value::Null);
    assert_eq!(json["unanswered_reason"], reason);
    assert_eq!(
        csv_of(&report, csv::CsvTable::Unanswered),
        "id,user_id,title,created_at\n"
    );
    assert!(csv_of(&report, csv::CsvTable::Users).contains("\n1,,,true,2,,1,,,\n"));
    let page = crate::report::html::page(&report, crate::report::html::PageContext::Server);
    assert!(
        page.contains(&says) && !page.contains("unanswered post"),
        "{page}"
    );
}
