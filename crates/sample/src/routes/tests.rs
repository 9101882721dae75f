//! The sample API over real connections, with HTTP/1.0, so that a response ends with its connection.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde::de::IgnoredAny;
use serde_json::Value;

use super::*;
use crate::Server;

struct TestResponse {
    status: u16,
    headers: String,
    body: String,
}

impl TestResponse {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    fn ids(&self) -> Vec<u64> {
        let records: Vec<Value> = serde_json::from_str(&self.body).unwrap();
        records.iter().map(|r| r["id"].as_u64().unwrap()).collect()
    }
}

fn serve(sample: &Sample) -> Server {
    Server::start(sample, 0).unwrap()
}

fn send(server: &Server, method: &str, target: &str, headers: &[(&str, &str)]) -> TestResponse {
    let mut request = format!("{method} {target} HTTP/1.0\r\n");
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    request.push_str("\r\n");
    let mut connection = TcpStream::connect(server.address()).unwrap();
    connection.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    connection.read_to_string(&mut response).unwrap();
    let (headers, body) = response.split_once("\r\n\r\n").unwrap();
    TestResponse {
        status: headers[9..12].parse().unwrap(),
        headers: headers.to_owned(),
        body: body.to_owned(),
    }
}

fn get_at(server: &Server, target: &str) -> TestResponse {
    send(server, "GET", target, &[("Host", "h:1")])
}

#[test]
fn a_list_is_formatted_like_json_stringify() {
    let sample = Sample {
        posts: 2,
        ..Sample::default()
    };
    let server = serve(&sample);
    let body = get_at(&server, "/posts").body;
    let forum = Forum::new(&sample);
    let record = |id| generate::record(&forum, Resource::Posts, id, Moment::END);
    let indented = |id| record(id).replace('\n', "\n  ");
    assert_eq!(body, format!("[\n  {},\n  {}\n]", indented(1), indented(2)));
    assert!(body.starts_with("[\n  {\n    \"userId\": 1,\n    \"id\": 1,\n    \"title\": \""));
    assert_eq!(get_at(&server, "/posts?userId=11").body, "[]");
}

