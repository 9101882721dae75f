use std::collections::BTreeMap;

use jiff::Timestamp;

use super::*;
use crate::history::LoggedRun;

#[test]
fn a_notice_says_what_and_what_to_do_and_only_some_look_again() {
    let given = |looks_again: bool| Notice {
        title: "Nothing yet",
        says: "<b>no</b> snapshot",
        hint: Some("`run` <once>"),
        is_failure: !looks_again,
        looks_again,
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
fn a_run_in_which_nothing_changed_counts_nothing_and_says_so() {
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
        page.contains("nothing had changed") && page.contains(">1 min 12 s<"),
        "{page}"
    );
    assert!(
        page.contains("2 runs of s;") && !page.contains("Source"),
        "{page}"
    );
    let page = runs_page(&runs([run(2, "<s>"), run(1, "t")]), Some("a reason"));
    assert!(
        page.contains("2 runs of 2 sources;") && page.contains("&#60;s&#62;"),
        "{page}"
    );
    assert!(
        page.contains("The last run may be missing: a reason"),
        "{page}"
    );
}
