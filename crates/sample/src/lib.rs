//! The sample API: a real HTTP server inside the program, with generated data.
//!
//! It works like `JSONPlaceholder`, that is, like json-server 0.17: the same three resources,
//! filters, pagination headers and status codes. So the program can be tried, tested and
//! benchmarked offline, with any amount of data.
//!
//! The data is a forum that lived from January to June 2026: a few users write most, some never,
//! some posts have no reply, and guests comment, too. It can be seen as it was at any moment
//! (`?at=2026-05-31`), so that changes can be watched.
//!
//! Nothing is stored per record: a record is a pure function of the seed, the sizes, the resource,
//! the id and the requested moment. Two million posts need no more memory than five hundred.
//!
//! | file | content |
//! | --- | --- |
//! | `moment.rs` | a moment of the forum's life, as a date or time |
//! | `random.rs` | random numbers for one record, the same on every machine |
//! | `rhythm.rs` | when people write: weeks, weekdays, hours |
//! | `story.rs` | who joins, who writes what, what is edited and deleted |
//! | `timeline.rs` | the ids, times and owners of many records, by arithmetic |
//! | `ids.rs` | sets of ids, and how records are distributed over owners |
//! | `forum.rs` | the story, with the requested number of records |
//! | `topic.rs`, `words.rs` | what people write |
//! | `generate/` | one record as JSON text |
//! | `query.rs` | query parameters: filters, pages, the `Link` header |
//! | `routes/` | HTTP: status codes, headers, chunked bodies |

mod forum;
mod generate;
mod ids;
mod moment;
mod query;
mod random;
mod rhythm;
mod routes;
mod story;
mod timeline;
mod topic;
mod words;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use activity_tracker_http_server::{HttpServer, ServerConfig};

pub use moment::{InvalidMoment, Moment};

const CONFIG: ServerConfig = ServerConfig {
    thread: "sample-api",
    // Responses may be huge, and aborting them loses no data.
    grace: Duration::ZERO,
    // Tests need many and slow clients.
    limits: None,
};

/// The data of the sample API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Number of users, with ids from 1.
    pub users: u64,
    /// Number of posts. Without users, they belong to user 0, who does not exist.
    pub posts: u64,
    /// Number of comments. Without posts, they belong to post 0.
    pub comments: u64,
    /// The seed: the same seed gives the same bytes on every machine.
    pub seed: u64,
    /// The moment that is shown unless a request selects another one; `None` is the end, when the
    /// forum has the sizes above.
    pub at: Option<Moment>,
    /// How long a day of the forum lasts from then on; `None` stops the clock.
    pub day: Option<Duration>,
    /// The delay of each response.
    pub latency: Duration,
}

impl Default for Sample {
    /// The sizes of `JSONPlaceholder`.
    fn default() -> Self {
        Self {
            users: 10,
            posts: 100,
            comments: 500,
            seed: 1,
            at: None,
            day: None,
            latency: Duration::ZERO,
        }
    }
}

/// A running sample API, on its own thread.
///
/// Dropping it stops it: open connections are closed, and the thread is joined.
#[derive(Debug)]
pub struct Server(HttpServer);

impl Server {
    /// Starts serving `sample` on 127.0.0.1. Port 0 takes any free port; see [`Server::address`].
    ///
    /// # Errors
    /// If the port cannot be bound, or the thread or the runtime cannot be started.
    pub fn start(sample: &Sample, port: u16) -> io::Result<Self> {
        let address = (Ipv4Addr::LOCALHOST, port).into();
        let router = |address| routes::router(sample, address);
        HttpServer::start(address, CONFIG, router).map(Self)
    }

    /// The address that the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// The base URL, such as `http://127.0.0.1:4002`, without a trailing slash.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Serves until the process ends.
    pub fn wait(self) {
        self.0.wait();
    }
}

/// One named collection of the sample API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource {
    Users,
    Posts,
    Comments,
}

impl Resource {
    const ALL: [Self; 3] = [Self::Users, Self::Posts, Self::Comments];

    /// The name in URLs.
    fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Posts => "posts",
            Self::Comments => "comments",
        }
    }

    /// The resource that a record belongs to, and the field with its id.
    fn owner(self) -> Option<(Self, &'static str)> {
        match self {
            Self::Users => None,
            Self::Posts => Some((Self::Users, "userId")),
            Self::Comments => Some((Self::Posts, "postId")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_port_in_use_is_an_error() {
        let server = Server::start(&Sample::default(), 0).unwrap();
        let second = Server::start(&Sample::default(), server.address().port());
        assert_eq!(second.unwrap_err().kind(), ErrorKind::AddrInUse);
    }

    #[test]
    fn the_base_url_names_the_bound_port() {
        let server = Server::start(&Sample::default(), 0).unwrap();
        assert_ne!(server.address().port(), 0);
        assert_eq!(
            server.base_url(),
            format!("http://127.0.0.1:{}", server.address().port())
        );
    }

    #[test]
    fn dropping_the_server_aborts_responses_and_frees_the_port() {
        let sample = Sample {
            posts: 1 << 40,
            ..Sample::default()
        };
        let server = Server::start(&sample, 0).unwrap();
        let address = server.address();
        let mut client = TcpStream::connect(address).unwrap();
        client
            .write_all(b"GET /posts HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        client.read_exact(&mut [0; 1000]).unwrap();
        drop(server);
        assert!(TcpStream::connect(address).is_err());
    }
}
