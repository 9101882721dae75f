//! The numbers of a report, from a few records.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{stored, unlinked};
use crate::report::{ActivityReport, Unlinked, Week};
use activity_tracker_core::record::Id;

fn report(users: &str, posts: &str, comments: &str) -> ActivityReport {
    let folder = stored(users, posts, comments);
    ActivityReport::of(folder.path(), 10).unwrap()
}

/// The authors, and their posts, comments written and comments received.
fn people(report: &ActivityReport) -> Vec<(String, u64, u64, u64)> {
    let person = |user: &crate::report::UserActivity| {
        let id = user.id.as_ref().map(|id| match id {
            Id::Number(number) => number.to_string(),
            Id::Text(text) => format!("\"{text}\""),
        });
        let name = id.or_else(|| user.email.clone()).unwrap_or_default();
        let name = if user.is_user {
            name
        } else {
            format!("({name})")
        };
        let [written, received] = [user.comments_written, user.comments_received];
        (name, user.posts, written.unwrap(), received.unwrap())
    };
    report.users.iter().map(person).collect()
}

const USERS: &str = r#"[
    {"id": 1, "name": "Ada", "email": "Ada@April.biz"},
    {"id": 2, "login": "bob", "email": "bob@april.BIZ"},
    {"id": 3, "name": "Cleo"}
]"#;

#[test]
fn posts_and_comments_are_matched_to_authors() {
    let posts_of = |ids: &str| format!("[{ids}]");
    let two = r#"{"id": 1, "user": 1}, {"id": 2, "user": 2}"#;
    let person = |who: &str, posts, written, received| (who.to_owned(), posts, written, received);
    let inactive = |who| person(who, 0, 0, 0);
    let cases = [
        // By id.
        (
            two,
            r#"{"id": 1, "post": 1, "user": 2}"#,
            vec![person("2", 1, 1, 0), person("1", 1, 0, 1), inactive("3")],
        ),
        // By address, in another case.
        (
            two,
            r#"{"id": 1, "post": 2, "email": "ADA@april.BIZ"}"#,
            vec![person("1", 1, 1, 0), person("2", 1, 0, 1), inactive("3")],
        ),
        // Quoted ids for unquoted ones.
        (
            r#"{"id": "1", "user": "1"}"#,
            r#"{"id": 1, "post": 1, "user": "1"}, {"id": 2, "post": "1", "user": "2"}"#,
            vec![person("1", 1, 1, 2), person("2", 0, 1, 0), inactive("3")],
        ),
        // By guests: with an id, an address, both, neither, and WordPress's guests.
        (
            r#"{"id": 1, "user": 9}, {"id": 2}"#,
            r#"{"id": 1, "post": 1, "user": 8, "email": "x@y.z"}, {"id": 2, "post": 1, "email": "Q@y.z"},
               {"id": 3, "post": 1, "email": "q@Y.z"}, {"id": 4, "post": 1}, {"id": 5, "post": 1, "user": 0},
               {"id": 6, "post": 1, "user": 7, "email": "x@y.z"}, {"id": 7, "post": 1, "email": ""}"#,
            vec![
                person("(Q@y.z)", 0, 2, 0),
                person("(9)", 1, 0, 7),
                person("(7)", 0, 1, 0),
                person("(8)", 0, 1, 0),
                inactive("1"),
                inactive("2"),
                inactive("3"),
            ],
        ),
        // An unknown id with the address of a user.
        (
            "",
            r#"{"id": 1, "post": 1, "user": 99, "email": "bob@april.biz"}"#,
            vec![person("2", 0, 1, 0), inactive("1"), inactive("3")],
        ),
        // On missing and duplicate posts.
        (
            r#"{"id": 1, "user": 1}, {"id": 1, "user": 2}"#,
            r#"{"id": 1, "post": 1, "user": 3}, {"id": 2, "post": 5, "user": 3}, {"id": 3, "user": 3}"#,
            vec![
                person("3", 0, 3, 0),
                person("1", 1, 0, 1),
                person("2", 1, 0, 0),
            ],
        ),
    ];
    for (posts, comments, expected) in cases {
        let report = report(USERS, &posts_of(posts), &posts_of(comments));
        assert_eq!(people(&report), expected, "{posts} {comments}");
    }
}

