//! The routes and their responses.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use url::form_urlencoded;

use super::cache::{CachedReport, ReportCache};
use super::response::{Format, Problem, json};
use super::{guard, history_queries, metrics};
use crate::report::html::{self, Runs, UserPage};
use crate::report::{PostSummary, Unlinked, UserActivity};
use activity_tracker_core::history::{ChangeFilter, Cursor, ListedChange, LoggedRun, Users};
use activity_tracker_http_server::{Client, Workers};
use activity_tracker_text::{excerpt, grouped};

/// The default limit of lists.
const DEFAULT_LIMIT: u64 = 100;

/// The maximum limit of lists.
const MAX_LIMIT: u64 = 1_000;

/// The maximum total length of titles in a response, in bytes.
const MAX_TITLES: usize = 256 * 1024;

/// The state of the server.
struct App {
    cache: ReportCache,
    workers: Workers,
    /// Whether the data directory existed before: it may not exist yet, but must not disappear.
    data_dir_seen: AtomicBool,
    /// Whether the server listens on a loopback address.
    local: bool,
}

/// The router of a server for a data directory, listening at `address`.
pub(super) fn router(data_dir: PathBuf, workers: Workers, address: SocketAddr) -> Router {
    let app = App {
        cache: ReportCache::new(data_dir),
        workers,
        data_dir_seen: AtomicBool::new(false),
        local: address.ip().is_loopback(),
    };
    Router::new().fallback(respond).with_state(Arc::new(app))
}

async fn respond(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let format = Format::of(parts.uri.path());
    if let Err(rejection) = guard::check(&parts.method, &parts.uri, &parts.headers, app.local) {
        return format.problem(&Problem::new(rejection.status, rejection.reason));
    }
    let result = match Route::of(parts.uri.path()) {
        None => Err(Problem::new(StatusCode::NOT_FOUND, "no such page")),
        Some(route) => {
            // Blocking work: it reads files and may compute the report.
            let query = parts.uri.query().unwrap_or_default().to_owned();
            let (workers, app) = (&app.workers, Arc::clone(&app));
            let respond = move || app.body(&route, &query);
            let client = parts.extensions.get::<Client>().cloned();
            let result = workers.run(client.unwrap_or_default(), respond).await;
            result.unwrap_or_else(|| Err(panicked()))
        }
    };
    match result {
        Ok(body) => format.response(StatusCode::OK, body),
        Err(problem) => format.problem(&problem),
    }
}

fn panicked() -> Problem {
    let error = "internal error, please report";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error)
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Route {
    Report,
    User(String),
    Runs,
    Metrics,
    ApiReport,
    ApiUser(String),
    ApiRuns,
    ApiChanges,
}

impl Route {
    fn of(path: &str) -> Option<Self> {
        let id = |text: &str| {
            // A slash in an id is percent-encoded.
            let text = Some(text).filter(|text| !text.contains('/'))?;
            let decoded = percent_decode_str(text).decode_utf8().ok()?;
            Some(decoded.into_owned())
        };
        Some(match path {
            "/" => Self::Report,
            "/runs" => Self::Runs,
            "/metrics" => Self::Metrics,
            "/api/report" => Self::ApiReport,
            "/api/runs" => Self::ApiRuns,
            "/api/changes" => Self::ApiChanges,
            path => match path.strip_prefix("/api") {
                Some(rest) => Self::ApiUser(id(rest.strip_prefix("/users/")?)?),
                None => Self::User(id(path.strip_prefix("/users/")?)?),
            },
        })
    }
}

/// The response of `/api/users/ID`.
#[derive(Serialize)]
struct UserResponse<'a> {
    user: &'a UserActivity,
    unanswered: Option<&'a [&'a PostSummary]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unanswered_reason: Option<Unlinked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more_unanswered: Option<bool>,
    changes: Vec<ListedChange>,
    more_changes: bool,
    /// The value of `after` to get them.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The response of `/api/changes`, newest run first.
