//! One answer's body: counted, and decoded as its head says.

use std::io::Write;

use flate2::write::MultiGzDecoder;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};

use super::{Failure, TransportError};

/// What every gzip stream begins with (RFC 1952).
const GZIP_MAGIC: u8 = 0x1f;

/// Checks and decodes a body as it arrives, whichever client it arrives by.
///
/// The clients' own decompression is off, so that both flows read every answer alike.
#[derive(Debug)]
pub struct Body {
    declared: Option<u64>,
    /// Whether the end of the body can be told from a connection that broke.
    delimited: bool,
    first: Option<u8>,
    received: u64,
    gzip: Option<MultiGzDecoder<Vec<u8>>>,
}

impl Body {
    /// For the answer with these headers.
    ///
    /// # Errors
    /// When its encoding is one that was not asked for.
    pub fn new(headers: &HeaderMap) -> Result<Self, TransportError> {
        let encoding = headers
            .get(CONTENT_ENCODING)
            .map_or(&b""[..], |value| value.as_bytes().trim_ascii());
        let gzip = match encoding.to_ascii_lowercase().as_slice() {
            b"" | b"identity" => None,
            b"gzip" | b"x-gzip" => Some(MultiGzDecoder::new(Vec::new())),
            other => {
                let name = crate::text::excerpt(&String::from_utf8_lossy(other), 40);
                let message = format!("unknown content encoding `{name}`");
                return Err(TransportError::new(Failure::Encoding, message));
            }
        };
        let declared = headers
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let delimited = declared.is_some() || headers.contains_key(TRANSFER_ENCODING);
        Ok(Self {
            declared,
            delimited,
            first: None,
            received: 0,
            gzip,
        })
    }

    /// Whether the end of the body can be told from a connection that broke.
    #[must_use]
    pub fn is_delimited(&self) -> bool {
        self.delimited
    }

    /// Takes bytes from the wire and gives the body's own bytes.
    #[must_use]
    pub fn decode<'a>(&'a mut self, bytes: &'a [u8]) -> Decoded<'a> {
        self.received += bytes.len() as u64;
        self.first = self.first.or(bytes.first().copied());
        Decoded {
            rest: bytes,
            gzip: self.gzip.as_mut(),
            plain: Vec::new(),
        }
    }

    /// The wire has no more: gives the last decoded bytes.
    ///
    /// # Errors
    /// When the body ended early.
    pub fn finish(mut self) -> Result<Vec<u8>, TransportError> {
        if let Some(declared) = self.declared.filter(|declared| *declared != self.received) {
            let message = format!("{} of {declared} bytes came", self.received);
            return Err(TransportError::new(Failure::Body, message));
        }
        let Some(gzip) = &mut self.gzip else {
            return Ok(Vec::new());
        };
        gzip.try_finish().map_err(|_| match self.first {
            // What begins otherwise was never gzip, however often it is sent.
            Some(first) if first != GZIP_MAGIC => {
                TransportError::new(Failure::Encoding, "the body is not gzip")
            }
            _ => TransportError::new(Failure::Body, "the gzip stream ends early"),
        })?;
        Ok(std::mem::take(gzip.get_mut()))
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
}

impl Decoded<'_> {
    /// The next piece, until there is none.
    ///
    /// # Errors
    /// When the bytes are not of the declared encoding.
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
            let bad = |error| TransportError::new(Failure::Encoding, error);
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
        Ok(Some(&self.plain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn read(headers: &[(HeaderName, &str)], pieces: &[&[u8]]) -> Result<Vec<u8>, Failure> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect();
        let mut body = Body::new(&headers).map_err(|error| error.failure)?;
        let mut plain = Vec::new();
        for piece in pieces {
            let mut decoded = body.decode(piece);
            while let Some(piece) = decoded.next_piece().map_err(|error| error.failure)? {
                assert!(piece.len() <= 64 * 1024, "pieces are bounded");
                plain.extend_from_slice(piece);
            }
        }
        plain.extend(body.finish().map_err(|error| error.failure)?);
        Ok(plain)
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_plain_body_is_given_as_it_is_and_counted() {
        let length = |text| [(CONTENT_LENGTH, text)];
        assert_eq!(read(&length("4"), &[b"ab", b"cd"]), Ok(b"abcd".to_vec()));
        assert_eq!(read(&[], &[b"ab"]), Ok(b"ab".to_vec()));
        assert_eq!(read(&length("5"), &[b"ab", b"cd"]), Err(Failure::Body));
        assert_eq!(read(&length("3"), &[b"abcd"]), Err(Failure::Body));
    }

    #[test]
    fn gzip_is_undone_in_any_pieces_and_in_bounded_steps() {
        let encoding = [(CONTENT_ENCODING, "GZIP")];
        let plain = b"[ ]".repeat(500_000);
        let packed = gzip(&plain);
        let pieces: Vec<_> = packed.chunks(7).collect();
        assert_eq!(read(&encoding, &pieces).as_deref(), Ok(&plain[..]));
        assert_eq!(read(&encoding, &[&packed]).as_deref(), Ok(&plain[..]));
    }

    #[test]
    fn a_broken_encoding_is_an_error() {
        let encoding = [(CONTENT_ENCODING, "gzip")];
        let packed = gzip(b"[1,2,3]");
        assert_eq!(
            read(&encoding, &[&packed[..packed.len() - 3]]),
            Err(Failure::Body)
        );
        assert_eq!(
            read(&encoding, &[b"not gzip at all"]),
            Err(Failure::Encoding)
        );
        assert_eq!(read(&encoding, &[b"[]"]), Err(Failure::Encoding));
        let garbage = [&packed[..], b"garbage that is no second stream"].concat();
        assert_eq!(read(&encoding, &[&garbage]), Err(Failure::Encoding));
        let mut flipped = packed.clone();
        let crc = flipped.len() - 6;
        flipped[crc] ^= 1;
        assert!(read(&encoding, &[&flipped]).is_err());
        assert_eq!(
            read(&[(CONTENT_ENCODING, "br")], &[b"x"]),
            Err(Failure::Encoding)
        );
    }
}
