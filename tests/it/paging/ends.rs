//! What stands in the place of the list behind the last page: kinds of pagination that find their
//! end by an empty page take it for the end, unless it says that it is an error.

use crate::support::program::Workplace;
use crate::support::records::post;
use crate::support::server::{Reply, Route, Server};
use crate::values::{FLOWS, count, run_with_source};

/// A kind of pagination: how the source says it, and where its three pages are.
struct Kind {
    pagination: &'static str,
    pages: [&'static str; 3],
    /// Whether a page without a list behind the first is its end.
    ends: bool,
}

const KINDS: [Kind; 7] = [
    Kind {
        pagination: "{ page = 'page' }",
        pages: ["/posts?page=1", "/posts?page=2", "/posts?page=3"],
        ends: true,
    },
    Kind {
        pagination: "{ page = 'p', first = 0, size = { per = 2 } }",
        pages: ["/posts?per=2&p=0", "/posts?per=2&p=1", "/posts?per=2&p=2"],
        ends: true,
    },
    Kind {
        pagination: "{ offset = 'skip', size = { limit = 2 } }",
        pages: [
            "/posts?limit=2&skip=0",
            "/posts?limit=2&skip=2",
            "/posts?limit=2&skip=4",
        ],
        ends: true,
    },
    Kind {
        pagination: "{ cursor = 'after', at = { last = 'id' } }",
        pages: ["/posts", "/posts?after=2", "/posts?after=4"],
        ends: true,
    },
    Kind {
        pagination: "{ cursor = 'c', at = 'next' }",
        pages: ["/posts", "/posts?c=p2", "/posts?c=p3"],
        ends: false,
    },
    Kind {
        pagination: "{ next = 'next' }",
        pages: ["/posts", "/posts?p2", "/posts?p3"],
        ends: false,
    },
    Kind {
        pagination: "{ next = { header = 'X-Next' } }",
        pages: ["/posts", "/posts?p2", "/posts?p3"],
        ends: false,
    },
];

impl Kind {
    /// What names the page behind this one, in the body or in a header.
    fn page(&self, number: usize, body: &str) -> Reply {
        let next = self.pages.get(number + 1).copied().unwrap_or_default();
        let cursor = next.rsplit('=').next().unwrap_or_default();
        let named = if self.pagination.contains("cursor") {
            cursor
        } else {
            next
        };
        let reply = Reply::json(body.replace("NEXT", named));
        if self.pagination.contains("header") && !next.is_empty() {
            reply.header("X-Next", next)
        } else {
            reply
        }
    }

