use std::collections::BTreeMap;

use jiff::Timestamp;

use super::*;
use activity_tracker_core::history::LoggedRun;

#[test]
fn a_notice_has_a_message_and_a_hint_and_may_refresh() {
    let given = |auto_refresh: bool| Notice {
        title: "Nothing yet",
        message: "<b>no</b> snapshot",
        hint: Some("`run` <once>"),
        is_failure: !auto_refresh,
        auto_refresh,
    };
    let page = notice(&given(true));
    assert!(
        page.contains("http-equiv=\"refresh\" content=\"5\""),
        "{page}"
    );
    assert!(
        page.contains("&#60;b&#62;no") && page.contains("Try: <code>run</code> &#60;once&#62;"),
        "{page}"
    );
    assert!(!notice(&given(false)).contains("http-equiv=\"refresh\""));
}

#[test]
fn an_unchanged_run_has_no_counts() {
    let run = |number: i64, source: &str| LoggedRun {
        number,
        run: format!("run-{number}"),
        source: source.to_owned(),
        flow: "main".to_owned(),
        started_at: Timestamp::UNIX_EPOCH,
        finished_at: Timestamp::from_second(72).unwrap(),
        retries: 0,
        unchanged: true,
        resources: BTreeMap::new(),
    };
    let runs = |both: [LoggedRun; 2]| {
        let mut runs = Runs::default();
        for run in both {
            runs.add(run);
        }
        runs
    };
    let page = runs_page(&runs([run(2, "s"), run(1, "s")]), None);
    assert!(
        page.contains("unchanged") && page.contains(">1 min 12 s<"),
        "{page}"
    );
    assert!(
        page.contains("2 runs of s.") && !page.contains("Source"),
        "{page}"
    );
    let page = runs_page(&runs([run(2, "<s>"), run(1, "t")]), Some("a reason"));
    assert!(
        page.contains("2 runs of 2 sources.") && page.contains("&#60;s&#62;"),
        "{page}"
    );
    assert!(
        page.contains("The last run may be missing: a reason"),
        "{page}"
    );
}