#[test]
fn totals_count_the_records() {
    let cases = [
        ("[]", "[]", [2, 0, 0, 2, 0], 0),
        (
            r#"[{"id": 1, "user": 1}, {"id": 2, "user": 9}]"#,
            r#"[{"id": 1, "post": 1, "user": 2}]"#,
            [2, 2, 1, 0, 0],
            1,
        ),
        (
            r#"[{"id": 1, "user": 1}]"#,
            r#"[{"id": 1, "post": 1, "user": 0}, {"id": 2, "post": 1}, {"id": 3, "post": 1, "email": "e@x.org"}]"#,
            [2, 1, 3, 1, 2],
            0,
        ),
    ];
    for (posts, comments, [users, all_posts, all_comments, inactive, by_guests], unanswered) in
        cases
    {
        let report = report(r#"[{"id": 1}, {"id": 2}]"#, posts, comments);
        let expected = json!({
            "users": users, "posts": all_posts, "comments": all_comments,
            "inactive_users": inactive, "comments_by_guests": by_guests, "rejects": 0,
        });
        assert_eq!(serde_json::to_value(report.totals).unwrap(), expected);
        assert_eq!(report.unanswered.unwrap().count, unanswered, "{posts}");
        assert_eq!(report.dates, None);
    }
}

#[test]
fn unanswered_posts_are_in_the_apis_order_up_to_the_maximum() {
    let posts = r#"[{"id": 3, "user": 1, "title": "c"}, {"id": 1, "title": null},
        {"id": "2", "at": "2024-05-01"}, {"id": 4}, {"id": 5}]"#;
    let folder = stored("[]", posts, r#"[{"id": 1, "post": 4}]"#);
    let of = |top| ActivityReport::of(folder.path(), top).unwrap().unanswered;
    let all = json!([
        {"id": 3, "user_id": 1, "title": "c", "created_at": null},
        {"id": 1, "user_id": null, "title": null, "created_at": null},
        {"id": "2", "user_id": null, "title": null, "created_at": "2024-05-01T00:00:00Z"},
        {"id": 5, "user_id": null, "title": null, "created_at": null},
    ]);
    for top in [0, 2, 4, 9] {
        let unanswered = of(top).unwrap();
        assert_eq!(unanswered.count, 4);
        let found = serde_json::to_value(&unanswered.posts).unwrap();
        let expected: Vec<Value> = all.as_array().unwrap().iter().take(top).cloned().collect();
        assert_eq!(found, Value::Array(expected), "{top}");
    }
}

#[test]
fn domains_are_counted_in_lowercase() {
    let users = r#"[{"id": 1, "email": "a@B.org"}, {"id": 2, "email": "a@b.ORG"}, {"id": 3, "email": "x"},
        {"id": 4, "email": "a@"}, {"id": 5}, {"id": 6, "email": "q@a.org"}, {"id": 7, "email": "\"a@b\"@Ü.org"}]"#;
    let report = report(users, "[]", "[]");
    let found: Vec<_> = report
        .domains
        .iter()
        .map(|domain| (domain.domain.as_str(), domain.users))
        .collect();
    assert_eq!(found, [("b.org", 2), ("a.org", 1), ("ü.org", 1)]);
}

#[test]
fn days_weeks_and_hours_are_in_utc() {
    // 2024-05-06 is a Monday.
    let posts = r#"[{"id": 1, "user": 1, "at": "2024-05-06T00:30:00+02:00"},
        {"id": 2, "user": 1, "at": "2024-05-06T00:00:00Z"}, {"id": 3, "user": 2, "at": 1715903999},
        {"id": 4, "user": 1}]"#;
    let comments = r#"[{"id": 1, "post": 1, "user": 2, "at": "2024-05-27T23:59:59Z"},
        {"id": 2, "post": 1, "email": "e@x.org", "at": "2024-05-27T12:00:00Z"},
        {"id": 3, "post": 1, "at": "2024-05-27T12:00:00Z"}]"#;
    let dates = report(USERS, posts, comments).dates.unwrap();
    let days: Vec<_> = dates
        .days
        .iter()
        .map(|day| (day.date.to_string(), day.posts, day.comments))
        .collect();
    let expected = [
        ("2024-05-05", 1, 0),
        ("2024-05-06", 1, 0),
        ("2024-05-16", 1, 0),
        ("2024-05-27", 0, 3),
    ];
    assert_eq!(
        days,
        expected.map(|(day, posts, comments)| (day.to_owned(), posts, comments))
    );
    let week = |week: &Week| {
        let people = (week.new_users, week.returning_users);
        (week.monday.to_string(), week.posts, week.comments, people)
    };
    let weeks: Vec<_> = dates.weeks.iter().map(week).collect();
    let expected = [
        ("2024-04-29", 1, 0, (1, 0)),
        ("2024-05-06", 1, 0, (0, 1)),
        ("2024-05-13", 1, 0, (1, 0)),
        ("2024-05-20", 0, 0, (0, 0)),
        ("2024-05-27", 0, 3, (1, 1)),
    ];
    assert_eq!(
        weeks,
        expected.map(|(monday, posts, comments, people)| (
            monday.to_owned(),
            posts,
            comments,
            people
        ))
    );
    assert!(dates.weeks.iter().all(|week| week.joined.is_none()));
    let mut hours = [[0; 24]; 7];
    for (weekday, hour, written) in [(6, 22, 1), (0, 0, 1), (3, 23, 1), (0, 23, 1), (0, 12, 2)] {
        hours[weekday][hour] = written;
    }
    assert_eq!(dates.hours, hours);
}

