//! The async driver: tokio tasks and `reqwest`.
//!
//! Like the blocking driver it decides nothing. It does transport, sleeping and concurrency; what
//! to send, whether to continue reading and how long to wait all come from [`Fetch`](super::Fetch).

use std::collections::HashSet;
use std::error::Error as StdError;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use hyper_util::client::legacy::{self, connect::HttpInfo};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, redirect, retry};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant as TokioInstant, timeout, timeout_at};
use tracing::{Instrument, Span, debug};

use activity_tracker_concurrency::{Stop, off_runtime, rethrow};
use activity_tracker_text::chain;

use super::addresses::{Addresses, PrivateAddress};
use super::happened::{Phase, head_too_long};
use super::proxies::Proxies;
use super::response_reader::{
    ExchangeError, ResponseReader, Words, note_action, note_failure, recall,
};
use super::sink::{Observer, SinkFactory};
use super::{
    Body, Failure, Limits, Now, PageRequest, ResponseAction, ResponseHead, SharedFetch, Step,
    Transport, TransportError, tls,
};

/// Chunks of a body that may wait to be stored: a slow disk slows the network down.
const WAITING: usize = 4;

/// A chunk of a body and how long it took to arrive; `None` is the end.
type BodyChunk = Option<(bytes::Bytes, Duration)>;

/// Fetches everything that `shared` requests into `sinks`, with one task per concurrent request.
///
/// Must be called in a tokio runtime with I/O and time. Dropping the future
/// cancels its requests.
///
/// # Errors
/// The first error of any request, which cancels the others; or that `stop` was requested.
pub async fn fetch<S, O>(
    shared: &Arc<SharedFetch>,
    transport: &Transport,
    sinks: Arc<S>,
    stop: &Stop,
    observer: O,
) -> Result<(), S::Error>
where
    S: SinkFactory<Error: 'static> + Send + 'static,
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
        // The permit is kept until someone waits.
        move || stopped.notify_one()
    });
    let proxies = Arc::new(transport.proxies());
    let resolver = SystemResolver {
        addresses,
        proxies: Arc::clone(&proxies),
    };
    let driver = Arc::new(Driver {
        shared: Arc::clone(shared),
        client: Connections::new(transport, resolver.clone(), usize::MAX),
        without_reuse: OnceLock::new(),
        transport: transport.clone(),
        resolver,
        proxies,
        limits: transport.limits(),
        sinks,
        observer,
    });
    let mut tasks = JoinSet::new();
    for _ in 0..width {
        tasks.spawn(Arc::clone(&driver).run().instrument(Span::current()));
    }
    let all = async {
        while let Some(outcome) = tasks.join_next().await {
            outcome.unwrap_or_else(rethrow)?;
        }
        Ok(())
    };
    tokio::select! {
        outcome = all => outcome,
        () = stopped.notified() => Ok(stop.check()?),
    }
}

struct Driver<S, O> {
    shared: Arc<SharedFetch>,
    client: Connections,
    /// A client without connection reuse, for requests that are resent. Created on demand.
    without_reuse: OnceLock<Connections>,
    transport: Transport,
    resolver: SystemResolver,
    proxies: Arc<Proxies>,
    limits: Limits,
    sinks: Arc<S>,
    observer: O,
}

