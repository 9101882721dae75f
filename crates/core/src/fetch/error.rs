//! Errors of fetching.

use std::time::Duration;

use http::StatusCode;

use crate::source::CredentialRef;
use activity_tracker_text::count;

use super::{Excess, Failure, PagingError, Reason, RequestTarget, TransportError};

/// The API could not be reached, or responded with an error.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No complete response was received.
    #[error("cannot fetch {subject}: {cause} ({})", times(*.attempts))]
    Transport {
        /// The request.
        subject: Box<RequestTarget>,
        /// The number of attempts.
        attempts: u32,
        /// The error of the last attempt.
        #[source]
        cause: TransportError,
    },
    /// The server responded with an error status.
    #[error("cannot fetch {subject}: the server responded with {status} ({}){reason}", times(*.attempts))]
    Status {
        /// The request.
        subject: Box<RequestTarget>,
        /// The status of the last response.
        status: StatusCode,
        /// The number of attempts.
        attempts: u32,
        /// The credential that was sent, if there was one.
        sent: Option<CredentialRef>,
        /// The reason given by the server.
        reason: Box<Reason>,
        /// Whether the same request would be refused again.
        lasting: bool,
    },
    /// The status is a success, but the body reports an error.
    #[error("cannot fetch {subject}: the body reports an error ({}){reason}", times(*.attempts))]
    InBody {
        /// The request.
        subject: Box<RequestTarget>,
        /// The number of attempts.
        attempts: u32,
        /// The reason in the body.
        reason: Box<Reason>,
    },
    /// The server no longer accepts the cursor or URL of an interrupted run.
    #[error("cannot resume {subject}: the server responded with {status}{reason}")]
    Expired {
        /// The request.
        subject: Box<RequestTarget>,
        /// The status.
        status: StatusCode,
        /// The reason given by the server.
        reason: Box<Reason>,
    },
    /// The server requests a longer wait than allowed.
    #[error(
        "cannot fetch {subject}: the server responded with {status} and asks to wait {asked:?}, longer than the {limit:?} allowed"
    )]
    WaitTooLong {
        /// The request.
        subject: Box<RequestTarget>,
        /// The status of the response.
        status: StatusCode,
        /// The delay that the server requested.
        asked: Duration,
        /// The longest wait allowed.
        limit: Duration,
    },
    /// The pages received cannot be the complete resource.
    #[error("cannot fetch all of {subject}: {cause}")]
    Paging {
        /// The request.
        subject: Box<RequestTarget>,
        /// What is wrong with the pages.
        #[source]
        cause: PagingError,
    },
    /// A limit of the run was exceeded.
    #[error("cannot fetch all of {subject}: {cause}")]
    Excess {
        /// The request.
        subject: Box<RequestTarget>,
        /// The limit.
        #[source]
        cause: Excess,
    },
    /// A redirect that cannot or must not be followed.
    #[error("cannot fetch {subject}: {reason}")]
    Redirect {
        /// The request.
        subject: Box<RequestTarget>,
        /// What is wrong with it.
        reason: String,
    },
}

fn times(number: u32) -> String {
    count(number.into(), "attempt")
}

impl ApiError {
    /// Whether resuming is useless: a later run would fail in the same way.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        match self {
            // The stored pages are inconsistent, and a later run would find the same.
            Self::Paging { .. } | Self::Expired { .. } => true,
            Self::Status { lasting, .. } => *lasting,
            _ => false,
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Transport { subject, cause, .. } => match cause.failure {
                Failure::Resolve => {
                    "check the host name and the network; `activity-tracker run sample` works offline"
                }
                Failure::Connect => "check that the server is running and reachable",
                Failure::NotTls => "if the server uses plain HTTP, start the base URL with http://",
                Failure::NotHttp if subject.url.scheme() == "http" => {
                    "check the port: if it uses TLS, start the base URL with https://; servers that only speak HTTP/2 are not supported"
                }
                Failure::NotHttp => {
                    "check the port: servers that only speak HTTP/2 are not supported"
                }
                Failure::Tunnel => {
                    "check that the proxy allows connections to this server and port; put its user name and password, if any, into its URL"
                }
                Failure::Proxy => "correct the variable, or add the host to NO_PROXY",
                Failure::Private => {
                    "if that is intended, set `allow_private = true` in the source file"
                }
                Failure::Timeout => {
                    "the server is slow or does not respond: a longer --timeout may help"
                }
                Failure::Tls => {
                    "check the server's certificate and this machine's clock and CA certificates"
                }
                Failure::Lost | Failure::Body | Failure::Other => "try again later",
                Failure::TooLarge => {
                    "check the base URL and use smaller pages; --max-body allows larger responses"
                }
                Failure::Encoding => return None,
            },
            Self::Status {
                status,
                sent: Some(credential),
                ..
            } if matches!(status.as_u16(), 401 | 403) => {
                return Some(format!(
                    "{credential} was sent, and the server refused it: check that it is valid for this API"
                ));
            }
            Self::Status { status, .. } => match status.as_u16() {
                401 | 403 => "the API requires credentials, or refuses this client",
                404 | 410 => "check the base URL: the path of the resource is appended to it",
                407 => {
                    "the proxy requires a user name and password: put them into its URL, http://USER:PASSWORD@HOST:PORT"
                }
                429 => "the API limits the request rate: try again later, or with more --retries",
                500.. => "the server has a problem: try again later, or with more --retries",
                _ => "check the base URL",
            },
            Self::InBody { .. } => {
                "look up this error in the API's documentation: it may need other credentials, or another query"
            }
            Self::Expired { .. } => "run again without --resume",
            Self::WaitTooLong { .. } => "try again after that time, or allow it with --max-wait",
            Self::Paging { cause, .. } => match cause {
                PagingError::Incomplete { .. } => {
                    "records may have been added or removed meanwhile: run again; if the error persists, check the source's pagination"
                }
                PagingError::Moving { .. } => {
                    "run again when fewer records change, sort by id (the source's `query`), or store what was received with --allow-moving; if pages cannot start at any offset, set `overlap = false` in the source's pagination"
                }
                PagingError::OtherOrigin { .. } => {
                    "if you trust it, add it to the source's allowed_origins"
                }
                PagingError::RepeatedPage(_) => {
                    "the server seems to ignore the page parameter: check its name in the source's pagination"
                }
                _ => "check the source's pagination",
            },
            Self::Excess { cause, .. } => match cause {
                Excess::Time(_) => "allow more with --max-time, or continue with --resume",
                _ => {
                    "check the source's pagination; if the API really is that large, raise the limit"
                }
            },
            Self::Redirect { .. } => "use the final URL of the API",
        };
        Some(hint.to_owned())
    }
}
