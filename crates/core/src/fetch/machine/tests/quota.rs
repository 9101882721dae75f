//! Well-formed pages without an end, and the limit that each of them meets.

use super::*;
use crate::fetch::quota::{Excess, Quota};
use crate::source::{Locator, Pagination};
use activity_tracker_json::JsonPath;
use serde_json::{Value, json};

/// A source whose posts come in pages by number, and may say how many there are.
fn paged(quota: Quota) -> Fetch {
    let mut source = source();
    let posts = source.endpoints.get_mut(&Resource::Posts).unwrap();
    posts.pagination = Pagination::Page {
        parameter: "page".to_owned(),
        first: u64::MAX - 1,
        size: None,
    };
    let at = |key: &str| Some(Locator::Body(key.parse::<JsonPath>().unwrap()));
    (posts.pages, posts.total) = (at("pages"), at("total"));
    let policy = Policy {
        quota,
        ..Policy::default()
    };
    Fetch::new(policy, &source, &[Resource::Posts], 1)
}

/// Responds to every request with a page of two new records and this around them, a second after
/// the one before; gives how many pages were taken and what the run ended with.
fn end_of(mut fetch: Fetch, body: &Value) -> (u64, String) {
    let mut now = now();
    for page in 0.. {
        assert!(page < 50, "goes on for ever");
        now.instant += Duration::from_secs(1);
        let request = match fetch.step(now.instant) {
            Ok(Step::Send(request)) => request,
            Ok(other) => panic!("{other:?}"),
            Err(error) => return (page, error.to_string()),
        };
        fetch.head(request.id, &head(200, &[]), now).unwrap();
        let received = Received {
            digest: Some(page.into()),
            body: body.clone(),
            ..whole(2)
        };
        let taken = fetch
            .arrived(request.id, 100, now.instant)
            .and_then(|()| fetch.received(request.id, &received).map(drop));
        if let Err(error) = taken {
            return (page, error.to_string());
        }
    }
    unreachable!()
}

fn few() -> Quota {
    Quota {
        pages: 10,
        records: 1000,
        bytes: 100_000,
        time: Duration::from_mins(1),
    }
}

#[test]
fn pages_without_an_end_end_at_each_limit_and_the_error_names_it() {
    let huge = u64::MAX;
    let cases = [
        (
            few(),
            json!({}),
            10,
            "more than 10 pages, the limit of --max-pages",
        ),
        (
            Quota {
                records: 9,
                ..few()
            },
            json!({}),
            4,
            "more than 9 records in one run, the limit of --max-records",
        ),
        (
            Quota {
                bytes: 350,
                ..few()
            },
            json!({}),
            3,
            "more than 350 bytes in one run, the limit of --max-total",
        ),
        (
            Quota {
                time: Duration::from_secs(5),
                ..few()
            },
            json!({}),
            5,
            "not done after 5s, the limit of --max-time",
        ),
        (
            few(),
            json!({ "pages": huge }),
            0,
            "the server declares 18446744073709551615 pages, more than --max-pages 10 allows",
        ),
        (
            few(),
            json!({ "total": huge }),
            0,
            "the server declares 9223372036854775808 pages, more than --max-pages 10 allows",
        ),
        (
            few(),
            json!({ "total": 1001, "pages": 10 }),
            0,
            "the server declares 1001 records, more than --max-records 1000 allows",
        ),
    ];
    for (quota, body, pages, says) in cases {
        let found = end_of(paged(quota), &body);
        let what = "cannot fetch all of posts from http://api.test/posts";
        assert!(found.1.starts_with(what), "{found:?}");
        assert!(found.1.ends_with(says), "{says}: {found:?}");
        assert_eq!(found.0, pages, "{says}");
    }
}

