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

use std::future::IntoFuture;
use std::io;
use std::net::{self, SocketAddr};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::oneshot;

/// How many answers are made at once; the others wait.
const THREADS: usize = 4;

/// How long an answer under way may take when the server is to end.
const GRACE: Duration = Duration::from_millis(400);

/// A running server of a data directory, on a thread of its own.
///
/// Dropping it stops it: answers under way have a moment to end, and the thread is joined.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    /// Never sent on: that it is dropped is the signal to stop.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts serving what is in `data_dir`, now and later. Port 0 takes any free port; see
    /// [`Server::address`].
    ///
    /// # Errors
    /// When the address cannot be bound, or the thread or its runtime cannot be made.
    pub fn start(data_dir: PathBuf, address: SocketAddr) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .max_blocking_threads(THREADS)
            .enable_all()
            .build()?;
        // Bound without the runtime, whose `block_on` panics where the caller is in another one.
        let listener = net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = {
            let _entered = runtime.enter();
            TcpListener::from_std(listener)?
        };
        // Failing to set it costs only time.
        let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
        let router = routes::router(data_dir, address);

        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new()
            .name("serve".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let (ending, ended) = oneshot::channel::<()>();
                    let graceful = async move {
                        // Either way of ending means stop.
                        let _ = stopped.await;
                        drop(ending);
                    };
                    let serving = axum::serve(listener, router).with_graceful_shutdown(graceful);
                    let patience = async move {
                        let _ = ended.await;
                        tokio::time::sleep(GRACE).await;
                    };
                    tokio::select! {
                        _ = serving.into_future() => {}
                        () = patience => {}
                    }
                });
                // A count under way is left: it only reads.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where the server listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the report is: `http://127.0.0.1:8080/`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic on the server's thread was reported there, and there is nothing to undo.
            let _ = thread.join();
        }
    }
}
