//! A table for each kind of pagination, with the traps that real servers set.

use super::*;
use crate::record::FieldMap;
use crate::source::More;
use activity_tracker_json::JsonPath;
use http::HeaderMap;
use http::{HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

pub(super) fn endpoint(pagination: Pagination) -> Endpoint {
    Endpoint {
        path: "/posts".to_owned(),
        query: vec![("state".to_owned(), "all".to_owned())],
        records: JsonPath::default(),
        pagination,
        total: None,
        pages: None,
        more: None,
        next_optional: false,
        map: None,
        truncated: None,
        total_counts_hidden: false,
        past_end: vec![400],
        parent: None,
        ignore: Vec::new(),
        fields: FieldMap::default(),
    }
}

pub(super) fn paging(endpoint: Endpoint) -> Paging {
    let url = Url::parse("https://api.test/posts").unwrap();
    let reach = Reach {
        origins: vec![
            url.origin(),
            Url::parse("https://pages.test").unwrap().origin(),
        ],
        secret_parameter: Some("key".to_owned()),
        secret: None,
        secrets: Secrets::default(),
    };
    Paging::new(endpoint, url, Arc::new(reach))
}

/// One response of a made-up server.
#[derive(Clone, Default)]
struct Response {
    records: u64,
    headers: Vec<(&'static str, String)>,
    body: Value,
    last: Option<Value>,
    past_end: bool,
    same_as_before: bool,
}

fn records(records: u64) -> Response {
    Response {
        records,
        ..Response::default()
    }
}

impl Response {
    fn header(mut self, name: &'static str, value: &impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    fn header_map(&self) -> HeaderMap {
        let header = |(name, value): &(&'static str, String)| {
            let value = HeaderValue::from_str(value).unwrap();
            (HeaderName::from_static(name), value)
        };
        self.headers.iter().map(header).collect()
    }

    fn body(mut self, body: Value) -> Self {
        self.body = body;
        self
    }
}

/// Asks for one page after the other; gives what was asked for, and how it ended.
fn follow(
    mut paging: Paging,
    response: impl Fn(usize, &Url) -> Response,
) -> (Vec<String>, Result<(), PagingError>) {
    let (asked, outcome) = follow_on(&mut paging, response);
    (asked, outcome.and_then(|()| paging.reconcile()))
}

/// The same, without a look at the sum.
fn follow_on(
    paging: &mut Paging,
    response: impl Fn(usize, &Url) -> Response,
) -> (Vec<String>, Result<(), PagingError>) {
    let mut asked = Vec::new();
    while let Some((number, url)) = paging.take_next() {
        asked.push(url[url::Position::BeforePath..].to_owned());
        assert!(asked.len() <= 1100, "goes on for ever: {asked:?}");
        let response = response(index(number), &url);
        if response.past_end {
            assert!(paging.is_past_end(number, 400));
            if let Err(error) = paging.past_end(400) {
                return (asked, Err(error));
            }
            continue;
        }
        let headers = response.header_map();
        let digest = if response.same_as_before {
            0
        } else {
            u128::from(number)
        };
        let facts = Facts {
            number,
            url: &url,
            headers: &headers,
            records: response.records,
            digest: Some(digest),
            body: &response.body,
            last: response.last.as_ref(),
            edges: Edges::default(),
        };
        if let Err(error) = paging.received(facts) {
            return (asked, Err(error));
        }
    }
    assert!(paging.is_done());
    (asked, Ok(()))
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

/// A page of so many records that says nothing but in its headers.
fn plain<'a>(number: u64, url: &'a Url, headers: &'a HeaderMap, records: u64) -> Facts<'a> {
    Facts {
        number,
        url,
        headers,
        records,
        digest: None,
        body: &Value::Null,
        last: None,
        edges: Edges::default(),
    }
}

fn by_page() -> Endpoint {
    endpoint(Pagination::Page {
        parameter: "page".to_owned(),
        first: 1,
        size: Some(("per_page".to_owned(), 100)),
    })
}

pub(super) fn with_total(mut endpoint: Endpoint) -> Endpoint {
    endpoint.total = Some(Locator::Header(HeaderName::from_static("x-total")));
    endpoint
}

#[test]
fn without_pagination_there_is_one_page() {
    let (asked, outcome) = follow(paging(endpoint(Pagination::None)), |_, _| records(7));
    assert_eq!(
        (asked, outcome),
        (vec!["/posts?state=all".to_owned()], Ok(()))
    );
}

#[test]
fn pages_are_asked_for_until_one_is_empty_and_a_short_one_is_not_the_last() {
    // The server clamps 100 to 30 without saying so.
    let (asked, outcome) = follow(paging(by_page()), |number, _| {
        records([30, 30, 30, 5, 0][number])
    });
    assert_eq!(outcome, Ok(()));
    assert_eq!(asked.len(), 5);
    assert_eq!(asked[4], "/posts?state=all&per_page=100&page=5");
}

#[test]
fn a_page_past_the_end_may_be_an_error_that_the_source_knows() {
    let (asked, outcome) = follow(paging(by_page()), |number, _| {
        if number < 3 {
            records(100)
        } else {
            Response {
                past_end: true,
                ..Response::default()
            }
        }
    });
    assert_eq!((asked.len(), outcome), (4, Ok(())));
    assert!(
        !paging(by_page()).is_past_end(0, 400),
        "the first page is never past the end"
    );
    assert!(
        !paging(by_page()).is_past_end(1, 403),
        "only what the source names is, and what says so by its meaning"
    );
    for status in [204, 404, 410, 416, 422] {
        assert!(paging(by_page()).is_past_end(1, status), "{status}");
        let by_cursor = endpoint(Pagination::Cursor {
            parameter: "c".to_owned(),
            at: NextAt::Body("next".parse().unwrap()),
        });
        let nothing_came = status == 204;
        assert_eq!(
            paging(by_cursor).is_past_end(1, status),
            nothing_came,
            "{status}"
        );
    }
    let mut declared = paging(with_total(by_page()));
    let (_, url) = declared.take_next().unwrap();
    let headers = HeaderMap::from_iter([(HeaderName::from_static("x-total"), 70.into())]);
    let facts = plain(0, &url, &headers, 30);
    declared.received(facts).unwrap();
    assert!(
        !declared.is_past_end(2, 404),
        "the server said that there are three"
    );
    assert!(declared.is_past_end(3, 404));
}

#[test]
fn a_server_that_ignores_the_page_number_is_an_error() {
    let (asked, outcome) = follow(paging(by_page()), |_, _| Response {
        same_as_before: true,
        ..records(10)
    });
    assert_eq!(
        (asked.len(), outcome),
        (2, Err(PagingError::RepeatedPage(1)))
    );
}

#[test]
fn with_a_total_all_pages_are_known_after_the_first() {
    let mut paging = paging(with_total(by_page()));
    let (number, url) = paging.take_next().unwrap();
    assert!(!paging.has_next());
    let headers =
        HeaderMap::from_iter([(HeaderName::from_static("x-total"), HeaderValue::from(70))]);
    let facts = plain(number, &url, &headers, 30);
    paging.received(facts).unwrap();
    let further: Vec<_> = std::iter::from_fn(|| paging.take_next())
        .map(|(number, _)| number)
        .collect();
    assert_eq!(
        further,
        [1, 2],
        "70 records at 30 a page are three pages, asked for at once"
    );
}

#[test]
fn totals_are_held_against_what_came() {
    let cases: [(&[(u64, u64)], _); 8] = [
        (&[(30, 70), (30, 70), (10, 70)], Ok(())),
        (&[(0, 0)], Ok(())),
        (&[(30, 70), (30, 70), (9, 70)], Err((69, 70))),
        (&[(0, 5)], Err((0, 5))),
        // A record came while pages were fetched: the last page shows it.
        (&[(30, 60), (30, 61), (1, 61)], Ok(())),
        // One went, and another one may have moved to a page that was there.
        (&[(30, 61), (30, 60), (0, 60)], Err((60, 60))),
        (&[(30, 61), (30, 60), (1, 60)], Err((61, 60))),
        // One came and was not sent.
        (&[(30, 60), (30, 61), (0, 61)], Err((60, 61))),
    ];
    for (pages, expected) in cases {
        let (_, outcome) = follow(paging(with_total(by_page())), |number, _| {
            let (count, total) = pages[number];
            records(count).header("x-total", &total)
        });
        let found = outcome.map_err(|error| match error {
            PagingError::Incomplete { found, total, .. } => (found, total),
            PagingError::Moving { found, last, .. } => (found, last.unwrap()),
            other => panic!("{other}"),
        });
        assert_eq!(found, expected, "{pages:?}");
    }
}

#[test]
fn the_number_of_pages_may_stand_in_the_body() {
    let mut endpoint = by_page();
    endpoint.pages = Some(Locator::Body("pages".parse().unwrap()));
    let (asked, outcome) = follow(paging(endpoint), |_, _| {
        records(10).body(json!({"pages": 3}))
    });
    assert_eq!((asked.len(), outcome), (3, Ok(())));
}

#[test]
fn offsets_go_on_by_what_the_server_really_gives() {
    let offset = || {
        endpoint(Pagination::Offset {
            parameter: "offset".to_owned(),
            limit: ("limit".to_owned(), 100),
            overlap: true,
        })
    };
    let (asked, outcome) = follow(paging(offset()), |number, _| records([30, 30, 0][number]));
    assert_eq!(outcome, Ok(()));
    assert_eq!(asked[1], "/posts?state=all&limit=100&offset=30");
    assert_eq!(asked[2], "/posts?state=all&limit=100&offset=60");
    let (asked, outcome) = follow(paging(with_total(offset())), |number, _| {
        records([30, 30, 3][number]).header("x-total", &63)
    });
    assert_eq!((asked.len(), outcome), (3, Ok(())));
}

#[test]
fn cursors_are_followed_to_the_page_without_one() {
    let cursor = || {
        endpoint(Pagination::Cursor {
            parameter: "after".to_owned(),
            at: NextAt::Body("meta.next".parse().unwrap()),
        })
    };
    for end in [
        json!(null),
        json!({}),
        json!({"meta": {"next": null}}),
        json!({"meta": {"next": ""}}),
    ] {
        let (asked, outcome) = follow(paging(cursor()), |number, _| match number {
            0 => records(2).body(json!({"meta": {"next": "a/b="}})),
            1 => records(2).body(json!({"meta": {"next": 7}})),
            _ => records(1).body(end.clone()),
        });
        assert_eq!(outcome, Ok(()));
        assert_eq!(
            asked[1..],
            [
                "/posts?state=all&after=a%2Fb%3D",
                "/posts?state=all&after=7"
            ]
        );
    }
    let (asked, outcome) = follow(paging(cursor()), |_, _| {
        records(2).body(json!({"meta": {"next": "same"}}))
    });
    assert_eq!((asked.len(), outcome), (2, Err(PagingError::Loop(1))));
}

#[test]
fn empty_pages_with_a_next_one_for_ever_are_an_error_and_no_end() {
    let next = endpoint(Pagination::Next {
        at: NextAt::Body("next".parse().unwrap()),
    });
    let (asked, outcome) = follow(paging(next.clone()), |number, _| {
        records(u64::from(number < 2)).body(json!({"next": format!("/posts?p={}", number + 1)}))
    });
    assert_eq!(
        (asked.len(), outcome),
        (1002, Err(PagingError::OnlyEmpty(1000)))
    );
    // A few empty pages in between are not.
    let (asked, outcome) = follow(paging(next), |number, _| {
        let body = if number < 6 {
            json!({"next": format!("/posts?p={}", number + 1)})
        } else {
            Value::Null
        };
        records([1, 0, 0, 1, 0, 0, 1][number]).body(body)
    });
    assert_eq!((asked.len(), outcome), (7, Ok(())));
}

#[test]
fn links_lead_only_where_the_source_allows_and_lose_their_secrets() {
    let next = |target: &'static str| {
        let endpoint = endpoint(Pagination::Next {
            at: NextAt::Body("next".parse().unwrap()),
        });
        follow(paging(endpoint), move |number, _| {
            records(1).body(if number == 0 {
                json!({"next": target})
            } else {
                Value::Null
            })
        })
    };
    let (asked, outcome) = next("?page=2&key=secret#x");
    assert_eq!((asked[1].as_str(), outcome), ("/posts?page=2", Ok(())));
    assert_eq!(next("https://pages.test/2").1, Ok(()));
    for target in [
        "https://evil.test/2",
        "http://pages.test/2",
        "http://api.test:81/2",
        "https://api.test:444/2",
        "https://me:pw@api.test/2",
        "file:///etc/passwd",
    ] {
        assert!(
            matches!(
                next(target).1,
                Err(PagingError::OtherOrigin { number: 0, .. })
            ),
            "{target}"
        );
    }
    assert_eq!(next("https://").1, Err(PagingError::BadLink(0)));
    // Behind a proxy that ends TLS, and never in the clear.
    for target in ["http://api.test/2", "http://api.test:443/2"] {
        let (asked, outcome) = next(target);
        assert_eq!((asked[1].as_str(), outcome), ("/2", Ok(())), "{target}");
    }
}

/// What comes of pages that say this behind their records, the first of which has a next one.
fn told(
    pagination: &Pagination,
    more: Option<(&str, bool)>,
    bodies: &[Value],
) -> (usize, Result<(), PagingError>) {
    let mut endpoint = endpoint(pagination.clone());
    endpoint.more = more.map(|(at, ends)| More {
        at: at.parse().unwrap(),
        ends,
    });
    let (asked, outcome) = follow(paging(endpoint), |number, _| {
        records(u64::from(!bodies[number]["empty"].is_boolean())).body(bodies[number].clone())
    });
    (asked.len(), outcome)
}

fn by_cursor() -> Pagination {
    Pagination::Cursor {
        parameter: "c".to_owned(),
        at: NextAt::Body("meta.next".parse().unwrap()),
    }
}

#[test]
fn the_last_page_has_no_cursor_in_many_ways() {
    let first = json!({"meta": {"next": "a"}});
    for last in [
        json!({"meta": {"next": null}}),
        json!({"meta": {"next": ""}}),
        json!({"meta": {"next": 0}}),
        json!({"meta": {"next": "0"}}),
        json!({"meta": {"next": false}}),
        json!({"meta": {}}),
        json!({}),
        Value::Null,
        // The same one again, where there is nothing more.
        json!({"meta": {"next": "a"}, "empty": true}),
    ] {
        let outcome = told(&by_cursor(), None, &[first.clone(), last.clone()]);
        assert_eq!(outcome, (2, Ok(())), "{last}");
    }
    let (_, outcome) = told(&by_cursor(), None, &[first.clone(), first]);
    assert_eq!(outcome, Err(PagingError::Loop(1)));
}

#[test]
fn a_first_page_without_the_key_that_names_the_next_is_an_error_that_knows_what_is_there() {
    let missing = |at: &str, body: Value| {
        let pagination = Pagination::Next {
            at: NextAt::Body(at.parse().unwrap()),
        };
        let (_, outcome) = told(&pagination, None, &[body]);
        outcome.unwrap_err().to_string()
    };
    let says = |at: &str, there: &str| {
        format!("page 1 has no `{at}`, which should name the next page; {there}")
    };
    let leave = "; `optional = true` allows for responses without it";
    let meta = json!({"meta": {"next": "a", "total": 3}});
    for (at, body, expected) in [
        (
            "meta.nxt",
            meta.clone(),
            format!("there is `meta.next`, `meta.total` (did you mean `meta.next`?){leave}"),
        ),
        ("next", meta.clone(), format!("there is `meta`{leave}")),
        (
            "meta.next.url",
            meta,
            format!("there is `meta.next`, `meta.total` (did you mean `meta.next`?){leave}"),
        ),
        (
            "@odata.nextLink",
            json!({"@odata.nextLink": "/2"}),
            format!("there is `/@odata.nextLink` (did you mean `/@odata.nextLink`?){leave}"),
        ),
        (
            "next",
            Value::Null,
            "the response is a list, without keys around it".to_owned(),
        ),
    ] {
        assert_eq!(missing(at, body), says(at, &expected));
    }
    // Null and empty are said, and so is that it may be missing.
    for body in [json!({"next": null}), json!({"next": ""})] {
        let pagination = Pagination::Next {
            at: NextAt::Body("next".parse().unwrap()),
        };
        assert_eq!(told(&pagination, None, &[body]), (1, Ok(())));
    }
    let mut optional = endpoint(by_cursor());
    optional.next_optional = true;
    let (_, outcome) = follow(paging(optional), |_, _| records(1));
    assert_eq!(outcome, Ok(()));
}

/// Follows pages that are named there; each is a response, with as many records as it says.
fn named(at: NextAt, by_url: bool, pages: &[Response]) -> (Vec<String>, Result<(), PagingError>) {
    let pagination = if by_url {
        Pagination::Next { at }
    } else {
        Pagination::Cursor {
            parameter: "c".to_owned(),
            at,
        }
    };
    follow(paging(endpoint(pagination)), |number, _| {
        pages[number].clone()
    })
}

fn in_header() -> NextAt {
    NextAt::Header(HeaderName::from_static("x-next"))
}

#[test]
fn the_next_page_may_be_named_in_a_header() {
    for (by_url, next, second) in [
        (false, "a b", "/posts?state=all&c=a+b"),
        (false, " 17 ", "/posts?state=all&c=17"),
        (true, "/posts?page=2", "/posts?page=2"),
        (true, "?page=2", "/posts?page=2"),
        (true, "http://api.test/posts?page=2", "/posts?page=2"),
    ] {
        for last in [
            records(1),
            records(1).header("x-next", &""),
            records(1).header("x-next", &"0"),
        ] {
            let pages = [records(1).header("x-next", &next), last];
            let (asked, outcome) = named(in_header(), by_url, &pages);
            assert_eq!((asked.len(), outcome), (2, Ok(())), "{next}");
            assert_eq!(asked[1], second);
        }
    }
    let evil = [records(1).header("x-next", &"https://evil.test/")];
    let (_, outcome) = named(in_header(), true, &evil);
    assert!(matches!(outcome, Err(PagingError::OtherOrigin { .. })));
}

#[test]
fn the_next_page_may_be_one_of_a_list_of_links() {
    let at = || NextAt::Links {
        list: "meta.links".parse().unwrap(),
        relation: "next".to_owned(),
    };
    let body = |links: Value| json!({"meta": {"links": links}});
    let second = |links: Value| {
        let pages = [
            records(1).body(body(links)),
            records(1).body(body(json!([{"rel": "self", "href": "/2"}]))),
        ];
        let (asked, outcome) = named(at(), true, &pages);
        outcome.map(|()| asked.get(1).cloned())
    };
    let next = Ok(Some("/2".to_owned()));
    for links in [
        json!([{"rel": "next", "href": "/2"}]),
        json!([{"rel": "self", "href": "/1"}, {"href": "/2", "rel": "NEXT", "method": "GET"}]),
        json!([{"relation": "self", "url": "/1"}, {"relation": "next", "url": "/2"}]),
        json!([{"rel": ["last", "next"], "href": "/2"}]),
        json!([{"rel": "last next", "uri": "https://api.test/2"}]),
        json!([{"rel": "next", "href": "/2"}, {"rel": "next", "href": "/3"}]),
    ] {
        assert_eq!(second(links.clone()), next, "{links}");
    }
    for links in [
        json!([]),
        json!(null),
        json!([{"rel": "prev", "href": "/0"}]),
        json!([{"rel": "next", "href": null}]),
        json!([{"rel": "next", "href": ""}]),
    ] {
        assert_eq!(second(links.clone()), Ok(None), "{links}");
    }
    // What cannot be read is no end.
    for links in [
        json!({"next": "/2"}),
        json!("/2"),
        json!(["/2"]),
        json!([{"name": "next", "href": "/2"}]),
        json!([{"rel": "next", "link": "/2"}]),
        json!(false),
    ] {
        let outcome = second(links.clone());
        assert!(
            matches!(outcome, Err(PagingError::NoLinks { number: 0, .. })),
            "{links}"
        );
    }
    let (_, outcome) = named(
        at(),
        true,
        &[records(1).body(json!({"meta": {"link": []}}))],
    );
    let says = outcome.unwrap_err().to_string();
    assert!(says.contains("did you mean `meta.link`?"), "{says}");
}

#[test]
fn the_next_page_may_be_asked_for_by_the_last_record() {
    let by = |field: &str| NextAt::LastRecord(field.parse().unwrap());
    let page = |count, last: Value| Response {
        last: Some(last),
        ..records(count)
    };
    // An empty page is the end, and no short one is.
    for (field, record, asked_with) in [
        ("id", json!({"id": 7}), "7"),
        ("id", json!({"id": "a/b="}), "a%2Fb%3D"),
        ("id", json!({"id": 0}), "0"),
        ("id", json!({"id": -3}), "-3"),
        (
            "id",
            json!({"id": 18_446_744_073_709_551_615_u64}),
            "18446744073709551615",
        ),
        (
            "data.at",
            json!({"data": {"at": "2024-05-01T12:00:00Z"}}),
            "2024-05-01T12%3A00%3A00Z",
        ),
    ] {
        let other = json!({"id": "z", "data": {"at": "z"}});
        let pages = [page(3, record), page(1, other), records(0)];
        let (asked, outcome) = named(by(field), false, &pages);
        assert_eq!((asked.len(), outcome), (3, Ok(())), "{asked_with}");
        assert_eq!(asked[1], format!("/posts?state=all&c={asked_with}"));
    }
    // Some begin with the record that was named: where that is all, there is nothing more.
    let (b, c) = (json!({"id": "b"}), json!({"id": "c"}));
    let pages = [page(3, b.clone()), page(3, c.clone()), page(1, c.clone())];
    let (asked, outcome) = named(by("id"), false, &pages);
    assert_eq!((asked.len(), outcome), (3, Ok(())));
    let pages = [page(1, b.clone()), page(1, b.clone())];
    assert_eq!(named(by("id"), false, &pages).1, Ok(()));
    // A full page of one value leads nowhere, and one that comes again is no further one.
    let pages = [page(3, b.clone()), page(3, c.clone()), page(3, c)];
    assert_eq!(named(by("id"), false, &pages).1, Err(PagingError::Loop(2)));
    let again = Response {
        same_as_before: true,
        ..page(3, b)
    };
    let pages = [again.clone(), again];
    let outcome = named(by("id"), false, &pages).1;
    assert_eq!(outcome, Err(PagingError::RepeatedPage(1)));
}

#[test]
fn a_last_record_without_the_field_is_an_error_on_any_page() {
    let by = || NextAt::LastRecord("id".parse().unwrap());
    let page = |last: Option<Value>| Response { last, ..records(2) };
    for (record, there) in [
        (
            Some(json!({"_id": 7, "x": 1})),
            "there is `_id`, `x` (did you mean `_id`?)",
        ),
        (Some(json!({"id": null})), "there is `id`"),
        (Some(json!({"id": ""})), "there is `id`"),
        (Some(json!({"id": {"$oid": "a"}})), "there is `id.$oid`"),
        (Some(json!(7)), "it is no object"),
        (None, "it is no object"),
    ] {
        let pages = [page(Some(json!({"id": 1}))), page(record)];
        let says = named(by(), false, &pages).1.unwrap_err().to_string();
        let expected = "the last record of page 2 has no text or number at `id`, which the request for the next page needs; ";
        assert_eq!(says, expected.to_owned() + there);
    }
}

#[test]
fn a_flag_ends_the_pages_whatever_names_a_next_one() {
    let more = Some(("has_more", false));
    let page = |has_more: Value, next: &str| json!({"meta": {"next": next}, "has_more": has_more});
    for no in [
        json!(false),
        json!(0),
        json!("false"),
        json!(null),
        json!(""),
    ] {
        let pages = [page(json!(true), "a"), page(no.clone(), "b")];
        assert_eq!(told(&by_cursor(), more, &pages), (2, Ok(())), "{no}");
    }
    let last = Some(("is_last", true));
    let page = |is_last: Value, next: Value| json!({"meta": {"next": next}, "is_last": is_last});
    let pages = vec![
        page(json!(false), json!("a")),
        page(json!(true), json!("b")),
    ];
    assert_eq!(told(&by_cursor(), last, &pages), (2, Ok(())));
    // More is promised, and nowhere to be found.
    let pages = vec![
        page(json!(false), json!("a")),
        page(json!(false), Value::Null),
    ];
    assert_eq!(
        told(&by_cursor(), last, &pages),
        (2, Err(PagingError::NoNext(1)))
    );
    let (_, outcome) = told(
        &by_cursor(),
        more,
        &[json!({"meta": {"next": "a"}, "has_moer": true})],
    );
    let says = outcome.unwrap_err().to_string();
    assert!(says.contains("did you mean `has_moer`"), "{says}");
    // It counts where pages have numbers, too.
    let mut numbered = by_page();
    numbered.more = Some(More {
        at: "has_more".parse().unwrap(),
        ends: false,
    });
    let (asked, outcome) = follow(paging(numbered), |number, _| {
        records(1).body(json!({"has_more": number < 3}))
    });
    assert_eq!((asked.len(), outcome), (4, Ok(())));
}

#[test]
fn the_total_may_stand_behind_the_slash_of_a_content_range() {
    for (range, total) in [
        ("0-9/25", Some(25)),
        ("items 0-9/25", Some(25)),
        ("*/0", Some(0)),
        ("0-9/*", None),
        ("nonsense", None),
    ] {
        let mut endpoint = by_page();
        endpoint.total = Some(Locator::Header(http::header::CONTENT_RANGE));
        let mut paging = paging(endpoint);
        paging.only_first(Some(1));
        let (_, url) = paging.take_next().unwrap();
        let range = HeaderValue::from_static(range);
        let headers = HeaderMap::from_iter([(http::header::CONTENT_RANGE, range)]);
        let facts = plain(0, &url, &headers, total.map_or(10, |total| total.min(10)));
        paging.received(facts).unwrap();
        assert_eq!(paging.estimate().unwrap().total, total);
    }
}

#[test]
fn what_the_server_says_that_it_left_out_is_an_error() {
    for (value, truncated) in [
        (json!(true), true),
        (json!("gte"), true),
        (json!(3), true),
        (json!(false), false),
        (json!("eq"), false),
        (json!(null), false),
        (json!(0), false),
    ] {
        let mut endpoint = endpoint(Pagination::None);
        endpoint.truncated = Some("hits.relation".parse().unwrap());
        let (_, outcome) = follow(paging(endpoint), |_, _| {
            records(1).body(json!({"hits": {"relation": value}}))
        });
        assert_eq!(outcome.is_err(), truncated, "{value}");
    }
}

#[test]
fn a_total_that_counts_hidden_records_may_be_too_large_and_not_too_small() {
    for (came, total, ok) in [(4, 5, true), (0, 5, true), (5, 5, true), (6, 5, false)] {
        let mut endpoint = with_total(by_page());
        endpoint.total_counts_hidden = true;
        endpoint.pages = Some(Locator::Header(HeaderName::from_static("x-pages")));
        let (_, outcome) = follow(paging(endpoint), |_, _| {
            records(came)
                .header("x-total", &total)
                .header("x-pages", &1)
        });
        assert_eq!(outcome.is_ok(), ok, "{came} of {total}");
    }
}

#[test]
fn a_link_header_that_cannot_be_read_is_no_end() {
    let (_, outcome) = follow(paging(endpoint(Pagination::Link)), |_, _| {
        records(1).header("link", &"/posts?page=2; rel=next")
    });
    assert_eq!(outcome, Err(PagingError::BadHeader(0)));
}

fn linked(next: Option<&str>, last: Option<&str>) -> String {
    let link = |target: Option<&str>, relation| {
        target.map(|target| format!("<{target}>; rel=\"{relation}\""))
    };
    let links: Vec<_> = [link(next, "next"), link(last, "last")]
        .into_iter()
        .flatten()
        .collect();
    links.join(", ")
}

#[test]
fn link_headers_are_followed_and_pages_known_by_the_last_one_are_asked_for_at_once() {
    let (asked, outcome) = follow(paging(endpoint(Pagination::Link)), |number, _| {
        let next = format!("/posts?cursor=c{}", number + 1);
        records(2).header("link", &linked((number < 2).then_some(next.as_str()), None))
    });
    assert_eq!((asked.len(), outcome), (3, Ok(())));

    let mut known = paging(endpoint(Pagination::Link));
    let (number, url) = known.take_next().unwrap();
    let header = linked(
        Some("/posts?_page=2&_limit=10"),
        Some("/posts?_page=4&_limit=10"),
    );
    let headers =
        HeaderMap::from_iter([(http::header::LINK, HeaderValue::from_str(&header).unwrap())]);
    known.received(plain(number, &url, &headers, 10)).unwrap();
    let further: Vec<_> = std::iter::from_fn(|| known.take_next())
        .map(|(_, url)| url.query().unwrap().to_owned())
        .collect();
    assert_eq!(
        further,
        [
            "_limit=10&_page=2",
            "_limit=10&_page=3",
            "_limit=10&_page=4"
        ]
    );
}

#[test]
fn what_looks_like_pages_and_is_not_is_followed_one_by_one() {
    let cases = [
        ("/posts?offset=10", Some("/posts?offset=90")),
        ("/posts?page=2&x=1", Some("/posts?page=9&x=2")),
        ("/posts?page=b", Some("/posts?page=z")),
        ("/posts?page=2", Some("/other?page=9")),
        ("/posts?page=5", Some("/posts?page=9")),
        ("/posts?page=2", None),
    ];
    for (next, last) in cases {
        let (asked, outcome) = follow(paging(endpoint(Pagination::Link)), |number, _| {
            if number == 0 {
                records(1).header("link", &linked(Some(next), last))
            } else {
                records(1)
            }
        });
        assert_eq!((asked.len(), outcome), (2, Ok(())), "{next} {last:?}");
    }
}

#[test]
fn a_first_page_without_a_next_one_or_with_an_empty_header_is_all() {
    for header in [
        "",
        "</posts?page=1>; rel=first",
        "</posts>; rel=\"prev last\"",
    ] {
        let (asked, outcome) = follow(paging(endpoint(Pagination::Link)), |_, _| {
            records(3).header("link", &header)
        });
        assert_eq!((asked.len(), outcome), (1, Ok(())), "{header}");
    }
}

#[test]
fn a_last_page_that_has_moved_on_is_followed() {
    let (asked, outcome) = follow(
        paging(endpoint(Pagination::Link)),
        |number, _| match number {
            0 => records(1).header(
                "link",
                &linked(Some("/posts?page=2"), Some("/posts?page=3")),
            ),
            1 => records(1).header(
                "link",
                &linked(Some("/posts?page=3"), Some("/posts?page=4")),
            ),
            2 => records(1).header(
                "link",
                &linked(Some("/posts?page=4"), Some("/posts?page=4")),
            ),
            _ => records(1),
        },
    );
    assert_eq!((asked.len(), outcome), (4, Ok(())));
}

#[test]
fn the_first_page_alone_tells_what_is_there() {
    let look = |endpoint: Endpoint, response: Response| {
        let mut paging = paging(endpoint);
        paging.only_first(Some(1));
        let (number, url) = paging.take_next().unwrap();
        let headers = response.header_map();
        let facts = Facts {
            number,
            url: &url,
            headers: &headers,
            records: response.records,
            digest: None,
            body: &response.body,
            last: response.last.as_ref(),
            edges: Edges::default(),
        };
        paging.received(facts).unwrap();
        assert!(paging.is_done());
        let PageEstimate {
            total, pages, more, ..
        } = paging.estimate().unwrap();
        (total, pages, more)
    };
    let by_link = |last| records(10).header("link", &linked(Some("/posts?page=2"), last));
    assert_eq!(
        look(endpoint(Pagination::None), records(10)),
        (None, Some(1), false)
    );
    assert_eq!(
        look(with_total(by_page()), records(10).header("x-total", &95)),
        (Some(95), Some(10), true)
    );
    assert_eq!(look(by_page(), records(10)), (None, None, true));
    assert_eq!(
        look(endpoint(Pagination::Link), by_link(Some("/posts?page=7"))),
        (None, Some(7), true)
    );
    assert_eq!(
        look(endpoint(Pagination::Link), by_link(None)),
        (None, None, true)
    );
}

#[test]
fn the_first_two_pages_tell_what_follows_and_what_cannot_be_right() {
    let by_cursor = || {
        endpoint(Pagination::Cursor {
            parameter: "after".to_owned(),
            at: NextAt::Body("next".parse().unwrap()),
        })
    };
    let look = |endpoint: Endpoint, responses: [Response; 2]| {
        let mut paging = paging(endpoint);
        paging.only_first(Some(2));
        let outcome = follow_on(&mut paging, |number, _| responses[number].clone());
        let estimate = paging.estimate().unwrap();
        (outcome.0.len(), outcome.1, estimate.pages, estimate.more)
    };
    let total = |count, total: u64| records(count).header("x-total", &total);
    let next = |count, next: &str| records(count).body(json!({"next": next}));
    let found = |found, total| {
        Err(PagingError::Incomplete {
            found,
            total,
            first_total: total,
        })
    };
    let cases = [
        // By number: an empty page ends them, another one leads on.
        (
            by_page(),
            [records(10), records(10)],
            (2, Ok(()), None, true),
        ),
        (
            by_page(),
            [records(10), records(0)],
            (2, Ok(()), Some(2), false),
        ),
        (
            with_total(by_page()),
            [total(10, 95), total(10, 95)],
            (2, Ok(()), Some(10), true),
        ),
        (
            with_total(by_page()),
            [total(10, 19), total(10, 19)],
            (2, found(20, 19), Some(2), false),
        ),
        // By cursor: only the server knows. Too many records are too many already.
        (
            by_cursor(),
            [next(3, "a"), next(3, "b")],
            (2, Ok(()), None, true),
        ),
        (
            by_cursor(),
            [next(3, "a"), next(3, "")],
            (2, Ok(()), Some(2), false),
        ),
        (
            by_cursor(),
            [next(3, "a"), next(3, "a")],
            (2, Err(PagingError::Loop(1)), Some(2), false),
        ),
        (
            with_total(by_cursor()),
            [
                next(3, "a").header("x-total", &4),
                next(3, "b").header("x-total", &4),
            ],
            (2, found(6, 4), Some(2), true),
        ),
    ];
    for (endpoint, responses, expected) in cases {
        let pagination = endpoint.pagination.clone();
        assert_eq!(look(endpoint, responses), expected, "{pagination:?}");
    }
}

#[test]
fn a_server_that_speaks_of_more_pages_than_it_has_is_not_asked_for_ever() {
    let count = |number: usize| records(if number < 2 { 10 } else { 0 });
    let (asked, outcome) = follow(paging(with_total(by_page())), |number, _| {
        count(number).header("x-total", &u64::MAX)
    });
    let total = u64::MAX;
    let expected = Err(PagingError::Incomplete {
        found: 20,
        total,
        first_total: total,
    });
    assert_eq!((asked.len(), outcome), (3, expected));

    let last = format!("/posts?page={}", u64::MAX);
    let (asked, outcome) = follow(paging(endpoint(Pagination::Link)), |number, _| {
        count(number).header("link", &linked(Some("/posts?page=1"), Some(&last)))
    });
    assert_eq!(
        (asked.len(), outcome),
        (1002, Err(PagingError::OnlyEmpty(1000)))
    );
}

#[test]
fn an_empty_page_among_known_ones_is_not_the_end() {
    let mut endpoint = by_page();
    endpoint.pages = Some(Locator::Body("pages".parse().unwrap()));
    let (asked, outcome) = follow(paging(endpoint), |number, _| {
        records(u64::from(number != 2)).body(json!({"pages": 6}))
    });
    assert_eq!((asked.len(), outcome), (6, Ok(())));
}

proptest! {
    /// Whatever order known pages arrive in, the outcome is the same.
    #[test]
    fn known_pages_may_arrive_in_any_order(
        sizes in prop::collection::vec(1u64..5, 1..12), order in any::<prop::sample::Index>(), short in any::<bool>()
    ) {
        let mut endpoint = by_page();
        endpoint.pages = Some(Locator::Body("pages".parse().unwrap()));
        endpoint.total = Some(Locator::Body("total".parse().unwrap()));
        let mut paging = paging(endpoint);
        let total = sizes.iter().sum::<u64>() + u64::from(short);
        let body = json!({"pages": sizes.len(), "total": total});
        let mut waiting = vec![paging.take_next().unwrap()];
        let mut outcome = Ok(());
        while !waiting.is_empty() && outcome.is_ok() {
            let (number, url) = waiting.swap_remove(order.index(waiting.len()));
            let facts = Facts { number, url: &url, headers: &HeaderMap::new(), records: sizes[index(number)], digest: Some(number.into()), body: &body, last: None, edges: Edges::default() };
            outcome = paging.received(facts).map(drop);
            waiting.extend(std::iter::from_fn(|| paging.take_next()));
        }
        prop_assert_eq!(outcome.is_err(), short);
        prop_assert!(paging.is_done());
    }
}

/// What happens to the list of a server between two requests.
#[derive(Clone, Copy, Debug)]
enum Change {
    Insert(usize),
    Remove(usize),
    Swap(usize),
}

/// A server whose list changes before each request.
struct Moving {
    list: Vec<u64>,
    next_id: u64,
    changes: std::vec::IntoIter<Option<Change>>,
}

impl Moving {
    fn change(&mut self) {
        match self.changes.next().flatten() {
            Some(Change::Insert(at)) => {
                let at = at % (self.list.len() + 1);
                self.list.insert(at, self.next_id);
                self.next_id += 1;
            }
            Some(Change::Remove(at)) if !self.list.is_empty() => {
                self.list.remove(at % self.list.len());
            }
            // Two neighbours: nothing that a total tells, and nobody is lost within a page.
            Some(Change::Swap(at)) if self.list.len() > 1 => {
                let page = at % self.list.len().div_ceil(SIZE) * SIZE;
                if page + 1 < self.list.len() {
                    self.list.swap(page, page + 1);
                }
            }
            _ => {}
        }
    }
}

const SIZE: usize = 3;

fn numbered_ways() -> [Endpoint; 3] {
    let mut offset = endpoint(Pagination::Offset {
        parameter: "offset".to_owned(),
        limit: ("limit".to_owned(), SIZE as u64),
        overlap: true,
    });
    offset.query.clear();
    let mut page = endpoint(Pagination::Page {
        parameter: "page".to_owned(),
        first: 0,
        size: None,
    });
    page.query.clear();
    let mut link = endpoint(Pagination::Link);
    link.query.clear();
    [offset, page, link].map(with_total)
}

/// Fetches all pages in turn; gives the records of the last look, those that were there all the
/// time that it took, and how it ended.
fn look(
    endpoint: Endpoint,
    looks: u32,
    mut server: Moving,
) -> (Vec<u64>, Vec<u64>, Result<(), PagingError>) {
    let mut paging = paging(endpoint).patient(looks, false);
    let (mut came, mut stayed) = (Vec::new(), Vec::new());
    let mut asked = 0;
    while let Some((number, url)) = paging.take_next() {
        asked += 1;
        assert!(asked <= 500, "it goes on for ever");
        server.change();
        if number == 0 {
            came.clear();
            stayed.clone_from(&server.list);
        }
        stayed.retain(|id| server.list.contains(id));
        let from = index(number) * SIZE;
        let upto = (from + SIZE).min(server.list.len());
        let found = server.list.get(from..upto).unwrap_or_default();
        came.extend(found);
        let mut headers = HeaderMap::new();
        let mut header = |name: &'static str, value: String| {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_str(&value).unwrap(),
            );
        };
        header("x-total", server.list.len().to_string());
        let last = server.list.len().div_ceil(SIZE).saturating_sub(1) as u64;
        if number < last {
            let link = |page: u64, rel: &str| {
                format!("<https://api.test/posts?page={page}>; rel=\"{rel}\"")
            };
            header(
                "link",
                format!("{}, {}", link(number + 1, "next"), link(last, "last")),
            );
        }
        let facts = plain(number, &url, &headers, found.len() as u64);
        if let Err(error) = paging.received(facts) {
            return (came, stayed, Err(error));
        }
    }
    (came, stayed, paging.reconcile())
}