impl<S, O> Driver<S, O>
where
    S: SinkFactory<Error: 'static> + Send + 'static,
    S::Sink: Send,
    O: Observer + Clone + Send + 'static,
{
    async fn run(self: Arc<Self>) -> Result<(), S::Error> {
        loop {
            let outcome = match self.next().await? {
                Step::Send(request) => self.exchange(&request.into()).await,
                Step::LoadFromSpool(page) => {
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
    async fn next(&self) -> Result<Step, S::Error> {
        loop {
            // Subscribe before checking: a change in between is not missed.
            let mut changed = pin!(self.shared.change());
            changed.as_mut().enable();
            let step = self.shared.lock().step(Instant::now())?;
            match step {
                Step::Wait(None) => changed.await,
                // A timeout and a change both mean: check again.
                Step::Wait(Some(at)) => drop(timeout_at(TokioInstant::from_std(at), changed).await),
                step => return Ok(step),
            }
        }
    }

    async fn exchange(self: &Arc<Self>, request: &Arc<PageRequest>) -> Result<(), S::Error> {
        match self.receive(request).await {
            Ok(()) => Ok(()),
            Err(ExchangeError::Fatal(error)) => Err(error),
            Err(ExchangeError::Again(action)) => {
                note_action(
                    request,
                    action,
                    "the body says that it is an error",
                    &self.observer,
                );
                Ok(())
            }
            Err(ExchangeError::Transport(cause)) => {
                let why = note_failure(request, &cause);
                let action = self.shared.lock().failed(request.id, cause, Now::read())?;
                note_action(request, action, &why, &self.observer);
                Ok(())
            }
        }
    }

    async fn receive(
        self: &Arc<Self>,
        request: &Arc<PageRequest>,
    ) -> Result<(), ExchangeError<S::Error>> {
        let started = Instant::now();
        let mut response = self.send(request).await?;
        let head = ResponseHead {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
        };
        head.check_length()?;
        let mut action = self.shared.lock().head(request.id, &head, Now::read())?;
        if action == ResponseAction::Refused {
            let words = words(&mut response, self.limits.stretch).await;
            let mut fetch = self.shared.lock();
            action = fetch.refused(request.id, &head, words.bytes(), Now::read())?;
        }
        if action == ResponseAction::Keep {
            self.sinks.keep(&request.page);
        }
        if action != ResponseAction::Read {
            note_action(request, action, head.status.as_str(), &self.observer);
            return Ok(());
        }
        let body = Body::new(&head.headers, self.limits)?;
        let declared = body.declared();
        // Decoding and writing block, so they run off the runtime's threads.
        let (pieces, waiting) = mpsc::channel(WAITING);
        let taking = off_runtime({
            let (driver, request) = (Arc::clone(self), Arc::clone(request));
            move || {
                let sink = driver.sinks.open(request.page.clone());
                let sink = sink.map_err(ExchangeError::Fatal)?;
                let observer = driver.observer.clone();
                let reader = ResponseReader::new(request, body, sink, started, observer);
                take(reader, waiting, &driver.shared)
            }
        });
        let (passed, taken) = tokio::join!(self.pass(response, declared, pieces), taking);
        taken?;
        passed?;
        Ok(())
    }

    /// Sends a request. If it used a reused connection and no byte came back, it is resent on a
    /// new connection, as in the blocking driver.
    async fn send(&self, request: &PageRequest) -> Result<reqwest::Response, TransportError> {
        debug!(url = %request.page.subject.url, "requesting");
        let unusable = |error| TransportError::new(Failure::Proxy, error);
        self.proxies.of(&request.http.url).map_err(unusable)?;
        let limit = self.limits.stretch;
        let response = match self.client.send(request).await {
            Err(error) if self.client.was_used(&error) => {
                let error = classify(error, Phase::ResponseHead, limit);
                if error.failure != Failure::Lost {
                    return Err(error);
                }
                debug!(url = %request.page.subject.url, "idle connection was closed; sending again on a new one: {error}");
                let connect = || Connections::new(&self.transport, self.resolver.clone(), 0);
                self.without_reuse.get_or_init(connect).send(request).await
            }
            outcome => outcome,
        };
        response.map_err(|error| {
            let phase = if error.is_connect() {
                Phase::Connect
            } else {
                Phase::ResponseHead
            };
            classify(error, phase, limit)
        })
    }

    /// Passes a body on as it arrives.
    ///
    /// If the receiver fails, it reports the error itself.
    async fn pass(
        &self,
        mut response: reqwest::Response,
        declared: Option<u64>,
        pieces: mpsc::Sender<BodyChunk>,
    ) -> Result<(), TransportError> {
        let mut received = 0_u64;
        loop {
            // Time spent waiting for space in the channel is not the server's.
            let asked = Instant::now();
            let phase = Phase::Body { received, declared };
            let broken = |error| classify(error, phase, self.limits.stretch);
            let piece = tokio::select! {
                piece = response.chunk() => piece.map_err(broken)?,
                () = pieces.closed() => return Ok(()),
            };
            let length = piece.as_ref().map_or(0, bytes::Bytes::len);
            received = received.saturating_add(length as u64);
            let end = piece.is_none();
            let piece = piece.map(|bytes| (bytes, asked.elapsed()));
            if pieces.send(piece).await.is_err() || end {
                return Ok(());
            }
        }
    }
}

/// Reads the beginning of an error body, for its message. Read errors are ignored.
async fn words(response: &mut reqwest::Response, limit: Duration) -> Words {
    let mut words = Words::within(limit);
    while let Some(left) = words.left() {
        match timeout(left, response.chunk()).await {
            Ok(Ok(Some(bytes))) => words.push(&bytes),
            _ => break,
        }
    }
    words
}

/// Receives the chunks of a body, to its end or until it fails.
fn take<S: super::Sink, A: AsRef<PageRequest>, O: Observer>(
    mut reader: ResponseReader<A, S, O>,
    mut pieces: mpsc::Receiver<BodyChunk>,
    shared: &SharedFetch,
) -> Result<(), ExchangeError<S::Error>> {
    loop {
        match pieces.blocking_recv() {
            Some(Some((piece, waited))) => reader.push(&piece, waited, shared)?,
            Some(None) => return reader.finish(shared),
            None => return Ok(()),
        }
    }
}

/// Number of connections to remember: more than any server keeps open.
const REMEMBERED: usize = 4096;

/// A client, and which of its connections have been used.
struct Connections {
    client: Result<Client, reqwest::Error>,
    /// Their local addresses.
    used: Mutex<HashSet<SocketAddr>>,
}

/// Why sending failed.
enum SendError {
    /// The client could not be created.
    NoClient(String),
    Client(reqwest::Error),
}

impl SendError {
    fn is_connect(&self) -> bool {
        matches!(self, Self::Client(error) if error.is_connect())
    }
}

impl Connections {
    /// Keeps at most `idle` idle connections per host.
    fn new(transport: &Transport, resolver: SystemResolver, idle: usize) -> Self {
        Self {
            client: client(transport, resolver, idle),
            used: Mutex::default(),
        }
    }

    async fn send(&self, request: &PageRequest) -> Result<reqwest::Response, SendError> {
        let client = self.client.as_ref();
        let client = client.map_err(|error| SendError::NoClient(error.to_string()))?;
        let request = &request.http;
        let outgoing = client
            .get(request.url.clone())
            .headers(request.headers.clone());
        let response = outgoing.send().await.map_err(SendError::Client)?;
        if let Some(info) = response.extensions().get::<HttpInfo>() {
            let mut used = self.used();
            if used.len() >= REMEMBERED {
                // If a forgotten connection turns out to be closed, that costs a retry.
                used.clear();
            }
            used.insert(info.local_addr());
        }
        Ok(response)
    }

    /// Whether the failed request used a connection that had worked before.
    fn was_used(&self, error: &SendError) -> bool {
        let SendError::Client(error) = error else {
            return false;
        };
        let connected = cause_of::<legacy::Error>(error).and_then(legacy::Error::connect_info);
        let mut extras = http::Extensions::new();
        if let Some(connected) = connected {
            connected.get_extras(&mut extras);
        }
        let info = extras.get::<HttpInfo>();
        info.is_some_and(|info| self.used().remove(&info.local_addr()))
    }

    fn used(&self) -> MutexGuard<'_, HashSet<SocketAddr>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn client(
    transport: &Transport,
    resolver: SystemResolver,
    idle: usize,
) -> Result<Client, reqwest::Error> {
    tls::install_provider();
    let proxies = Arc::clone(&resolver.proxies);
    // The client would read the environment by its own rules.
    let builder = Client::builder().no_proxy();
    let builder = builder.proxy(reqwest::Proxy::custom(move |url| {
        proxies.of(url).ok().flatten().cloned()
    }));
    let builder = match &transport.authorities {
        None => builder,
        Some(authorities) => {
            let certificates = authorities.iter().map(Certificate::from_der);
            builder.tls_certs_only(certificates.collect::<Result<Vec<_>, _>>()?)
        }
    };
    builder
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .dns_resolver(resolver)
        .pool_max_idle_per_host(idle)
        .http1_max_headers(ResponseHead::MOST_HEADERS)
        .connect_timeout(transport.timeout)
        .read_timeout(transport.timeout)
        .build()
}

/// Classifies the client's errors: decisions depend on the class.
fn classify(error: impl Into<SendError>, phase: Phase, limit: Duration) -> TransportError {
    let error = match error.into() {
        SendError::NoClient(why) => return TransportError::new(Failure::Tls, why),
        SendError::Client(error) => error.without_url(),
    };
    if let Some(refused) = cause_of::<PrivateAddress>(&error) {
        return TransportError::new(Failure::Private, refused.clone());
    }
    if error.is_timeout() {
        return phase.timed_out(limit);
    }
    if cause_of::<Unresolved>(&error).is_some() {
        return TransportError::new(Failure::Resolve, error);
    }
    if let Some(cause) = cause_of::<rustls::Error>(&error) {
        return tls::failed(cause.clone());
    }
    if let Some(cause) = cause_of::<hyper::Error>(&error)
        && cause.is_parse()
    {
        if cause.is_parse_too_large() {
            return head_too_long();
        }
        return phase.malformed(cause);
    }
    if let Some(cause) = cause_of::<io::Error>(&error) {
        return match cause.kind() {
            ErrorKind::InvalidInput | ErrorKind::InvalidData => phase.malformed(cause),
            _ => phase.failed(cause, limit),
        };
    }
    if error.is_connect() {
        let says = chain(&error);
        let by_proxy = says.contains("tunnel") || says.contains("proxy");
        return if by_proxy {
            let cause = "the proxy did not connect to the server";
            TransportError::new(Failure::Tunnel, cause)
        } else {
            TransportError::new(Failure::Connect, "no connection")
        };
    }
    let ended = cause_of::<hyper::Error>(&error)
        .is_some_and(|cause| cause.is_incomplete_message() || cause.is_canceled());
    if ended {
        return phase.closed();
    }
    TransportError::new(Failure::Other, error)
}

impl From<reqwest::Error> for SendError {
    fn from(error: reqwest::Error) -> Self {
        Self::Client(error)
    }
}

/// The first `E` among this error and its sources.
fn cause_of<'e, E: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e E> {
    // The source of an `io::Error` is the source of the error that it wraps, which skips the
    // wrapped error itself. With TLS, that one contains the error to find.
    let wrapped = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    error
        .downcast_ref()
        .or_else(|| wrapped.and_then(|inner| cause_of(inner)))
        .or_else(|| error.source().and_then(|source| cause_of(source)))
}

/// Resolves names with the system's resolver, reports unknown hosts as their own error, and keeps
/// only the addresses that may be connected to.
#[derive(Clone)]
struct SystemResolver {
    addresses: Arc<Addresses>,
    /// Resolved here too; the user chose them, so any address is allowed.
    proxies: Arc<Proxies>,
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
            if !proxies
                .hosts()
                .any(|proxy| proxy.eq_ignore_ascii_case(host))
            {
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
