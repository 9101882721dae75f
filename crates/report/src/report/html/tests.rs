use std::collections::BTreeMap;

use jiff::Timestamp;

use super::*;
use crate::report::{SnapshotFile, Totals, UserActivity, Zone};
use activity_tracker_core::record::Resource;

/// A report with one user.
fn report_of(name: &str, id: Id) -> ActivityReport {
    let user = UserActivity {
        joined: None,
        id: Some(id),
        name: Some(name.to_owned()),
        email: None,
        is_user: true,
        posts: 3,
        comments_received: None,
        comments_written: None,
        active: None,
    };
    let snapshot = SnapshotFile {
        run: "run".to_owned(),
        at: Timestamp::UNIX_EPOCH,
        file: "users.json".to_owned(),
    };
    ActivityReport {
        source: name.to_owned(),
        time_zone: Zone::default(),
        snapshots: BTreeMap::from([(Resource::Users, snapshot)]),
        totals: Totals {
            users: 1,
            posts: 3,
            ..Totals::default()
        },
        users: vec![user],
        unanswered: None,
        unanswered_reason: None,
        domains: Vec::new(),
        dates: None,
        history: None,
    }
}

#[test]
fn remote_text_is_never_markup() {
    let name = "</title></script><script>alert(1)</script>\"'<b onclick=x>";
    let page = page(&report_of(name, Id::Text(name.into())), PageContext::Server);
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("</script").count(), 1);
    assert!(!page.contains("<b ") && !page.contains("alert(1)</"));
    assert!(page.contains("&#60;script&#62;alert(1)"), "{page}");
}

#[test]
fn the_policy_allows_only_the_own_script_and_style() {
    let page = page(&report_of("Ann", Id::Number(1)), PageContext::File);
    let before = page.find("Content-Security-Policy").expect("a policy");
    assert!(before < page.find("<style").expect("a style sheet"));
    assert!(page.contains("content=\"default-src &#39;none&#39;; script-src &#39;sha256-"));
    for inline in [" style=", "javascript:", "http://", "@import", "url("] {
        let outside = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!outside.contains(inline), "{inline}");
    }
}

#[test]
fn only_a_server_links_to_user_pages() {
    let report = report_of("Ann", Id::Text("a/b?c".into()));
    assert!(page(&report, PageContext::Server).contains("href=\"/users/a%2Fb%3Fc\""));
    assert!(!page(&report, PageContext::File).contains("/users/"));
}

#[test]
fn an_id_that_is_too_long_for_a_url_has_no_link() {
    for (length, linked) in [(4_000, true), (4_001, false), (1_000_000, false)] {
        let report = report_of("Ann", Id::Text("x".repeat(length).into()));
        let page = page(&report, PageContext::Server);
        assert_eq!(page.contains("href=\"/users/"), linked, "{length}");
        assert!(page.len() < 200_000, "{length}");
    }
}

#[test]
fn the_file_contains_the_page() {
    let report = report_of("Ann", Id::Number(1));
    let mut file = Vec::new();
    write_html(&report, &mut file).expect("write to memory");
    assert_eq!(file, page(&report, PageContext::File).as_bytes());
}

#[test]
fn an_empty_report_is_a_page() {
    let mut report = report_of("Ann", Id::Number(1));
    report.users.clear();
    report.totals = Totals::default();
    report.history = Some(Vec::new());
    let page = page(&report, PageContext::File);
    assert!(page.contains("0 users, 0 posts."), "{page}");
    assert!(!page.contains("NaN") && !page.contains("inf%"), "{page}");
}
