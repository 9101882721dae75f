//! The blocking driver: threads and `ureq`.
//!
//! It holds sockets and sleeps, and decides nothing: what to send, whether to continue reading and
//! how long to wait all come from [`Fetch`](super::Fetch).

mod connection;
mod deadline;
mod resolver;

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::TRANSFER_ENCODING;
use tracing::debug;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, BodyReader, Proxy, Timeout};

use activity_tracker_concurrency::{Stop, StopReason, fan_out, first_error};

use super::addresses::{Addresses, PrivateAddress};
use super::happened::{Phase, head_too_long};
use super::proxies::Proxies;
use super::response_reader::{
    ExchangeError, ResponseReader, Words, note_action, note_failure, recall,
};
use super::sink::{Observer, SinkError, SinkFactory};
use super::{
    Body, Failure, Limits, Now, PageRequest, ResponseAction, ResponseHead, SharedFetch, Step,
    Transport, TransportError, tls,
};
use connection::Connections;
use resolver::SystemResolver;

/// Total size of the read buffers of all requests, in bytes.
const ON_THEIR_WAY: usize = 2 * 1024 * 1024;

/// Bytes of a body to read at a time with this many concurrent requests.
///
/// Larger is better for long responses: sender and receiver wake each other less often.
/// With many requests, responses are short.
fn piece(width: usize) -> usize {
    (ON_THEIR_WAY / width.max(1)).clamp(32 * 1024, 256 * 1024)
}

/// Fetches everything that `shared` requests into `sinks`, with one thread per concurrent request.
///
/// # Errors
/// The first error of any request, which cancels the others; or that `stop` was requested.
pub fn fetch<S: SinkFactory>(
    shared: &Arc<SharedFetch>,
    transport: &Transport,
    sinks: &S,
    stop: &Stop,
    observer: &dyn Observer,
) -> Result<(), S::Error> {
    let (width, addresses) = {
        let fetch = shared.lock();
        (fetch.width(), fetch.addresses())
    };
    let piece = piece(width);
    let proxies = Arc::new(transport.proxies());
    let agent = agent(transport, piece, addresses, Arc::clone(&proxies));
    // A blocked read checks no flag: closing its socket wakes it.
    let _registered = stop.on_request({
        let (agent, shared) = (agent.clone(), Arc::clone(shared));
        move || {
            agent.shutdown();
            shared.wake();
        }
    });
    let driver = Driver {
        shared,
        agent: &agent,
        proxies,
        limits: transport.limits(),
        sinks,
        stop,
        observer,
        piece,
    };
    first_error(fan_out(width, |_| driver.run()), SinkError::is_echo)
}

struct Driver<'a, S> {
    shared: &'a SharedFetch,
    agent: &'a Agent,
    proxies: Arc<Proxies>,
    limits: Limits,
    sinks: &'a S,
    stop: &'a Stop,
    observer: &'a dyn Observer,
    /// Bytes of a body to read at a time.
    piece: usize,
}

