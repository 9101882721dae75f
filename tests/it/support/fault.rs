//! One way for an API to fail, and what must come of it.

use super::program::{Running, Workplace};
use super::server::{Reply, Route, Server};

/// A row of a table of errors.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    /// The resource that fails; the other one is there.
    pub(crate) path: &'static str,
    /// What comes in response to how many requests: exactly these must come.
    pub(crate) responses: fn(Route) -> Route,
    pub(crate) args: &'static [&'static str],
    /// The error in a line, with `HOST` for the server.
    pub(crate) says: &'static str,
}

/// The main flow and the async flow fail alike.
pub(crate) const FLOWS: [&[&str]; 2] = [&[], &["--async"]];

impl Fault {
    /// Runs both flows against it: the error is told once and logged once, without a character
    /// that steers a terminal, and the old snapshot stands.
    #[track_caller]
    pub(crate) fn check(&self, code: i32) {
        for flow in FLOWS {
            self.check_flow(flow, code);
        }
    }

    #[track_caller]
    fn check_flow(&self, flow: &[&str], code: i32) {
        let name = [&[self.name], flow].concat().join(" ");
        let others = ["/users", "/posts", "/comments"];
        let others = others.iter().filter(|path| **path != self.path);
        // A connection that is kept is used again, and what dies on it is sent once more.
        let closing = || Reply::json("[]").header("Connection", "close");
        let others = others.map(|path| Route::get(path).reply(closing()).any_times());
        let server = Server::start(others.chain([(self.responses)(Route::get(self.path))]));
        let place = Workplace::with_old_snapshot();
        let before = place.data();
        let args = [&[server.url(), "--backoff", "0s"], flow, self.args].concat();
        let run = [&["run"], &args[..]].concat();
        let outcome = Running::start(&mut place.bounded(&run)).wait();
        let says = self.says.replace("HOST", server.url());
        assert_eq!(
            outcome.first_line(),
            format!("error: {says}"),
            "{name}: {outcome:#?}"
        );
        assert_eq!(outcome.status.code(), Some(code), "{name}");
        assert_eq!(outcome.stdout, "", "{name}");
        place.assert_unchanged(&before);
        let log = place.log();
        let mut errors = log.lines().filter(|line| line.contains(" ERROR "));
        let logged = errors.next().is_some_and(|line| line.contains(&says));
        assert!(logged && errors.next().is_none(), "{name}: {log}");
        let raw = |c: char| c.is_control() && c != '\n';
        assert!(!outcome.stderr.contains(raw), "{name}: {outcome:?}");
        assert!(!log.contains(raw), "{name}: {log:?}");
        server.finish();
    }
}
