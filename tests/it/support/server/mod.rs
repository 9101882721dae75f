//! A scripted HTTP/1.1 server on port 0 that fails the test when something unexpected is asked of it,
//! or something expected is not.
//!
//! ```ignore
//! let server = Server::start([
//!     Route::get("/users").reply(Reply::json("[]")),
//!     Route::get("/posts").reply(Reply::status(503)).times(4).then(Reply::json("[]")),
//! ]);
//! fetch(server.url());
//! server.finish();
//! ```
//!
//! It keeps to `std` and threads: a client under test shares no code with what judges it.

mod gate;
mod reply;
mod request;
mod script;

use std::collections::HashMap;
use std::io::{self, BufReader, ErrorKind, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub(crate) use gate::Gate;
use reply::End;
pub(crate) use reply::Reply;
pub(crate) use request::Request;
pub(crate) use script::Route;
use script::Script;

/// How long anything here waits for the other side before the test fails in place of hanging.
const PATIENCE: Duration = Duration::from_secs(30);

/// The response to what was not expected: none that a client takes for a full, an empty or a passing one.
const UNEXPECTED: u16 = 418;

/// A running server. Stopped by [`Server::finish`] or by dropping it: both judge what was asked.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    url: String,
    shared: Arc<Shared>,
    /// `None` once stopped.
    acceptor: Option<JoinHandle<()>>,
}

/// What the server's threads share.
#[derive(Debug)]
struct Shared {
    script: Mutex<Script>,
    /// A request has come.
    arrival: Condvar,
    connections: Mutex<Connections>,
    /// Those of the script, all of them: a response that waits may have left the script already.
    gates: Vec<Gate>,
    /// Opened when the server stops.
    stopping: Gate,
}

/// The open sockets, so that stopping can end what blocks on them, and the threads that serve them.
#[derive(Debug, Default)]
struct Connections {
    open: HashMap<usize, Arc<TcpStream>>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts a server that expects these requests, in any order between routes.
    pub(crate) fn start(routes: impl IntoIterator<Item = Route>) -> Self {
        Self::start_with(|_| routes)
    }

    /// One that responses a run of the main flow once.
    pub(crate) fn for_main_flow(users: Reply, posts: Reply) -> Self {
        Self::start([
            Route::get("/users").reply(users),
            Route::get("/posts").reply(posts),
        ])
    }

