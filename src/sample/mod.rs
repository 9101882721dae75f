//! The sample API: a real HTTP server inside the program, with made-up data.
//!
//! It has the shape of `JSONPlaceholder`, that is of json-server 0.17: the same
//! three resources, filters, paging headers and status codes. So the program can be tried,
//! tested and measured without a network, at any size.
//!
//! Nothing is stored. A record is a pure function of the seed, the resource and the id
//! (`generate.rs`), so two million posts take no more memory than one.
//!
//! | file | holds |
//! | --- | --- |
//! | `generate.rs` | one record as JSON text |
//! | `ids.rs` | which records belong to whom, as arithmetic on ranges of ids |
//! | `query.rs` | what a query asks for: filters, page, the `Link` header |
//! | `routes.rs` | HTTP: status codes, headers, bodies in chunks |

mod generate;
mod ids;
mod query;
mod routes;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::http_server::{HttpServer, Manner};

const MANNER: Manner = Manner {
    thread: "sample-api",
    // Answers may be without an end, and what is made up is no loss.
    grace: Duration::ZERO,
    // Its clients are programs under test, as slow and as many as the test wants them.
    limits: None,
};

/// What the sample API serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Number of users; their ids run from 1.
    pub users: u64,
    /// Number of posts, spread evenly and in order over the users.
    /// Without users they belong to user 0, who does not exist.
    pub posts: u64,
    /// Number of comments, spread over the posts in the same way.
    pub comments: u64,
    /// Picks the data: the same seed gives the same bytes on every machine.
    pub seed: u64,
    /// How long every answer is held back.
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
            latency: Duration::ZERO,
        }
    }
}

/// A running sample API, on a thread of its own.
///
/// Dropping it stops it: open connections are cut, and the thread is joined.
#[derive(Debug)]
pub struct Server(HttpServer);

impl Server {
    /// Starts serving `sample` on 127.0.0.1. Port 0 takes any free port; see [`Server::address`].
    ///
    /// # Errors
    /// When the port cannot be bound, or the thread or its runtime cannot be made.
    pub fn start(sample: &Sample, port: u16) -> io::Result<Self> {
        let address = (Ipv4Addr::LOCALHOST, port).into();
        let router = |address| routes::router(sample, address);
        HttpServer::start(address, MANNER, router).map(Self)
    }

    /// Where the server listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// The address as the start of a URL, such as `http://127.0.0.1:4002`, without a last slash.
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

    /// What a record of this resource belongs to, and the field that says so.
    fn owner(self) -> Option<(Self, &'static str)> {
        match self {
            Self::Users => None,
            Self::Posts => Some((Self::Users, "userId")),
            Self::Comments => Some((Self::Posts, "postId")),
        }
    }
}

impl Sample {
    /// How many records `resource` has.
    fn count(&self, resource: Resource) -> u64 {
        match resource {
            Resource::Users => self.users,
            Resource::Posts => self.posts,
            Resource::Comments => self.comments,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_taken_port_is_an_error_of_start() {
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
    fn dropping_the_server_cuts_an_answer_under_way_and_frees_the_port() {
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
