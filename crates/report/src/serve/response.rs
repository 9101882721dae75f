//! Responses, and errors as HTML, JSON and text.

use std::io::{self, Write};

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use serde::Serialize;

use super::guard;
use crate::report::html::{self, Notice};
use crate::report::json::print;
use activity_tracker_core::error::{Error, HistoryError, StorageError, chain};

/// The format of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Html,
    Json,
    /// The Prometheus text format.
    Metrics,
}

impl Format {
    /// The format of a path.
    pub(super) fn of(path: &str) -> Self {
        match path {
            "/metrics" => Self::Metrics,
            "/api" => Self::Json,
            path if path.starts_with("/api/") => Self::Json,
            _ => Self::Html,
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json",
            Self::Metrics => "text/plain; version=0.0.4; charset=utf-8",
        })
    }

    /// A complete response.
    pub(super) fn response(self, status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
        let mut response = Response::new(Body::from(body.into()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.content_type());
        guard::add_headers(headers, self == Self::Html);
        response
    }

    /// An error response.
    pub(super) fn problem(self, problem: &Problem) -> Response<Body> {
        let Problem {
            status,
            error,
            hint,
        } = problem;
        let no_snapshot_yet = *status == StatusCode::SERVICE_UNAVAILABLE;
        let body: Bytes = match self {
            Self::Html => html::notice(&Notice {
                title: problem.title(),
                message: error,
                hint: hint.as_deref(),
                is_failure: status.is_server_error() && !no_snapshot_yet,
                auto_refresh: status.is_server_error(),
            })
            .into(),
            Self::Json => {
                let (mut text, hint) = (Vec::new(), hint.as_deref());
                // Writing to memory does not fail.
                let _ = print(&mut text, &ErrorBody { error, hint });
                text.into()
            }
            Self::Metrics => format!("{error}\n").into(),
        };
        let mut response = self.response(*status, body);
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

/// An error, and what to do about it.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) error: String,
    pub(super) hint: Option<String>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
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
            StatusCode::SERVICE_UNAVAILABLE => "No data yet",
            status if status.is_server_error() => "Report unavailable",
            _ => "Bad request",
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        // Not a failure: the first run may finish any moment.
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

impl From<HistoryError> for Problem {
    fn from(error: HistoryError) -> Self {
        Error::from(error).into()
    }
}

/// Serializes a value as JSON.
///
/// # Errors
/// If it is longer than the maximum; memory stays below that.
pub(super) fn json(value: &impl Serialize) -> Result<Bytes, Problem> {
    let mut text = Limited(Vec::new());
    match print(&mut text, value) {
        Ok(()) => Ok(text.0.into()),
        // All keys are strings, so nothing else can fail.
        Err(_) => Err(Problem {
            hint: Some("use a smaller `limit`".to_owned()),
            ..Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("the response exceeds {} MiB", MAX_RESPONSE >> 20),
            )
        }),
    }
}

/// The maximum length of a response, in bytes.
const MAX_RESPONSE: usize = 4 << 20;

/// Fails beyond the maximum length.
struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > MAX_RESPONSE {
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
    fn a_response_has_a_maximum_length() {
        assert!(json(&"x".repeat(MAX_RESPONSE - 3)).is_ok());
        let problem = json(&"x".repeat(MAX_RESPONSE - 2)).unwrap_err();
        assert_eq!(problem.error, "the response exceeds 4 MiB");
        // An escape takes six bytes.
        assert!(json(&"\u{1b}".repeat(MAX_RESPONSE / 3)).is_err());
    }
}