#[test]
fn reply_times_are_from_the_post_to_the_earliest_comment() {
    /// The post, and how many seconds after it.
    type Comments = &'static [(u32, i64)];
    type Expected = Option<(u64, i64, i64)>;
    let post = |id: u32| format!(r#"{{"id": {id}, "at": "2024-05-01T00:00:00Z"}}"#);
    let comment = |post: u32, seconds: i64| {
        let at = 1_714_521_600 + seconds;
        format!(r#"{{"id": 1, "post": {post}, "at": {at}}}"#)
    };
    // The comments; posts with replies, median and 90th percentile.
    let cases: [(Comments, Expected); 6] = [
        (&[], None),
        (&[(99, 5)], None),
        (&[(1, 50), (1, 5), (1, 500)], Some((1, 5, 5))),
        (&[(1, -5)], Some((1, 0, 0))),
        (&[(1, 1), (2, 2), (3, 3)], Some((3, 2, 3))),
        (
            &[
                (1, 10),
                (2, 9),
                (3, 8),
                (4, 7),
                (5, 6),
                (6, 5),
                (7, 4),
                (8, 3),
                (9, 2),
                (10, 1),
            ],
            Some((10, 5, 9)),
        ),
    ];
    for (comments, expected) in cases {
        let posts: Vec<_> = (1..=11).map(post).collect();
        let comments: Vec<_> = comments
            .iter()
            .map(|(post, after)| comment(*post, *after))
            .collect();
        let [posts, comments] = [posts, comments].map(|records| format!("[{}]", records.join(",")));
        let found = report("[]", &posts, &comments)
            .dates
            .unwrap()
            .time_to_first_reply;
        let found = found.map(|found| (found.posts, found.median, found.percentile_90));
        let seconds = SignedDuration::from_secs;
        let expected = expected.map(|(posts, median, p90)| (posts, seconds(median), seconds(p90)));
        assert_eq!(found, expected, "{comments}");
    }
}

#[test]
fn new_accounts_are_counted_by_week() {
    let users =
        r#"[{"id": 1, "joined": "2024-04-30"}, {"id": 2, "joined": "2024-05-01"}, {"id": 3}]"#;
    let posts = r#"[{"id": 1, "user": 1, "at": "2024-05-15"}]"#;
    let report = report(users, posts, "[]");
    let weeks = report.dates.unwrap().weeks;
    let joined: Vec<_> = weeks
        .iter()
        .map(|week| (week.joined, week.new_users))
        .collect();
    assert_eq!(joined, [(Some(2), 0), (Some(0), 0), (Some(0), 1)]);
    let first = &report.users[0];
    assert_eq!(first.joined.unwrap().to_string(), "2024-04-30T00:00:00Z");
    let (first, last) = first.active.unwrap();
    assert_eq!(
        (first, last.to_string()),
        (last, "2024-05-15T00:00:00Z".to_owned())
    );
}

#[test]
fn a_wrong_date_does_not_add_thousands_of_weeks() {
    let posts = r#"[{"id": 1, "at": "0001-01-09T00:00:00Z"}, {"id": 2, "at": "2014-05-01"},
        {"id": 3, "at": "2024-04-01"}, {"id": 4, "at": "9999-12-22T00:00:00Z"}]"#;
    let dates = report("[]", posts, "[]").dates.unwrap();
    assert_eq!(dates.days.len(), 4);
    // Ten years less a month are listed.
    assert_eq!(dates.weeks.len(), 2 + 519);
    assert_eq!(dates.weeks.iter().map(|week| week.posts).sum::<u64>(), 4);
}

#[test]
fn unanswered_posts_are_unknown_if_comments_do_not_name_posts() {
    let posts = r#"[{"id": 1, "user": 1}, {"id": 2, "user": 2}]"#;
    let unnamed = r#"[{"id": 1, "user": 1}, {"id": 2, "user": 3, "post": null}]"#;
    let named = r#"[{"id": 1, "user": 1, "post": 2}, {"id": 2, "user": 3}]"#;
    let cases = [
        (stored(USERS, posts, named), Ok(1)),
        (stored(USERS, posts, "[]"), Ok(2)),
        (stored(USERS, posts, unnamed), Err(Unlinked::NoValue)),
        (unlinked(USERS, posts, named), Err(Unlinked::NoField)),
        (unlinked(USERS, posts, "[]"), Err(Unlinked::NoField)),
    ];
    for (folder, expected) in cases {
        let report = ActivityReport::of(folder.path(), 10).unwrap();
        let count = report
            .unanswered
            .as_ref()
            .map(|unanswered| unanswered.count);
        assert_eq!(
            (count, report.unanswered_reason),
            (expected.ok(), expected.err())
        );
        let known = report
            .users
            .iter()
            .all(|user| user.comments_received.is_some());
        assert_eq!(known, expected.is_ok());
        assert!(
            report
                .users
                .iter()
                .all(|user| user.comments_written.is_some())
        );
    }
}
