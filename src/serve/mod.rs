//! The report as a live page: a small HTTP server that only reads.
//!
//! | file | holds |
//! | --- | --- |
//! | `routes.rs` | which paths there are, and what each is answered with |
//! | `guard.rs` | who may ask, and the headers that every answer has |
//! | `answer.rs` | an answer, and how an error looks as HTML, JSON and text |
//! | `cache.rs` | the report, counted again only when the files are others |
//! | `past.rs` | what the history knows: runs and changes |
//! | `metrics.rs` | the last runs for Prometheus |

mod answer;
mod cache;
mod guard;
mod metrics;
mod past;
mod routes;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};

use crate::http_server::{HttpServer, Limits, Makers, Manner};

/// How many responses are made at once; the others wait for them.
const MAKERS: usize = 4;

/// How many connections there are at once: a browser opens six. Some systems give a program no
/// more than 256 files.
const CONNECTIONS: usize = 64;

/// How many files the server itself may have open: snapshots and histories that are read at
/// once, and what it listens with.
const RESERVE: u64 = 40;

fn manner(connections: usize) -> Manner {
    Manner {
        thread: "serve",
        // Answers are short, and somebody waits for them.
        grace: Duration::from_millis(400),
        limits: Some(Limits {
            connections,
            head: Duration::from_secs(10),
            // Of a slow line nothing is heard for as long as the system's buffers are full.
            stall: Duration::from_mins(1),
            // Longer than any client of this machine takes to send a request.
            patience: Duration::from_secs(1),
        }),
    }
}

/// How many connections there may be where a process may open so many files; without a number,
/// as many as it likes. A client beyond them takes the place of an idle one, which no client
/// could if the files ran out first.
fn connections(files: Option<u64>) -> usize {
    let Some(files) = files else {
        return CONNECTIONS;
    };
    let left = files.saturating_sub(RESERVE).max(files / 4).max(1);
    usize::try_from(left)
        .unwrap_or(CONNECTIONS)
        .min(CONNECTIONS)
}

/// A running server of a data directory, on a thread of its own.
///
/// Dropping it stops it: answers under way have a moment to end, and the thread is joined.
#[derive(Debug)]
pub struct Server(HttpServer);

impl Server {
    /// Starts serving what is in `data_dir`, now and later. Port 0 takes any free port; see
    /// [`Server::address`].
    ///
    /// # Errors
    /// When the address cannot be bound, or the thread or its runtime cannot be made.
    pub fn start(data_dir: PathBuf, address: SocketAddr) -> io::Result<Self> {
        let makers = Makers::start()?;
        let more = makers.more();
        let manner = manner(connections(getrlimit(Resource::Nofile).current));
        let router = |address| routes::router(data_dir, makers, address);
        let server = HttpServer::start(address, manner, router)?;
        more.start_up_to(MAKERS - 1);
        Ok(Self(server))
    }

    /// Where the server listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Where the report is: `http://127.0.0.1:8080/`. Of a server that listens on all addresses
    /// it is the one of this machine.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", reachable(self.address()))
    }
}

/// An address that can be connected to: `0.0.0.0` and `::` only stand for others.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_left_for_what_is_served() {
        let cases = [
            (None, 64),
            (Some(1 << 40), 64),
            (Some(256), 64),
            (Some(104), 64),
            (Some(64), 24),
            (Some(20), 5),
            (Some(12), 3),
            (Some(0), 1),
        ];
        for (files, expected) in cases {
            assert_eq!(connections(files), expected, "{files:?}");
        }
    }

    #[test]
    fn the_url_can_be_opened() {
        let cases = [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("[::1]:80", "[::1]:80"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ];
        for (address, expected) in cases {
            assert_eq!(reachable(address.parse().unwrap()).to_string(), expected);
        }
    }
}
