//! The rules of fetching as tables, and what must hold for all servers and clocks.

mod quota;

use super::*;
use crate::fetch::paging::PageInfo;
use crate::fetch::request::redirect_target;
use crate::fetch::retry::Now;
use crate::fetch::sink::Received;
use crate::fetch::{Failure, ResponseHead, TransportError};
use http::StatusCode;
use proptest::prelude::*;
use std::time::{Duration, SystemTime};

fn source() -> Source {
    Source::of_shape("test", "http://api.test").unwrap()
}

fn fetch(resources: &[Resource]) -> Fetch {
    Fetch::new(Policy::default(), &source(), resources, 1)
}

/// A complete response with this many records and nothing around them.
fn whole(records: u64) -> Received {
    Received {
        bytes: 0,
        records,
        digest: None,
        body: serde_json::Value::Null,
        overlap: false,
        first: None,
        last: None,
    }
}

fn head(status: u16, headers: &[(&'static str, &str)]) -> ResponseHead {
    let headers = headers
        .iter()
        .map(|(name, value)| {
            (
                name.parse::<http::HeaderName>().unwrap(),
                value.parse().unwrap(),
            )
        })
        .collect();
    ResponseHead {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
    }
}

/// Asks once, at the time the machine wants, and reports the response.
fn response(
    fetch: &mut Fetch,
    now: &mut Now,
    head: &ResponseHead,
) -> Result<ResponseAction, ApiError> {
    let request = next_request(fetch, now);
    report(fetch, &request, head, *now)
}

/// Reports a response, and that its body has nothing in it where that is asked.
fn report(
    fetch: &mut Fetch,
    request: &PageRequest,
    head: &ResponseHead,
    now: Now,
) -> Result<ResponseAction, ApiError> {
    match fetch.head(request.id, head, now)? {
        ResponseAction::Refused => fetch.refused(request.id, head, b"", now),
        action => Ok(action),
    }
}

fn next_request(fetch: &mut Fetch, now: &mut Now) -> Box<PageRequest> {
    loop {
        match fetch.step(now.instant).unwrap() {
            Step::Send(request) => return request,
            Step::Wait(Some(at)) => now.instant = at,
            other => panic!("nothing to send: {other:?}"),
        }
    }
}

fn now() -> Now {
    Now {
        instant: Instant::now(),
        wall: SystemTime::UNIX_EPOCH,
    }
}

#[test]
fn all_resources_are_asked_for_at_once_and_then_it_is_done() {
    let mut fetch = fetch(&[Resource::Users, Resource::Posts]);
    let mut now = now();
    let requests = [
        next_request(&mut fetch, &mut now),
        next_request(&mut fetch, &mut now),
    ];
    assert_eq!(requests[1].http.url.as_str(), "http://api.test/posts");
    assert_eq!(fetch.step(now.instant).unwrap(), Step::Wait(None));
    for request in requests {
        assert_eq!(
            fetch.head(request.id, &head(200, &[]), now).unwrap(),
            ResponseAction::Read
        );
        fetch.received(request.id, &whole(1)).unwrap();
    }
    assert_eq!(fetch.step(now.instant).unwrap(), Step::Done);
}

#[test]
fn every_status_is_read_tried_again_or_given_up() {
    let tried_again = [
        202, 408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 528, 529,
        530, 598, 599,
    ];
    let read = [200, 203];
    for status in (200..=599).filter(|status| !(300..400).contains(status)) {
        let found = response(
            &mut fetch(&[Resource::Users]),
            &mut now(),
            &head(status, &[]),
        );
        match found {
            Ok(ResponseAction::Read) => assert!(read.contains(&status), "{status}"),
            Ok(ResponseAction::Again(_)) => assert!(tried_again.contains(&status), "{status}"),
            Ok(ResponseAction::Keep) => panic!("{status}: nothing was asked for"),
            Ok(ResponseAction::PastEnd) => assert_eq!(status, 204, "past no end"),
            Ok(ResponseAction::Refused) => panic!("{status}: it was told what the body says"),
            Ok(ResponseAction::Missing) => panic!("{status}: there is nothing else"),
            Err(ApiError::Status { attempts, .. }) => {
                assert!(
                    !tried_again.contains(&status) && !read.contains(&status),
                    "{status}"
                );
                assert_eq!(attempts, 1);
            }
            Err(other) => panic!("{status}: {other}"),
        }
    }
}

#[test]
fn five_attempts_are_made_and_no_more() {
    let mut fetch = fetch(&[Resource::Users]);
    let mut now = now();
    for _ in 0..4 {
        response(&mut fetch, &mut now, &head(503, &[])).unwrap();
    }
    let error = response(&mut fetch, &mut now, &head(503, &[])).unwrap_err();
    let expected = "cannot fetch users from http://api.test/users: \
         the server responded with 503 Service Unavailable (5 attempts)";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn transport_failures_are_tried_again_unless_they_will_not_pass() {
    use Failure::{Body, Connect, Encoding, Other, Resolve, Timeout, Tls};
    for failure in [Resolve, Connect, Timeout, Body, Other, Tls, Encoding] {
        let mut fetch = fetch(&[Resource::Users]);
        let mut now = now();
        let mut attempts = 0;
        let error = loop {
            let request = next_request(&mut fetch, &mut now);
            attempts += 1;
            let cause = TransportError::new(failure, "as the test wants");
            if let Err(error) = fetch.failed(request.id, cause, now) {
                break error;
            }
        };
        assert_eq!(
            attempts,
            if failure.is_passing() { 5 } else { 1 },
            "{error}"
        );
    }
}

#[test]
fn retry_after_is_never_undercut_and_never_longer_than_allowed() {
    for (asked, expected) in [
        ("0", Some(0)),
        ("40", Some(40)),
        ("300", Some(300)),
        ("301", None),
    ] {
        let head = head(429, &[("retry-after", asked)]);
        let found = response(&mut fetch(&[Resource::Users]), &mut now(), &head);
        match (found, expected) {
            (Ok(ResponseAction::Again(delay)), Some(least)) => {
                assert!(delay >= Duration::from_secs(least), "{asked}: {delay:?}");
            }
            (Err(ApiError::WaitTooLong { asked, .. }), None) => {
                assert_eq!(asked.as_secs(), 301);
            }
            (found, _) => panic!("{asked}: {found:?}"),
        }
    }
}

#[test]
fn nothing_is_sent_before_the_wait_is_over() {
    let mut fetch = fetch(&[Resource::Users]);
    let mut now = now();
    response(&mut fetch, &mut now, &head(429, &[("retry-after", "40")])).unwrap();
    let due = now.instant + Duration::from_secs(40);
    assert_eq!(fetch.step(now.instant).unwrap(), Step::Wait(Some(due)));
    let just_before = now.instant + Duration::from_millis(39_999);
    assert_eq!(fetch.step(just_before).unwrap(), Step::Wait(Some(due)));
    assert!(matches!(fetch.step(due).unwrap(), Step::Send(request) if request.attempt == 2));
}

#[test]
fn redirects_are_followed_where_they_are_harmless() {
    let cases = [
        ("/v2/users", Ok("http://api.test/v2/users")),
        (
            "https://other.test/users#top",
            Ok("https://other.test/users"),
        ),
        (
            "ftp://api.test/",
            Err("from http to ftp://api.test, which is not followed"),
        ),
        (
            "file:///etc/passwd",
            Err("from http to file:, which is not followed"),
        ),
        ("http://", Err("which is no URL")),
        ("http://me:secret@api.test/", Err("credentials")),
    ];
    for (location, expected) in cases {
        let mut fetch = fetch(&[Resource::Users]);
        let mut now = now();
        let found = response(&mut fetch, &mut now, &head(302, &[("location", location)]));
        match (found, expected) {
            (Ok(_), Ok(url)) => {
                let request = next_request(&mut fetch, &mut now);
                assert_eq!((request.http.url.as_str(), request.attempt), (url, 1));
            }
            (Err(error), Err(part)) => {
                let message = error.to_string();
                assert!(
                    message.contains(part) && !message.contains("secret"),
                    "{message}"
                );
            }
            (found, _) => panic!("{location}: {found:?}"),
        }
    }
}

#[test]
fn a_redirect_loop_and_a_step_down_from_https_are_errors() {
    let mut fetch = fetch(&[Resource::Users]);
    let mut now = now();
    let again = head(307, &[("location", "/users")]);
    for _ in 0..10 {
        response(&mut fetch, &mut now, &again).unwrap();
    }
    let error = response(&mut fetch, &mut now, &again).unwrap_err();
    assert!(
        error.to_string().contains("more than 10 redirects"),
        "{error}"
    );

    let secure = Url::parse("https://api.test/users").unwrap();
    let down = head(301, &[("location", "http://api.test/users")]);
    assert!(
        redirect_target(&secure, &down)
            .unwrap_err()
            .contains("not followed")
    );
    assert!(redirect_target(&secure, &head(301, &[])).is_err());
}

/// What a made-up server does with a request.
#[derive(Clone, Debug)]
enum Response {
    CompletePage,
    Status(u16, Option<u64>),
    Redirect,
    HeadFails(Failure),
    BodyFails(Failure),
}

fn responses() -> impl Strategy<Value = Response> {
    use Failure::{Body, Connect, Encoding, Timeout, Tls};
    let failure = || prop::sample::select(vec![Body, Connect, Encoding, Timeout, Tls]);
    prop_oneof![
        2 => Just(Response::CompletePage),
        3 => (prop::sample::select(vec![404, 408, 429, 500, 503]), prop::option::of(0u64..400))
            .prop_map(|(status, wait)| Response::Status(status, wait)),
        1 => Just(Response::Redirect),
        1 => failure().prop_map(Response::HeadFails),
        1 => failure().prop_map(Response::BodyFails),
    ]
}

proptest! {
    /// However servers and clocks behave: it ends, keeps to its attempts and
    /// waits, and takes each page once.
    #[test]
    fn fetching_always_ends_within_its_bounds(
        script in prop::collection::vec((responses(), 0u64..100_000), 0..60),
        retries in 0u32..6,
        seed in any::<u64>(),
    ) {
        let policy = Policy { retries, ..Policy::default() };
        let resources = [Resource::Users, Resource::Posts];
        let mut fetch = Fetch::new(policy.clone(), &source(), &resources, seed);
        let mut now = now();
        let mut script = script.into_iter();
        let mut taken = Vec::new();
        let mut sent = 0;
        let mut not_before = std::collections::HashMap::new();
        let ended = loop {
            let request = match fetch.step(now.instant).unwrap() {
                Step::Send(request) => request,
                Step::Wait(Some(at)) => {
                    prop_assert!(at > now.instant);
                    now.instant = at;
                    continue;
                }
                Step::Wait(None) => return Err(TestCaseError::fail("waits for a report with nothing under way")),
                Step::LoadFromSpool(_) => return Err(TestCaseError::fail("there is no spool")),
                Step::Done => break Ok(()),
            };
            sent += 1;
            prop_assert!(sent <= 2 * (retries + 1) * (policy.redirects + 1), "too many requests");
            prop_assert!(request.attempt <= retries + 1);
            let resource = request.page.subject.resource;
            prop_assert!(!taken.contains(&resource), "asked again for what is there");
            if let Some(earliest) = not_before.remove(&resource) {
                prop_assert!(now.instant >= earliest, "undercuts Retry-After");
            }
            let (response, elapsed) = script.next().unwrap_or((Response::CompletePage, 0));
            now.instant += Duration::from_millis(elapsed);
            let action = match response {
                Response::Status(status, wait) => {
                    let wait_text = wait.map(|wait| wait.to_string());
                    let headers: Vec<_> = wait_text.iter().map(|text| ("retry-after", text.as_str())).collect();
                    if let Some(wait) = wait {
                        not_before.insert(resource, now.instant + Duration::from_secs(wait));
                    }
                    report(&mut fetch, &request, &head(status, &headers), now)
                }
                Response::Redirect => report(&mut fetch, &request, &head(302, &[("location", "/moved")]), now),
                Response::HeadFails(failure) => fetch.failed(request.id, TransportError::new(failure, "head"), now),
                Response::CompletePage => {
                    prop_assert_eq!(fetch.head(request.id, &head(200, &[]), now).unwrap(), ResponseAction::Read);
                    taken.push(resource);
                    fetch.received(request.id, &whole(1)).unwrap();
                    continue;
                }
                Response::BodyFails(failure) => {
                    prop_assert_eq!(fetch.head(request.id, &head(200, &[]), now).unwrap(), ResponseAction::Read);
                    fetch.failed(request.id, TransportError::new(failure, "body"), now)
                }
            };
            match action {
                Ok(action) => prop_assert!(action != ResponseAction::Read),
                Err(error) => break Err(error),
            }
        };
        if ended.is_ok() {
            taken.extend(fetch.missing().into_keys());
            taken.sort();
            prop_assert_eq!(taken, [Resource::Users, Resource::Posts]);
        }
    }
}

fn forum() -> Source {
    let mut source = source();
    let posts = source.endpoints.get_mut(&Resource::Posts).unwrap();
    posts.pagination = crate::source::Pagination::Page {
        parameter: "page".to_owned(),
        first: 1,
        size: None,
    };
    source
}

#[test]
fn a_used_up_limit_on_a_good_response_pauses_the_next_page() {
    // The last one is more than any clock can count.
    for (reset, expected) in [
        ("60", Some(60)),
        ("301", None),
        ("18446744073709551615", None),
    ] {
        let mut fetch = Fetch::new(Policy::default(), &forum(), &[Resource::Posts], 1);
        let mut now = now();
        let limit = format!("limit=9, remaining=0, reset={reset}");
        let limit = [("ratelimit", limit.as_str())];
        let first = next_request(&mut fetch, &mut now);
        assert_eq!(
            fetch.head(first.id, &head(200, &limit), now).unwrap(),
            ResponseAction::Read
        );
        fetch.received(first.id, &whole(1)).unwrap();
        match (fetch.step(now.instant), expected) {
            (Ok(Step::Wait(Some(at))), Some(seconds)) => {
                assert_eq!(at - now.instant, Duration::from_secs(seconds));
                assert!(matches!(fetch.step(at).unwrap(), Step::Send(_)));
            }
            (Err(ApiError::WaitTooLong { asked, .. }), None) => {
                assert_eq!(asked.as_secs().to_string(), reset);
            }
            (found, _) => panic!("{reset}: {found:?}"),
        }
    }
}

#[test]
fn a_used_up_limit_on_the_last_response_is_no_trouble() {
    let mut fetch = fetch(&[Resource::Users]);
    let mut now = now();
    let limit = [
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "9999"),
    ];
    let only = next_request(&mut fetch, &mut now);
    fetch.head(only.id, &head(200, &limit), now).unwrap();
    fetch.received(only.id, &whole(1)).unwrap();
    assert_eq!(fetch.step(now.instant).unwrap(), Step::Done);
}

#[test]
fn an_address_of_this_machine_is_not_requested_for_a_source_elsewhere() {
    let to = |base: &str, location: &str| {
        let source = Source::of_shape("test", base).unwrap();
        let mut fetch = Fetch::new(Policy::default(), &source, &[Resource::Users], 1);
        let mut now = Now::read();
        let redirect = head(302, &[("location", location)]);
        response(&mut fetch, &mut now, &redirect).unwrap();
        fetch
            .step(now.instant)
            .map(|step| matches!(step, Step::Send(_)))
    };
    for location in [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://0x7f.1/",
        "http://10.0.0.1/",
    ] {
        let error = to("http://api.test", location).unwrap_err();
        let ApiError::Transport { cause, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(cause.failure, Failure::Private, "{location}");
        assert!(to("http://192.168.0.1", location).unwrap());
    }
    assert!(to("http://api.test", "http://other.test/").unwrap());
}

#[test]
fn a_credential_in_a_redirect_is_told_by_no_error() {
    let source = Source {
        auth: crate::source::Auth::Bearer(crate::source::Secret::new(
            "s3cret".to_owned(),
            crate::source::CredentialRef::Variable("KEY".to_owned()),
        )),
        ..source()
    };
    let requests = Requests::new(&source);
    let from = "http://api.test/users".parse().unwrap();
    for location in [
        "http://[s3cret",
        "http://[/s3cr%65t",
        "http://s3cret.evil.test/",
        "s3cret://x",
    ] {
        let error = requests.redirect(&from, &head(302, &[("location", location)]));
        let error = error.unwrap_err();
        assert!(!error.contains("s3cr"), "{error}");
    }
}

/// A status, headers, a body, and how many seconds are waited if it passes.
type Refused<'a> = (u16, &'a [(&'static str, &'a str)], &'a [u8], Option<u64>);

#[test]
fn a_limit_that_only_the_words_tell_of_is_waited_for() {
    let limit = br#"{"message": "You have exceeded a secondary rate limit."}"#;
    let other = br#"{"message": "Resource not accessible by integration"}"#;
    let remaining = [
        ("x-ratelimit-remaining", "4000"),
        ("x-ratelimit-reset", "9"),
    ];
    let after = [("retry-after", "7")];
    let cases: [Refused<'_>; 9] = [
        (403, &[], limit, Some(60)),
        (403, &remaining, limit, Some(60)),
        (403, &after, limit, Some(7)),
        (403, &after, other, Some(7)),
        (400, &[], b"too many requests", Some(60)),
        (400, &after, other, None),
        (403, &[], other, None),
        (403, &remaining, other, None),
        (401, &[], limit, None),
    ];
    for (status, headers, body, expected) in cases {
        let mut fetch = fetch(&[Resource::Users, Resource::Posts]);
        let mut now = now();
        let [first, second] = [
            next_request(&mut fetch, &mut now),
            next_request(&mut fetch, &mut now),
        ];
        let head = head(status, headers);
        fetch.head(first.id, &head, now).unwrap();
        let action = fetch.refused(first.id, &head, body, now);
        let Some(seconds) = expected else {
            match action {
                // Posts go on without users that are closed.
                Ok(action) => assert_eq!(action, ResponseAction::Missing, "{status}"),
                Err(error) => assert!(error.to_string().contains("(1 attempt)"), "{error}"),
            }
            continue;
        };
        assert!(matches!(action, Ok(ResponseAction::Again(_))), "{status}");
        // Nothing at all is asked for meanwhile.
        fetch
            .head(
                second.id,
                &crate::fetch::machine::tests::head(200, &[]),
                now,
            )
            .unwrap();
        fetch.received(second.id, &whole(1)).unwrap();
        let until = now.instant + Duration::from_secs(seconds);
        assert_eq!(fetch.step(now.instant).unwrap(), Step::Wait(Some(until)));
    }
}
