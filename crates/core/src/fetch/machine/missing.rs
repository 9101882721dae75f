//! What the server refuses to give, where the rest of a run makes sense without it.

use std::fmt;

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::fetch::ApiError;
use crate::fetch::RequestTarget;
use crate::fetch::reason::Reason;
use crate::record::Resource;
use crate::source::CredentialRef;
use activity_tracker_text::count;

/// As many parents without children are asked for before it is an error that no parent has any:
/// then the path is wrong, and not the parents are gone.
const WRONG_PATH: u64 = 10;

/// What is not there of a resource, because the server refused it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The status of the first response that refused it.
    pub status: u16,
    /// Where that was asked for.
    pub url: String,
    /// How many requests were refused: one where the whole resource was, else one a parent.
    pub requests: u64,
    /// Whether nothing of the resource could be had.
    pub all: bool,
    /// Whether the authors of other records stand in for it, as the source says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub authors: bool,
}

impl Missing {
    /// Whether the run lacks it: nothing that the source says takes its place.
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
    /// The server's own words, the first time.
    reason: Reason,
    requests: u64,
    /// Whether a response said that it is gone for good, which no wrong path does.
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

    /// Whether so many refusals, and nothing else, mean a wrong path.
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

/// Whether a run goes on without a resource that is refused like this. Who is not listed may
/// write all the same; where posts are refused, there is nothing to tell of. A 401 to a credential
/// that was sent is about that, and no word on who may be listed.
pub(super) fn may_be_closed(resource: Resource, status: u16, sent: bool) -> bool {
    resource == Resource::Users && (matches!(status, 403 | 404) || status == 401 && !sent)
}
