//! Fetching: a pure state machine that decides, and thin drivers that do.
//!
//! [`Fetch`] knows what to ask next, when to ask again and when to give up. It
//! knows no socket, clock, disk or random source, so all of its rules are
//! tested without waiting. [`blocking`] drives it with threads, [`tasks`] with tasks.

mod addresses;
pub mod blocking;
mod body;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod happened;
mod link;
mod machine;
mod pace;
mod paging;
mod proxies;
mod quota;
mod rate;
mod reason;
mod request;
mod response_reader;
mod retry;
mod secrets;
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

use crate::record::Resource;

pub use body::{Body, Limits};
pub use machine::{
    Fetch, Missing, PageRequest, Remark, RequestId, ResponseAction, SpooledPage, Step,
};
pub use paging::{PageEstimate, PageInfo, PagingError, Repeated};
pub use quota::{Excess, Quota};
pub use reason::Reason;
pub use retry::{Now, Policy};
pub use shared::SharedFetch;
pub use sink::{
    CompletePage, Event, Observer, Page, Position, Received, Restored, Sink, SinkFactory,
};
pub use tls::{Authorities, InvalidAuthorities};

/// What is sent to every server as `User-Agent`.
pub const USER_AGENT: &str = concat!("activity-tracker/", env!("CARGO_PKG_VERSION"));

/// Tells bytes from other bytes: half of a BLAKE3 checksum.
pub type Digest = u128;

/// The digest of some bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> Digest {
    digest_of(&blake3::hash(bytes))
}

/// The digest that is half of this checksum.
#[must_use]
pub fn digest_of(hash: &blake3::Hash) -> Digest {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.as_bytes()[..16]);
    Digest::from_le_bytes(half)
}

/// How a driver talks to servers: nothing here decides what is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transport {
    /// The longest silence allowed: while connecting, until the head of an
    /// response is there, and between two pieces of its body. A KiB of that may
    /// take as long.
    pub timeout: Duration,
    /// The longest body allowed, in bytes, decoded.
    pub max_body: u64,
    /// Who may vouch for servers, if not those whom this system trusts.
    pub authorities: Option<Authorities>,
    /// Whether the proxies that the environment names are used. Not for a
    /// server on this machine: a proxy elsewhere would look for it on its own.
    pub proxy: bool,
}

/// Patient, with responses of 4 GiB at most, for servers anywhere.
impl Default for Transport {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            max_body: 4 << 30,
            authorities: None,
            proxy: true,
        }
    }
}

impl Transport {
    /// Which proxies are used.
    fn proxies(&self) -> proxies::Proxies {
        if self.proxy {
            proxies::Proxies::from_env()
        } else {
            proxies::Proxies::default()
        }
    }

    /// What one response may cost.
    fn limits(&self) -> Limits {
        Limits {
            longest: self.max_body,
            stretch: self.timeout,
        }
    }
}

/// What is being fetched, for messages: a resource and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestTarget {
    /// The resource.
    pub resource: Resource,
    /// Where it was asked for.
    pub url: Url,
}

impl fmt::Display for RequestTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.resource, self.url)
    }
}

/// What a server gave to ask with later whether a response changed (RFC 9110, section 8.8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// Where the response came from.
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

/// The status and headers of a response.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
}

impl ResponseHead {
    /// How long it may be, in bytes.
    const LONGEST: usize = 64 * 1024;

    /// How many headers it may have.
    const MOST_HEADERS: usize = 128;

    /// Refuses a head that is longer than any reason for one.
    fn check_length(&self) -> Result<(), TransportError> {
        // A colon, a space and the end of a line stand around each.
        let lines = self.headers.iter();
        let length: usize = lines
            .map(|(name, value)| name.as_str().len() + value.len() + 4)
            .sum();
        if length > Self::LONGEST {
            return Err(happened::head_too_long());
        }
        Ok(())
    }
}

/// The ways in which no complete response comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The host name is unknown.
    Resolve,
    /// No connection came about.
    Connect,
    /// Nothing was heard for too long, or next to nothing.
    Timeout,
    /// The address is not public, and the source's base URL is.
    Private,
    /// The encrypted connection failed, or is not to be trusted.
    Tls,
    /// The server does not speak TLS where it is spoken to in TLS.
    NotTls,
    /// What names the proxy cannot be used.
    Proxy,
    /// The proxy did not connect to the server.
    Tunnel,
    /// The connection was lost before the response began.
    Lost,
    /// The body ended early or broke.
    Body,
    /// The body is encoded in a way that cannot be undone.
    Encoding,
    /// The body is longer than allowed.
    TooLarge,
    /// What came is not HTTP/1.1.
    NotHttp,
    /// Anything else.
    Other,
}

impl Failure {
    /// Whether the same request may well succeed when it is sent again.
    #[must_use]
    pub fn is_passing(self) -> bool {
        !matches!(
            self,
            Self::Private
                | Self::Tls
                | Self::NotTls
                | Self::Proxy
                | Self::Encoding
                | Self::TooLarge
        )
    }

    /// What stands before the cause, where that does not say it all.
    fn says(self) -> Option<&'static str> {
        Some(match self {
            Self::Resolve => "the host name cannot be resolved",
            Self::Private => "a private address is not connected to",
            Self::Tls => "the TLS connection failed",
            Self::NotTls => "the server does not speak TLS on this port",
            Self::Encoding => "the response cannot be decoded",
            Self::TooLarge => "the response is too long",
            Self::NotHttp => "the response is not valid HTTP/1.1",
            Self::Connect
            | Self::Timeout
            | Self::Proxy
            | Self::Tunnel
            | Self::Lost
            | Self::Body
            | Self::Other => {
                return None;
            }
        })
    }

    /// Whether the cause is in the client's or the system's words, which are for the log.
    fn hides_cause(self) -> bool {
        matches!(self, Self::Resolve | Self::NotTls | Self::NotHttp)
    }
}

/// Why no complete response came: the class that decisions rest on, and what happened.
#[derive(Debug)]
pub struct TransportError {
    /// The class.
    pub failure: Failure,
    cause: Box<dyn StdError + Send + Sync>,
}

impl TransportError {
    /// With what happened, in words for people; of some classes, with what the client said.
    pub fn new(failure: Failure, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            failure,
            cause: cause.into(),
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.failure.says() {
            Some(says) if self.failure.hides_cause() => f.write_str(says),
            Some(says) => write!(f, "{says}: {}", self.cause),
            None => self.cause.fmt(f),
        }
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.cause.as_ref())
    }
}
