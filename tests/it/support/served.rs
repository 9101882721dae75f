//! `activity-tracker serve`, asked over plain sockets: no client that could hide anything.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use super::processes;
use super::program::Workplace;
use super::server::{Reply, Route, Server};

/// How long an answer may take before the test fails in place of hanging.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that serves; killed when dropped.
#[derive(Debug)]
pub(crate) struct Served {
    child: Child,
    stderr: Option<BufReader<ChildStderr>>,
    pub(crate) address: SocketAddr,
    /// What was said until it served.
    pub(crate) said: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// By name in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    /// Reads what comes until the connection is closed.
    pub(crate) fn read(mut connection: TcpStream) -> Self {
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).expect("an answer");
        let answer = String::from_utf8(answer).expect("UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let header = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            Some((name.to_lowercase(), value.to_owned()))
        };
        Self {
            status: status.and_then(|text| text.parse().ok()).expect("a status"),
            headers: lines.filter_map(header).collect(),
            body: body.to_owned(),
        }
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.headers["content-type"], "application/json", "{self:?}");
        serde_json::from_str(&self.body).expect("JSON")
    }
}

impl Served {
    /// Serves the data directory of a place on a free port, as soon as it says so.
    pub(crate) fn start(place: &Workplace, args: &[&str]) -> Self {
        Self::started(place.command(&[&["serve", "--port", "0"], args].concat()))
    }

    /// The same, under a limit that a shell sets.
    pub(crate) fn start_under(place: &Workplace, limit: &str) -> Self {
        Self::started(place.limited(limit, &["serve", "--port", "0"]))
    }

    fn started(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .spawn()
            .expect("start the program");
        let mut stderr = BufReader::new(child.stderr.take().expect("its stderr"));
        let mut said = String::new();
        while !said.contains("press Ctrl-C to stop") {
            let read = stderr.read_line(&mut said).expect("what it says");
            assert!(read > 0, "it ended: {said}");
        }
        let (_, url) = said.rsplit_once(" at http://").expect("a URL");
        let (address, _) = url.split_once('/').expect("a path");
        Self {
            child,
            stderr: Some(stderr),
            address: address.parse().expect("an address"),
            said: said.clone(),
        }
    }

    /// The address as the start of a URL, without a last slash.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "localhost")
    }

    /// Asks with a method of choice, and by a name.
    pub(crate) fn ask(&self, method: &str, path: &str, host: &str) -> Answer {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        self.send(&head)
    }

    /// Sends a request as it is written, and reads until the connection is closed.
    pub(crate) fn send(&self, request: &str) -> Answer {
        let mut connection = self.connect();
        connection.write_all(request.as_bytes()).expect("ask");
        Answer::read(connection)
    }

    /// A connection that nothing was asked on.
    pub(crate) fn connect(&self) -> TcpStream {
        let connection = TcpStream::connect(self.address).expect("connect");
        let patience = Some(PATIENCE);
        connection.set_read_timeout(patience).expect("a timeout");
        connection
    }

    /// Sends a signal and waits for the end; what was said after the beginning.
    pub(crate) fn end(mut self, signal: &str) -> (ExitStatus, String) {
        processes::signal(self.child.id(), signal);
        let mut stderr = self.stderr.take().expect("its stderr");
        let reader = thread::spawn(move || {
            let mut said = String::new();
            stderr.read_to_string(&mut said).expect("what it says");
            said
        });
        let status = self.child.wait().expect("wait for the program");
        (status, reader.join().expect("its last words"))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Both fail only for a program that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Names and ids that mean harm, as JSON.
pub(crate) const HOSTILE_USERS: &str = r#"[
  {"id":1,"name":"Ada Lovelace","username":"a","email":"ada@april.biz"},
  {"id":2,"name":"<script>window.hacked=1</script>","username":"b","email":"\"><img src=x onerror=hacked=1>@b.biz"},
  {"id":"..","name":"Dots","username":"c","email":"c@c.biz"},
  {"id":"a/b?c#d e%2F","name":"Slash","username":"d","email":"d@d.biz"},
  {"id":"","name":"Nothing","username":"e","email":"e@e.biz"},
  {"id":"\"q\"","name":"Quotes","username":"f","email":"f@f.biz"},
  {"id":"<script>alert(1)</script>","name":"Script","username":"g","email":"g@g.biz"},
  {"id":"שלום👩‍👩‍👧‍👦","name":"Letters \u202etxt.exe","username":"h","email":"h@h.biz"},
  {"id":4,"name":"LONG","username":"i","email":"i@i.biz"}
]"#;

/// The API before and after something changed.
const POSTS: [&str; 2] = [
    r#"[{"userId":1,"id":1,"title":"On the engine","body":"b"},
        {"userId":1,"id":2,"title":"Notes","body":"b"},
        {"userId":2,"id":3,"title":"</td><script>window.hacked=1</script>","body":"b"},
        {"userId":1,"id":4,"title":"To be removed","body":"b"}]"#,
    r#"[{"userId":1,"id":1,"title":"On the Analytical Engine","body":"b"},
        {"userId":1,"id":2,"title":"Notes","body":"b, and more"},
        {"userId":2,"id":3,"title":"</td><script>window.hacked=1</script>","body":"c"},
        {"userId":1,"id":5,"title":"Note G","body":"b"}]"#,
];

const COMMENTS: &str = r#"[{"postId":1,"id":1,"name":"n","email":"ada@may.biz","body":"x"},
        {"postId":1,"id":2,"name":"n","email":"guest@x.org","body":"x"}]"#;

/// An API whose posts change between the first run and the second one.
pub(crate) fn changing_api() -> Server {
    let users = HOSTILE_USERS.replace("LONG", &"long name ".repeat(60));
    let ada = users.replace("ada@april.biz", "ada@may.biz");
    Server::start([
        Route::get("/users")
            .reply(Reply::json(users))
            .then(Reply::json(ada)),
        Route::get("/posts")
            .reply(Reply::json(POSTS[0]))
            .then(Reply::json(POSTS[1])),
        Route::get("/comments")
            .reply(Reply::json(COMMENTS))
            .times(2),
    ])
}

/// A place with two runs behind it, between which something changed.
pub(crate) fn two_runs() -> Workplace {
    let (place, api) = (Workplace::new(), changing_api());
    fetch(&place, &api);
    fetch(&place, &api);
    api.finish();
    place
}

/// Fetches once from such an API.
pub(crate) fn fetch(place: &Workplace, api: &Server) {
    place.run_well(&["--async", "--quiet", "--fresh", api.url()]);
}
