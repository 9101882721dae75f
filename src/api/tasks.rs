//! The async driver: tokio tasks and `reqwest`.
//!
//! Like its blocking sister it decides nothing. It holds transport, sleeping and
//! concurrency; what to send, whether to read on and how long to wait all come
//! from [`Fetch`](super::Fetch).

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, redirect, retry};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant as TokioInstant, timeout_at};
use tracing::info;

use crate::concurrency::{Stop, off_runtime, rethrow};
use crate::error::Error;

use super::addresses::{self, Addresses, PrivateAddress};
use super::intake::{Intake, Trouble, note_failure, note_verdict, recall};
use super::sink::{Observer, Sinks};
use super::{
    Ask, Body, Failure, Head, Limits, Now, SharedFetch, Step, Transport, TransportError, Verdict,
    tls,
};

/// Pieces of a body that wait to be stored. A slow disk slows the network down.
const WAITING: usize = 4;

/// A piece of a body, and how long it was waited for; nothing stands for the end.
type Piece = Option<(bytes::Bytes, Duration)>;

/// Fetches all that `shared` wants into `sinks`, with a task for each request under way.
///
/// Must be called in a tokio runtime with I/O and time. Dropping the future
/// drops the requests that are under way.
///
/// # Errors
/// The first error of any request; the others are broken off then. Also when
/// `stop` is requested.
pub async fn fetch<S, O>(
    shared: &Arc<SharedFetch>,
    transport: &Transport,
    sinks: Arc<S>,
    stop: &Stop,
    observer: O,
) -> Result<(), Error>
where
    S: Sinks + Send + 'static,
    S::Sink: Send,
    O: Observer + Clone + Send + 'static,
{
    let (width, addresses) = {
        let fetch = shared.lock();
        (fetch.width(), fetch.addresses())
    };
    let stopped = Arc::new(Notify::new());
    let _registered = stop.on_request({
        let stopped = Arc::clone(&stopped);
        // One permit is kept for whoever comes to wait later.
        move || stopped.notify_one()
    });
    let driver = Arc::new(Driver {
        shared: Arc::clone(shared),
        client: client(transport, addresses),
        limits: transport.limits(),
        sinks,
        observer,
    });
    let mut tasks = JoinSet::new();
    for _ in 0..width {
        tasks.spawn(Arc::clone(&driver).run());
    }
    let all = async {
        while let Some(outcome) = tasks.join_next().await {
            outcome.unwrap_or_else(rethrow)?;
        }
        Ok(())
    };
    tokio::select! {
        outcome = all => outcome,
        () = stopped.notified() => stop.check(),
    }
}

struct Driver<S, O> {
    shared: Arc<SharedFetch>,
    client: Result<Client, reqwest::Error>,
    limits: Limits,
    sinks: Arc<S>,
    observer: O,
}

impl<S, O> Driver<S, O>
where
    S: Sinks + Send + 'static,
    S::Sink: Send,
    O: Observer + Clone + Send + 'static,
{
    async fn run(self: Arc<Self>) -> Result<(), Error> {
        loop {
            let outcome = match self.next().await? {
                Step::Send(ask) => self.exchange(&ask.into()).await,
                Step::Recall(page) => {
                    let driver = Arc::clone(&self);
                    off_runtime(move || {
                        recall(&page, &driver.shared, &*driver.sinks, &driver.observer)
                    })
                    .await
                }
                Step::Done | Step::Wait(_) => return Ok(()),
            };
            self.shared.wake();
            outcome?;
        }
    }

    /// Waits for something to do.
    async fn next(&self) -> Result<Step, Error> {
        loop {
            // Listening before looking: a change between the two is not missed.
            let mut changed = pin!(self.shared.change());
            changed.as_mut().enable();
            let step = self.shared.lock().step(Instant::now())?;
            match step {
                Step::Wait(None) => changed.await,
                // Whether it was the time or a change makes no difference.
                Step::Wait(Some(at)) => drop(timeout_at(TokioInstant::from_std(at), changed).await),
                step => return Ok(step),
            }
        }
    }

    async fn exchange(self: &Arc<Self>, ask: &Arc<Ask>) -> Result<(), Error> {
        match self.receive(ask).await {
            Ok(()) => Ok(()),
            Err(Trouble::Fatal(error)) => Err(error),
            Err(Trouble::Transport(cause)) => {
                let why = note_failure(ask, &cause);
                let verdict = self.shared.lock().failed(ask.ticket, cause, Now::read())?;
                note_verdict(ask, verdict, &why, &self.observer);
                Ok(())
            }
        }
    }

    async fn receive(self: &Arc<Self>, ask: &Arc<Ask>) -> Result<(), Trouble> {
        let started = Instant::now();
        let client = self
            .client
            .as_ref()
            .map_err(|error| TransportError::new(Failure::Tls, error.to_string()))?;
        let mut answer = send(client, ask).await?;
        let head = Head {
            status: answer.status(),
            headers: std::mem::take(answer.headers_mut()),
        };
        head.check_length()?;
        let verdict = self.shared.lock().head(ask.ticket, &head, Now::read())?;
        if verdict == Verdict::Keep {
            self.sinks.keep(&ask.page);
        }
        if verdict != Verdict::Read {
            note_verdict(ask, verdict, head.status.as_str(), &self.observer);
            return Ok(());
        }
        let body = Body::new(&head.headers, self.limits)?;
        // Decoding and writing block, so they are done off the runtime's threads.
        let (pieces, waiting) = mpsc::channel(WAITING);
        let taking = off_runtime({
            let (driver, ask) = (Arc::clone(self), Arc::clone(ask));
            move || {
                let sink = driver.sinks.open(ask.page.clone())?;
                let observer = driver.observer.clone();
                let intake = Intake::new(ask, body, sink, started, observer);
                take(intake, waiting, &driver.shared)
            }
        });
        let (passed, taken) = tokio::join!(pass(answer, pieces), taking);
        taken?;
        passed?;
        Ok(())
    }
}

