//! The body of one response: counted, and decoded as its headers say.

use std::io::{self, Write};
use std::time::Duration;

use flate2::write::MultiGzDecoder;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};

use activity_tracker_text::grouped;

use super::happened::Phase;
use super::pace::Pace;
use super::{Failure, TransportError};

/// What every gzip stream begins with (RFC 1952).
const GZIP_MAGIC: u8 = 0x1f;

/// Highest compression ratio. Very repetitive records reach a few dozen; gzip can reach a
/// thousand.
const DENSEST: u64 = 200;

/// Bodies that decompress to less than this may have any ratio.
const HARMLESS: u64 = 64 << 20;

/// Limits of one response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest body, in bytes, decompressed.
    pub longest: u64,
    /// Within each such period of waiting, a minimum number of bytes must arrive.
    pub stretch: Duration,
}

/// Checks and decodes a body as it arrives, for either client.
///
/// The clients' own decompression is off, so that both flows read every response alike.
#[derive(Debug)]
pub struct Body {
    declared: Option<u64>,
    /// Whether the end of the body can be distinguished from a closed connection.
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
    /// When the body has an encoding that was not requested, or its length is invalid or exceeds the
    /// limit.
    pub fn new(headers: &HeaderMap, limits: Limits) -> Result<Self, TransportError> {
        let gzip = is_gzip(headers)?.then(|| MultiGzDecoder::new(Vec::new()));
        let chunked = is_chunked(headers)?;
        // RFC 9112, section 6.3: if both are present, the chunked coding determines where the body
        // ends.
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

    /// The declared length on the wire, if any.
    pub(super) fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// Whether the end of the body can be distinguished from a closed connection.
    #[must_use]
    pub fn is_delimited(&self) -> bool {
        self.delimited
    }

    /// Takes bytes from the wire, which took `waited` to arrive, and returns the decoded bytes.
    ///
    /// # Errors
    /// When they arrive too slowly, or exceed the limit.
    pub fn decode<'a>(
        &'a mut self,
        bytes: &'a [u8],
        waited: Duration,
    ) -> Result<Decoded<'a>, TransportError> {
        let length = bytes.len() as u64;
        self.pace.note(length, waited)?;
        self.received += length;
        // Compressed bytes count too: gzip can continue forever and decompress to nothing.
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

    /// Handles the end of the body and returns the last decoded bytes.
    ///
    /// # Errors
    /// When the body was truncated, or is too long.
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
            // Without the magic number it was never gzip: a retry would not help.
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

/// Registered encodings (RFC 9110, section 18.6, and newer ones) that are not supported.
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

/// Whether the body is gzip. A value that is not an encoding (`utf-8`, `none`, a media type) is a
/// mistake of the server, and the body is plain.
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

/// Whether the body is chunked, with no other transfer coding.
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
            // Older than RFC 7230, and has no effect.
            b"identity" => {}
            other => return Err(unknown("transfer", other)),
        }
    }
    Ok(chunked)
}

fn unknown(kind: &str, encoding: &[u8]) -> TransportError {
    let name = activity_tracker_text::excerpt(&String::from_utf8_lossy(encoding), 40);
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
                let shown = activity_tracker_text::excerpt(&String::from_utf8_lossy(part), 40);
                let message = format!("invalid Content-Length `{shown}`");
                TransportError::new(Failure::NotHttp, message)
            })?;
            if let Some(other) = declared.replace(length).filter(|other| *other != length) {
                let message = format!("conflicting Content-Length headers: {other} and {length}");
                return Err(TransportError::new(Failure::NotHttp, message));
            }
        }
    }
    Ok(declared)
}

fn length(text: &[u8]) -> Option<u64> {
    // `parse` would accept a sign too.
    let digits = text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| digits)?;
    text.parse().ok()
}

/// The decoded length so far, and its limit.
#[derive(Clone, Debug)]
struct Size {
    longest: u64,
    plain: u64,
}

impl Size {
    fn new(longest: u64) -> Self {
        Self { longest, plain: 0 }
    }

    /// Adds decoded bytes; `wire` is the total number of bytes received for them.
    fn add(&mut self, plain: usize, wire: u64) -> Result<(), TransportError> {
        self.plain += plain as u64;
        self.check(self.plain, wire)
    }

    /// `wire` is 0 if the bytes are not compressed.
    fn check(&self, plain: u64, wire: u64) -> Result<(), TransportError> {
        let message = if plain > self.longest {
            format!("more than {} bytes", grouped(self.longest))
        } else if wire > 0 && plain > HARMLESS && plain / DENSEST > wire {
            format!("{wire} bytes of gzip decompress to {plain}: a ratio of more than {DENSEST}")
        } else {
            return Ok(());
        };
        Err(TransportError::new(Failure::TooLarge, message))
    }
}

/// Decodes bytes into chunks of bounded size.
///
/// A few bytes of gzip can decompress to thousands of times as many, so they are decompressed a
/// little at a time.
#[derive(Debug)]
pub struct Decoded<'a> {
    rest: &'a [u8],
    gzip: Option<&'a mut MultiGzDecoder<Vec<u8>>>,
    plain: Vec<u8>,
    received: u64,
    size: &'a mut Size,
}

impl Decoded<'_> {
    /// The next chunk, or `None` at the end.
    ///
    /// # Errors
    /// When the bytes are not in the declared encoding, or exceed the limit.
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
                    "trailing bytes after the gzip stream",
                ));
            }
        }
        self.size.add(self.plain.len(), self.received)?;
        Ok(Some(&self.plain))
    }
}

#[cfg(test)]
mod tests;