    /// A run against two pages of two posts each, and this behind them.
    fn run(&self, flow: &[&str], records: &str, behind: &str) -> (i32, String, Option<usize>) {
        let list = |ids: [u32; 2]| ids.map(|id| post(&id.to_string(), "1")).join(",");
        let page = |ids| match records {
            "" => format!("[{}]", list(ids)),
            "data" => format!(r#"{{"data":[{}],"next":"NEXT"}}"#, list(ids)),
            _ => format!(r#"{{"result":{{"items":[{}]}},"next":"NEXT"}}"#, list(ids)),
        };
        let server = Server::start([
            Route::get(self.pages[0]).reply(self.page(0, &page([1, 2]))),
            Route::get(self.pages[1]).reply(self.page(1, &page([3, 4]))),
            Route::get(self.pages[2])
                .reply(self.page(2, behind).chunked(2))
                .any_times(),
        ]);
        let pagination = self.pagination;
        let lines =
            format!("[posts]\npath = '/posts'\nrecords = '{records}'\npagination = {pagination}\n");
        let lines = lines.replace("records = ''\n", "");
        let (place, outcome) = run_with_source(&server, &lines, flow);
        (
            outcome.status.code().unwrap_or_default(),
            outcome.stderr,
            stored(&place, flow),
        )
    }
}

fn stored(place: &Workplace, flow: &[&str]) -> Option<usize> {
    let name = if flow.is_empty() {
        "posts.json"
    } else {
        "posts_async.json"
    };
    place
        .data_dir()
        .join(name)
        .exists()
        .then(|| count(place, name))
}

#[test]
fn a_page_without_a_list_behind_the_last_is_the_end_where_an_empty_one_is() {
    let ends = [
        ("data", "{}"),
        ("data", r#"{"message":"no more posts"}"#),
        ("data", r#"{"page":3,"error":null,"errors":[],"ok":true}"#),
        ("data", "null"),
        ("data", "[]"),
        ("result.items", r#"{"result":{}}"#),
        ("result.items", r#"{"result":null}"#),
    ];
    for (flow, _) in FLOWS {
        for kind in &KINDS {
            for (records, behind) in ends {
                let (code, says, stored) = kind.run(flow, records, behind);
                let expected = if kind.ends { (0, Some(4)) } else { (4, None) };
                let what = format!("{} {behind}: {says}", kind.pagination);
                assert_eq!((code, stored), expected, "{what}");
            }
        }
    }
}

#[test]
fn an_object_without_an_error_in_place_of_the_list_is_the_end_too() {
    let bodies = [
        ("{}", true),
        (r#"{"message":"no more posts"}"#, true),
        ("  \u{feff}", false),
        (" {\n\"page\": 3}", true),
        ("null", true),
        (r#"{"error":"out of range"}"#, false),
        (r#"{"ok":false}"#, false),
        ("{} x", false),
        ("\"none\"", false),
    ];
    for (flow, _) in FLOWS {
        let by_names = |kind: &&Kind| kind.ends || kind.pagination.contains("header");
        for kind in KINDS.iter().filter(by_names) {
            for (behind, end) in bodies {
                let (code, says, stored) = kind.run(flow, "", behind);
                let end = end && (kind.ends || behind == "null");
                let expected = if end { (0, Some(4)) } else { (4, None) };
                let what = format!("{} {behind}: {says}", kind.pagination);
                assert_eq!((code, stored), expected, "{what}");
            }
        }
    }
}

#[test]
fn a_page_with_nothing_in_place_of_the_list_is_the_end_for_every_kind() {
    for (flow, _) in FLOWS {
        for kind in &KINDS {
            for behind in [r#"{"data":null}"#, r#"{"data":[]}"#] {
                let behind = behind.replace('}', r#","next":null}"#);
                let (code, says, stored) = kind.run(flow, "data", &behind);
                let what = format!("{} {behind}: {says}", kind.pagination);
                assert_eq!((code, stored), (0, Some(4)), "{what}");
            }
        }
    }
}

#[test]
fn a_page_without_a_list_that_speaks_of_an_error_is_no_end() {
    let errors = [
        ("data", r#"{"error":"out of range"}"#),
        ("data", r#"{"errors":["no such page"]}"#),
        ("data", r#"{"ok":false}"#),
        ("data", r#"{"success":"false"}"#),
        ("data", r#"{"status":"error","message":"database is gone"}"#),
        ("data", r#"{"status":500}"#),
        ("data", r#"{"fault":{"faultstring":"spike arrest"}}"#),
        ("data", r#"{"data":"none"}"#),
        ("data", r#"{"data":{}}"#),
        ("data", "[1]"),
        ("result.items", r#"{"result":{"error":"timeout"}}"#),
    ];
    for (flow, _) in FLOWS {
        for kind in KINDS.iter().filter(|kind| kind.ends) {
            for (records, behind) in errors {
                let (code, says, stored) = kind.run(flow, records, behind);
                let what = format!("{} {behind}: {says}", kind.pagination);
                assert_eq!((code, stored), (4, None), "{what}");
                assert!(says.contains("expected an array of records at `"), "{what}");
            }
        }
    }
}

#[test]
fn a_first_page_without_a_list_is_an_error_that_names_what_is_there() {
    let cases = [
        ("{}", "found none"),
        (
            r#"{"datas":[],"n":1}"#,
            "found none; there is `datas`, `n` (did you mean `datas`?)",
        ),
        (r#"{"message":"no more"}"#, "found none; there is `message`"),
        ("null", "found none"),
        ("[]", "found none"),
    ];
    for (flow, _) in FLOWS {
        for kind in &KINDS {
            for (body, expected) in cases {
                let server = Server::start([Route::get(kind.pages[0]).reply(Reply::json(body))]);
                let pagination = kind.pagination;
                let lines = format!(
                    "[posts]\npath = '/posts'\nrecords = 'data'\npagination = {pagination}\n"
                );
                let (_, outcome) = run_with_source(&server, &lines, flow);
                outcome.assert_code(4);
                let told = outcome.stderr.lines().next().unwrap_or_default();
                assert!(told.ends_with(expected), "{pagination} {body}: {told}");
            }
        }
    }
}
