//! Fetching: a pure state machine that decides, and thin drivers that execute.
//!
//! [`Fetch`] decides what to request next, when to retry and when to give up. It has no socket,
//! clock, disk or random source, so its rules are tested without waiting. [`blocking`] drives it
//! with threads, [`tasks`] with tasks.

mod addresses;
pub mod blocking;
mod body;
mod error;
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

use crate::source::Source;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::record::Resource;

pub use body::{Body, Limits};
pub use error::ApiError;
pub use machine::{
    Fetch, Missing, PageRequest, Remark, RequestId, ResponseAction, SpooledPage, Step,
};
pub use paging::{PageEstimate, PageInfo, PagingError, Repeated};
pub use quota::{Excess, Quota};
pub use reason::Reason;
pub use retry::{Now, Policy};
pub use shared::SharedFetch;
pub use sink::{
    CompletePage, Event, Observer, Page, Position, Received, Restored, RestoredPage, Sink,
    SinkError, SinkFactory,
};
pub use tls::{Authorities, InvalidAuthorities};

/// The `User-Agent` header.
pub const USER_AGENT: &str = concat!("activity-tracker/", env!("CARGO_PKG_VERSION"));

/// Half of a BLAKE3 checksum.
pub type Digest = u128;

/// The digest of some bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> Digest {
    digest_of(&blake3::hash(bytes))
}

/// The digest that is the first half of this checksum.
#[must_use]
pub fn digest_of(hash: &blake3::Hash) -> Digest {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.as_bytes()[..16]);
    Digest::from_le_bytes(half)
}

/// How a driver talks to servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transport {
    /// Timeout for connecting, for the response's headers and between reads of its body; also the
    /// longest time for each KiB of the body.
    pub timeout: Duration,
    /// Longest body, in bytes, decompressed.
    pub max_body: u64,
    /// Trusted authorities, if not those of this system.
    pub authorities: Option<Authorities>,
    /// Whether to use the proxies of the environment. Off for a server on this machine: a proxy
    /// elsewhere would look for it on its own machine.
    pub proxy: bool,
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// For servers anywhere: a timeout of 30 s, responses of up to 4 GiB.
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
    /// For the servers of a source: without proxies if they are on this machine.
    #[must_use]
    pub fn of(source: &Source) -> Self {
        Self {
            proxy: !is_loopback(&source.base_url),
            ..Self::default()
        }
    }

    /// The proxies to use.
    fn proxies(&self) -> proxies::Proxies {
        if self.proxy {
            proxies::Proxies::from_env()
        } else {
            proxies::Proxies::default()
        }
    }

    /// The limits of one response.
    fn limits(&self) -> Limits {
        Limits {
            longest: self.max_body,
            stretch: self.timeout,
        }
    }
}

/// What a request is for: a resource and its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestTarget {
    /// The resource.
    pub resource: Resource,
    /// Its URL.
    pub url: Url,
}

impl fmt::Display for RequestTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.resource, self.url)
    }
}

/// A response's validators, for conditional requests (RFC 9110, section 8.8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// The URL of the response.
    pub url: Url,
    /// Its `ETag`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Its `Last-Modified`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

/// One GET request, complete: drivers add nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The URL.
    pub url: Url,
    /// The headers, without `Host` and `Connection`.
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
    /// Maximum size of the headers, in bytes.
    const LONGEST: usize = 64 * 1024;

    /// Maximum number of headers.
    const MOST_HEADERS: usize = 128;

    /// Rejects headers that are too long.
    fn check_length(&self) -> Result<(), TransportError> {
        // Each has a colon, a space and a line ending.
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

/// Why there is no complete response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The host name is unknown.
    Resolve,
    /// Connecting failed.
    Connect,
    /// Nothing, or too little, arrived in time.
    Timeout,
    /// The address is not public, and the source's base URL is.
    Private,
    /// The TLS handshake failed, or the certificate is not trusted.
    Tls,
    /// The server does not speak TLS on this port.
    NotTls,
    /// The proxy's URL is invalid.
    Proxy,
    /// The proxy did not connect to the server.
    Tunnel,
    /// The connection was lost before the response began.
    Lost,
    /// The body was truncated or malformed.
    Body,
    /// The body cannot be decoded.
    Encoding,
    /// The body is longer than allowed.
    TooLarge,
    /// The response is not HTTP/1.1.
    NotHttp,
    /// Anything else.
    Other,
}

impl Failure {
    /// Whether a retry may succeed.
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

    /// A prefix for the cause, if the cause alone does not explain the failure.
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

    /// Whether the cause is worded by the client or the system and belongs only in the log.
    fn hides_cause(self) -> bool {
        matches!(self, Self::Resolve | Self::NotTls | Self::NotHttp)
    }
}

/// A network failure: its class, on which decisions depend, and what happened.
#[derive(Debug)]
pub struct TransportError {
    /// The class.
    pub failure: Failure,
    cause: Box<dyn StdError + Send + Sync>,
}

impl TransportError {
    /// Wraps a cause. For some classes it is shown to the user, for others only logged.
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
