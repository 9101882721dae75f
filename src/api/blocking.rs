//! The blocking driver: threads and `ureq`.
//!
//! It holds sockets and sleep, and decides nothing: what to send, whether to
//! read on and how long to wait all come from [`Fetch`](super::Fetch).

mod deadline;

use std::io::Read;
use std::net::SocketAddr;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::header::TRANSFER_ENCODING;
use http::uri::{Authority, Scheme};
use tracing::info;
use ureq::config::Config;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::unversioned::transport::time::Duration as ClientDuration;
use ureq::{Agent, BodyReader, Proxy};

use crate::concurrency::{Stop, fan_out, first_error, spawn};
use crate::error::{Error, StopReason};

use super::intake::{Intake, Trouble, note_failure, note_verdict, recall};
use super::sink::{Observer, Sinks};
use super::{
    Ask, Body, Failure, Head, Limits, Now, SharedFetch, Step, Transport, TransportError, Verdict,
    tls,
};

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
    let width = shared.lock().width();
    let piece = piece(width);
    let agent = agent(transport, piece);
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

fn agent(transport: &Transport, piece: usize) -> Agent {
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
        SystemResolver::default(),
    )
}

/// Resolves names as the client would, with an error that can be told from others.
///
/// The client asks before each request, even if that goes over a connection which is
/// there, and starts a thread to ask in. So what was found is good for some requests.
#[derive(Debug, Default)]
struct SystemResolver {
    last: Mutex<Option<Resolved>>,
}

/// How long a name is taken to mean what it did.
const RESOLVED_FOR: Duration = Duration::from_secs(10);

type Host = (Option<Scheme>, Option<Authority>);

#[derive(Debug)]
struct Resolved {
    /// The scheme as well, which tells the port where nothing else does.
    host: Host,
    addresses: Vec<SocketAddr>,
    at: Instant,
}

impl Resolver for SystemResolver {
    fn resolve(
        &self,
        uri: &http::Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host: Host = (uri.scheme().cloned(), uri.authority().cloned());
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = last().as_ref()
            && known.host == host
            && known.at.elapsed() < RESOLVED_FOR
        {
            let mut found = self.empty();
            known.addresses.iter().for_each(|known| found.push(*known));
            return Ok(found);
        }
        let found = look_up(uri, config, &timeout).map_err(|error| match error {
            ureq::Error::Io(_) => ureq::Error::HostNotFound,
            other => other,
        })?;
        *last() = Some(Resolved {
            host,
            addresses: found.to_vec(),
            at: Instant::now(),
        });
        Ok(found)
    }
}

/// Has the client look up a name, in a thread of its own so that it can be given up.
///
/// The client would start that thread by itself, and panic where there is none to be had.
/// Then this one waits, for as long as the system does.
fn look_up(
    uri: &http::Uri,
    config: &Config,
    timeout: &NextTimeout,
) -> Result<ResolvedSocketAddrs, ureq::Error> {
    let look = {
        let (uri, config, reason) = (uri.clone(), config.clone(), timeout.reason);
        move || {
            let patient = NextTimeout {
                after: ClientDuration::NotHappening,
                reason,
                per_read: None,
                per_write: None,
            };
            DefaultResolver::default().resolve(&uri, &config, patient)
        }
    };
    let (sender, found) = sync_channel(1);
    let looking = {
        let look = look.clone();
        spawn(move || {
            // Nobody listens any more who gave up.
            let _ = sender.send(look());
        })
    };
    if looking.is_err() {
        return look();
    }
    let found = found.recv_timeout(*timeout.after);
    found.unwrap_or(Err(ureq::Error::Timeout(timeout.reason)))
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
        _ => Failure::Other,
    };
    TransportError::new(failure, error)
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

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::Timeout;

    #[test]
    fn what_was_resolved_is_good_for_the_same_host_and_port_only() {
        let resolver = SystemResolver::default();
        let agent = agent(&Transport::default(), piece(1));
        let urls = [
            ("http://127.0.0.1/a", "127.0.0.1:80"),
            ("http://127.0.0.1/b", "127.0.0.1:80"),
            ("https://127.0.0.1/b", "127.0.0.1:443"),
            ("https://127.0.0.1:8080/", "127.0.0.1:8080"),
            ("https://127.0.0.2:8080/", "127.0.0.2:8080"),
            ("http://127.0.0.1/a", "127.0.0.1:80"),
        ];
        for (url, expected) in urls {
            let timeout = NextTimeout {
                after: Duration::from_mins(1).into(),
                reason: Timeout::Resolve,
                per_read: None,
                per_write: None,
            };
            let found = resolver.resolve(&url.parse().unwrap(), agent.config(), timeout);
            let found: Vec<_> = found.unwrap().iter().map(ToString::to_string).collect();
            assert_eq!(found, [expected], "{url}");
        }
    }
}
