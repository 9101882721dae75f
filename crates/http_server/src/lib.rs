//! An HTTP server on its own thread, which stops when it is dropped.

mod connection;
mod slots;
#[cfg(test)]
mod tests;
mod workers;

use std::future::pending;
use std::io;
use std::net::{self, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use connection::Connection;
use slots::Slots;

pub use workers::{Client, Workers};

/// How long to wait if no connection can be accepted.
const ACCEPT_RETRY: Duration = Duration::from_secs(1);

/// The configuration of a server.
#[derive(Clone, Copy, Debug)]
pub struct ServerConfig {
    /// The name of its thread.
    pub thread: &'static str,
    /// How long responses in progress may take at shutdown; longer ones are aborted.
    pub grace: Duration,
    /// The limits of clients; `None` is unlimited.
    pub limits: Option<Limits>,
}

/// The limits of clients.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The maximum number of connections. Further clients wait until one disconnects or is
    /// evicted.
    pub connections: usize,
    /// The timeout for the headers of each request.
    pub headers: Duration,
    /// The write timeout of a response.
    pub stall: Duration,
    /// How long a client may be idle or too slow before it can be evicted for a new one.
    pub patience: Duration,
}

/// A running server.
///
/// Dropping it stops it: responses in progress get the grace period, and the thread is joined.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    /// Dropping it is the signal to stop.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    /// Starts a server at `address`; port 0 takes any free port. The router may depend on the
    /// address.
    ///
    /// # Errors
    /// If the address cannot be bound, or the thread or the runtime cannot be started.
    pub fn start(
        address: SocketAddr,
        config: ServerConfig,
        router: impl FnOnce(SocketAddr) -> Router,
    ) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        // Not bound with `block_on`, which panics inside another runtime.
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
            .name(config.thread.to_owned())
            .spawn(move || {
                runtime.block_on(serve(listener, router, config, stopped));
                // This closes all remaining connections.
                drop(runtime);
            })?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The address that the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the process ends.
    pub fn wait(mut self) {
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic was printed already, and there is nothing to clean up.
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
    config: ServerConfig,
    stopped: oneshot::Receiver<()>,
) {
    let in_progress = GracefulShutdown::new();
    tokio::select! {
        () = accept_all(&listener, &router, config.limits, &in_progress) => {}
        // A drop means stop, too.
        _ = stopped => {}
    }
    drop(listener);
    // After that, connections are closed.
    let _ = timeout(config.grace, in_progress.shutdown()).await;
}

/// Accepts clients forever, and serves each in its own task.
async fn accept_all(
    listener: &TcpListener,
    router: &Router,
    limits: Option<Limits>,
    in_progress: &GracefulShutdown,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.map(|limits| limits.headers));
    let slots = limits.map(Slots::new);
    loop {
        let stream = accept(listener, slots.as_ref()).await;
        // Avoids delays by Nagle's algorithm. A failure costs only time.
        let _ = stream.set_nodelay(true);
        // Meanwhile, further clients wait in the system's backlog.
        let (slot, lost) = match &slots {
            Some(slots) => {
                let (slot, lost) = slots.take().await;
                (Some(slot), Some(lost))
            }
            None => (None, None),
        };
        let stall = limits.map(|limits| limits.stall);
        let connection = Connection::new(stream, stall, slot.clone());
        let service = TowerToHyperService::new(router.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            let slot = slot.clone();
            // For the workers, which record when the response is started.
            request.extensions_mut().insert(Client(slot.clone()));
            let response = service.call(request);
            async move {
                if let Some(slot) = &slot {
                    slot.requested();
                }
                let response = response.await;
                if let Some(slot) = &slot {
                    slot.response_ready();
                }
                response
            }
        });
        let served = http.serve_connection(TokioIo::new(connection), service);
        let served = in_progress.watch(served);
        tokio::spawn(async move {
            // The result is irrelevant.
            tokio::select! {
                _ = served => {}
                () = evicted(lost) => {}
            }
        });
    }
}

/// Waits until a client loses its slot.
async fn evicted(lost: Option<oneshot::Receiver<()>>) {
    match lost {
        // Nothing is ever sent.
        Some(lost) => drop(lost.await),
        None => pending().await,
    }
}

async fn accept(listener: &TcpListener, slots: Option<&Arc<Slots>>) -> TcpStream {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // The client disconnected before it was accepted.
            Err(error)
                if matches!(
                    error.kind(),
                    ConnectionAborted | ConnectionRefused | ConnectionReset
                ) => {}
            // For example, no file handles are left.
            Err(_) => {
                if let Some(slots) = slots {
                    slots.evict_one();
                }
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}