#[test]
fn a_record_is_found_by_its_id_and_others_are_404() {
    let server = serve(&Sample::default());
    let found = get_at(&server, "/users/7");
    assert_eq!(found.status, 200);
    assert_eq!(
        found.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(
        found.body,
        generate::record(
            &Forum::new(&Sample::default()),
            Resource::Users,
            7,
            Moment::END
        )
    );
    for target in [
        "/users/11",
        "/users/0",
        "/users/07",
        "/users/abc",
        "/users/%ff",
        "/users/7/posts",
        "/users/",
        "/nope",
        "//",
    ] {
        let absent = get_at(&server, target);
        assert_eq!(
            (absent.status, absent.body.as_str()),
            (404, "{}"),
            "{target}"
        );
        assert!(absent.header("etag").is_some(), "{target}");
    }
}

/// The same records on one page.
fn unpaged(target: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let filters = query.split('&').filter(|part| !part.starts_with('_'));
    format!("{path}?{}", filters.collect::<Vec<_>>().join("&"))
}

#[test]
fn pages_have_the_headers_of_json_server() {
    let server = serve(&Sample::default());
    let cases = [
        // target, numbers of the records sent, X-Total-Count, relations in Link
        (
            "/posts?_page=2&_limit=3",
            4..7,
            Some("100"),
            Some("first prev next last"),
        ),
        (
            "/posts?_page=1&_limit=2",
            1..3,
            Some("100"),
            Some("first next last"),
        ),
        (
            "/posts?_page=34&_limit=3",
            100..101,
            Some("100"),
            Some("first prev last"),
        ),
        (
            "/posts?_page=10",
            91..101,
            Some("100"),
            Some("first prev last"),
        ),
        ("/posts?_page=11", 0..0, Some("100"), Some("")),
        ("/posts?_page=1&_limit=100", 1..101, Some("100"), Some("")),
        (
            "/posts?_page=0&_limit=1",
            1..2,
            Some("100"),
            Some("first next last"),
        ),
        ("/posts?_limit=2", 1..3, Some("100"), None),
        ("/posts?_limit=0", 0..0, Some("100"), None),
        ("/posts", 1..101, None, None),
        (
            "/posts?userId=2&_page=4&_limit=3",
            10..12,
            Some("11"),
            Some("first prev last"),
        ),
        ("/comments?postId=2&_limit=99", 1..30, Some("29"), None),
    ];
    for (target, numbers, total, relations) in cases {
        let response = get_at(&server, target);
        let whole = get_at(&server, &unpaged(target)).ids();
        let sent = numbers.map(|number| whole[number - 1]);
        assert_eq!(response.ids(), sent.collect::<Vec<_>>(), "{target}");
        assert_eq!(response.header("x-total-count"), total, "{target}");
        let found = response.header("link").map(|links| {
            let named = links.split("rel=\"").skip(1);
            let named = named.map(|link| link.split('"').next().unwrap());
            named.collect::<Vec<_>>().join(" ")
        });
        assert_eq!(found.as_deref(), relations, "{target}");
    }
}

#[test]
fn links_have_the_host_of_the_request_unless_it_is_invalid() {
    let server = serve(&Sample::default());
    let own = server.address().to_string();
    for (host, named) in [
        ("localhost:4777", "localhost:4777"),
        ("[::1]:80", "[::1]:80"),
        ("", own.as_str()),
        ("evil>; rel=\"next\", <http://evil", own.as_str()),
        ("user@evil", own.as_str()),
        ("a/b", own.as_str()),
    ] {
        let response = send(
            &server,
            "GET",
            "/posts?_page=1&_limit=50",
            &[("Host", host)],
        );
        assert_eq!(
            response.header("link").unwrap(),
            format!(
                "<http://{named}/posts?_page=1&_limit=50>; rel=\"first\", \
                 <http://{named}/posts?_page=2&_limit=50>; rel=\"next\", \
                 <http://{named}/posts?_page=2&_limit=50>; rel=\"last\""
            ),
            "{host}"
        );
    }
}

#[test]
fn a_query_cannot_break_out_of_a_link() {
    let server = serve(&Sample::default());
    for hostile in [">;", "<x", "\"", "\u{1}"] {
        let response = get_at(&server, &format!("/posts?_page=1&a={hostile}"));
        assert_eq!(
            (response.status, response.header("link")),
            (400, None),
            "{hostile}"
        );
    }
}

#[test]
fn a_known_etag_gets_304_without_a_body() {
    let server = serve(&Sample::default());
    let target = "/posts?_page=2";
    let tag = get_at(&server, target).header("etag").unwrap().to_owned();
    assert!(
        tag.starts_with('"') && tag.ends_with('"') && tag.len() == 18,
        "{tag}"
    );
    for known in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        let response = send(&server, "GET", target, &[("If-None-Match", &known)]);
        assert_eq!(
            (response.status, response.body.as_str()),
            (304, ""),
            "{known}"
        );
        assert_eq!(response.header("etag"), Some(tag.as_str()));
        assert_eq!(response.header("content-length"), None);
    }
    for (target, status) in [("/posts?_page=3", 200), ("/nope", 404)] {
        let response = send(&server, "GET", target, &[("If-None-Match", &tag)]);
        assert_eq!(response.status, status, "{target}");
    }
    let absent = send(&server, "GET", "/nope", &[("If-None-Match", "*")]);
    assert_eq!(absent.status, 404);
}

#[test]
fn the_etag_depends_on_the_data_and_not_on_the_server() {
    let tag = |sample: &Sample| {
        let response = get_at(&serve(sample), "/posts");
        response.header("etag").unwrap().to_owned()
    };
    let sample = Sample::default();
    assert_eq!(tag(&sample), tag(&sample));
    let later = Sample {
        at: Some("2026-12-31".parse().unwrap()),
        ..sample.clone()
    };
    assert_eq!(tag(&sample), tag(&later), "nothing happens after the end");
    for other in [
        Sample {
            seed: 2,
            ..sample.clone()
        },
        Sample {
            users: 11,
            ..sample.clone()
        },
        Sample {
            posts: 101,
            ..sample.clone()
        },
        Sample {
            at: Some("2026-05-31".parse().unwrap()),
            ..sample.clone()
        },
    ] {
        assert_ne!(tag(&sample), tag(&other));
    }
}

#[test]
fn head_has_the_headers_of_get_and_other_methods_are_405() {
    let server = serve(&Sample::default());
    let got = get_at(&server, "/posts?_page=2");
    let head = send(&server, "HEAD", "/posts?_page=2", &[("Host", "h:1")]);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    for name in [
        "content-type",
        "content-length",
        "etag",
        "link",
        "x-total-count",
    ] {
        assert!(head.header(name).is_some(), "{name}");
        assert_eq!(head.header(name), got.header(name), "{name}");
    }
    for (method, target) in [("POST", "/posts"), ("DELETE", "/posts/1"), ("PUT", "/")] {
        let rejected = send(&server, method, target, &[]);
        assert_eq!(
            (rejected.status, rejected.body.as_str()),
            (405, "{}"),
            "{method}"
        );
        assert_eq!(rejected.header("allow"), Some("GET,HEAD"), "{method}");
    }
}

