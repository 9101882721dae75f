//! Which paths there are, and what each is answered with.

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

use super::answer::{Form, Problem, json};
use super::cache::{Counted, Live};
use super::{guard, metrics, past};
use crate::history::{Cursor, ListedChange, LoggedRun, Users, Wanted};
use crate::http_server::{Asker, Makers};
use crate::report::html::{self, Person, Runs};
use crate::report::{PostLine, Unlinked, UserActivity};
use crate::text::excerpt;

/// How many changes of a user are shown, and how many of anything are given unless asked for.
const USUAL: u64 = 100;

/// How many of anything are given at most.
const MOST: u64 = 1_000;

/// Bytes of the titles of posts that are given at most.
const TITLES: usize = 256 * 1024;

/// What every request is answered from.
struct Site {
    live: Live,
    makers: Makers,
    /// Whether the data directory was there before. One that is not there yet will come.
    seen: AtomicBool,
    /// Whether only this machine can ask.
    local: bool,
}

/// Answers for a data directory, on a server that listens at `address`.
pub(super) fn router(data_dir: PathBuf, makers: Makers, address: SocketAddr) -> Router {
    let site = Site {
        live: Live::new(data_dir),
        makers,
        seen: AtomicBool::new(false),
        local: address.ip().is_loopback(),
    };
    Router::new().fallback(respond).with_state(Arc::new(site))
}

async fn respond(State(site): State<Arc<Site>>, request: Request) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let form = Form::of(parts.uri.path());
    if let Err(refused) = guard::check(&parts.method, &parts.uri, &parts.headers, site.local) {
        return form.problem(&Problem::new(refused.status, refused.reason));
    }
    let answered = match Route::of(parts.uri.path()) {
        None => Err(Problem::new(StatusCode::NOT_FOUND, "there is nothing here")),
        Some(route) => {
            // Counting takes its time, and files are waited for.
            let query = parts.uri.query().unwrap_or_default().to_owned();
            let (makers, site) = (&site.makers, Arc::clone(&site));
            let answer = move || site.answer(&route, &query);
            let asker = parts.extensions.get::<Asker>().cloned();
            let made = makers.make(asker.unwrap_or_default(), answer).await;
            made.unwrap_or_else(|| Err(panicked()))
        }
    };
    match answered {
        Ok(body) => form.answer(StatusCode::OK, body),
        Err(problem) => form.problem(&problem),
    }
}

fn panicked() -> Problem {
    let error = "this should not happen: please report it";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error)
}

/// What can be asked for.
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
            // A slash that belongs to an id is encoded.
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

/// Somebody, for programs.
#[derive(Serialize)]
struct UserAnswer<'a> {
    user: &'a UserActivity,
    unanswered: Option<&'a [&'a PostLine]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unanswered_reason: Option<Unlinked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more_unanswered: Option<bool>,
    changes: Vec<ListedChange>,
    more_changes: bool,
    /// What to ask with for those.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Changes, newest run first.
#[derive(Serialize)]
struct ChangesAnswer {
    changes: Vec<ListedChange>,
    /// Whether there are more than were asked for, or than fit.
    more: bool,
    /// What to ask with for those.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct RunsAnswer {
    runs: Vec<LoggedRun>,
    more: bool,
}

impl Site {
    fn answer(&self, route: &Route, query: &str) -> Result<Bytes, Problem> {
        let data_dir = self.live.data_dir();
        self.look_for(data_dir)?;
        Ok(match route {
            Route::Report => self.live.counted()?.page(),
            Route::ApiReport => self.live.counted()?.json(),
            Route::User(id) => self.user(id)?.into(),
            Route::ApiUser(id) => self.api_user(id, &Asked::of(query)?)?,
            Route::Runs => self.runs()?.into(),
            Route::ApiRuns => self.api_runs(&Asked::of(query)?)?,
            Route::ApiChanges => self.api_changes(&Asked::of(query)?)?,
            Route::Metrics => metrics::text(data_dir)?.into(),
        })
    }