#[test]
fn a_resource_of_just_as_much_as_is_allowed_is_fetched() {
    let quota = Quota {
        pages: 3,
        records: 6,
        bytes: 300,
        time: Duration::from_secs(3),
    };
    let mut fetch = paged(quota);
    let mut now = now();
    for page in 0..3 {
        let request = next_request(&mut fetch, &mut now);
        fetch.head(request.id, &head(200, &[]), now).unwrap();
        fetch.arrived(request.id, 100, now.instant).unwrap();
        let received = Received {
            digest: Some(page),
            body: json!({ "pages": 3, "total": 6 }),
            ..whole(2)
        };
        fetch.received(request.id, &received).unwrap();
        now.instant += Duration::from_secs(1);
    }
    // The time is up, and all is there.
    assert_eq!(fetch.step(now.instant).unwrap(), Step::Done);
}

#[test]
fn a_body_that_comes_as_slowly_as_it_may_ends_with_the_time_of_the_run() {
    let mut fetch = paged(few());
    let mut now = now();
    let request = next_request(&mut fetch, &mut now);
    fetch.head(request.id, &head(200, &[]), now).unwrap();
    let mut pieces = 0;
    let error = loop {
        now.instant += Duration::from_secs(29);
        match fetch.arrived(request.id, 1, now.instant) {
            Ok(()) => pieces += 1,
            Err(error) => break error.to_string(),
        }
    };
    assert_eq!(pieces, 2);
    assert!(error.ends_with("not done after 60s, the limit of --max-time"));
}

#[test]
fn who_waits_wakes_when_the_time_is_up() {
    let mut fetch = paged(Quota {
        time: Duration::from_secs(2),
        ..few()
    });
    let mut now = now();
    let begun = now.instant;
    let limited = head(429, &[("retry-after", "60")]);
    response(&mut fetch, &mut now, &limited).unwrap();
    let deadline = begun + Duration::from_secs(2);
    assert_eq!(fetch.step(begun).unwrap(), Step::Wait(Some(deadline)));
    let error = fetch.step(deadline).unwrap_err();
    assert!(matches!(
        error,
        ApiError::Excess {
            cause: Excess::Time(_),
            ..
        }
    ));
}

#[test]
fn pages_out_of_the_spool_count_as_those_off_the_wire_do() {
    let stored: HashSet<_> = (0..9)
        .map(|page| (Resource::Posts, Position::default().then(page)))
        .collect();
    let mut fetch = paged(Quota {
        bytes: 350,
        ..few()
    });
    fetch.resume(stored, &BTreeMap::new());
    let begun = now().instant;
    let mut error = None;
    for page in 0..9 {
        let Ok(Step::LoadFromSpool(recall)) = fetch.step(begun) else {
            break;
        };
        let received = Received {
            bytes: 100,
            digest: Some(page),
            ..whole(2)
        };
        let recalled = fetch.recalled(recall.id, &received, &PageInfo::default());
        error = recalled.err().map(|error| (page, error.to_string()));
        if error.is_some() {
            break;
        }
    }
    let (page, says) = error.unwrap();
    assert_eq!(page, 3);
    assert!(says.ends_with("the limit of --max-total"), "{says}");
}

#[test]
fn more_parents_than_pages_are_too_many_and_are_not_remembered() {
    let mut source = source();
    let comments = source.endpoints.get_mut(&Resource::Comments).unwrap();
    comments.parent = Some(Resource::Posts);
    comments.path = "/posts/{post_id}/comments".to_owned();
    let policy = Policy {
        quota: few(),
        ..Policy::default()
    };
    let wanted = [Resource::Posts, Resource::Comments];
    let mut fetch = Fetch::new(policy, &source, &wanted, 1);
    let ids: Vec<_> = (0..100_000).map(Id::Number).collect();
    fetch.parents(Resource::Posts, &Position::default(), 100_000, &ids);
    let error = fetch.step(now().instant).unwrap_err().to_string();
    let says = "more than 10 pages, the limit of --max-pages";
    assert!(
        error.contains("comments") && error.ends_with(says),
        "{error}"
    );
    assert!(fetch.resources[1].wants() <= 12);
}
