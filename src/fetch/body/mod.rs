//! One response's body: counted, and decoded as its head says.

use std::io::{self, Write};
use std::time::Duration;

use flate2::write::MultiGzDecoder;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};

use crate::text::grouped;

use super::happened::Phase;
use super::pace::Pace;
use super::{Failure, TransportError};

/// What every gzip stream begins with (RFC 1952).
const GZIP_MAGIC: u8 = 0x1f;

/// How often its own length a compressed body may unfold to. Records of much
/// sameness come to a few dozen times; gzip can do a thousand.
const DENSEST: u64 = 200;

/// A body that unfolds to less than this may be as dense as it likes.
const HARMLESS: u64 = 64 << 20;

/// What one response may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long its body may be, in bytes, decoded.
    pub longest: u64,
    /// In each such stretch of waiting a little of it must come.
    pub stretch: Duration,
}

/// Checks and decodes a body as it arrives, whichever client it arrives by.
///
/// The clients' own decompression is off, so that both flows read every response alike.
#[derive(Debug)]
pub struct Body {
    declared: Option<u64>,
    /// Whether the end of the body can be told from a connection that broke.
    delimited: bool,
    first: Option<u8>,
    received: u64,
    gzip: Option<MultiGzDecoder<Vec<u8>>>,
    size: Size,
    pace: Pace,
}

impl Body {
    /// For the response with these headers.
    ///
    /// # Errors
    /// When an encoding of it is one that was not asked for, its length is no
    /// length, or is one that is not allowed.
    pub fn new(headers: &HeaderMap, limits: Limits) -> Result<Self, TransportError> {
        let gzip = is_gzip(headers)?.then(|| MultiGzDecoder::new(Vec::new()));
        let chunked = is_chunked(headers)?;
        // RFC 9112, section 6.3: where there are both, chunks say where the body ends.
        let declared = declared(headers)?.filter(|_| !chunked);
        let size = Size::new(limits.longest);
        size.check(declared.unwrap_or_default(), 0)?;
        Ok(Self {
            declared,
            delimited: declared.is_some() || chunked,
            first: None,
            received: 0,
            gzip,
            size,
            pace: Pace::new(limits.stretch),
        })
    }

    /// How long it is on the wire, where that was declared.
    pub(super) fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// Whether the end of the body can be told from a connection that broke.
    #[must_use]
    pub fn is_delimited(&self) -> bool {
        self.delimited
    }

    /// Takes bytes from the wire, for which it was waited so long, and gives the body's own bytes.
    ///
    /// # Errors
    /// When they come too slowly, or are too many.
    pub fn decode<'a>(
        &'a mut self,
        bytes: &'a [u8],
        waited: Duration,
    ) -> Result<Decoded<'a>, TransportError> {
        let length = bytes.len() as u64;
        self.pace.note(length, waited)?;
        self.received += length;
        // Of gzip too: it can go on for ever and unfold to nothing.
        self.size.check(self.received, 0)?;
        self.first = self.first.or(bytes.first().copied());
        Ok(Decoded {
            rest: bytes,
            gzip: self.gzip.as_mut(),
            plain: Vec::new(),
            received: self.received,
            size: &mut self.size,
        })
    }

    /// The wire has no more: gives the last decoded bytes.
    ///
    /// # Errors
    /// When the body ended early, or is too long.
    pub fn finish(mut self) -> Result<Vec<u8>, TransportError> {
        if let Some(declared) = self.declared.filter(|declared| *declared != self.received) {
            let phase = Phase::Body {
                received: self.received,
                declared: Some(declared),
            };
            return Err(phase.closed());
        }
        let Some(gzip) = &mut self.gzip else {
            return Ok(Vec::new());
        };
        gzip.try_finish().map_err(|_| match self.first {
            // What begins otherwise was never gzip, however often it is sent.
            Some(first) if first != GZIP_MAGIC => {
                TransportError::new(Failure::Encoding, "the body is not gzip")
            }
            _ => {
                let after = grouped(self.received);
                let message =
                    format!("the gzip stream of the body ends early, after {after} bytes");
                TransportError::new(Failure::Body, message)
            }
        })?;
        let last = std::mem::take(gzip.get_mut());
        self.size.add(last.len(), self.received)?;
        Ok(last)
    }
}

/// Encodings that exist (the registry of RFC 9110, section 18.6, and newer ones) and are not undone here.
const ENCODINGS: [&[u8]; 10] = [
    b"aes128gcm",
    b"br",
    b"compress",
    b"dcb",
    b"dcz",
    b"deflate",
    b"exi",
    b"pack200-gzip",
    b"x-compress",
    b"zstd",
];

