//! An answer, and how an error looks as HTML, JSON and text.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use serde::Serialize;

use super::guard;
use crate::error::{Error, StorageError, chain};
use crate::report::html::{self, Notice};

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
        let body = match self {
            Self::Page => html::notice(&Notice {
                title: problem.title(),
                says: error,
                hint: hint.as_deref(),
                is_failure: status.is_server_error() && !is_early,
                looks_again: status.is_server_error(),
            }),
            Self::Json => json(&Told {
                error,
                hint: hint.as_deref(),
            }),
            Self::Metrics => format!("{error}\n"),
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
pub(super) fn json(value: &impl Serialize) -> String {
    // None of them has keys that are no text, which is what could fail.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}
