//! Why fetching ends before its end.

use std::time::Duration;

use http::StatusCode;

use crate::source::CredentialRef;
use crate::text::count;

use super::{Excess, Failure, PagingError, Reason, RequestTarget, TransportError};

/// The API could not be talked to, or responded with an error.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No complete response came.
    #[error("cannot fetch {subject}: {cause} ({})", times(*.attempts))]
    Transport {
        /// What was asked for.
        subject: Box<RequestTarget>,
        /// How often it was asked for.
        attempts: u32,
        /// What the last attempt ended with.
        #[source]
        cause: TransportError,
    },
    /// The server responded with an error status.
    #[error("cannot fetch {subject}: the server responded with {status} ({}){reason}", times(*.attempts))]
    Status {
        /// What was asked for.
        subject: Box<RequestTarget>,
        /// The status of the last response.
        status: StatusCode,
        /// How often it was asked for.
        attempts: u32,
        /// The credential that was sent, if there was one.
        sent: Option<CredentialRef>,
        /// What the server said about it.
        reason: Box<Reason>,
        /// Whether the same request will be refused again, whatever else is there.
        lasting: bool,
    },
    /// The server responded with success, and the body says that it is an error.
    #[error("cannot fetch {subject}: the body says that it is an error ({}){reason}", times(*.attempts))]
    InBody {
        /// What was asked for.
        subject: Box<RequestTarget>,
        /// How often it was asked for.
        attempts: u32,
        /// What it says.
        reason: Box<Reason>,
    },
    /// What an earlier run was given to ask for the next page with is not taken any more.
    #[error("cannot go on with {subject}: the server responded with {status}{reason}")]
    Expired {
        /// What was asked for.
        subject: Box<RequestTarget>,
        /// The status.
        status: StatusCode,
        /// What the server said about it.
        reason: Box<Reason>,
    },
    /// The server asks for a longer wait than the person allows.
    #[error(
        "cannot fetch {subject}: the server responded with {status} and asks to wait {asked:?}, longer than the {limit:?} allowed"
    )]
    WaitTooLong {
        /// What was asked for.
        subject: Box<RequestTarget>,
        /// The status that came with it.
        status: StatusCode,
        /// The wait in its Retry-After.
        asked: Duration,
        /// The longest wait allowed.
        limit: Duration,
    },
    /// The pages that came cannot be the whole resource.
    #[error("cannot fetch all of {subject}: {cause}")]
    Paging {
        /// What was asked for.
        subject: Box<RequestTarget>,
        /// What is wrong with them.
        #[source]
        cause: PagingError,
    },
    /// The resource is larger than a run may be, or takes longer.
    #[error("cannot fetch all of {subject}: {cause}")]
    Excess {
        /// What was asked for.
        subject: Box<RequestTarget>,
        /// Which limit it is, and how it was reached.
        #[source]
        cause: Excess,
    },
    /// A redirect that cannot or must not be followed.
    #[error("cannot fetch {subject}: {reason}")]
    Redirect {
        /// What was asked for.
        subject: Box<RequestTarget>,
        /// What is wrong with it.
        reason: String,
    },
}

fn times(number: u32) -> String {
    count(number.into(), "attempt")
}

impl ApiError {
    /// Whether pages that came are of no use to a later run: it would fail in the same way.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        match self {
            // These pages do not fit together, and would not next time.
            Self::Paging { .. } | Self::Expired { .. } => true,
            Self::Status { lasting, .. } => *lasting,
            _ => false,
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Transport { subject, cause, .. } => match cause.failure {
                Failure::Resolve => {
                    "check the host name and the network; `activity-tracker run sample` needs none"
                }
                Failure::Connect => "check that the server is running and reachable",
                Failure::NotTls => "if it serves plain HTTP there, begin the base URL with http://",
                Failure::NotHttp if subject.url.scheme() == "http" => {
                    "check the port: if it is one for TLS, begin the base URL with https://; HTTP/2 alone is not supported"
                }
                Failure::NotHttp => "check the port: HTTP/2 alone is not supported",
                Failure::Tunnel => {
                    "check that the proxy lets you through to this server and port, with a user and a password in its URL if it wants them"
                }
                Failure::Proxy => "correct the variable, or name the host in NO_PROXY",
                Failure::Private => {
                    "if the API is meant to lead there, write `allow_private = true` in the source file"
                }
                Failure::Timeout => "the server is slow or silent: a longer --timeout may help",
                Failure::Tls => {
                    "check the server's certificate and this machine's clock and CA certificates"
                }
                Failure::Lost | Failure::Body | Failure::Other => "try again later",
                Failure::TooLarge => {
                    "check the base URL and ask for smaller pages; --max-body allows longer responses"
                }
                Failure::Encoding => return None,
            },
            Self::Status {
                status,
                sent: Some(credential),
                ..
            } if matches!(status.as_u16(), 401 | 403) => {
                return Some(format!(
                    "{credential} was sent, and the server refused it: check that it holds a valid credential for this API"
                ));
            }
            Self::Status { status, .. } => match status.as_u16() {
                401 | 403 => "the API wants credentials, or refuses this client",
                404 | 410 => "check the base URL: the resource's path is put behind it",
                407 => {
                    "the proxy wants a user and a password: write them into its URL, http://USER:PASSWORD@HOST:PORT"
                }
                429 => "the API limits requests: try again later, or with more --retries",
                500.. => "the server has trouble: try again later, or with more --retries",
                _ => "check the base URL",
            },
            Self::InBody { .. } => {
                "see what the API says of this error: it may want other credentials, or another query"
            }
            Self::Expired { .. } => "run again, without --resume",
            Self::WaitTooLong { .. } => "try again after that time, or allow it with --max-wait",
            Self::Paging { cause, .. } => match cause {
                PagingError::Incomplete { .. } => {
                    "records may have come or gone meanwhile: run again; if it stays, check the source's pagination"
                }
                PagingError::Moving { .. } => {
                    "run again when less comes and goes, have the API sort by id (the source's `query`), or store what came with --allow-moving; where pages cannot begin at any offset, say `overlap = false` in the source's pagination"
                }
                PagingError::OtherOrigin { .. } => {
                    "if it is to be trusted, name it in the source's allowed_origins"
                }
                PagingError::RepeatedPage(_) => {
                    "the server seems not to heed what asks for the next page: check the name of the parameter in the source's pagination"
                }
                _ => "check the source's pagination",
            },
            Self::Excess { cause, .. } => match cause {
                Excess::Time(_) => "a longer --max-time allows it, and so do runs that resume",
                _ => "check the source's pagination; if the API is that large, raise the limit",
            },
            Self::Redirect { .. } => "give the URL that the API really lives at",
        };
        Some(hint.to_owned())
    }
}
