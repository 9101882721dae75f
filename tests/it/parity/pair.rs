//! Runs both flows against the same server and compares what they asked and how they ended.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use activity_tracker::concurrency::Stop;
use activity_tracker::error::Error;
use activity_tracker::fetch::{Policy, Transport};
use activity_tracker::pipeline::{self, SharedObserver};
use activity_tracker::settings::Settings;
use activity_tracker::source::Source;

use crate::support::program::contents;
use crate::support::server::{Gate, Reply, Request, Route, Server};

/// Laid out as the output files are, so that they come out as they went in.
pub(super) const USERS: &str = r#"[
  {"id":1,"name":"A","username":"a","email":"a@x.biz"},
  { "id": "2", "name":"B\u0042", "username":"b", "email":"b@x.com", "more": [1.0, null] }
]"#;
pub(super) const POSTS: &str = r#"[
  {"id":1,"userId":1,"title":"t","body":"b"}
]"#;
const COMMENTS: &str = r#"[
  {"id":1,"postId":1,"name":"n","email":"c@x.org","body":"b"}
]"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Main,
    Async,
}

/// A server, and what is to come of asking it.
pub(super) struct Row {
    name: &'static str,
    /// What is answered to requests for users, in this order.
    users: Vec<Reply>,
    posts: Reply,
    /// Where a redirect leads, and the response there.
    moved: Option<Route>,
    policy: Policy,
    timeout: Duration,
    expected: Expected,
}

#[derive(Clone, Copy)]
pub(super) enum Expected {
    /// The users file, verbatim.
    Users(&'static str),
    /// An exit code and the message; `{url}` stands for the server's URL.
    Failure(u8, &'static str),
}

/// What a run asked, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) users: Vec<Asked>,
    posts: Vec<Asked>,
    ended: Result<Files, Failure>,
}

/// A request: method, path with query, and all headers but those of the connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) line: String,
    pub(super) headers: Vec<(String, String)>,
}

/// Files that both flows write, with their records.
#[derive(Debug, PartialEq, Eq)]
struct Files {
    users: String,
    posts: String,
    filtered_users: String,
}

#[derive(Debug, PartialEq, Eq)]
struct Failure {
    exit_code: u8,
    message: String,
}

pub(super) fn row(name: &'static str, users: impl Into<Vec<Reply>>, expected: Expected) -> Row {
    Row {
        name,
        users: users.into(),
        // A connection that is kept is used again, and what dies on it is sent once more.
        posts: Reply::json(POSTS).header("Connection", "close"),
        moved: None,
        policy: Policy {
            first_backoff: Duration::ZERO,
            ..Policy::default()
        },
        timeout: Duration::from_secs(20),
        expected,
    }
}

impl Row {
    /// With a route behind the one that the flows ask first.
    pub(super) fn moved(self, route: Route) -> Self {
        Self {
            moved: Some(route),
            ..self
        }
    }

    pub(super) fn posts(self, posts: Reply) -> Self {
        Self { posts, ..self }
    }

    /// Where silence is the case: soon given up.
    pub(super) fn impatient(self) -> Self {
        Self {
            timeout: Duration::from_millis(500),
            ..self
        }
    }

    pub(super) fn retries(mut self, retries: u32) -> Self {
        self.policy.retries = retries;
        self
    }

    pub(super) fn backoff(mut self, backoff: Duration) -> Self {
        self.policy.first_backoff = backoff;
        self
    }

    /// Nothing is answered before all resources are asked for: otherwise an
    /// early failure would leave it to chance which requests are still sent.
    pub(super) fn routes(&self, flow: Flow) -> Vec<Route> {
        let all_asked = Gate::opening_at(if flow == Flow::Async { 3 } else { 2 });
        let mut routes = vec![Route::get("/posts").reply(self.posts.clone().after(&all_asked))];
        if flow == Flow::Async {
            let comments = Reply::json(COMMENTS).header("Connection", "close");
            routes.push(Route::get("/comments").reply(comments.after(&all_asked)));
        }
        let mut users = Route::get("/users");
        for reply in self.users.iter().cloned() {
            users = users.reply(reply.after(&all_asked));
        }
        routes.push(users);
        routes.extend(self.moved.clone());
        routes
    }
}

