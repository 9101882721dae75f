//! `activity-tracker serve`, with requests over plain sockets.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use super::processes;
use super::program::Workplace;
use super::server::{Reply, Route, Server};

/// The timeout of a response.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A running server; killed on drop.
#[derive(Debug)]
pub(crate) struct Served {
    child: Child,
    stderr: Option<BufReader<ChildStderr>>,
    pub(crate) address: SocketAddr,
    /// Its output until it was ready.
    pub(crate) output: String,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// By lowercase name.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Response {
    /// Reads until the connection is closed.
    pub(crate) fn read(mut connection: TcpStream) -> Self {
        let mut response = Vec::new();
        connection.read_to_end(&mut response).expect("a response");
        let response = String::from_utf8(response).expect("UTF-8");
        let (headers, body) = response.split_once("\r\n\r\n").expect("headers");
        let mut lines = headers.lines();
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
    /// Serves the data directory of a workplace on a free port.
    pub(crate) fn start(place: &Workplace, args: &[&str]) -> Self {
        Self::started(place.command(&[&["serve", "--port", "0"], args].concat()))
    }

    /// The same, under a limit set by a shell.
    pub(crate) fn start_under(place: &Workplace, limit: &str) -> Self {
        Self::started(place.limited(limit, &["serve", "--port", "0"]))
    }

    fn started(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .spawn()
            .expect("start the program");
        let mut stderr = BufReader::new(child.stderr.take().expect("its stderr"));
        let mut output = String::new();
        while !output.contains("press Ctrl-C to stop") {
            let read = stderr.read_line(&mut output).expect("output");
            assert!(read > 0, "it exited: {output}");
        }
        let (_, url) = output.rsplit_once(" at http://").expect("a URL");
        let (address, _) = url.split_once('/').expect("a path");
        Self {
            child,
            stderr: Some(stderr),
            address: address.parse().expect("an address"),
            output: output.clone(),
        }
    }

    /// The base URL, without a trailing slash.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.request("GET", path, "localhost")
    }

    /// Sends a request with a method and a `Host`.
    pub(crate) fn request(&self, method: &str, path: &str, host: &str) -> Response {
        self.send(&format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        ))
    }

    /// Sends a raw request and reads until the connection is closed.
    pub(crate) fn send(&self, request: &str) -> Response {
        let mut connection = self.connect();
        connection.write_all(request.as_bytes()).expect("send");
        Response::read(connection)
    }

    /// A connection without a request.
    pub(crate) fn connect(&self) -> TcpStream {
        let connection = TcpStream::connect(self.address).expect("connect");
        let timeout = Some(TIMEOUT);
        connection.set_read_timeout(timeout).expect("set a timeout");
        connection
    }

    /// Sends a signal and waits for the exit; returns the further output.
    pub(crate) fn end(mut self, signal: &str) -> (ExitStatus, String) {
        processes::signal(self.child.id(), signal);
        let mut stderr = self.stderr.take().expect("its stderr");
        let reader = thread::spawn(move || {
            let mut output = String::new();
            stderr.read_to_string(&mut output).expect("output");
            output
        });
        let status = self.child.wait().expect("wait for the program");
        (status, reader.join().expect("its output"))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Both fail only for a program that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Users with hostile names and ids, as JSON.
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

/// The posts in the first and the second run.
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

/// An API whose records change between two runs.
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

/// A workplace after two runs with changes.
pub(crate) fn two_runs() -> Workplace {
    let (place, api) = (Workplace::new(), changing_api());
    fetch(&place, &api);
    fetch(&place, &api);
    api.finish();
    place
}

/// Runs once against an API.
pub(crate) fn fetch(place: &Workplace, api: &Server) {
    place.run_well(&["--async", "--quiet", "--fresh", api.url()]);
}
