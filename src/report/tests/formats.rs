//! How reports look, and what hostile text does to them: nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::stored;
use crate::record::{Id, Resource};
use crate::report::{
    ActivityReport, ChangeCounts, RunChanges, UserActivity, csv, json, markdown, table,
};

fn drawn(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The table as a pipe gets it.
fn table_of(report: &ActivityReport, width: usize, top: usize) -> String {
    let text = drawn(|out| table::write(out, report, width, top));
    anstream::adapter::strip_str(&text).to_string()
}

fn csv_of(report: &ActivityReport, table: csv::Table) -> String {
    drawn(|out| csv::write(out, report, table))
}

/// A report in which there is something of everything.
fn full() -> ActivityReport {
    let users = r#"[{"id": 1, "name": "Ada Lovelace", "email": "ada@april.biz", "joined": "2024-04-29T08:00:00Z"},
        {"id": 2, "name": "山田太郎", "email": "yamada@例え.jp", "joined": "2024-05-02T08:00:00Z"},
        {"id": 3, "login": "cleo", "email": "cleo@april.biz"}, {"id": "x-4"}]"#;
    let posts = r#"[{"id": 1, "user": 1, "title": "First", "at": "2024-05-01T08:00:00Z"},
        {"id": 2, "user": 2, "title": "Nobody answers this one, whatever it says, for it says far too much", "at": "2024-05-07T21:15:00Z"},
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
fn everything_is_shown_on_screens_of_any_width() {
    let report = full();
    for width in [60, 100] {
        insta::assert_snapshot!(format!("table_{width}"), table_of(&report, width, 10));
    }
    insta::assert_snapshot!("markdown", drawn(|out| markdown::write(out, &report, 10)));
    insta::assert_snapshot!("json", drawn(|out| json::write(out, &report)));
    let tables = [
        ("users", csv::Table::Users),
        ("domains", csv::Table::Domains),
        ("unanswered", csv::Table::Unanswered),
        ("days", csv::Table::Days),
        ("weeks", csv::Table::Weeks),
        ("hours", csv::Table::Hours),
        ("runs", csv::Table::Runs),
    ];
    let all = tables.map(|(name, table)| {
        let text = csv_of(&report, table);
        // 168 hours say little.
        let text: Vec<_> = text.lines().take(12).collect();
        format!("== {name}\n{}\n", text.join("\n"))
    });
    insta::assert_snapshot!("csv", all.concat());
}

#[test]
fn what_a_source_does_not_have_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    super::Run::new(crate::storage::Flow::Main, 1)
        .with(Resource::Users, r#"[{"id": 1, "name": "Ada"}]"#)
        .with(
            Resource::Posts,
            r#"[{"id": 1, "user": 1, "title": "First"}]"#,
        )
        .store(folder.path());
    let report = ActivityReport::of(folder.path(), 10).unwrap();
    insta::assert_snapshot!("users_and_posts", table_of(&report, 80, 10));
    let empty = [
        csv::Table::Unanswered,
        csv::Table::Days,
        csv::Table::Weeks,
        csv::Table::Hours,
        csv::Table::Runs,
    ];
    for table in empty {
        assert_eq!(csv_of(&report, table).lines().count(), 1, "{table:?}");
    }
}

#[test]
fn lists_are_as_long_as_was_asked_for() {
    let report = full();
    for top in [0, 1, 2] {
        let text = table_of(&report, 100, top);
        assert_eq!(text.contains("Ada Lovelace"), top > 0, "{text}");
        assert_eq!(text.contains("and 1 more domain"), top == 1, "{text}");
        assert_eq!(text.contains("山田太郎"), top > 1, "{text}");
        let text = drawn(|out| markdown::write(out, &report, top));
        assert_eq!(text.contains("Ada Lovelace"), top > 0, "{text}");
    }
    assert_eq!(csv_of(&report, csv::Table::Users).lines().count(), 1 + 6);
}

/// What people call themselves who mean harm; as ids they are short enough to map.
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
fn hostile_text_is_shown_and_does_nothing() {
    let report = hostile_report();
    let unseen = |text: &str| {
        let mut characters = crate::text::characters(text);
        characters.any(|(c, shows)| !shows && c != '\n')
    };
    for width in [40, 60, 100] {
        let text = table_of(&report, width, 100);
        assert!(!unseen(&text));
        // The source stands in a sentence and not in a table.
        for line in text.lines().skip(1) {
            let columns = comfy_table_width(line);
            assert!(columns <= width, "{columns} of {width}: {line}");
        }
        if width == 100 {
            let text: Vec<_> = text.lines().skip(1).collect();
            insta::assert_snapshot!("hostile_table", text.join("\n"));
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
        drawn(|out| markdown::write(out, &short, 100))
    );
    insta::assert_snapshot!("hostile_csv", csv_of(&short, csv::Table::Users));
    insta::assert_snapshot!("hostile_json", drawn(|out| json::write(out, &short)));
    let text = drawn(|out| markdown::write(out, &report, 100));
    assert!(!unseen(&text) && !text.contains("<script"));
    let text = csv_of(&report, csv::Table::Users);
    assert!(!unseen(&text));
}

fn is_short(user: &UserActivity) -> bool {
    user.name.as_ref().is_some_and(|name| name.len() < 100)
}

/// How many columns a line takes, by the same tables as `comfy-table`'s.
fn comfy_table_width(line: &str) -> usize {
    let mut table = comfy_table::Table::new();
    table.add_row([line]);
    table
        .column_max_content_widths()
        .first()
        .copied()
        .unwrap_or_default()
        .into()
}

#[test]
fn json_is_to_the_letter_and_csv_is_read_back() {
    let report = hostile_report();
    let text = drawn(|out| json::write(out, &report));
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
    let text = csv_of(&report, csv::Table::Users);
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
fn that_answers_are_not_known_is_said_in_every_form() {
    let posts = r#"[{"id": 1, "user": 1}, {"id": 2, "user": 1}]"#;
    let folder = super::unlinked(r#"[{"id": 1}]"#, posts, r#"[{"id": 1, "user": 1}]"#);
    let report = ActivityReport::of(folder.path(), 10).unwrap();
    let reason = "the source maps no `post_id` of comments";
    let says = format!("Not known: {reason}.");
    let table = table_of(&report, 100, 10);
    assert!(
        table.contains(&says) && !table.contains("received"),
        "{table}"
    );
    let text = drawn(|out| markdown::write(out, &report, 10));
    assert!(text.contains(&says) && !text.contains("received"), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&drawn(|out| json::write(out, &report))).unwrap();
    assert_eq!(json["unanswered"], serde_json::Value::Null);
    assert_eq!(json["unanswered_reason"], reason);
    assert_eq!(
        csv_of(&report, csv::Table::Unanswered),
        "id,user_id,title,created_at\n"
    );
    assert!(csv_of(&report, csv::Table::Users).contains("\n1,,,true,2,,1,,,\n"));
    let page = crate::report::html::page(&report, crate::report::html::Home::Server);
    assert!(
        page.contains(&says) && !page.contains("Posts without an answer"),
        "{page}"
    );
}
