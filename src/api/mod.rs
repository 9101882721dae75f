//! Fetching: a pure state machine that decides, and thin drivers that do.
//!
//! [`Fetch`] knows what to ask next, when to ask again and when to give up. It
//! knows no socket, clock, disk or random source, so all of its rules are
//! tested without waiting. [`blocking`] drives it with threads, [`tasks`] with tasks.

pub mod blocking;
mod body;
mod fetch;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod intake;
mod link;
mod paging;
mod rate;
mod request;
mod retry;
mod shared;
mod sink;
pub mod tasks;
mod tls;

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::activity::Resource;

pub use body::Body;
pub use fetch::{Ask, Fetch, Step, Ticket, Verdict};
pub use paging::{Outlook, PagingError};
pub use retry::{Now, Policy};
pub use shared::SharedFetch;
pub use sink::{Event, Observer, Page, Position, Received, Sink, Sinks};

/// What is sent to every server as `User-Agent`.
pub const USER_AGENT: &str = concat!("activity-tracker/", env!("CARGO_PKG_VERSION"));

/// Tells bytes from other bytes: half of a BLAKE3 checksum.
pub type Digest = u128;

/// The digest of some bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> Digest {
    let mut half = [0; 16];
    half.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
    Digest::from_le_bytes(half)
}

/// How a driver talks to servers: nothing here decides what is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transport {
    /// The longest silence allowed: while connecting, until the head of an
    /// answer is there, and between two pieces of its body.
    pub timeout: Duration,
    /// Whether the proxies that the environment names are used. Not for a
    /// server on this machine: a proxy elsewhere would look for it on its own.
    pub proxy: bool,
}

/// What is being fetched, for messages: a resource and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The resource.
    pub resource: Resource,
    /// Where it was asked for.
    pub url: Url,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.resource, self.url)
    }
}

/// What a server gave to ask with later whether an answer changed (RFC 9110, section 8.8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// Where the answer came from.
    pub url: Url,
    /// Its `ETag`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Its `Last-Modified`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

/// One GET request. What is to be sent stands here whole; drivers add nothing to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where to.
    pub url: Url,
    /// The headers, `Host` and `Connection` apart.
    pub headers: HeaderMap,
}

/// The head of an answer.
#[derive(Clone, Debug)]
pub struct Head {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
}

/// The ways in which no whole answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The host name is unknown.
    Resolve,
    /// No connection came about.
    Connect,
    /// Nothing was heard for too long.
    Timeout,
    /// The encrypted connection failed, or is not to be trusted.
    Tls,
    /// The body ended early or broke.
    Body,
    /// The body is encoded in a way that cannot be undone.
    Encoding,
    /// Anything else: a head that is not HTTP, say.
    Other,
}

impl Failure {
    /// Whether the same request may well succeed when it is sent again.
    #[must_use]
    pub fn is_passing(self) -> bool {
        !matches!(self, Self::Tls | Self::Encoding)
    }

    fn says(self) -> &'static str {
        match self {
            Self::Resolve => "the host name cannot be resolved",
            Self::Connect => "no connection",
            Self::Timeout => "timed out",
            Self::Tls => "the TLS connection failed",
            Self::Body => "the answer broke off",
            Self::Encoding => "the answer cannot be decoded",
            Self::Other => "the exchange failed",
        }
    }
}

/// Why no whole answer came: the class that decisions rest on, and what the client said.
#[derive(Debug)]
pub struct TransportError {
    /// The class.
    pub failure: Failure,
    cause: Box<dyn StdError + Send + Sync>,
}

impl TransportError {
    /// With what the HTTP client, or a check of our own, said.
    pub fn new(failure: Failure, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            failure,
            cause: cause.into(),
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.failure.says())
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.cause.as_ref())
    }
}