#[derive(Serialize)]
struct ChangesResponse {
    changes: Vec<ListedChange>,
    /// Whether there are more changes.
    more: bool,
    /// The value of `after` to get them.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The response of `/api/runs`.
#[derive(Serialize)]
struct RunsResponse {
    runs: Vec<LoggedRun>,
    more: bool,
}

impl App {
    fn body(&self, route: &Route, query: &str) -> Result<Bytes, Problem> {
        let data_dir = self.cache.data_dir();
        self.check_exists(data_dir)?;
        Ok(match route {
            Route::Report => self.cache.report()?.page(),
            Route::ApiReport => self.cache.report()?.json(),
            Route::User(id) => self.user(id)?.into(),
            Route::ApiUser(id) => self.api_user(id, &Query::of(query)?)?,
            Route::Runs => self.runs()?.into(),
            Route::ApiRuns => self.api_runs(&Query::of(query)?)?,
            Route::ApiChanges => self.api_changes(&Query::of(query)?)?,
            Route::Metrics => metrics::text(data_dir)?.into(),
        })
    }

    /// A data directory that has disappeared must not look like one without runs.
    fn check_exists(&self, data_dir: &Path) -> Result<(), Problem> {
        if data_dir.is_dir() {
            self.data_dir_seen.store(true, Ordering::Relaxed);
        } else if self.data_dir_seen.load(Ordering::Relaxed) {
            let error = format!("the data directory {} no longer exists", data_dir.display());
            return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error));
        }
        Ok(())
    }

    fn user(&self, id: &str) -> Result<String, Problem> {
        let report = self.cache.report()?;
        let (position, user) = find_user(&report, id)?;
        let wanted = changes_of(&report, user, DEFAULT_LIMIT);
        let found = history_queries::changes(self.cache.data_dir(), &wanted, None)?;
        Ok(html::user_page(&UserPage {
            report: &report.report,
            user,
            position,
            unanswered: report.unanswered(user),
            changes: &found.changes,
            more: found.next.is_some(),
        }))
    }

    fn api_user(&self, id: &str, query: &Query) -> Result<Bytes, Problem> {
        let report = self.cache.report()?;
        let (_, user) = find_user(&report, id)?;
        let wanted = changes_of(&report, user, query.limit);
        let found = history_queries::changes(self.cache.data_dir(), &wanted, query.after)?;
        let unanswered = report.unanswered(user);
        let listed = unanswered.as_deref().map(limited);
        let more = listed
            .zip(unanswered.as_ref())
            .is_some_and(|(listed, all)| listed.len() < all.len());
        json(&UserResponse {
            user,
            unanswered: listed,
            unanswered_reason: report.report.unanswered_reason,
            more_unanswered: more.then_some(true),
            changes: found.changes,
            more_changes: found.next.is_some(),
            next: found.next.map(|next| next.to_string()),
        })
    }

    fn runs(&self) -> Result<String, Problem> {
        // This also applies pending changes to the history. A damaged snapshot does not affect
        // this page.
        let report = self.cache.report().ok();
        let behind = report.as_ref().and_then(|report| report.behind.as_deref());
        let mut runs = Runs::default();
        history_queries::each_run(self.cache.data_dir(), |run| runs.add(run))?;
        Ok(html::runs_page(&runs, behind))
    }

    fn api_runs(&self, query: &Query) -> Result<Bytes, Problem> {
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let (runs, more) = history_queries::last_runs(self.cache.data_dir(), limit)?;
        json(&RunsResponse { runs, more })
    }

    fn api_changes(&self, query: &Query) -> Result<Bytes, Problem> {
        let data_dir = self.cache.data_dir();
        let behind = match &query.since_run {
            None => None,
            Some(wanted) => {
                let unknown = || Problem::new(StatusCode::NOT_FOUND, unknown("run", wanted));
                Some(history_queries::run(data_dir, wanted)?.ok_or_else(unknown)?)
            }
        };
        let wanted = ChangeFilter {
            behind,
            limit: Some(query.limit),
            ..ChangeFilter::default()
        };
        let found = history_queries::changes(data_dir, &wanted, query.after)?;
        json(&ChangesResponse {
            changes: found.changes,
            more: found.next.is_some(),
            next: found.next.map(|next| next.to_string()),
        })
    }
}