#[test]
fn the_root_lists_the_resources_with_their_counts() {
    let response = get_at(&serve(&Sample::default()), "/");
    assert_eq!(
        response.body,
        "{\n  \"users\": 10,\n  \"posts\": 100,\n  \"comments\": 500\n}"
    );
}

#[test]
fn the_forum_can_be_seen_as_it_was() {
    let earlier = Sample {
        at: Some("2026-03-31".parse().unwrap()),
        ..Sample::default()
    };
    let servers = [serve(&Sample::default()), serve(&earlier)];
    let [by_query, by_server] = [
        get_at(&servers[0], "/posts?at=2026-03-31"),
        get_at(&servers[1], "/posts?at=latest"),
    ];
    assert_eq!(by_query.body, by_server.body);
    let ids = by_query.ids();
    assert!((40..70).contains(&ids.len()), "{ids:?}");
    let one = |id: u64| get_at(&servers[1], &format!("/posts/{id}")).status;
    assert_eq!((one(ids[0]), one(100)), (200, 404));
    let page = get_at(&servers[0], "/posts?at=2026-03-31&_page=2");
    let total = ids.len().to_string();
    assert_eq!(page.header("x-total-count"), Some(&*total));
    assert!(
        page.header("link")
            .unwrap()
            .contains("?at=2026-03-31&_page=3>")
    );
    let index = get_at(&servers[0], "/?at=2026-03-31").body;
    assert!(index.contains(&format!("\"posts\": {total},")), "{index}");
    let before = get_at(&servers[0], "/posts?at=2025-12-31");
    assert_eq!((before.status, &*before.body), (200, "[]"));
}

#[test]
fn a_moment_that_is_none_is_400_with_a_reason() {
    let server = serve(&Sample::default());
    for target in ["/posts?at=soon", "/posts/1?at=2026-02-30", "/?at=%ff"] {
        let rejected = get_at(&server, target);
        assert_eq!(rejected.status, 400, "{target}");
        let reason: Value = serde_json::from_str(&rejected.body).unwrap();
        let reason = reason["error"].as_str().unwrap();
        assert!(
            reason.starts_with("at: expected a date or time"),
            "{reason}"
        );
    }
}

#[test]
fn a_clock_that_moves_brings_new_posts() {
    let server = serve(&Sample {
        at: Some("2026-01-04".parse().unwrap()),
        day: Some(Duration::from_millis(2)),
        ..Sample::default()
    });
    let start = Instant::now();
    let mut counts = vec![0];
    while counts.last() != Some(&100) {
        assert!(start.elapsed() < Duration::from_mins(1), "{counts:?}");
        counts.push(get_at(&server, "/posts").ids().len());
        let is_near = counts.is_sorted_by(|one, next| *one <= next + 4);
        assert!(is_near, "{counts:?}");
    }
}

#[test]
fn empty_collections_are_empty_arrays_on_every_page() {
    let nothing = Sample {
        users: 0,
        posts: 0,
        comments: 0,
        ..Sample::default()
    };
    let server = serve(&nothing);
    for target in [
        "/users",
        "/posts?userId=0",
        "/comments?_page=1",
        "/posts?_limit=3",
    ] {
        let response = get_at(&server, target);
        assert_eq!(
            (response.status, response.body.as_str()),
            (200, "[]"),
            "{target}"
        );
    }
    assert_eq!(get_at(&server, "/users/1").status, 404);
}

#[test]
fn posts_without_users_belong_to_user_0() {
    let server = serve(&Sample {
        users: 0,
        posts: 3,
        ..Sample::default()
    });
    assert_eq!(get_at(&server, "/posts?userId=0").ids(), [1, 2, 3]);
}

#[test]
fn two_hundred_thousand_posts_arrive_complete() {
    let server = serve(&Sample {
        posts: 200_000,
        ..Sample::default()
    });
    let response = get_at(&server, "/posts");
    assert_eq!(response.header("content-length"), None);
    let records: Vec<IgnoredAny> = serde_json::from_str(&response.body).unwrap();
    assert_eq!(records.len(), 200_000);
}

#[test]
fn responses_are_delayed_by_the_latency() {
    let latency = Duration::from_millis(20);
    let server = serve(&Sample {
        latency,
        ..Sample::default()
    });
    let start = Instant::now();
    assert_eq!(get_at(&server, "/nope").status, 404);
    assert!(start.elapsed() >= latency);
}
