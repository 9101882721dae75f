//! The client's connections: they obey [deadlines](super::deadline), report the phase of the
//! request, and send plain `http:` URLs to a proxy in the form that proxies expect.

use std::cell::Cell;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};
use percent_encoding::percent_decode_str;
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport,
};
use url::Url;

use crate::fetch::happened::Phase;
use crate::fetch::proxies::Proxies;

use super::deadline;

/// How far this thread's request got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// It uses an existing connection.
    Reused,
    Connecting,
    Connected,
    /// The response began.
    Heard,
}

thread_local! {
    /// Thread-local because the client works on the thread that calls it and passes no context.
    static PROGRESS: Cell<Progress> = const { Cell::new(Progress::Reused) };
}

/// Marks the start of a request.
pub(super) fn begin() {
    PROGRESS.set(Progress::Reused);
}

/// The phase in which the request failed.
pub(super) fn phase() -> Phase {
    match PROGRESS.get() {
        Progress::Connecting => Phase::Connect,
        Progress::Reused | Progress::Connected | Progress::Heard => Phase::ResponseHead,
    }
}

/// Whether the request was sent on a reused connection and got no response.
pub(super) fn was_stale() -> bool {
    PROGRESS.get() == Progress::Reused
}

/// Opens connections as the client would, directly or to a proxy.
#[derive(Debug, Default)]
pub(super) struct Connections {
    proxies: Arc<Proxies>,
    inner: DefaultConnector,
}

impl Connections {
    pub(super) fn new(proxies: Arc<Proxies>) -> Self {
        Self {
            proxies,
            inner: DefaultConnector::default(),
        }
    }

    fn connect_directly(&self, details: &ConnectionDetails) -> Result<Option<Connection>, Error> {
        let connected = self.inner.connect(details, None)?;
        Ok(connected.map(|inner| Connection {
            inner,
            forwarding: None,
        }))
    }

    /// Connects to the proxy itself. The client would request a tunnel, which proxies refuse for
    /// anything but TLS.
    fn connect_to_proxy(
        &self,
        proxy: &Url,
        details: &ConnectionDetails,
    ) -> Result<Option<Connection>, Error> {
        let uri = proxy_uri(proxy)?;
        let addrs = details
            .resolver
            .resolve(&uri, details.config, details.timeout)?;
        let inner = self.inner.connect(
            &ConnectionDetails {
                uri: &uri,
                addrs,
                config: details.config,
                request_level: details.request_level,
                resolver: details.resolver,
                now: details.now,
                timeout: details.timeout,
                current_time: Arc::clone(&details.current_time),
                run_connector: Arc::clone(&details.run_connector),
                register_shutdown: Arc::clone(&details.register_shutdown),
            },
            None,
        )?;
        let forwarding = Forwarding::new(details.uri, proxy);
        Ok(inner.map(|inner| Connection {
            inner,
            forwarding: Some(forwarding),
        }))
    }
}

/// The URL of a proxy, without credentials.
pub(super) fn proxy_uri(proxy: &Url) -> Result<http::Uri, Error> {
    let origin = proxy.origin().ascii_serialization();
    Ok(format!("{origin}/").parse().map_err(http::Error::from)?)
}

impl Connector for Connections {
    type Out = Connection;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _: Option<()>,
    ) -> Result<Option<Connection>, Error> {
        PROGRESS.set(Progress::Connecting);
        let connection = match self.proxies.forwards(details.uri) {
            Some(proxy) => self.connect_to_proxy(proxy, details),
            None => self.connect_directly(details),
        }?;
        PROGRESS.set(Progress::Connected);
        Ok(connection)
    }
}

/// A connection, including TLS.
#[derive(Debug)]
pub(super) struct Connection {
    inner: Box<dyn Transport>,
    /// Set for a proxy that expects absolute URLs.
    forwarding: Option<Forwarding>,
}

/// What is added to a request to a proxy (RFC 9112, section 3.2.2).
struct Forwarding {
    /// What precedes the path: `http://api.example.com`.
    origin: String,
    /// A header with its line break, or empty.
    authorization: String,
}

impl std::fmt::Debug for Forwarding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Forwarding({})", self.origin)
    }
}

/// The request line begins with this.
const GET: &[u8] = b"GET /";

impl Forwarding {
    fn new(target: &http::Uri, proxy: &Url) -> Self {
        let authority = target
            .authority()
            .map_or("", |authority| authority.as_str());
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let pair = (!proxy.username().is_empty() || proxy.password().is_some()).then(|| {
            let password = proxy.password().unwrap_or_default();
            format!("{}:{}", decoded(proxy.username()), decoded(password))
        });
        let authorization = pair.map_or_else(String::new, |pair| {
            let pair = BASE64_STANDARD.encode(pair);
            format!("Proxy-Authorization: Basic {pair}\r\n")
        });
        Self {
            origin: format!("http://{authority}"),
            authorization,
        }
    }

    /// Rewrites the request line and headers for the proxy, if these bytes begin a request.
    fn rewritten(&self, output: &[u8]) -> Option<Vec<u8>> {
        output.starts_with(GET).then_some(())?;
        let line = memchr::memmem::find(output, b"\r\n")?;
        let (line, rest) = output.split_at(line + 2);
        let (method, path) = line.split_at(GET.len() - 1);
        let parts = [
            method,
            self.origin.as_bytes(),
            path,
            self.authorization.as_bytes(),
            rest,
        ];
        Some(parts.concat())
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, mut amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if let Some(forwarding) = &self.forwarding {
            let output = self.inner.buffers().output();
            let sent = output.get(..amount).unwrap_or_default();
            if let Some(head) = forwarding.rewritten(sent) {
                let room = output.get_mut(..head.len());
                let room = room.ok_or_else(|| Error::BadUri("too long for a proxy".to_owned()))?;
                room.copy_from_slice(&head);
                amount = head.len();
            }
        }
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, mut timeout: NextTimeout) -> Result<bool, Error> {
        if let Some(left) = deadline::left() {
            if left.is_zero() {
                return Err(Error::Timeout(timeout.reason));
            }
            timeout.after = timeout.after.min(left.into());
        }
        let came = self.inner.await_input(timeout)?;
        if came {
            PROGRESS.set(Progress::Heard);
        }
        Ok(came)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_asked_for_the_whole_url() {
        let forwarding = |target: &str, proxy: &str| {
            Forwarding::new(&target.parse().unwrap(), &Url::parse(proxy).unwrap())
        };
        let plain = forwarding("http://api.test:8080/a", "http://p.test");
        let known = forwarding("http://api.test/a", "http://u%40:p%3A@p.test");
        let cases: [(&Forwarding, &str, Option<&str>); 5] = [
            (
                &plain,
                "GET /a?b=c HTTP/1.1\r\nhost: x\r\n\r\n",
                Some("GET http://api.test:8080/a?b=c HTTP/1.1\r\nhost: x\r\n\r\n"),
            ),
            (
                &plain,
                "GET / HTTP/1.1\r\n\r\n",
                Some("GET http://api.test:8080/ HTTP/1.1\r\n\r\n"),
            ),
            (
                &known,
                "GET / HTTP/1.1\r\n\r\n",
                Some(
                    "GET http://api.test/ HTTP/1.1\r\nProxy-Authorization: Basic dUA6cDo=\r\n\r\n",
                ),
            ),
            (&plain, "GET /a HTTP/1.1", None),
            (&plain, "something else\r\n", None),
        ];
        for (forwarding, output, expected) in cases {
            let found = forwarding.rewritten(output.as_bytes());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{output}");
        }
    }
}