proptest! {
    /// Whatever is added, removed or put elsewhere within its page between two requests.
    #[test]
    fn no_record_that_stays_is_missed_in_silence(
        length in 0..14_u64,
        changes in prop::collection::vec(
            prop_oneof![
                3 => Just(None),
                1 => (0..20_usize).prop_map(|at| Some(Change::Insert(at))),
                1 => (0..20_usize).prop_map(|at| Some(Change::Remove(at))),
                1 => (0..20_usize).prop_map(|at| Some(Change::Swap(at))),
            ],
            0..12,
        ),
        looks in 0..3_u32,
    ) {
        for endpoint in numbered_ways() {
            let server = Moving {
                list: (0..length).collect(),
                next_id: length,
                changes: changes.clone().into_iter(),
            };
            let (came, stayed, outcome) = look(endpoint.clone(), looks, server);
            if outcome.is_ok() {
                for id in stayed {
                    prop_assert!(came.contains(&id), "{id} of {came:?} {:?}", endpoint.pagination);
                }
            }
        }
    }

    /// Once the list rests, so does the run.
    #[test]
    fn records_that_come_to_rest_are_all_fetched(
        length in 0..14_u64,
        at in 0..20_usize,
        when in 0..5_usize,
    ) {
        for endpoint in numbered_ways() {
            for change in [Change::Insert(at), Change::Remove(at)] {
                let mut changes = vec![None; when];
                changes.push(Some(change));
                let server = Moving {
                    list: (0..length).collect(),
                    next_id: length,
                    changes: changes.into_iter(),
                };
                let (_, _, outcome) = look(endpoint.clone(), 1, server);
                prop_assert_eq!(outcome, Ok(()));
            }
        }
    }
}
