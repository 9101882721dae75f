//! A server's request to pause all requests.

use std::time::{Duration, Instant};

use http::StatusCode;

use crate::fetch::ApiError;
use crate::fetch::RequestTarget;

/// The wait that a server requires after its rate limit is exhausted.
#[derive(Clone, Debug)]
pub(super) struct Pause {
    until: Instant,
    asked: Duration,
    limit: Duration,
    status: StatusCode,
    subject: RequestTarget,
}

impl Pause {
    pub(super) fn new(
        now: Instant,
        asked: Duration,
        limit: Duration,
        status: StatusCode,
        subject: RequestTarget,
    ) -> Self {
        // The requested delay may overflow the clock.
        let until = now + asked.min(limit);
        Self {
            until,
            asked,
            limit,
            status,
            subject,
        }
    }

    /// Nothing may be sent before this time.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// The longer of two pauses.
    pub(super) fn longer(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if (other.until, other.asked) > (self.until, self.asked) => other,
            _ => self,
        }
    }

    /// Checks that the requested wait does not exceed the limit.
    pub(super) fn check(&self) -> Result<(), ApiError> {
        if self.asked <= self.limit {
            return Ok(());
        }
        Err(ApiError::WaitTooLong {
            subject: Box::new(self.subject.clone()),
            status: self.status,
            asked: self.asked,
            limit: self.limit,
        })
    }
}