pub(super) fn run(flow: Flow, url: &str, data_dir: &Path, row: &Row) -> Result<(), Error> {
    let source = Source::named(url).expect("the server's URL");
    let settings = Settings {
        workers: NonZeroUsize::MIN,
        policy: row.policy.clone(),
        transport: Transport {
            timeout: row.timeout,
            proxy: false,
            ..Transport::default()
        },
        fresh: true,
        ..Settings::new(source, data_dir)
    };
    let program = env!("CARGO_BIN_EXE_activity-tracker").as_ref();
    match flow {
        Flow::Main => pipeline::run(&settings, program, &Stop::new(), &()).map(drop),
        Flow::Async => {
            let observer: SharedObserver = Arc::new(());
            pipeline::run_async(&settings, &Stop::new(), &observer).map(drop)
        }
    }
}

/// Runs one flow against a server of its own.
pub(super) fn observe(flow: Flow, row: &Row) -> Outcome {
    let place = tempfile::tempdir().expect("a folder");
    let data_dir = place.path().join("data");
    let server = Server::start(row.routes(flow));
    let ended = run(flow, server.url(), &data_dir, row);
    let ended = match ended {
        Ok(()) => Ok(Files::read(flow, &data_dir)),
        Err(error) => {
            let left = data_dir.exists().then(|| contents(&data_dir));
            let left = left.unwrap_or_default();
            assert!(left.is_empty(), "{}: {flow:?} left {left:?}", row.name);
            Err(Failure {
                exit_code: error.exit_code(),
                message: error.to_string().replace(server.url(), "{url}"),
            })
        }
    };
    let outcome = Outcome {
        users: asked(&server, "/users"),
        posts: asked(&server, "/posts"),
        ended,
    };
    server.finish();
    outcome
}

/// The requests of one resource, wherever redirects led them, in their order.
fn asked(server: &Server, resource: &str) -> Vec<Asked> {
    let requests = server.requests().into_iter();
    let own = requests.filter(|request| request.path.ends_with(resource));
    own.map(|request| Asked::of(request, server.url()))
        .collect()
}

impl Asked {
    fn of(request: Request, url: &str) -> Self {
        let host = url.trim_start_matches("http://");
        let line = request.to_string();
        let headers = request.headers.into_iter();
        // RFC 9110, 7.6.1: what `Connection` says ends at the next hop.
        let mut headers: Vec<_> = headers
            .filter(|(name, _)| name != "connection")
            .map(|(name, value)| (name, value.replace(host, "{host}")))
            .collect();
        headers.sort();
        Self { line, headers }
    }
}

impl Files {
    fn read(flow: Flow, data_dir: &Path) -> Self {
        let read = |stem: &str| {
            let suffix = if flow == Flow::Async { "_async" } else { "" };
            let path = data_dir.join(format!("{stem}{suffix}.json"));
            fs::read_to_string(path).expect("an output file")
        };
        Self {
            users: read("users"),
            posts: read("posts"),
            filtered_users: read("filtered_users"),
        }
    }
}

#[track_caller]
pub(super) fn hold_together(rows: impl IntoIterator<Item = Row>) {
    for row in rows {
        let name = row.name;
        let main = observe(Flow::Main, &row);
        let tasks = observe(Flow::Async, &row);
        assert_eq!(
            main, tasks,
            "{name}: main flow on the left, async flow on the right"
        );
        match (row.expected, main.ended) {
            (Expected::Users(expected), Ok(files)) => {
                assert_eq!(files.users, expected, "{name}");
                assert_eq!(files.posts, POSTS, "{name}");
            }
            (Expected::Failure(exit_code, message), Err(failure)) => {
                let message = message.to_owned();
                assert_eq!(failure, Failure { exit_code, message }, "{name}");
            }
            (_, ended) => panic!("{name}: {ended:?}"),
        }
        let times = row.users.len() + usize::from(row.moved.is_some());
        assert_eq!(main.users.len(), times, "{name}: requests for users");
    }
}
