//! The report as live web pages: a small, read-only HTTP server.
//!
//! | file | content |
//! | --- | --- |
//! | `routes.rs` | the routes and their responses |
//! | `guard.rs` | request checks, security headers |
//! | `response.rs` | responses and errors as HTML, JSON and text |
//! | `cache.rs` | the cached report |
//! | `history_queries.rs` | runs and changes in the history |
//! | `metrics.rs` | metrics for Prometheus |

mod cache;
mod guard;
mod history_queries;
mod metrics;
mod response;
mod routes;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};

use activity_tracker_http_server::{HttpServer, Limits, ServerConfig, Workers};

/// The maximum number of responses computed at the same time.
const MAX_WORKERS: usize = 4;

/// The maximum number of connections: a browser opens six. Some systems allow a process only 256
/// open files.
const MAX_CONNECTIONS: usize = 64;

/// File handles for the server itself: snapshots, histories and the listening socket.
const RESERVED_FILES: u64 = 40;

fn config(connections: usize) -> ServerConfig {
    ServerConfig {
        thread: "serve",
        // Responses are short, and the user is waiting for the exit.
        grace: Duration::from_millis(400),
        limits: Some(Limits {
            connections,
            headers: Duration::from_secs(10),
            // On a slow line, nothing moves while the system's buffers are full.
            stall: Duration::from_mins(1),
            // Longer than a local client takes to send a request.
            patience: Duration::from_secs(1),
        }),
    }
}

/// The maximum number of connections for a limit of open files; `None` is no limit. Further
/// clients replace idle ones, which only works while there are file handles left.
fn connections(files: Option<u64>) -> usize {
    let Some(files) = files else {
        return MAX_CONNECTIONS;
    };
    let left = files.saturating_sub(RESERVED_FILES).max(files / 4).max(1);
    usize::try_from(left)
        .unwrap_or(MAX_CONNECTIONS)
        .min(MAX_CONNECTIONS)
}

/// A running server for a data directory, on its own thread.
///
/// Dropping it stops it: responses in progress get a moment to finish, and the thread is joined.
#[derive(Debug)]
pub struct Server(HttpServer);

impl Server {
    /// Starts serving `data_dir`. Port 0 takes any free port; see [`Server::address`].
    ///
    /// # Errors
    /// If the address cannot be bound, or the threads or the runtime cannot be started.
    pub fn start(data_dir: PathBuf, address: SocketAddr) -> io::Result<Self> {
        let workers = Workers::start()?;
        let starter = workers.starter();
        let config = config(connections(getrlimit(Resource::Nofile).current));
        let router = |address| routes::router(data_dir, workers, address);
        let server = HttpServer::start(address, config, router)?;
        starter.start_up_to(MAX_WORKERS - 1);
        Ok(Self(server))
    }

    /// The address that the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// The URL of the report: `http://127.0.0.1:8080/`. For a server on all addresses, it is the
    /// loopback address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", reachable(self.address()))
    }
}

/// An address to connect to: `0.0.0.0` and `::` mean all addresses.
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
    fn some_file_handles_are_reserved() {
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
    fn the_url_has_an_address_to_connect_to() {
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