/// As many of these posts as fit into a response.
fn limited<'s, 'p>(posts: &'s [&'p PostSummary]) -> &'s [&'p PostSummary] {
    let mut budget = MAX_TITLES;
    let fit = posts
        .iter()
        .take(usize::try_from(MAX_LIMIT).unwrap_or(usize::MAX));
    let fit = fit.take_while(|post| {
        let title = post.title.as_ref().map_or(0, String::len);
        let left = budget.checked_sub(title);
        budget = left.unwrap_or(0);
        left.is_some()
    });
    &posts[..fit.count()]
}

fn find_user<'c>(report: &'c CachedReport, id: &str) -> Result<(usize, &'c UserActivity), Problem> {
    let unknown = || Problem::new(StatusCode::NOT_FOUND, unknown("user", id));
    report.user(id).ok_or_else(unknown)
}

fn unknown(what: &str, name: &str) -> String {
    format!("no such {what}: {}", excerpt(name, 80))
}

/// Selects changes of a user and of what the user wrote, up to `limit`.
fn changes_of(report: &CachedReport, user: &UserActivity, limit: u64) -> ChangeFilter {
    let email = user.email.iter().filter(|email| !email.is_empty());
    ChangeFilter {
        source: Some(report.report.source.clone()),
        users: Some(Users {
            ids: report.ids(user),
            emails: email.map(|email| email.to_lowercase()).collect(),
        }),
        limit: Some(limit),
        ..ChangeFilter::default()
    }
}

/// The query parameters.
#[derive(Debug, PartialEq, Eq)]
struct Query {
    limit: u64,
    since_run: Option<String>,
    after: Option<Cursor>,
}

impl Query {
    fn of(query: &str) -> Result<Self, Problem> {
        let mut parsed = Self {
            limit: DEFAULT_LIMIT,
            since_run: None,
            after: None,
        };
        let invalid = |error: String| Problem::new(StatusCode::BAD_REQUEST, error);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "limit" => {
                    let limit = value.parse().ok();
                    let limit = limit.filter(|limit| (1..=MAX_LIMIT).contains(limit));
                    let error = || invalid(format!("limit: expected 1 to {}", grouped(MAX_LIMIT)));
                    parsed.limit = limit.ok_or_else(error)?;
                }
                "after" => {
                    let expected = "after: expected the value of `next` in a response";
                    let error = |()| invalid(expected.to_owned());
                    parsed.after = Some(value.parse().map_err(error)?);
                }
                "since_run" => parsed.since_run = Some(value.into_owned()),
                // Links may have tracking parameters.
                _ => {}
            }
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_one_route_or_none() {
        let user = |id: &str| Some(Route::User(id.to_owned()));
        let cases = [
            ("/", Some(Route::Report)),
            ("/runs", Some(Route::Runs)),
            ("/runs/", None),
            ("/users", None),
            ("/users/", user("")),
            ("/users/7", user("7")),
            ("/users/7/posts", None),
            ("/users/a%2Fb", user("a/b")),
            ("/users/%22..%22", user("\"..\"")),
            ("/users/%3Cscript%3E", user("<script>")),
            ("/users/%FF", None),
            ("/users/../etc/passwd", None),
            ("/api/users/7", Some(Route::ApiUser("7".to_owned()))),
            ("/api/users/7/x", None),
            ("/api", None),
            ("/apiusers/7", None),
            ("//", None),
            ("*", None),
            ("", None),
        ];
        for (path, route) in cases {
            assert_eq!(Route::of(path), route, "{path}");
        }
    }

    #[test]
    fn the_limit_is_1_to_1000() {
        let cases = [
            ("", Some(100)),
            ("limit=7", Some(7)),
            ("limit=1000", Some(1_000)),
            ("other=7", Some(100)),
            ("limit=0", None),
            ("limit=1001", None),
            ("limit=-1", None),
            ("limit=", None),
            ("limit=99999999999999999999", None),
        ];
        for (query, limit) in cases {
            let parsed = Query::of(query).ok();
            assert_eq!(parsed.map(|parsed| parsed.limit), limit, "{query}");
        }
    }
}
