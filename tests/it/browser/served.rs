//! The pages of `activity-tracker serve`, in a browser.

use serde_json::json;

use super::driver::Browser;
use super::{CONTRAST, MEDIA, SORTING, WIDTHS, assert_untouched, take_screenshots};
use crate::support::program::Workplace;
use crate::support::served::{Served, two_runs};

/// The report, the runs, a user with changes, and users with hostile ids.
const PAGES: [&str; 7] = [
    "/",
    "/runs",
    "/users/1",
    "/users/2",
    "/users/4",
    "/users/%22..%22",
    "/users/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
];

/// A server with two runs, and a browser; `None` without a browser.
fn start() -> Option<(Workplace, Served, Browser)> {
    let browser = Browser::start()?;
    let place = two_runs();
    // A second data directory with an unchanged run.
    for _ in 0..2 {
        place.run_well(&["--async", "--quiet", "--data-dir", "other", "sample"]);
    }
    let served = Served::start(&place, &[]);
    Some((place, served, browser))
}

#[test]
fn served_pages_send_no_other_requests_and_log_no_errors() {
    let Some((_place, served, browser)) = start() else {
        return;
    };
    for path in PAGES {
        let url = format!("{}{path}", served.base_url());
        browser.visit(&url);
        assert_untouched(&browser, path);
        assert_eq!(browser.requests(), [url], "{path}");
        assert_eq!(browser.console_errors(), [""; 0], "{path}");
        assert_eq!(browser.run(SORTING), json!([]), "{path}");
    }
}

#[test]
fn every_link_of_a_served_page_works() {
    let Some((_place, served, browser)) = start() else {
        return;
    };
    let links = "return [...document.querySelectorAll('a[href]')].map((link) => [link.href, link.textContent])";
    browser.visit(&format!("{}/", served.base_url()));
    let found = browser.run(links);
    let found = found.as_array().expect("links");
    let users = found.iter().filter(|link| {
        link[0]
            .as_str()
            .is_some_and(|href| href.contains("/users/"))
    });
    assert!(users.count() >= 9, "{found:?}");
    for link in found {
        let (href, name) = (
            link[0].as_str().expect("a URL"),
            link[1].as_str().expect("a name"),
        );
        assert!(href.starts_with(&served.base_url()), "{href}");
        browser.visit(href);
        let status =
            browser.run("return performance.getEntriesByType('navigation')[0].responseStatus");
        assert_eq!(status, 200, "{name}: {href}");
        let Some((_, part)) = href.split_once('#') else {
            let heading = browser.run("return document.querySelector('h1').textContent");
            let is_user = href.contains("/users/");
            assert!(!is_user || heading == name, "{href}: {heading} {name}");
            continue;
        };
        let there = format!("return document.getElementById('{part}') !== null");
        assert_eq!(browser.run(&there), true, "{href}");
    }
}

#[test]
fn no_served_page_scrolls_sideways_or_has_low_contrast() {
    let Some((_place, served, browser)) = start() else {
        return;
    };
    for path in PAGES {
        browser.visit(&format!("{}{path}", served.base_url()));
        for width in WIDTHS {
            browser.set_width(width);
            let widths =
                browser.run("return [document.documentElement.scrollWidth, window.innerWidth]");
            assert_eq!(widths, json!([width, width]), "{path}");
            let tall = browser.run("return Math.max(...[...document.querySelectorAll('h1')].map((h) => h.clientHeight))");
            assert!(
                tall.as_u64().is_some_and(|tall| tall < 200),
                "{path}: {tall}"
            );
        }
        for (media, colours) in MEDIA {
            browser.emulate(media, colours);
            assert_eq!(browser.run(CONTRAST), json!([]), "{path} {media} {colours}");
        }
        browser.emulate("", "light");
    }
}

#[test]
fn a_page_without_a_snapshot_refreshes_until_there_is_one() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let place = Workplace::new();
    let served = Served::start(&place, &[]);
    browser.visit(&format!("{}/", served.base_url()));
    let text = browser.run("return document.body.innerText");
    let text = text.as_str().expect("text");
    assert!(text.contains("activity-tracker run makes one"), "{text}");
    assert_eq!(browser.run(CONTRAST), json!([]));
    browser.screenshot("served-empty-1280-light");
    place.run_well(&["--quiet", "sample"]);
    let title = || (browser.run("return document.title") == "Activity: sample").then_some(());
    crate::support::processes::until("the report", title);
}

#[test]
fn screenshots_of_served_pages_are_taken_if_requested() {
    let Some((place, served, browser)) = start() else {
        return;
    };
    let others = Served::start(&place, &["--data-dir", "other"]);
    let pages = [
        (&served, "/", "report"),
        (&served, "/runs", "runs"),
        (&others, "/runs", "runs-unchanged"),
        (&served, "/users/1", "user"),
        (&served, "/users/4", "user-long"),
        (&served, "/users/2", "user-hostile"),
        (&served, "/users/nobody", "user-unknown"),
    ];
    for (served, path, name) in pages {
        browser.visit(&format!("{}{path}", served.base_url()));
        take_screenshots(&browser, &format!("served-{name}"));
    }
}
