//! What the machine and its drivers tell each other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::fetch::{Page, Request};
use crate::source::ErrorInBody;

/// Which of the requests under way a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub(super) u64);

/// What a driver is to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this and report what comes.
    Send(Box<PageRequest>),
    /// Take this out of the spool, where an earlier run left it.
    LoadFromSpool(Box<SpooledPage>),
    /// Nothing to send before this time, or before the next report where there is no time.
    Wait(Option<Instant>),
    /// All is fetched.
    Done,
}

/// A page that the spool has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpooledPage {
    /// To report with.
    pub id: RequestId,
    /// Which one.
    pub page: Page,
}

/// A request to be sent, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// To report with.
    pub id: RequestId,
    /// What the response will be.
    pub page: Page,
    /// How often this page was asked for, this time included.
    pub attempt: u32,
    /// The HTTP request to send.
    pub http: Request,
    /// What in its body would say that it is an error.
    pub error: Option<Arc<ErrorInBody>>,
}

impl AsRef<Self> for PageRequest {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// What a driver is to do with a response, or after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseAction {
    /// Receive the body and report its end.
    Read,
    /// Receive the beginning of the body, for its words, and report it as refused.
    Refused,
    /// Let it go: another request will be sent, in this much time.
    Again(Duration),
    /// Let it go: it says that there are no more pages.
    PastEnd,
    /// Let it go: what was asked for is refused, and the run goes on without it.
    Missing,
    /// Let it go: it says that the page is as it was in the last snapshot.
    Keep,
}