    /// A data directory that has gone is no history without runs.
    fn look_for(&self, data_dir: &Path) -> Result<(), Problem> {
        if data_dir.is_dir() {
            self.seen.store(true, Ordering::Relaxed);
        } else if self.seen.load(Ordering::Relaxed) {
            let says = format!(
                "the data directory {} is not there any more",
                data_dir.display()
            );
            return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, says));
        }
        Ok(())
    }

    fn user(&self, id: &str) -> Result<String, Problem> {
        let counted = self.live.counted()?;
        let (place, user) = known(&counted, id)?;
        let wanted = of(&counted, user, USUAL);
        let found = past::changes(self.live.data_dir(), &wanted, None)?;
        Ok(html::user_page(&Person {
            report: &counted.report,
            user,
            place,
            unanswered: counted.unanswered(user),
            changes: &found.changes,
            more: found.next.is_some(),
        }))
    }

    fn api_user(&self, id: &str, asked: &Asked) -> Result<Bytes, Problem> {
        let counted = self.live.counted()?;
        let (_, user) = known(&counted, id)?;
        let wanted = of(&counted, user, asked.limit);
        let found = past::changes(self.live.data_dir(), &wanted, asked.after)?;
        let unanswered = counted.unanswered(user);
        let given = unanswered.as_deref().map(given);
        let left_out = given
            .zip(unanswered.as_ref())
            .is_some_and(|(given, all)| given.len() < all.len());
        json(&UserAnswer {
            user,
            unanswered: given,
            unanswered_reason: counted.report.unanswered_reason,
            more_unanswered: left_out.then_some(true),
            changes: found.changes,
            more_changes: found.next.is_some(),
            next: found.next.map(|next| next.to_string()),
        })
    }

    fn runs(&self) -> Result<String, Problem> {
        // The history is brought up on the way, and tells if that cannot be done. A
        // snapshot that cannot be counted says nothing against the history.
        let counted = self.live.counted().ok();
        let behind = counted
            .as_ref()
            .and_then(|counted| counted.behind.as_deref());
        let mut runs = Runs::default();
        past::each_run(self.live.data_dir(), |run| runs.add(run))?;
        Ok(html::runs_page(&runs, behind))
    }

    fn api_runs(&self, asked: &Asked) -> Result<Bytes, Problem> {
        let limit = usize::try_from(asked.limit).unwrap_or(usize::MAX);
        let (runs, more) = past::last_runs(self.live.data_dir(), limit)?;
        json(&RunsAnswer { runs, more })
    }

    fn api_changes(&self, asked: &Asked) -> Result<Bytes, Problem> {
        let data_dir = self.live.data_dir();
        let behind = match &asked.since_run {
            None => None,
            Some(wanted) => {
                let unknown = || Problem::new(StatusCode::NOT_FOUND, unknown("run", wanted));
                Some(past::run(data_dir, wanted)?.ok_or_else(unknown)?)
            }
        };
        let wanted = Wanted {
            behind,
            limit: Some(asked.limit),
            ..Wanted::default()
        };
        let found = past::changes(data_dir, &wanted, asked.after)?;
        json(&ChangesAnswer {
            changes: found.changes,
            more: found.next.is_some(),
            next: found.next.map(|next| next.to_string()),
        })
    }
}

/// As many of these posts as are given in a response.
fn given<'s, 'p>(posts: &'s [&'p PostLine]) -> &'s [&'p PostLine] {
    let mut room = TITLES;
    let fit = posts
        .iter()
        .take(usize::try_from(MOST).unwrap_or(usize::MAX));
    let fit = fit.take_while(|post| {
        let title = post.title.as_ref().map_or(0, String::len);
        let left = room.checked_sub(title);
        room = left.unwrap_or(0);
        left.is_some()
    });
    &posts[..fit.count()]
}

fn known<'c>(counted: &'c Counted, id: &str) -> Result<(usize, &'c UserActivity), Problem> {
    let unknown = || Problem::new(StatusCode::NOT_FOUND, unknown("user", id));
    counted.user(id).ok_or_else(unknown)
}

fn unknown(what: &str, name: &str) -> String {
    format!("there is no {what} {}", excerpt(name, 80))
}

/// The changes of somebody and of what they wrote, `limit` of them at most.
fn of(counted: &Counted, user: &UserActivity, limit: u64) -> Wanted {
    let email = user.email.iter().filter(|email| !email.is_empty());
    Wanted {
        source: Some(counted.report.source.clone()),
        users: Some(Users {
            ids: counted.ids(user),
            emails: email.map(|email| email.to_lowercase()).collect(),
        }),
        limit: Some(limit),
        ..Wanted::default()
    }
}

/// What the query asks for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    limit: u64,
    since_run: Option<String>,
    /// Behind which change.
    after: Option<Cursor>,
}

impl Asked {
    fn of(query: &str) -> Result<Self, Problem> {
        let mut asked = Self {
            limit: USUAL,
            since_run: None,
            after: None,
        };
        let wrong = |says: String| Problem::new(StatusCode::BAD_REQUEST, says);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "limit" => {
                    let limit = value.parse().ok();
                    let limit = limit.filter(|limit| (1..=MOST).contains(limit));
                    let says = || wrong(format!("limit: expected a number from 1 to {MOST}"));
                    asked.limit = limit.ok_or_else(says)?;
                }
                "after" => {
                    let says = |()| wrong("after: expected what `next` says".to_owned());
                    asked.after = Some(value.parse().map_err(says)?);
                }
                "since_run" => asked.since_run = Some(value.into_owned()),
                // Whoever follows a link may have put something behind it.
                _ => {}
            }
        }
        Ok(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_one_thing_or_to_nothing() {
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
    fn a_limit_is_a_number_of_at_most_a_thousand() {
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
            let asked = Asked::of(query).ok();
            assert_eq!(asked.map(|asked| asked.limit), limit, "{query}");
        }
    }
}