/// Whether the body is gzip. What names no encoding (`utf-8`, `none`, a media type) is a mistake
/// of the server's, and the body is plain.
pub(super) fn is_gzip(headers: &HeaderMap) -> Result<bool, TransportError> {
    let mut gzip = false;
    for value in headers.get_all(CONTENT_ENCODING) {
        for name in value.as_bytes().split(|byte| *byte == b',') {
            let name = name.trim_ascii().to_ascii_lowercase();
            match name.as_slice() {
                b"gzip" | b"x-gzip" if !gzip => gzip = true,
                b"gzip" | b"x-gzip" => return Err(unknown("content", b"gzip, gzip")),
                name if ENCODINGS.contains(&name) => return Err(unknown("content", name)),
                _ => {}
            }
        }
    }
    Ok(gzip)
}

/// Whether the body comes in chunks, and in nothing else that would have to be undone.
fn is_chunked(headers: &HeaderMap) -> Result<bool, TransportError> {
    let mut chunked = false;
    for value in headers.get_all(TRANSFER_ENCODING) {
        match value
            .as_bytes()
            .trim_ascii()
            .to_ascii_lowercase()
            .as_slice()
        {
            b"chunked" if !chunked => chunked = true,
            // Older than RFC 7230, and means nothing.
            b"identity" => {}
            other => return Err(unknown("transfer", other)),
        }
    }
    Ok(chunked)
}

fn unknown(kind: &str, encoding: &[u8]) -> TransportError {
    let name = crate::text::excerpt(&String::from_utf8_lossy(encoding), 40);
    TransportError::new(
        Failure::Encoding,
        format!("unknown {kind} encoding `{name}`"),
    )
}

/// The length that the headers declare (RFC 9112, section 6.3, and RFC 9110, section 8.6).
fn declared(headers: &HeaderMap) -> Result<Option<u64>, TransportError> {
    let mut declared = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for part in value.as_bytes().split(|byte| *byte == b',') {
            let length = length(part.trim_ascii()).ok_or_else(|| {
                let shown = crate::text::excerpt(&String::from_utf8_lossy(part), 40);
                let message = format!("`{shown}` is no Content-Length");
                TransportError::new(Failure::NotHttp, message)
            })?;
            if let Some(other) = declared.replace(length).filter(|other| *other != length) {
                let message = format!("two Content-Lengths: {other} and {length}");
                return Err(TransportError::new(Failure::NotHttp, message));
            }
        }
    }
    Ok(declared)
}

fn length(text: &[u8]) -> Option<u64> {
    // `parse` would take a sign too.
    let digits = text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| digits)?;
    text.parse().ok()
}

/// How long a body has become, decoded, and how long it may.
#[derive(Clone, Debug)]
struct Size {
    longest: u64,
    plain: u64,
}

impl Size {
    fn new(longest: u64) -> Self {
        Self { longest, plain: 0 }
    }

    /// So many more decoded bytes, out of so many in all from the wire.
    fn add(&mut self, plain: usize, wire: u64) -> Result<(), TransportError> {
        self.plain += plain as u64;
        self.check(self.plain, wire)
    }

    /// `wire` is 0 for bytes that nothing unfolds.
    fn check(&self, plain: u64, wire: u64) -> Result<(), TransportError> {
        let message = if plain > self.longest {
            format!("more than {} bytes", grouped(self.longest))
        } else if wire > 0 && plain > HARMLESS && plain / DENSEST > wire {
            format!("{wire} bytes of gzip unfold to {plain}, more than {DENSEST} times as many")
        } else {
            return Ok(());
        };
        Err(TransportError::new(Failure::TooLarge, message))
    }
}

/// The decoded form of some bytes, in pieces of bounded size.
///
/// A few bytes of gzip can stand for thousands of times as many, so they are
/// undone a little at a time.
#[derive(Debug)]
pub struct Decoded<'a> {
    rest: &'a [u8],
    gzip: Option<&'a mut MultiGzDecoder<Vec<u8>>>,
    plain: Vec<u8>,
    received: u64,
    size: &'a mut Size,
}

impl Decoded<'_> {
    /// The next piece, until there is none.
    ///
    /// # Errors
    /// When the bytes are not of the declared encoding, or there are too many.
    pub fn next_piece(&mut self) -> Result<Option<&[u8]>, TransportError> {
        let Some(gzip) = &mut self.gzip else {
            let piece = std::mem::take(&mut self.rest);
            return Ok((!piece.is_empty()).then_some(piece));
        };
        self.plain.clear();
        while self.plain.is_empty() {
            if self.rest.is_empty() {
                return Ok(None);
            }
            let bad = |error: io::Error| {
                let header = error.to_string() == "invalid gzip header";
                let what = if header {
                    "the body is not gzip"
                } else {
                    "the gzip stream is damaged"
                };
                TransportError::new(Failure::Encoding, what)
            };
            let taken = gzip.write(self.rest).map_err(bad)?;
            self.rest = &self.rest[taken..];
            self.plain.append(gzip.get_mut());
            if taken == 0 && self.plain.is_empty() {
                return Err(TransportError::new(
                    Failure::Encoding,
                    "bytes behind the gzip stream",
                ));
            }
        }
        self.size.add(self.plain.len(), self.received)?;
        Ok(Some(&self.plain))
    }
}

#[cfg(test)]
mod tests;
