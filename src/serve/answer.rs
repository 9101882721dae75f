//! An answer, and how an error looks as HTML, JSON and text.

use std::io::{self, Write};

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use serde::Serialize;

use super::guard;
use crate::error::{Error, StorageError, chain};
use crate::report::html::{self, Notice};
use crate::report::json::print;

/// In which form something is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A page, for people.
    Page,
    /// JSON, for programs.
    Json,
    /// Text that Prometheus reads.
    Metrics,
}

impl Form {
    /// The form of whatever is at this path.
    pub(super) fn of(path: &str) -> Self {
        match path {
            "/metrics" => Self::Metrics,
            "/api" => Self::Json,
            path if path.starts_with("/api/") => Self::Json,
            _ => Self::Page,
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Page => "text/html; charset=utf-8",
            Self::Json => "application/json",
            Self::Metrics => "text/plain; version=0.0.4; charset=utf-8",
        })
    }

    /// A whole answer.
    pub(super) fn answer(self, status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
        let mut response = Response::new(Body::from(body.into()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.content_type());
        guard::add_headers(headers, self == Self::Page);
        response
    }

    /// An answer that says what is wrong.
    pub(super) fn problem(self, problem: &Problem) -> Response<Body> {
        let Problem {
            status,
            error,
            hint,
        } = problem;
        let is_early = *status == StatusCode::SERVICE_UNAVAILABLE;
        let body: Bytes = match self {
            Self::Page => html::notice(&Notice {
                title: problem.title(),
                says: error,
                hint: hint.as_deref(),
                is_failure: status.is_server_error() && !is_early,
                looks_again: status.is_server_error(),
            })
            .into(),
            Self::Json => {
                let (mut text, hint) = (Vec::new(), hint.as_deref());
                // Memory takes whatever is written.
                let _ = print(&mut text, &Told { error, hint });
                text.into()
            }
            Self::Metrics => format!("{error}\n").into(),
        };
        let mut response = self.answer(*status, body);
        match *status {
            StatusCode::METHOD_NOT_ALLOWED => guard::add_methods(response.headers_mut()),
            StatusCode::SERVICE_UNAVAILABLE => {
                let seconds = HeaderValue::from_static("5");
                response.headers_mut().insert(RETRY_AFTER, seconds);
            }
            _ => {}
        }
        response
    }
}

/// What is wrong, and what can be done about it.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) error: String,
    pub(super) hint: Option<String>,
}

#[derive(Serialize)]
struct Told<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self {
            status,
            error: error.into(),
            hint: None,
        }
    }

    fn title(&self) -> &'static str {
        match self.status {
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::SERVICE_UNAVAILABLE => "Nothing to show yet",
            status if status.is_server_error() => "The report cannot be made",
            _ => "Not answered",
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        // That nothing was fetched yet is no failure: it may come any moment.
        let status = match error {
            Error::Storage(StorageError::NoSnapshot(_)) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self {
            status,
            error: chain(&error),
            hint: error.hint(),
        }
    }
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        Error::from(error).into()
    }
}

/// Values of ours as JSON.
///
/// # Errors
/// When that is longer than a response may be; no more than that is held in memory.
pub(super) fn json(value: &impl Serialize) -> Result<Bytes, Problem> {
    let mut text = Limited(Vec::new());
    match print(&mut text, value) {
        Ok(()) => Ok(text.0.into()),
        // None of them has keys that are no text, which is what else could fail.
        Err(_) => Err(Problem {
            hint: Some("ask for fewer, with `limit`".to_owned()),
            ..Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("the response is longer than {} MiB", LONGEST >> 20),
            )
        }),
    }
}

/// Bytes of a response that is made for one request.
const LONGEST: usize = 4 << 20;

/// Takes no more than a response may have.
struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > LONGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_no_longer_than_it_may_be() {
        assert!(json(&"x".repeat(LONGEST - 3)).is_ok());
        let problem = json(&"x".repeat(LONGEST - 2)).unwrap_err();
        assert_eq!(problem.error, "the response is longer than 4 MiB");
        // An escape takes six times the letter's room.
        assert!(json(&"\u{1b}".repeat(LONGEST / 3)).is_err());
    }
}
