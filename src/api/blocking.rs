//! The blocking driver: threads and `ureq`.
//!
//! It holds sockets and sleep, and decides nothing: what to send, whether to
//! read on and how long to wait all come from [`Fetch`](super::Fetch).

mod deadline;
mod resolver;

use std::io::Read;
use std::sync::Arc;
use std::time::Instant;

use http::header::TRANSFER_ENCODING;
use tracing::info;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, BodyReader, Proxy};

use crate::concurrency::{Stop, fan_out, first_error};
use crate::error::{Error, StopReason};

use super::addresses::{Addresses, PrivateAddress};
use super::intake::{Intake, Trouble, note_failure, note_verdict, recall};
use super::sink::{Observer, Sinks};
use super::{
    Ask, Body, Failure, Head, Limits, Now, SharedFetch, Step, Transport, TransportError, Verdict,
    tls,
};
use resolver::SystemResolver;

/// How much is on its way in all requests together, in bytes.
const ON_THEIR_WAY: usize = 2 * 1024 * 1024;

/// How much of a body is read at a time where so many requests are under way at once.
///
/// The more the better for long answers: sender and receiver wake each other less often.
/// Where there are many requests, their answers are short.
fn piece(width: usize) -> usize {
    (ON_THEIR_WAY / width.max(1)).clamp(32 * 1024, 256 * 1024)
}

/// Fetches all that `shared` wants into `sinks`, with a thread for each request under way.
///
/// # Errors
/// The first error of any request; the others are broken off then. Also when
/// `stop` is requested.
pub fn fetch<S: Sinks>(
    shared: &Arc<SharedFetch>,
    transport: &Transport,
    sinks: &S,
    stop: &Stop,
    observer: &dyn Observer,
) -> Result<(), Error> {
    let (width, addresses) = {
        let fetch = shared.lock();
        (fetch.width(), fetch.addresses())
    };
    let piece = piece(width);
    let agent = agent(transport, piece, addresses);
    // A blocked read looks at no flag: closing its socket wakes it.
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
        limits: transport.limits(),
        sinks,
        stop,
        observer,
        piece,
    };
    first_error(fan_out(width, |_| driver.run()))
}

struct Driver<'a, S> {
    shared: &'a SharedFetch,
    agent: &'a Agent,
    limits: Limits,
    sinks: &'a S,
    stop: &'a Stop,
    observer: &'a dyn Observer,
    /// How much of a body is read at a time.
    piece: usize,
}

impl<S: Sinks> Driver<'_, S> {
    fn run(&self) -> Result<(), Error> {
        // One for all answers: most are small, and to clear it takes as long as to read them.
        let mut piece = vec![0; self.piece];
        loop {
            let outcome = match self.next()? {
                Step::Send(ask) => self.exchange(&ask, &mut piece),
                Step::Recall(page) => recall(&page, self.shared, self.sinks, &self.observer),
                Step::Done | Step::Wait(_) => return Ok(()),
            };
            if outcome.is_err() {
                // Whoever stopped the run first has the error to tell: a socket
                // closed by the stop fails as well, and that means nothing.
                self.stop.check()?;
                self.stop.request(StopReason::Failure);
            }
            self.shared.wake();
            outcome?;
        }
    }

    /// Waits for something to do.
    fn next(&self) -> Result<Step, Error> {
        let mut fetch = self.shared.lock();
        loop {
            self.stop.check()?;
            fetch = match fetch.step(Instant::now())? {
                Step::Wait(until) => self.shared.wait(fetch, until),
                step => return Ok(step),
            };
        }
    }

    fn exchange(&self, ask: &Ask, piece: &mut [u8]) -> Result<(), Error> {
        match self.receive(ask, piece) {
            Ok(()) => Ok(()),
            Err(Trouble::Fatal(error)) => Err(error),
            Err(Trouble::Transport(cause)) => {
                self.stop.check()?;
                let why = note_failure(ask, &cause);
                let verdict = self.shared.lock().failed(ask.ticket, cause, Now::read())?;
                note_verdict(ask, verdict, &why, self.observer);
                Ok(())
            }
        }
    }

    fn receive(&self, ask: &Ask, piece: &mut [u8]) -> Result<(), Trouble> {
        let started = Instant::now();
        let (head, mut body) = send(self.agent, ask)?;
        head.check_length()?;
        let verdict = self.shared.lock().head(ask.ticket, &head, Now::read())?;
        if verdict == Verdict::Keep {
            self.sinks.keep(&ask.page);
        }
        if verdict != Verdict::Read {
            note_verdict(ask, verdict, head.status.as_str(), self.observer);
            return Ok(());
        }
        let sink = self.sinks.open(ask.page.clone())?;
        let limits = self.limits;
        let incoming = Body::new(&head.headers, limits)?;
        let mut intake = Intake::new(ask, incoming, sink, started, self.observer);
        loop {
            let asked = Instant::now();
            let read = deadline::within(limits.stretch, || body.read(piece));
            match read.map_err(broken_body)? {
                0 => break,
                length => intake.push(&piece[..length], asked.elapsed(), self.shared)?,
            }
        }
        // A socket closed by a stop can look like the end of the body.
        self.stop.check()?;
        intake.finish(self.shared)
    }
}

