//! An HTTP server on a thread of its own, which ends when it is dropped.

mod connection;
mod makers;
mod places;
#[cfg(test)]
mod tests;

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
use places::Places;

pub(crate) use makers::{Asker, Makers};

/// How long to wait when nobody can be let in.
const PAUSE: Duration = Duration::from_secs(1);

/// How a server presents itself to the system, and how it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// The name of its thread.
    pub(crate) thread: &'static str,
    /// How long answers under way may take when it is to end; what takes longer is cut.
    pub(crate) grace: Duration,
    /// What its clients may take up; all they like without.
    pub(crate) limits: Option<Limits>,
}

/// What the clients of a server may take up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many connections there are at once. Further ones wait, and are let in as others go,
    /// or take the place of one that is behind.
    pub(crate) connections: usize,
    /// How long a connection may take for the head of a request: the first one, or the next.
    pub(crate) head: Duration,
    /// How long a client may take nothing of an answer.
    pub(crate) stall: Duration,
    /// How long a client may do nothing, or be slower than the pace, before it gives its place
    /// to somebody who waits for one.
    pub(crate) patience: Duration,
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
                runtime.block_on(serve(listener, router, manner, stopped));
                // With the runtime goes every connection that is left. Nobody waits for what is
                // made for them: it only reads.
                drop(runtime);
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
    manner: Manner,
    stopped: oneshot::Receiver<()>,
) {
    let under_way = GracefulShutdown::new();
    tokio::select! {
        () = let_in(&listener, &router, manner.limits, &under_way) => {}
        // Either way of ending means stop.
        _ = stopped => {}
    }
    drop(listener);
    // Who is late is cut.
    let _ = timeout(manner.grace, under_way.shutdown()).await;
}

/// Lets clients in without an end, and answers each in a task of its own.
async fn let_in(
    listener: &TcpListener,
    router: &Router,
    limits: Option<Limits>,
    under_way: &GracefulShutdown,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.map(|limits| limits.head));
    let places = limits.map(Places::new);
    loop {
        let stream = accept(listener, places.as_ref()).await;
        // Without this, the last part of an answer may wait for the acknowledgement of the part
        // before it. Failing to set it costs only time.
        let _ = stream.set_nodelay(true);
        // Whoever comes meanwhile waits outside: in the system's queue, at no cost of ours.
        let (place, lost) = match &places {
            Some(places) => {
                let (place, lost) = places.take().await;
                (Some(place), Some(lost))
            }
            None => (None, None),
        };
        let stall = limits.map(|limits| limits.stall);
        let connection = Connection::new(stream, stall, place.clone());
        let service = TowerToHyperService::new(router.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            let place = place.clone();
            // Whoever makes the response tells when its turn comes.
            request.extensions_mut().insert(Asker(place.clone()));
            let response = service.call(request);
            async move {
                if let Some(place) = &place {
                    place.asked();
                }
                let response = response.await;
                if let Some(place) = &place {
                    place.made();
                }
                response
            }
        });
        let served = http.serve_connection(TokioIo::new(connection), service);
        let served = under_way.watch(served);
        tokio::spawn(async move {
            // However it ended, there is nobody left to tell.
            tokio::select! {
                _ = served => {}
                () = given_up(lost) => {}
            }
        });
    }
}

/// Waits until a client has lost its place.
async fn given_up(lost: Option<oneshot::Receiver<()>>) {
    match lost {
        // Nothing is ever sent.
        Some(lost) => drop(lost.await),
        None => pending().await,
    }
}

async fn accept(listener: &TcpListener, places: Option<&Arc<Places>>) -> TcpStream {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // It went again before it was let in.
            Err(error)
                if matches!(
                    error.kind(),
                    ConnectionAborted | ConnectionRefused | ConnectionReset
                ) => {}
            // All file handles are taken, say; some may come free.
            Err(_) => {
                if let Some(places) = places {
                    places.give_one_up();
                }
                sleep(PAUSE).await;
            }
        }
    }
}
