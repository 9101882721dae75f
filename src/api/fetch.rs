//! The fetch state machine: what to ask next, when, and when to give up.
//!
//! A driver asks [`Fetch::step`] what to do, does it, and reports what came of
//! it. Several requests may be under way at once; each has a [`Ticket`]. Time
//! and chance come in as arguments, so every rule is a plain function of what
//! was reported.
//!
//! The shape follows the "sans I/O" libraries and the blocking/async pair in
//! the oauth2 crate's device code flow: one policy, driven in two ways.

use std::time::{Duration, Instant};

use http::header::{ACCEPT, ACCEPT_ENCODING, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode};
use url::Url;

use crate::activity::Resource;
use crate::error::ApiError;

use super::retry::{self, Now, Policy};
use super::{Head, Page, Request, Subject, TransportError};

/// Which of the requests under way a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(usize);

/// What a driver is to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this and report what comes.
    Send(Box<Ask>),
    /// Nothing to send before this time, or before the next report where there is no time.
    Wait(Option<Instant>),
    /// All is fetched.
    Done,
}

/// A request to be sent, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// To report with.
    pub ticket: Ticket,
    /// What the answer will be.
    pub page: Page,
    /// How often this page was asked for, this time included.
    pub attempt: u32,
    /// What to send.
    pub request: Request,
}

/// What a driver is to do with an answer, or after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Receive the body and report its end.
    Read,
    /// Let it go: another request will be sent, in this much time.
    Again(Duration),
}

/// One page on its way.
#[derive(Clone, Debug)]
struct Lane {
    page: Page,
    /// Where to ask: the page's own URL, or where a redirect led.
    url: Url,
    attempt: u32,
    redirects: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be asked for at this time, or at once.
    Due(Option<Instant>),
    UnderWay,
    Done,
}

/// Decides what is fetched, and how stubbornly.
#[derive(Clone, Debug)]
pub struct Fetch {
    policy: Policy,
    lanes: Vec<Lane>,
    dice: fastrand::Rng,
}

impl Fetch {
    /// Will fetch these resources, each from its URL. `seed` stands for chance.
    #[must_use]
    pub fn new(
        policy: Policy,
        resources: impl IntoIterator<Item = (Resource, Url)>,
        seed: u64,
    ) -> Self {
        let lane = |(resource, url): (Resource, Url)| Lane {
            page: Page {
                subject: Subject {
                    resource,
                    url: url.clone(),
                },
                number: 0,
            },
            url,
            attempt: 0,
            redirects: 0,
            state: State::Due(None),
        };
        Self {
            policy,
            lanes: resources.into_iter().map(lane).collect(),
            dice: fastrand::Rng::with_seed(seed),
        }
    }

    /// How many requests can be under way at once.
    #[must_use]
    pub fn width(&self) -> usize {
        self.lanes.len()
    }

    /// What to do now.
    #[must_use]
    pub fn step(&mut self, now: Instant) -> Step {
        let due =
            |lane: &Lane| matches!(lane.state, State::Due(at) if at.is_none_or(|at| at <= now));
        if let Some(index) = self.lanes.iter().position(due) {
            let lane = &mut self.lanes[index];
            lane.state = State::UnderWay;
            // A redirect is part of the attempt that it answers.
            lane.attempt += u32::from(lane.redirects == 0);
            return Step::Send(Box::new(Ask {
                ticket: Ticket(index),
                page: lane.page.clone(),
                attempt: lane.attempt,
                request: Request {
                    url: lane.url.clone(),
                    headers: headers(),
                },
            }));
        }
        if self.lanes.iter().all(|lane| lane.state == State::Done) {
            return Step::Done;
        }
        let times = self.lanes.iter().filter_map(|lane| match lane.state {
            State::Due(at) => at,
            _ => None,
        });
        Step::Wait(times.min())
    }