fn agent(transport: &Transport, piece: usize, addresses: Arc<Addresses>) -> Agent {
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
    let proxy = Proxy::try_from_env().filter(|_| transport.proxy);
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_response_header_size(Head::LONGEST)
        // Two pieces come off the socket at once.
        .input_buffer_size(2 * piece)
        .tls_config(tls)
        .timeout_resolve(timeout)
        .timeout_connect(timeout)
        .timeout_recv_response(timeout)
        .timeout_per_read(timeout)
        .timeout_per_write(timeout)
        .proxy(proxy)
        .build();
    Agent::with_parts(
        config,
        deadline::Heedful::default(),
        SystemResolver::new(addresses),
    )
}

fn send(agent: &Agent, ask: &Ask) -> Result<(Head, BodyReader<'static>), TransportError> {
    info!(url = %ask.page.subject.url, "requesting");
    let request = &ask.request;
    let mut outgoing = http::Request::get(request.url.as_str());
    if let Some(headers) = outgoing.headers_mut() {
        headers.clone_from(&request.headers);
    }
    let outgoing = outgoing
        .body(())
        .map_err(|error| TransportError::new(Failure::Other, error))?;
    let answer = agent.run(outgoing).map_err(classify)?;
    let (parts, body) = answer.into_parts();
    // RFC 9112, section 6.1: who knows no such thing cannot have framed the body by it.
    if parts.version == http::Version::HTTP_10 && parts.headers.contains_key(TRANSFER_ENCODING) {
        let message = "an HTTP/1.0 answer with a Transfer-Encoding";
        return Err(TransportError::new(Failure::Other, message));
    }
    let head = Head {
        status: parts.status,
        headers: parts.headers,
    };
    Ok((head, body.into_with_config().limit(u64::MAX).reader()))
}

/// Sorts the client's errors into the classes that decisions rest on.
fn classify(error: ureq::Error) -> TransportError {
    let failure = match &error {
        ureq::Error::HostNotFound => Failure::Resolve,
        ureq::Error::ConnectionFailed => Failure::Connect,
        ureq::Error::Timeout(_) => Failure::Timeout,
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_) => Failure::Tls,
        ureq::Error::Io(cause) => of_io(cause),
        ureq::Error::Other(cause) if cause.is::<PrivateAddress>() => Failure::Private,
        _ => Failure::Other,
    };
    match error {
        // Without the client's words around it.
        ureq::Error::Other(cause) => TransportError::new(failure, cause),
        error => TransportError::new(failure, error),
    }
}

fn of_io(error: &std::io::Error) -> Failure {
    use std::io::ErrorKind as Kind;
    let rustls = error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>);
    match error.kind() {
        _ if rustls => Failure::Tls,
        Kind::TimedOut | Kind::WouldBlock => Failure::Timeout,
        Kind::ConnectionRefused
        | Kind::HostUnreachable
        | Kind::NetworkUnreachable
        | Kind::NetworkDown
        | Kind::AddrNotAvailable => Failure::Connect,
        _ => Failure::Other,
    }
}

/// A body that broke: the client wraps its own errors in those of `std::io`.
fn broken_body(error: std::io::Error) -> TransportError {
    let timed_out = error.kind() == std::io::ErrorKind::TimedOut
        || error
            .get_ref()
            .and_then(|cause| cause.downcast_ref::<ureq::Error>())
            .is_some_and(|cause| matches!(cause, ureq::Error::Timeout(_)));
    let failure = if timed_out {
        Failure::Timeout
    } else {
        Failure::Body
    };
    TransportError::new(failure, error)
}