impl<S: SinkFactory> Driver<'_, S> {
    fn run(&self) -> Result<(), S::Error> {
        // One buffer for all responses: most are small, and clearing it takes as long as reading them.
        let mut piece = vec![0; self.piece];
        loop {
            let outcome = match self.next()? {
                Step::Send(request) => self.exchange(&request, &mut piece),
                Step::LoadFromSpool(page) => recall(&page, self.shared, self.sinks, &self.observer),
                Step::Done | Step::Wait(_) => return Ok(()),
            };
            if outcome.is_err() {
                // The thread that stopped the run reports the error. A socket closed by the stop
                // fails too, but that is only a consequence.
                self.stop.check()?;
                self.stop.request(StopReason::Failure);
            }
            self.shared.wake();
            outcome?;
        }
    }

    /// Waits for something to do.
    fn next(&self) -> Result<Step, S::Error> {
        let mut fetch = self.shared.lock();
        loop {
            self.stop.check()?;
            fetch = match fetch.step(Instant::now())? {
                Step::Wait(until) => self.shared.wait(fetch, until),
                step => return Ok(step),
            };
        }
    }

    fn exchange(&self, request: &PageRequest, piece: &mut [u8]) -> Result<(), S::Error> {
        match self.receive(request, piece) {
            Ok(()) => Ok(()),
            Err(ExchangeError::Fatal(error)) => Err(error),
            Err(ExchangeError::Again(action)) => {
                note_action(
                    request,
                    action,
                    "the body says that it is an error",
                    self.observer,
                );
                Ok(())
            }
            Err(ExchangeError::Transport(cause)) => {
                self.stop.check()?;
                let why = note_failure(request, &cause);
                let action = self.shared.lock().failed(request.id, cause, Now::read())?;
                note_action(request, action, &why, self.observer);
                Ok(())
            }
        }
    }

    fn receive(
        &self,
        request: &PageRequest,
        piece: &mut [u8],
    ) -> Result<(), ExchangeError<S::Error>> {
        let started = Instant::now();
        let limit = self.limits.stretch;
        let (head, mut body) = send(self.agent, &self.proxies, request, limit)?;
        head.check_length()?;
        let mut action = self.shared.lock().head(request.id, &head, Now::read())?;
        if action == ResponseAction::Refused {
            let words = words(&mut body, piece, limit);
            self.stop.check()?;
            let mut fetch = self.shared.lock();
            action = fetch.refused(request.id, &head, words.bytes(), Now::read())?;
        }
        if action == ResponseAction::Keep {
            self.sinks.keep(&request.page);
        }
        if action != ResponseAction::Read {
            note_action(request, action, head.status.as_str(), self.observer);
            return Ok(());
        }
        let sink = self.sinks.open(request.page.clone());
        let sink = sink.map_err(ExchangeError::Fatal)?;
        let limits = self.limits;
        let incoming = Body::new(&head.headers, limits)?;
        let declared = incoming.declared();
        let mut received = 0_u64;
        let mut reader = ResponseReader::new(request, incoming, sink, started, self.observer);
        loop {
            let asked = Instant::now();
            let read = deadline::within(limits.stretch, || body.read(piece));
            let phase = Phase::Body { received, declared };
            match read.map_err(|error| of_io(error, phase, limit))? {
                0 => break,
                length => {
                    received = received.saturating_add(length as u64);
                    reader.push(&piece[..length], asked.elapsed(), self.shared)?;
                }
            }
        }
        // A socket closed by a stop can look like the end of the body.
        self.stop.check()?;
        reader.finish(self.shared)
    }
}

/// Reads the beginning of an error body, for its message. Read errors are ignored.
fn words(body: &mut BodyReader<'_>, piece: &mut [u8], limit: Duration) -> Words {
    let mut words = Words::within(limit);
    while let Some(left) = words.left() {
        match deadline::within(left, || body.read(piece)) {
            Ok(0) | Err(_) => break,
            Ok(length) => words.push(&piece[..length]),
        }
    }
    words
}

/// Output buffer, in bytes. The request line and headers must fit, with a proxy's additions.
const OUTPUT_BUFFER: usize = 128 * 1024;

fn agent(
    transport: &Transport,
    piece: usize,
    addresses: Arc<Addresses>,
    proxies: Arc<Proxies>,
) -> Agent {
    let roots = match &transport.authorities {
        None => RootCerts::PlatformVerifier,
        Some(authorities) => {
            let certificates = authorities.iter();
            certificates
                .map(|der| Certificate::from_der(der).to_owned())
                .into()
        }
    };
    let tls = TlsConfig::builder()
        .root_certs(roots)
        .unversioned_rustls_crypto_provider(tls::provider())
        .build();
    let timeout = Some(transport.timeout);
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_response_header_size(ResponseHead::LONGEST)
        // The input buffer holds two reads.
        .input_buffer_size(2 * piece)
        .output_buffer_size(OUTPUT_BUFFER)
        .tls_config(tls)
        .timeout_resolve(timeout)
        .timeout_connect(timeout)
        .timeout_recv_response(timeout)
        .timeout_per_read(timeout)
        .timeout_per_write(timeout)
        // Chosen per request.
        .proxy(None)
        .build();
    Agent::with_parts(
        config,
        Connections::new(Arc::clone(&proxies)),
        SystemResolver::new(addresses, proxies),
    )
}

/// Sends a request. If it used a reused connection and no byte came back, the connection was
/// already closed: servers and load balancers drop idle connections silently. It is resent on a
/// new connection, which does not count as a retry.
fn send(
    agent: &Agent,
    proxies: &Proxies,
    request: &PageRequest,
    limit: Duration,
) -> Result<(ResponseHead, BodyReader<'static>), TransportError> {
    debug!(url = %request.page.subject.url, "requesting");
    match send_once(agent, proxies, request, limit, false) {
        Err(error) if error.failure == Failure::Lost && connection::was_stale() => {
            debug!(url = %request.page.subject.url, "idle connection was closed; sending again on a new one: {error}");
            send_once(agent, proxies, request, limit, true)
        }
        outcome => outcome,
    }
}