    /// As [`Server::start`], where responses name the server's own URL, as absolute next-links do.
    pub(crate) fn start_with<Routes>(script: impl FnOnce(&str) -> Routes) -> Self
    where
        Routes: IntoIterator<Item = Route>,
    {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind a free port");
        let address = listener.local_addr().expect("the port that was bound");
        let url = format!("http://{address}");
        let script = Script::new(script(&url));
        let shared = Arc::new(Shared {
            gates: script.gates(),
            script: Mutex::new(script),
            arrival: Condvar::new(),
            connections: Mutex::default(),
            stopping: Gate::new(),
        });
        let acceptor = spawn(format!("test-server-{}", address.port()), {
            let shared = Arc::clone(&shared);
            move || shared.accept(&listener)
        });
        Self {
            address,
            url,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What was asked so far, in the order it came.
    pub(crate) fn requests(&self) -> Vec<Request> {
        lock(&self.shared.script).requests.clone()
    }

    /// The most requests that ever waited for their responses at once.
    pub(crate) fn most_at_once(&self) -> usize {
        lock(&self.shared.script).most_waiting
    }

    /// Waits until `count` requests have come, answered or not.
    ///
    /// # Panics
    /// When they do not come within the server's patience.
    #[track_caller]
    pub(crate) fn wait_for_requests(&self, count: usize) {
        let fewer = |script: &mut Script| script.requests.len() < count;
        let script = lock(&self.shared.script);
        let waited = self
            .shared
            .arrival
            .wait_timeout_while(script, PATIENCE, fewer);
        let (script, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        let came = script.requests.len();
        drop(script);
        assert!(!timeout.timed_out(), "{came} of {count} requests came");
    }

    /// Stops the server and judges what it was asked.
    ///
    /// # Panics
    /// When something was asked that was not expected, or the other way round.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        self.stop_and_judge();
    }

    #[track_caller]
    fn stop_and_judge(&mut self) {
        let Some(acceptor) = self.acceptor.take() else {
            return;
        };
        self.shared.stop(self.address, acceptor);
        let verdict = lock(&self.shared.script).verdict();
        if let Err(report) = verdict
            && !thread::panicking()
        {
            panic!("test server:\n  {report}");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop_and_judge();
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for (number, stream) in listener.incoming().enumerate() {
            // Under this lock, so that a stop either sees the connection or is seen here.
            let mut connections = lock(&self.connections);
            if self.stopping.is_open() {
                return;
            }
            let Ok(stream) = stream.map(Arc::new) else {
                continue;
            };
            connections.open.insert(number, Arc::clone(&stream));
            let shared = Arc::clone(self);
            let thread = spawn(format!("test-connection-{number}"), move || {
                shared.serve(stream, number);
            });
            connections.threads.push(thread);
        }
    }

    /// One connection, from its first request to its end.
    fn serve(&self, stream: Arc<TcpStream>, number: usize) {
        let end = self.converse(&stream, number).unwrap_or_else(|error| {
            if error.kind() == ErrorKind::InvalidData {
                self.complain(format!("not understood: {error}"));
            }
            End::Close
        });
        if end == End::Hang {
            self.hold(&stream);
        }
        if end == End::Reset {
            // An error here means the client was faster.
            let _ = socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
        } else {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // The last owner closes the socket, and only that sends the reset.
        lock(&self.connections).open.remove(&number);
        drop(stream);
    }

    fn converse(&self, stream: &TcpStream, number: usize) -> io::Result<End> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        while let Some(request) = Request::read(&mut reader, number)? {
            let wants_close = request.wants_close();
            let reply = lock(&self.script).take(request);
            self.arrival.notify_all();
            let reply = reply.unwrap_or_else(|| {
                Arc::new(Reply::status(UNEXPECTED).body("the test expected no such request"))
            });
            self.wait_to_response(&reply);
            // Before the response leaves: the client's next request may come the moment it has it.
            lock(&self.script).answered();
            if self.stopping.is_open() {
                break;
            }
            reply.send(stream, &self.stopping)?;
            match reply.end() {
                End::KeepAlive if wants_close => break,
                End::KeepAlive => {}
                end => return Ok(end),
            }
        }
        Ok(End::Close)
    }

    fn wait_to_response(&self, reply: &Reply) {
        if let Some(gate) = &reply.gate
            && !gate.pass(PATIENCE)
        {
            self.complain("a gate stayed shut: too few came to it, or nobody opened it".into());
        }
        if !reply.delay.is_zero() {
            self.stopping.pass(reply.delay);
        }
    }

    /// Says nothing until the client leaves or the server stops.
    fn hold(&self, mut stream: &TcpStream) {
        let silence = stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| io::copy(&mut stream.by_ref(), &mut io::sink()));
        let timed_out = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
        if silence.is_err_and(|error| timed_out.contains(&error.kind())) {
            self.complain("the client held on to a connection that hung".into());
        }
    }

    /// Ends every thread of the server: sockets are shut, gates opened, delays cut, threads joined.
    fn stop(&self, address: SocketAddr, acceptor: JoinHandle<()>) {
        {
            let connections = lock(&self.connections);
            self.stopping.open();
            for stream in connections.open.values() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        self.gates.iter().for_each(Gate::open);
        // Wakes the acceptor. Where that fails, waiting for it would be for ever.
        let mut ended = true;
        if TcpStream::connect(address).is_ok() {
            ended &= acceptor.join().is_ok();
        }
        let threads = std::mem::take(&mut lock(&self.connections).threads);
        for thread in threads {
            ended &= thread.join().is_ok();
        }
        if !ended {
            self.complain("a thread of the test server panicked".into());
        }
    }

    fn complain(&self, complaint: String) {
        lock(&self.script).complaints.push(complaint);
    }
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    thread::Builder::new()
        .name(name)
        .spawn(work)
        .expect("start a thread")
}

/// A panic elsewhere is reported by the join, not by every lock after it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
