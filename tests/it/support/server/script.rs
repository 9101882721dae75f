//! What a test expects to be asked, and the responses to it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::gate::Gate;
use super::reply::Reply;
use super::request::Request;

/// A method and path, the query too where one is given, with the responses to it in order.
///
/// One without responses must not be asked. Where several routes match, those with the query come first.
#[derive(Clone, Debug)]
#[must_use]
pub(crate) struct Route {
    method: String,
    path: String,
    query: Option<String>,
    turns: VecDeque<Turn>,
    asked: usize,
}

#[derive(Clone, Debug)]
struct Turn {
    reply: Arc<Reply>,
    left: Left,
}

#[derive(Clone, Copy, Debug)]
enum Left {
    Exactly(usize),
    Any,
}

impl Route {
    /// A route for GET. `target` is a path, or a path and the exact query: `/posts?_page=2`.
    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A route for another method.
    pub(crate) fn new(method: &str, target: &str) -> Self {
        assert!(
            target.starts_with('/'),
            "a route's target starts with a slash: {target}"
        );
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        Self {
            method: method.into(),
            path: path.into(),
            query,
            turns: VecDeque::new(),
            asked: 0,
        }
    }

    /// Responses the next request with this.
    pub(crate) fn reply(mut self, reply: Reply) -> Self {
        let endless = self
            .turns
            .back()
            .is_some_and(|turn| matches!(turn.left, Left::Any));
        assert!(!endless, "{self}: no response comes after any_times()");
        self.turns.push_back(Turn {
            reply: Arc::new(reply),
            left: Left::Exactly(1),
        });
        self
    }

    /// The same as [`Route::reply`], for reading aloud.
    pub(crate) fn then(self, reply: Reply) -> Self {
        self.reply(reply)
    }

    /// Expects `count` requests for the last response, not one.
    pub(crate) fn times(self, count: usize) -> Self {
        self.left(Left::Exactly(count))
    }

    /// Gives the last response to any number of requests, none too.
    pub(crate) fn any_times(self) -> Self {
        self.left(Left::Any)
    }

    fn left(mut self, left: Left) -> Self {
        let name = self.to_string();
        self.turns
            .back_mut()
            .unwrap_or_else(|| panic!("{name}: reply() comes first"))
            .left = left;
        self
    }

    fn matches(&self, request: &Request) -> bool {
        self.method == request.method
            && self.path == request.path
            && self
                .query
                .as_ref()
                .is_none_or(|query| *query == request.query)
    }

    fn response(&mut self) -> Option<Arc<Reply>> {
        while let Some(turn) = self.turns.front_mut() {
            match &mut turn.left {
                Left::Any => return Some(Arc::clone(&turn.reply)),
                Left::Exactly(0) => drop(self.turns.pop_front()),
                Left::Exactly(left) => {
                    *left -= 1;
                    return Some(Arc::clone(&turn.reply));
                }
            }
        }
        None
    }

    fn missing(&self) -> usize {
        let exactly = |turn: &Turn| match turn.left {
            Left::Exactly(left) => left,
            Left::Any => 0,
        };
        self.turns.iter().map(exactly).sum()
    }
}

impl fmt::Display for Route {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.method, self.path)?;
        self.query
            .as_ref()
            .map_or(Ok(()), |query| write!(out, "?{query}"))
    }
}

/// The routes, and what went otherwise than they say.
#[derive(Debug, Default)]
pub(super) struct Script {
    routes: Vec<Route>,
    pub(super) requests: Vec<Request>,
    pub(super) complaints: Vec<String>,
    /// Requests that have come and wait for their response, and the most there were at once.
    waiting: usize,
    pub(super) most_waiting: usize,
}

impl Script {
    pub(super) fn new(routes: impl IntoIterator<Item = Route>) -> Self {
        Self {
            routes: routes.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Notes a request, and says its response; `None` where it was not expected, which is noted too.
    pub(super) fn take(&mut self, request: Request) -> Option<Arc<Reply>> {
        self.waiting += 1;
        self.most_waiting = self.most_waiting.max(self.waiting);
        let exact = self
            .routes
            .iter()
            .any(|route| route.query.is_some() && route.matches(&request));
        let mut matching: Vec<_> = self
            .routes
            .iter_mut()
            .filter(|route| route.query.is_some() == exact && route.matches(&request))
            .collect();
        let response = matching.iter_mut().find_map(|route| {
            let response = route.response()?;
            route.asked += 1;
            Some(response)
        });
        if response.is_none() {
            let expected: usize = matching.iter().map(|route| route.asked).sum();
            self.complaints
                .push(format!("unexpected: {request} (expected {expected} of it)"));
        }
        self.requests.push(request);
        response
    }

    /// A request's response is about to leave.
    pub(super) fn answered(&mut self) {
        self.waiting -= 1;
    }

    pub(super) fn gates(&self) -> Vec<Gate> {
        let turns = self.routes.iter().flat_map(|route| &route.turns);
        turns.filter_map(|turn| turn.reply.gate.clone()).collect()
    }

    /// What a test must be told, if anything: a report to fail with.
    pub(super) fn verdict(&self) -> Result<(), String> {
        let missing = self
            .routes
            .iter()
            .filter(|route| route.missing() > 0)
            .map(|route| {
                let (missing, asked) = (route.missing(), route.asked);
                format!("never came: {route}, {missing} more after {asked}")
            });
        let mut report: Vec<_> = self.complaints.iter().cloned().chain(missing).collect();
        if report.is_empty() {
            return Ok(());
        }
        report.push("what came:".into());
        report.extend(self.requests.iter().map(|request| format!("  {request}")));
        Err(report.join("\n  "))
    }
}