    /// The head of an answer came.
    ///
    /// # Errors
    /// When the answer is one to give up at.
    pub fn head(&mut self, ticket: Ticket, head: &Head, now: Now) -> Result<Verdict, ApiError> {
        let status = head.status;
        match status.as_u16() {
            200 => Ok(Verdict::Read),
            301 | 302 | 303 | 307 | 308 => self.redirect(ticket, head, now),
            _ => {
                let asked = retry::retry_after(&head.headers, now.wall).unwrap_or_default();
                let lane = &self.lanes[ticket.0];
                let subject = Box::new(lane.page.subject.clone());
                if !retry::is_passing(status) || lane.attempt > self.policy.retries {
                    return Err(ApiError::Status {
                        subject,
                        status,
                        attempts: lane.attempt,
                    });
                }
                let limit = self.policy.max_wait;
                if asked > limit {
                    return Err(ApiError::WaitTooLong {
                        subject,
                        status,
                        asked,
                        limit,
                    });
                }
                Ok(self.again(ticket, asked, now))
            }
        }
    }

    /// The body that belonged to a `Read` arrived whole.
    pub fn received(&mut self, ticket: Ticket) {
        self.lanes[ticket.0].state = State::Done;
    }

    /// No whole answer came.
    ///
    /// # Errors
    /// When that is not worth another attempt, or there are none left.
    pub fn failed(
        &mut self,
        ticket: Ticket,
        cause: TransportError,
        now: Now,
    ) -> Result<Verdict, ApiError> {
        let lane = &self.lanes[ticket.0];
        if cause.failure.is_passing() && lane.attempt <= self.policy.retries {
            return Ok(self.again(ticket, Duration::ZERO, now));
        }
        Err(ApiError::Transport {
            subject: Box::new(lane.page.subject.clone()),
            attempts: lane.attempt,
            cause,
        })
    }

    /// Plans another attempt, not before `least` has gone by.
    fn again(&mut self, ticket: Ticket, least: Duration, now: Now) -> Verdict {
        let lane = &mut self.lanes[ticket.0];
        let delay = self
            .policy
            .backoff(lane.attempt, self.dice.f64())
            .max(least);
        lane.url = lane.page.subject.url.clone();
        lane.redirects = 0;
        lane.state = State::Due(Some(now.instant + delay));
        Verdict::Again(delay)
    }

    fn redirect(&mut self, ticket: Ticket, head: &Head, now: Now) -> Result<Verdict, ApiError> {
        let lane = &mut self.lanes[ticket.0];
        let refuse = |lane: &Lane, reason: String| {
            Err(ApiError::Redirect {
                subject: Box::new(lane.page.subject.clone()),
                reason,
            })
        };
        if lane.redirects == self.policy.redirects {
            return refuse(
                lane,
                format!("more than {} redirects in a row", lane.redirects),
            );
        }
        match redirect_target(&lane.url, head) {
            Ok(url) => lane.url = url,
            Err(reason) => return refuse(lane, reason),
        }
        lane.redirects += 1;
        lane.state = State::Due(Some(now.instant));
        Ok(Verdict::Again(Duration::ZERO))
    }
}

