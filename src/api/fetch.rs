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

impl AsRef<Self> for Ask {
    fn as_ref(&self) -> &Self {
        self
    }
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
mod tests;
