//! The HTML report in a browser: self-contained, safe, readable and usable.

mod driver;
mod reports;
mod served;

use activity_tracker::report::ActivityReport;
use activity_tracker::report::html::{PageContext, page};
use serde_json::{Value, json};

use self::driver::Browser;
use self::reports::{HOSTILE, full, hostile, long, minimal};

/// A report by name.
type Case = (&'static str, fn() -> ActivityReport);

const REPORTS: [Case; 4] = [
    ("full", full),
    ("minimal", minimal),
    ("hostile", hostile),
    ("long", long),
];

/// A phone and a desktop.
const WIDTHS: [u32; 2] = [360, 1_280];

const ENTER: char = '\u{e007}';
const SPACE: char = ' ';

/// Media and colour schemes.
const MEDIA: [(&str, &str); 3] = [("screen", "light"), ("screen", "dark"), ("print", "dark")];

fn open(browser: &Browser, report: &ActivityReport) {
    browser.open(&page(report, PageContext::File));
}

/// Checks that no injected script ran and no injected element exists.
#[track_caller]
fn assert_untouched(browser: &Browser, page: &str) {
    let ran = browser.run("return window.hacked ?? null");
    assert_eq!(ran, Value::Null, "{page}");
    let foreign = "return document.querySelectorAll('main script, main img, [onerror], [onmouseover], [style]').length";
    assert_eq!(browser.run(foreign), 0, "{page}");
}

/// Takes screenshots on a phone and a desktop, in light and dark mode.
fn take_screenshots(browser: &Browser, name: &str) {
    for width in WIDTHS {
        browser.set_width(width);
        for colours in ["light", "dark"] {
            browser.emulate("screen", colours);
            browser.screenshot(&format!("{name}-{width}-{colours}"));
        }
    }
}

#[test]
fn a_page_loads_nothing_and_logs_no_errors() {
    let Some(browser) = Browser::start() else {
        return;
    };
    for (name, report) in REPORTS {
        open(&browser, &report());
        assert_untouched(&browser, name);
        let requests = browser.requests();
        let [only] = &requests[..] else {
            panic!("{name}: {requests:?}");
        };
        assert!(
            only.starts_with("file:///") && only.ends_with("/report.html"),
            "{name}: {only}"
        );
        assert_eq!(browser.console_errors(), [""; 0], "{name}");
    }
}

#[test]
fn the_main_numbers_are_there_as_text() {
    let Some(browser) = Browser::start() else {
        return;
    };
    open(&browser, &full());
    let title = browser.run("return document.title");
    assert_eq!(title, "Activity: jsonplaceholder");
    let tiles = browser.run(
        "return Object.fromEntries([...document.querySelectorAll('.head .tiles > div')]
            .map((tile) => [tile.children[0].textContent, tile.children[1].textContent]))",
    );
    assert_eq!(tiles["Users"], "10");
    assert_eq!(tiles["Posts"], "100");
    assert_eq!(tiles["Comments"], "500");
    assert_eq!(tiles["Unanswered posts"], "12");
    let text = browser.run("return document.body.innerText");
    let text = text.as_str().expect("text");
    for part in [
        "2 h 14 min",
        "2 d 3 h",
        "2 rejected records",
        "20260629T081502Z-7f3a",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn missing_data_has_no_section() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let sections = "return [...document.querySelectorAll('section')].map((section) => section.id)";
    open(&browser, &minimal());
    assert_eq!(browser.run(sections), json!(["users", "data-sources"]));
    open(&browser, &full());
    let all = json!([
        "activity",
        "users",
        "unanswered",
        "domains",
        "changes",
        "data-sources"
    ]);
    assert_eq!(browser.run(sections), all);
}

#[test]
fn at_most_500_users_are_listed() {
    let Some(browser) = Browser::start() else {
        return;
    };
    open(&browser, &long());
    let rows = browser.run("return document.querySelectorAll('#users tbody tr').length");
    assert_eq!(rows, 500);
    let text = browser.run("return document.querySelector('#users').innerText");
    let text = text.as_str().expect("text");
    assert!(
        text.contains("first 500 of 1,200") && text.contains("--format csv"),
        "{text}"
    );
    let bars = browser.run(
        "return document.querySelectorAll('#activity .bars')[0].querySelectorAll('.target').length",
    );
    assert!(
        bars.as_u64().is_some_and(|bars| (40..=80).contains(&bars)),
        "{bars}"
    );
}

/// Clicks each header of each table twice and checks the order of the rows.
const SORTING: &str = r#"
    const wrong = [];
    const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
    for (const table of document.querySelectorAll("table")) {
      const headers = [...table.tHead.rows[0].cells];
      headers.forEach((header, column) => {
        const orders = [];
        for (let time = 0; time < 2; time++) {
          header.querySelector("button").click();
          orders.push(header.getAttribute("aria-sort"));
          const keys = [...table.tBodies[0].rows].map((row) => row.cells[column].dataset.key);
          const there = keys.filter((key) => key !== "");
          const sign = orders[time] === "ascending" ? 1 : -1;
          const number = header.dataset.kind === "number";
          const apart = (a, b) => sign * (number ? a - b : collator.compare(a, b));
          const sorted = there.every((key, at) => at === 0 || apart(there[at - 1], key) <= 0);
          const last = keys.slice(there.length).every((key) => key === "");
          const marked = headers.filter((header) => header.hasAttribute("aria-sort")).length;
          if (!sorted || !last || marked !== 1) wrong.push([header.textContent, orders[time], keys]);
        }
        if (orders[0] === orders[1]) wrong.push([header.textContent, orders]);
      });
    }
    return wrong;
"#;

#[test]
fn every_table_sorts_by_every_column_both_ways() {
    let Some(browser) = Browser::start() else {
        return;
    };
    for (name, report) in REPORTS {
        open(&browser, &report());
        assert_eq!(browser.run(SORTING), json!([]), "{name}");
        assert_eq!(browser.console_errors(), [""; 0], "{name}");
    }
}

#[test]
fn the_users_sort_by_keyboard_too() {
    let Some(browser) = Browser::start() else {
        return;
    };
    open(&browser, &minimal());
    let names = "return [...document.querySelectorAll('#users tbody th bdi:first-child')].map((name) => name.textContent)";
    let focus = "document.querySelector('#users thead button').focus()";
    browser.run(focus);
    let mut expected: Vec<_> = minimal()
        .users
        .into_iter()
        .filter_map(|user| user.name)
        .collect();
    expected.sort_unstable();
    browser.press(ENTER);
    assert_eq!(browser.run(names)[0], json!(expected[0]));
    assert_eq!(
        browser.run("return document.querySelector('#users thead th').ariaSort"),
        "ascending"
    );
    browser.press(SPACE);
    assert_eq!(browser.run(names)[0], json!(expected[9]));
    let focused = "return document.activeElement.textContent";
    assert_eq!(browser.run(focused), "User", "the focus stays");
}

#[test]
fn hostile_names_are_text() {
    let Some(browser) = Browser::start() else {
        return;
    };
    open(&browser, &hostile());
    let names = "return [...document.querySelectorAll('#users tbody tr')].map((row) => row.cells[0].querySelector('bdi').textContent)";
    let names = browser.run(names);
    for ((_, shown), name) in HOSTILE.iter().zip(names.as_array().expect("names")) {
        assert_eq!(name, shown);
    }
    let long = names[HOSTILE.len()].as_str().expect("the long name");
    assert_eq!(long.chars().count(), 121);
    assert_untouched(&browser, "hostile");
}

#[test]
fn no_page_scrolls_sideways_on_a_phone_or_desktop() {
    let Some(browser) = Browser::start() else {
        return;
    };
    for (name, report) in REPORTS {
        open(&browser, &report());
        for width in WIDTHS {
            browser.set_width(width);
            // With the data tables open.
            browser.run(
                "document.querySelectorAll('details').forEach((details) => details.open = true)",
            );
            let widths =
                browser.run("return [document.documentElement.scrollWidth, window.innerWidth]");
            let fits = widths[0].as_u64() <= widths[1].as_u64() && widths[1] == width;
            assert!(fits, "{name}: {widths}");
        }
    }
}

/// Elements with less contrast than WCAG AA requires, or with tiny text.
const CONTRAST: &str = r#"
    const linear = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
    const solid = (colour) => (parts(colour)[3] ?? 1) > 0.99;
    const ratio = (one, other) => {
      const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
      return (high + 0.05) / (low + 0.05);
    };
    const behind = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const colour = getComputedStyle(at).backgroundColor;
        if (solid(colour)) return parts(colour);
      }
      return [255, 255, 255];
    };
    const poor = new Set();
    for (const element of document.querySelectorAll("body *")) {
      if (element.matches("script, style, title, desc, .skip")) continue;
      const style = getComputedStyle(element);
      const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
      const shape = element.matches("svg rect:not(.target, .none)");
      if (!text && !shape) continue;
      const inChart = element.closest("svg") !== null;
      const colour = parts(inChart ? style.fill : style.color);
      const least = shape ? 3 : 4.5;
      const found = ratio(colour, behind(element));
      if (found < least) poor.add(`${element.tagName}.${element.getAttribute("class")} ${found.toFixed(2)}`);
      if (text && parseFloat(style.fontSize) < (matchMedia("print").matches ? 7 : 11)) {
        poor.add(`${element.tagName}.${element.getAttribute("class")} ${style.fontSize}`);
      }
    }
    return [...poor];
