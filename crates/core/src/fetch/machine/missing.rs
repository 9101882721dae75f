//! Data that the server refuses, where the rest of a run is useful without it.

use std::fmt;

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::fetch::ApiError;
use crate::fetch::RequestTarget;
use crate::fetch::reason::Reason;
use crate::record::Resource;
use crate::source::CredentialRef;
use activity_tracker_text::count;

/// After this many refused parents, with no page of any other, the path is assumed to be wrong; it
/// is unlikely that all of the parents are gone.
const WRONG_PATH: u64 = 10;

/// What is missing of a resource because the server refused it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The status of the first response that refused it.
    pub status: u16,
    /// The URL that was refused.
    pub url: String,
    /// Number of refused requests: one if the whole resource was refused, otherwise one per parent.
    pub requests: u64,
    /// Whether the whole resource was refused.
    pub all: bool,
    /// Whether the source lets the authors of other records replace it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub authors: bool,
}

impl Missing {
    /// Whether the run lacks it: the source names no replacement.
    #[must_use]
    pub fn is_lacking(&self) -> bool {
        !self.authors
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, url, .. } = self;
        if self.authors {
            return write!(
                f,
                "the server refused to list them ({status} from {url}): these are the authors of the records that came"
            );
        }
        if self.all {
            return write!(f, "the server refused all of it: {status} from {url}");
        }
        let parents = count(self.requests, "parent record");
        write!(
            f,
            "{parents} gone, and what belongs to it; the first: {status} from {url}"
        )
    }
}

/// The refusals of one resource.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    subject: RequestTarget,
    status: StatusCode,
    sent: Option<CredentialRef>,
    /// The server's own message in the first refusal.
    reason: Reason,
    requests: u64,
    /// Whether a response said that it is permanently gone, which a wrong path never causes.
    gone: bool,
    all: bool,
}

impl Refused {
    pub(super) fn new(
        subject: RequestTarget,
        status: StatusCode,
        (sent, reason): (Option<CredentialRef>, Reason),
        all: bool,
    ) -> Self {
        Self {
            subject,
            status,
            sent,
            reason,
            requests: 0,
            gone: false,
            all,
        }
    }

    pub(super) fn add(&mut self, status: StatusCode) {
        self.requests = self.requests.saturating_add(1);
        self.gone |= status == StatusCode::GONE;
    }

    pub(super) fn is_all(&self) -> bool {
        self.all
    }

    /// Whether the refusals, without any page, mean that the path is wrong.
    pub(super) fn is_wrong_path(&self, finished: bool) -> bool {
        !self.all && !self.gone && (finished || self.requests >= WRONG_PATH)
    }

    pub(super) fn error(&self) -> ApiError {
        ApiError::Status {
            subject: Box::new(self.subject.clone()),
            status: self.status,
            attempts: 1,
            sent: self.sent.clone(),
            reason: Box::new(self.reason.clone()),
            lasting: true,
        }
    }

    pub(super) fn missing(&self) -> Missing {
        Missing {
            status: self.status.as_u16(),
            url: self.subject.url.to_string(),
            requests: self.requests,
            all: self.all,
            authors: false,
        }
    }
}

/// Whether a run continues without a resource that is refused with this status. Only users qualify:
/// unlisted users may still be authors, but without posts there is nothing to report. A 401 for a
/// request with a credential is about that credential, not about permission to list users.
pub(super) fn may_be_closed(resource: Resource, status: u16, sent: bool) -> bool {
    resource == Resource::Users && (matches!(status, 403 | 404) || status == 401 && !sent)
}