/// Where a redirect leads, if it may be followed.
fn redirect_target(from: &Url, head: &Head) -> Result<Url, String> {
    let status: StatusCode = head.status;
    let location = head
        .headers
        .get(LOCATION)
        .and_then(|value| value.to_str().ok());
    let location =
        location.ok_or_else(|| format!("the server answered {status} without a place to go to"))?;
    let shown = crate::text::excerpt(location, 200);
    let mut url = from
        .join(location)
        .map_err(|error| format!("the server redirects to `{shown}`, which is no URL: {error}"))?;
    let allowed = match url.scheme() {
        "https" => true,
        "http" => from.scheme() == "http",
        _ => false,
    };
    if !allowed {
        let origin = url.origin().ascii_serialization();
        let target = if url.has_host() {
            origin
        } else {
            format!("{}:", url.scheme())
        };
        return Err(format!(
            "the server redirects from {} to {target}, which is not followed",
            from.scheme()
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "the server redirects to a URL with credentials, which is not followed".to_owned(),
        );
    }
    url.set_fragment(None);
    Ok(url)
}

fn headers() -> HeaderMap {
    HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("application/json")),
        (ACCEPT_ENCODING, HeaderValue::from_static("gzip")),
        (USER_AGENT, HeaderValue::from_static(super::USER_AGENT)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Failure;
    use std::time::SystemTime;

    fn fetch(resources: &[Resource]) -> Fetch {
        let url = |resource: &Resource| Url::parse(&format!("http://api.test/{resource}")).unwrap();
        Fetch::new(Policy::default(), resources.iter().map(|r| (*r, url(r))), 1)
    }

    fn head(status: u16, headers: &[(&'static str, &str)]) -> Head {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (
                    name.parse::<http::HeaderName>().unwrap(),
                    value.parse().unwrap(),
                )
            })
            .collect();
        Head {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
        }
    }

    /// Asks once, at the time the machine wants, and reports the answer.
    fn answer(fetch: &mut Fetch, now: &mut Now, head: &Head) -> Result<Verdict, ApiError> {
        let ask = ask(fetch, now);
        fetch.head(ask.ticket, head, *now)
    }

    fn ask(fetch: &mut Fetch, now: &mut Now) -> Box<Ask> {
        loop {
            match fetch.step(now.instant) {
                Step::Send(ask) => return ask,
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
        let asks = [ask(&mut fetch, &mut now), ask(&mut fetch, &mut now)];
        assert_eq!(asks[1].request.url.as_str(), "http://api.test/posts");
        assert_eq!(fetch.step(now.instant), Step::Wait(None));
        for ask in asks {
            assert_eq!(
                fetch.head(ask.ticket, &head(200, &[]), now).unwrap(),
                Verdict::Read
            );
            fetch.received(ask.ticket);
        }
        assert_eq!(fetch.step(now.instant), Step::Done);
    }

    #[test]
    fn every_status_is_read_tried_again_or_given_up() {
        let tried_again = [408, 429, 500, 502, 503, 504];
        let read = [200];
        for status in (200..=599).filter(|status| !(300..400).contains(status)) {
            let found = answer(
                &mut fetch(&[Resource::Users]),
                &mut now(),
                &head(status, &[]),
            );
            match found {
                Ok(Verdict::Read) => assert!(read.contains(&status), "{status}"),
                Ok(Verdict::Again(_)) => assert!(tried_again.contains(&status), "{status}"),
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
            answer(&mut fetch, &mut now, &head(503, &[])).unwrap();
        }
        let error = answer(&mut fetch, &mut now, &head(503, &[])).unwrap_err();
        let expected = "cannot fetch users from http://api.test/users: \
             the server answered 503 Service Unavailable (5 attempts)";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn transport_failures_are_tried_again_unless_they_will_not_pass() {
        use Failure::{Body, Connect, Encoding, Other, Resolve, Timeout, Tls, TooLarge};
        for failure in [
            Resolve, Connect, Timeout, Body, Other, Tls, Encoding, TooLarge,
        ] {
            let mut fetch = fetch(&[Resource::Users]);
            let mut now = now();
            let mut attempts = 0;
            let error = loop {
                let ask = ask(&mut fetch, &mut now);
                attempts += 1;
                let cause = TransportError::new(failure, "as the test wants");
                if let Err(error) = fetch.failed(ask.ticket, cause, now) {
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
            let found = answer(&mut fetch(&[Resource::Users]), &mut now(), &head);
            match (found, expected) {
                (Ok(Verdict::Again(delay)), Some(least)) => {
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
        answer(&mut fetch, &mut now, &head(429, &[("retry-after", "40")])).unwrap();
        let due = now.instant + Duration::from_secs(40);
        assert_eq!(fetch.step(now.instant), Step::Wait(Some(due)));
        let just_before = now.instant + Duration::from_millis(39_999);
        assert_eq!(fetch.step(just_before), Step::Wait(Some(due)));
        assert!(matches!(fetch.step(due), Step::Send(ask) if ask.attempt == 2));
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
            let found = answer(&mut fetch, &mut now, &head(302, &[("location", location)]));
            match (found, expected) {
                (Ok(_), Ok(url)) => {
                    let ask = ask(&mut fetch, &mut now);
                    assert_eq!((ask.request.url.as_str(), ask.attempt), (url, 1));
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
            answer(&mut fetch, &mut now, &again).unwrap();
        }
        let error = answer(&mut fetch, &mut now, &again).unwrap_err();
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
}