fn send_once(
    agent: &Agent,
    proxies: &Proxies,
    request: &PageRequest,
    limit: Duration,
    on_new_connection: bool,
) -> Result<(ResponseHead, BodyReader<'static>), TransportError> {
    let request = &request.http;
    let mut outgoing = http::Request::get(request.url.as_str());
    if let Some(headers) = outgoing.headers_mut() {
        headers.clone_from(&request.headers);
    }
    let outgoing = outgoing
        .body(())
        .map_err(|error| TransportError::new(Failure::Other, error))?;
    let unusable = |error| TransportError::new(Failure::Proxy, error);
    let proxy = proxies.of(&request.url).map_err(unusable)?;
    let tunnel = proxy.filter(|_| request.url.scheme() == "https");
    let tunnel = tunnel.map(|proxy| Proxy::new(proxy.as_str())).transpose();
    let tunnel = tunnel.map_err(|error| classify(error, Phase::Connect, limit))?;
    connection::begin();
    let response = if on_new_connection || tunnel.is_some() {
        let config = agent.configure_request(outgoing).proxy(tunnel);
        // The client does not share connections between requests with different buffer sizes.
        let output = OUTPUT_BUFFER + usize::from(on_new_connection);
        agent.run(config.output_buffer_size(output).build())
    } else {
        agent.run(outgoing)
    };
    let response = response.map_err(|error| classify(error, connection::phase(), limit))?;
    let (parts, body) = response.into_parts();
    // RFC 9112, section 6.1: HTTP/1.0 has no transfer codings, so the framing cannot be trusted.
    if parts.version == http::Version::HTTP_10 && parts.headers.contains_key(TRANSFER_ENCODING) {
        let message = "an HTTP/1.0 response with a Transfer-Encoding";
        return Err(TransportError::new(Failure::NotHttp, message));
    }
    let head = ResponseHead {
        status: parts.status,
        headers: parts.headers,
    };
    Ok((head, body.into_with_config().limit(u64::MAX).reader()))
}

/// Classifies the client's errors: decisions depend on the class.
fn classify(error: ureq::Error, phase: Phase, limit: Duration) -> TransportError {
    match error {
        ureq::Error::HostNotFound => TransportError::new(Failure::Resolve, error),
        ureq::Error::ConnectionFailed => TransportError::new(Failure::Connect, "no connection"),
        ureq::Error::ConnectProxyFailed(_) => {
            let cause = "the proxy did not connect to the server";
            TransportError::new(Failure::Tunnel, cause)
        }
        ureq::Error::Timeout(reason) => {
            let connecting = matches!(reason, Timeout::Connect | Timeout::Resolve);
            let phase = if connecting { Phase::Connect } else { phase };
            phase.timed_out(limit)
        }
        ureq::Error::Rustls(cause) => tls::failed(cause),
        ureq::Error::Tls(_) | ureq::Error::Pem(_) => TransportError::new(Failure::Tls, error),
        ureq::Error::Io(cause) => of_io(cause, phase, limit),
        ureq::Error::LargeResponseHeader(..) => head_too_long(),
        ureq::Error::Protocol(cause) if cause.to_string().contains("too many headers") => {
            head_too_long()
        }
        ureq::Error::Protocol(cause) => phase.malformed(cause),
        // Without the client's own prefix.
        ureq::Error::Other(cause) if cause.is::<PrivateAddress>() => {
            TransportError::new(Failure::Private, cause)
        }
        ureq::Error::Other(cause) => TransportError::new(Failure::Other, cause),
        ureq::Error::BodyStalled => phase.closed(),
        error => TransportError::new(Failure::Other, error),
    }
}

/// The client wraps its own errors, and those of TLS, in those of `std::io`.
fn of_io(error: io::Error, phase: Phase, limit: Duration) -> TransportError {
    let error = match error.downcast::<ureq::Error>() {
        Ok(error) => return classify(error, phase, limit),
        Err(error) => error,
    };
    match error.downcast::<rustls::Error>() {
        Ok(error) => tls::failed(error),
        Err(error) => phase.failed(&error, limit),
    }
}