"#;

#[test]
fn everything_is_readable_in_light_mode_dark_mode_and_print() {
    let Some(browser) = Browser::start() else {
        return;
    };
    for (name, report) in [REPORTS[0], REPORTS[1]] {
        for (media, colours) in MEDIA {
            browser.emulate(media, colours);
            open(&browser, &report());
            assert_eq!(browser.run(CONTRAST), json!([]), "{name} {media} {colours}");
            let page = browser.run("return getComputedStyle(document.body).backgroundColor");
            let dark = (media, colours) == ("screen", "dark");
            assert_eq!(
                page == "rgb(18, 21, 26)",
                dark,
                "{name} {media} {colours}: {page}"
            );
        }
    }
}

#[test]
fn print_has_all_rows_and_nothing_that_scrolls() {
    let Some(browser) = Browser::start() else {
        return;
    };
    browser.emulate("print", "dark");
    open(&browser, &full());
    let hidden = browser.run(
        "return [...document.querySelectorAll('.scroll')].filter((box) =>
            box.clientHeight + 1 < box.scrollHeight || getComputedStyle(box).overflowY !== 'visible'
            || box.getBoundingClientRect().height === 0).length",
    );
    assert_eq!(hidden, 0);
}

#[test]
fn charts_have_accessible_names_and_data() {
    let Some(browser) = Browser::start() else {
        return;
    };
    open(&browser, &full());
    browser.chromium("Accessibility.enable", &json!({}));
    let tree = browser.chromium("Accessibility.getFullAXTree", &json!({}));
    let nodes = tree["nodes"].as_array().expect("a tree").iter();
    let images =
        nodes.filter(|node| matches!(node["role"]["value"].as_str(), Some("image" | "img")));
    let names: Vec<_> = images
        .map(|node| {
            (
                node["name"]["value"].clone(),
                node["description"]["value"].clone(),
            )
        })
        .collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert_eq!(names[0].0, "Posts and comments by week");
    for (name, description) in &names {
        let empty = |text: &Value| text.as_str().is_none_or(str::is_empty);
        assert!(!empty(name) && !empty(description), "{names:?}");
    }
    let numbers = browser.run("return [...document.querySelectorAll('figure')].every((figure) => figure.querySelector('details table tbody tr'))");
    assert_eq!(numbers, true);
}

#[test]
fn screenshots_are_taken_if_requested() {
    let Some(browser) = Browser::start() else {
        return;
    };
    for (name, report) in REPORTS {
        open(&browser, &report());
        take_screenshots(&browser, name);
        browser.emulate("", "light");
        browser.print_to_pdf(name);
    }
}
