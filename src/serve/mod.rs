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
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::http_server::{HttpServer, Limits, Makers, Manner};

/// How many responses are made at once; the others wait for them.
const MAKERS: usize = 4;

const MANNER: Manner = Manner {
    thread: "serve",
    // Answers are short, and somebody waits for them.
    grace: Duration::from_millis(400),
    limits: Some(Limits {
        // A browser opens six. Some systems give a program no more than 256 files.
        connections: 64,
        head: Duration::from_secs(10),
        // Of a slow line nothing is heard for as long as the system's buffers are full.
        stall: Duration::from_mins(1),
        // Longer than any client of this machine takes to send a request.
        patience: Duration::from_secs(1),
    }),
};

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
        let makers = Makers::start(MAKERS)?;
        let router = |address| routes::router(data_dir, makers, address);
        HttpServer::start(address, MANNER, router).map(Self)
    }

    /// Where the server listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Where the report is: `http://127.0.0.1:8080/`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address())
    }
}
