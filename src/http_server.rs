//! An HTTP server on a thread of its own, which ends when it is dropped.

use std::future::IntoFuture;
use std::io;
use std::net::{self, SocketAddr};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::oneshot;

/// How many answers are made at once where that means waiting; the others wait for them.
const BLOCKING_THREADS: usize = 4;

/// How a server presents itself to the system, and how it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// The name of its thread.
    pub(crate) thread: &'static str,
    /// How long answers under way may take when it is to end; what takes longer is cut.
    pub(crate) grace: Duration,
}

/// A running server.
///
/// Dropping it stops it: answers under way have their grace, and the thread is joined.
#[derive(Debug)]
pub(crate) struct HttpServer {
    address: SocketAddr,
    /// Never sent on: that it is dropped is the signal to stop.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    /// Starts a server at `address`, whose port 0 takes any free one. What it answers with may
    /// depend on where it listens then.
    ///
    /// # Errors
    /// When the address cannot be bound, or the thread or its runtime cannot be made.
    pub(crate) fn start(
        address: SocketAddr,
        manner: Manner,
        router: impl FnOnce(SocketAddr) -> Router,
    ) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .max_blocking_threads(BLOCKING_THREADS)
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
        let router = router(address);

        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name(manner.thread.to_owned())
            .spawn(move || {
                runtime.block_on(serve(listener, router, manner.grace, stopped));
                // With the runtime goes every connection that is left, and nobody waits for
                // blocking work: it only reads.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the process ends.
    pub(crate) fn wait(mut self) {
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic on the server's thread was reported there, and there is nothing to undo.
            let _ = thread.join();
        }
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.join();
    }
}

async fn serve(
    listener: TcpListener,
    router: Router,
    grace: Duration,
    stopped: oneshot::Receiver<()>,
) {
    // Without this, the last part of an answer may wait for the acknowledgement of the part
    // before it. Failing to set it costs only time.
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    let (ending, ended) = oneshot::channel::<()>();
    let graceful = async move {
        // Either way of ending means stop.
        let _ = stopped.await;
        drop(ending);
    };
    let serving = axum::serve(listener, router).with_graceful_shutdown(graceful);
    let patience = async move {
        let _ = ended.await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        _ = serving.into_future() => {}
        () = patience => {}
    }
}
