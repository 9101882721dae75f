//! A server's word that nothing more is to be asked for now.

use std::time::{Duration, Instant};

use http::StatusCode;

use crate::fetch::ApiError;
use crate::fetch::RequestTarget;

/// The wait that a server asked for by saying that its limit is used up.
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
        // A server may ask for more than a clock can count.
        let until = now + asked.min(limit);
        Self {
            until,
            asked,
            limit,
            status,
            subject,
        }
    }

    /// Nothing is to be sent before.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// The one of two that asks for more.
    pub(super) fn longer(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if (other.until, other.asked) > (self.until, self.asked) => other,
            _ => self,
        }
    }

    /// Goes on if the wait is one that is allowed.
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
