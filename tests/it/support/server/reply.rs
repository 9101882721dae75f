//! What the server responses: a head, a body, and what becomes of the connection after them.

use std::io::{self, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::gate::Gate;

/// One response. It starts as a well-behaved one; each method makes it worse in one way, and they compose.
#[derive(Clone, Debug)]
#[must_use]
pub(crate) struct Reply {
    /// `None` where the body is the complete response, verbatim.
    status: Option<u16>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    framing: Framing,
    /// How many bytes after the head are sent, if not all.
    cut: Option<usize>,
    drip: Option<(usize, Duration)>,
    /// Sent behind everything else, again and again.
    endless: Option<Vec<u8>>,
    pub(super) delay: Duration,
    pub(super) gate: Option<Gate>,
    end: End,
}

#[derive(Clone, Copy, Debug)]
enum Framing {
    ContentLength,
    Chunked(usize),
    UntilClose,
}

/// What becomes of the connection after a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    KeepAlive,
    Close,
    Reset,
    Hang,
}

impl Reply {
    /// A status with an empty body.
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status: Some(status),
            headers: Vec::new(),
            body: Vec::new(),
            framing: Framing::ContentLength,
            cut: None,
            drip: None,
            endless: None,
            delay: Duration::ZERO,
            gate: None,
            end: End::KeepAlive,
        }
    }

    /// 200 with a JSON body.
    pub(crate) fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200)
            .header("Content-Type", "application/json; charset=utf-8")
            .body(body)
    }

    /// 200 with a JSON body that the caller has compressed.
    pub(crate) fn gzip(compressed: impl Into<Vec<u8>>) -> Self {
        Self::json(compressed).header("Content-Encoding", "gzip")
    }

    /// These bytes verbatim in place of an HTTP response, then the end of the connection.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            status: None,
            end: End::Close,
            ..Self::status(0).body(bytes)
        }
    }

    /// The connection closes without a response.
    pub(crate) fn close() -> Self {
        Self::raw([])
    }

    /// The connection is reset without a response.
    pub(crate) fn reset() -> Self {
        Self::close().then_reset()
    }

    /// No response: the connection stays open and silent until the client leaves or the server stops.
    pub(crate) fn hang() -> Self {
        Self::close().then_hang()
    }

    /// Another status than the constructor's.
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self {
            status: Some(status),
            ..self
        }
    }

    /// One more header. A `Content-Length` or `Transfer-Encoding` replaces the server's own;
    /// `Connection: close` is obeyed.
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Another body.
    pub(crate) fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
    }

    /// Sends the body by chunked transfer encoding, in chunks of `size` bytes.
    pub(crate) fn chunked(self, size: usize) -> Self {
        Self {
            framing: Framing::Chunked(size),
            ..self
        }
    }

    /// Says no length: the body ends where the connection does.
    pub(crate) fn until_close(self) -> Self {
        Self {
            framing: Framing::UntilClose,
            end: End::Close,
            ..self
        }
    }

    /// Announces the whole body, sends `sent` bytes after the head (chunk frames count), then closes.
    pub(crate) fn cut_short(self, sent: usize) -> Self {
        Self {
            cut: Some(sent),
            end: End::Close,
            ..self
        }
    }

    /// Closes the connection after this response, without having said so.
    pub(crate) fn then_close(self) -> Self {
        Self {
            end: End::Close,
            ..self
        }
    }

    /// Resets the connection after this response. The client may lose bytes sent just before.
    pub(crate) fn then_reset(self) -> Self {
        Self {
            end: End::Reset,
            ..self
        }
    }

    /// Falls silent after this response and keeps the connection open, as [`Reply::hang`] does.
    pub(crate) fn then_hang(self) -> Self {
        Self {
            end: End::Hang,
            ..self
        }
    }

    /// Sends what follows the head in pieces of `size` bytes with a gap between them. A gap takes real
    /// time: only for tests of slow responses.
    pub(crate) fn drip(self, size: usize, gap: Duration) -> Self {
        Self {
            drip: Some((size, gap)),
            ..self
        }
    }

    /// Sends this behind the response, again and again, until the client leaves or the server stops.
    pub(crate) fn endlessly(self, piece: impl Into<Vec<u8>>) -> Self {
        Self {
            endless: Some(piece.into()),
            end: End::Close,
            ..self
        }
    }

    /// Responses this much later. Takes real time: [`Reply::after`] does not.
    pub(crate) fn delayed(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Responses once the gate is open.
    pub(crate) fn after(self, gate: &Gate) -> Self {
        Self {
            gate: Some(gate.clone()),
            ..self
        }
    }

    pub(super) fn end(&self) -> End {
        let says_close = |(name, value): &(String, String)| {
            name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close")
        };
        match self.end {
            End::KeepAlive if self.headers.iter().any(says_close) => End::Close,
            end => end,
        }
    }

    /// Writes head and body; gives up between pieces when `stopping` opens.
    pub(super) fn send(&self, mut stream: &TcpStream, stopping: &Gate) -> io::Result<()> {
        let body = self.body_on_the_wire();
        let sent = &body[..self.cut.map_or(body.len(), |cut| cut.min(body.len()))];
        let (size, gap) = self.drip.unwrap_or((usize::MAX, Duration::ZERO));
        if self.drip.is_none() {
            stream.write_all(&[self.head().as_bytes(), sent].concat())?;
        } else {
            stream.write_all(self.head().as_bytes())?;
            drip(stream, sent, size, || stopping.pass(gap))?;
        }
        let Some(piece) = &self.endless else {
            return Ok(());
        };
        while !stopping.pass(gap) {
            drip(stream, piece, size, || stopping.pass(gap))?;
        }
        Ok(())
    }

    fn head(&self) -> String {
        let Some(status) = self.status else {
            return String::new();
        };
        let mut lines = vec![format!("HTTP/1.1 {status} ")];
        lines.extend(self.framing_header());
        lines.extend(
            self.headers
                .iter()
                .map(|(name, value)| format!("{name}: {value}")),
        );
        lines.join("\r\n") + "\r\n\r\n"
    }

    fn framing_header(&self) -> Option<String> {
        let names_its_own = |(name, _): &(String, String)| {
            name.eq_ignore_ascii_case("content-length")
                || name.eq_ignore_ascii_case("transfer-encoding")
        };
        // RFC 9110, 8.6: no Content-Length in a 204; in a 304 it would be the length of what is not sent.
        if self.headers.iter().any(names_its_own) || matches!(self.status, Some(204 | 304)) {
            return None;
        }
        match self.framing {
            Framing::ContentLength => Some(format!("Content-Length: {}", self.body.len())),
            Framing::Chunked(_) => Some("Transfer-Encoding: chunked".into()),
            Framing::UntilClose => None,
        }
    }

    fn body_on_the_wire(&self) -> Vec<u8> {
        let Framing::Chunked(size) = self.framing else {
            return self.body.clone();
        };
        let mut wire = Vec::new();
        for chunk in self.body.chunks(size) {
            wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            wire.extend_from_slice(chunk);
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b"0\r\n\r\n");
        wire
    }
}

/// Writes piece by piece, until `stopped` says so in a gap between two.
fn drip(
    mut stream: &TcpStream,
    bytes: &[u8],
    size: usize,
    stopped: impl Fn() -> bool,
) -> io::Result<()> {
    for (index, piece) in bytes.chunks(size).enumerate() {
        if index > 0 && stopped() {
            break;
        }
        stream.write_all(piece)?;
    }
    Ok(())
}