/// Passes a body on as it comes.
///
/// When whoever takes the pieces gives up, that is not for this side to tell.
async fn pass(
    mut answer: reqwest::Response,
    pieces: mpsc::Sender<Piece>,
) -> Result<(), TransportError> {
    loop {
        // Waiting for room in the channel is not waiting for the server.
        let asked = Instant::now();
        let piece = tokio::select! {
            piece = answer.chunk() => piece.map_err(|error| classify(error, Failure::Body))?,
            () = pieces.closed() => return Ok(()),
        };
        let end = piece.is_none();
        let piece = piece.map(|bytes| (bytes, asked.elapsed()));
        if pieces.send(piece).await.is_err() || end {
            return Ok(());
        }
    }
}

/// Takes the pieces of a body, up to its end or until it is broken off.
fn take<S: super::Sink, A: AsRef<Ask>, O: Observer>(
    mut intake: Intake<A, S, O>,
    mut pieces: mpsc::Receiver<Piece>,
    shared: &SharedFetch,
) -> Result<(), Trouble> {
    loop {
        match pieces.blocking_recv() {
            Some(Some((piece, waited))) => intake.push(&piece, waited, shared)?,
            Some(None) => return intake.finish(shared),
            None => return Ok(()),
        }
    }
}

fn client(transport: &Transport, addresses: Arc<Addresses>) -> Result<Client, reqwest::Error> {
    tls::install_provider();
    let builder = Client::builder();
    let builder = if transport.proxy {
        builder
    } else {
        builder.no_proxy()
    };
    let builder = match &transport.authorities {
        None => builder,
        Some(authorities) => {
            let certificates = authorities.iter().map(Certificate::from_der);
            builder.tls_certs_only(certificates.collect::<Result<Vec<_>, _>>()?)
        }
    };
    let resolver = SystemResolver {
        addresses,
        proxies: if transport.proxy {
            addresses::proxies()
        } else {
            Vec::new()
        }
        .into(),
    };
    builder
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .dns_resolver(resolver)
        .http1_max_headers(Head::MOST_HEADERS)
        .connect_timeout(transport.timeout)
        .read_timeout(transport.timeout)
        .build()
}

async fn send(client: &Client, ask: &Ask) -> Result<reqwest::Response, TransportError> {
    info!(url = %ask.page.subject.url, "requesting");
    let request = &ask.request;
    let outgoing = client
        .get(request.url.clone())
        .headers(request.headers.clone());
    outgoing
        .send()
        .await
        .map_err(|error| classify(error, Failure::Other))
}

/// Sorts the client's errors into the classes that decisions rest on.
fn classify(error: reqwest::Error, otherwise: Failure) -> TransportError {
    let error = error.without_url();
    if let Some(refused) = cause_of::<PrivateAddress>(&error) {
        return TransportError::new(Failure::Private, refused.clone());
    }
    let failure = if error.is_timeout() {
        Failure::Timeout
    } else if cause_of::<Unresolved>(&error).is_some() {
        Failure::Resolve
    } else if cause_of::<rustls::Error>(&error).is_some() {
        Failure::Tls
    } else if error.is_connect() {
        Failure::Connect
    } else {
        otherwise
    };
    TransportError::new(failure, error)
}

/// The `E` that this is, or comes of.
fn cause_of<'e, E: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e E> {
    // std::io::Error shows the cause of what it wraps, not what it wraps: that may be
    // another one, as with TLS, and in there what is looked for.
    let wrapped = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    error
        .downcast_ref()
        .or_else(|| wrapped.and_then(|inner| cause_of(inner)))
        .or_else(|| error.source().and_then(|source| cause_of(source)))
}

/// Resolves names as the system does, with an error that can be told from others, and gives
/// what may be connected to.
struct SystemResolver {
    addresses: Arc<Addresses>,
    /// Resolved here too, and whoever named them may reach them.
    proxies: Arc<[String]>,
}

/// A host name that the system does not know.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unresolved(std::io::Error);

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (addresses, proxies) = (Arc::clone(&self.addresses), Arc::clone(&self.proxies));
        Box::pin(async move {
            let host = name.as_str();
            let mut found = look_up(host).await?;
            if !proxies.iter().any(|proxy| proxy.eq_ignore_ascii_case(host)) {
                if addresses.wants_base(host, &found)
                    && let Some(base) = addresses.base().host_str()
                {
                    addresses.learn(&look_up(base).await?);
                }
                found = addresses.admit(host, &found)?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

async fn look_up(host: &str) -> Result<Vec<SocketAddr>, Unresolved> {
    let found = tokio::net::lookup_host((host, 0)).await;
    Ok(found.map_err(Unresolved)?.collect())
}
