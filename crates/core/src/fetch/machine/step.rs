//! The messages between the machine and its drivers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::fetch::{Page, Request};
use crate::source::ErrorInBody;

/// Identifies a request in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub(super) u64);

/// What a driver is to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this request and report the outcome.
    Send(Box<PageRequest>),
    /// Load this page of an earlier run from the spool.
    LoadFromSpool(Box<SpooledPage>),
    /// Nothing to do until this time, or until the next report if there is none.
    Wait(Option<Instant>),
    /// Everything is fetched.
    Done,
}

/// A page that is in the spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpooledPage {
    /// Identifies it in reports.
    pub id: RequestId,
    /// The page.
    pub page: Page,
}

/// A request to send, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Identifies it in reports.
    pub id: RequestId,
    /// The page that the response holds.
    pub page: Page,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// The HTTP request to send.
    pub http: Request,
    /// How the body of a response would report an error.
    pub error: Option<Arc<ErrorInBody>>,
}

impl AsRef<Self> for PageRequest {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// What a driver does with a response, or after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseAction {
    /// Receive the body and report its end.
    Read,
    /// Receive the beginning of the body, for its error message, and report it as refused.
    Refused,
    /// Discard it: another request will be sent after this delay.
    Again(Duration),
    /// Discard it: there are no more pages.
    PastEnd,
    /// Discard it: the server refused, and the run continues without it.
    Missing,
    /// Discard it: the page has not changed since the last snapshot.
    Keep,
}
