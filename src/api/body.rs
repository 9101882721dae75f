//! One answer's body: counted, and decoded as its head says.

use std::io::Write;
use std::time::Duration;

use flate2::write::MultiGzDecoder;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};

use super::pace::Pace;
use super::{Failure, TransportError};

/// What every gzip stream begins with (RFC 1952).
const GZIP_MAGIC: u8 = 0x1f;

/// How often its own length a compressed body may unfold to. Records of much
/// sameness come to a few dozen times; gzip can do a thousand.
const DENSEST: u64 = 200;

/// A body that unfolds to less than this may be as dense as it likes.
const HARMLESS: u64 = 64 << 20;

/// What one answer may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long its body may be, in bytes, decoded.
    pub longest: u64,
    /// In each such stretch of waiting a little of it must come.
    pub stretch: Duration,
}

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
    size: Size,
    pace: Pace,
}

impl Body {
    /// For the answer with these headers.
    ///
    /// # Errors
    /// When its encoding is one that was not asked for, its length is no
    /// length, or is one that is not allowed.
    pub fn new(headers: &HeaderMap, limits: Limits) -> Result<Self, TransportError> {
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
        let chunked = headers.contains_key(TRANSFER_ENCODING);
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
        let last = std::mem::take(gzip.get_mut());
        self.size.add(last.len(), self.received)?;
        Ok(last)
    }
}

/// The length that the headers declare (RFC 9112, section 6.3, and RFC 9110, section 8.6).
fn declared(headers: &HeaderMap) -> Result<Option<u64>, TransportError> {
    let mut declared = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for part in value.as_bytes().split(|byte| *byte == b',') {
            let length = length(part.trim_ascii()).ok_or_else(|| {
                let shown = crate::text::excerpt(&String::from_utf8_lossy(part), 40);
                let message = format!("`{shown}` is no Content-Length");
                TransportError::new(Failure::Other, message)
            })?;
            if let Some(other) = declared.replace(length).filter(|other| *other != length) {
                let message = format!("two Content-Lengths: {other} and {length}");
                return Err(TransportError::new(Failure::Other, message));
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
            format!("more than {} bytes", self.longest)
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
        self.size.add(self.plain.len(), self.received)?;
        Ok(Some(&self.plain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn read(headers: &[(HeaderName, &str)], pieces: &[&[u8]]) -> Result<Vec<u8>, Failure> {
        read_within(1 << 30, headers, pieces)
    }

    fn read_within(
        longest: u64,
        headers: &[(HeaderName, &str)],
        pieces: &[&[u8]],
    ) -> Result<Vec<u8>, Failure> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect();
        let limits = Limits {
            longest,
            stretch: Duration::from_secs(30),
        };
        let mut body = Body::new(&headers, limits).map_err(|error| error.failure)?;
        let mut plain = Vec::new();
        for piece in pieces {
            let decoded = body.decode(piece, Duration::ZERO);
            let mut decoded = decoded.map_err(|error| error.failure)?;
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

    #[test]
    fn a_length_is_one_number_however_often_it_is_said() {
        let cases: [(&[&str], Result<Option<u64>, &str>); 12] = [
            (&[], Ok(None)),
            (&["4"], Ok(Some(4))),
            (&[" 04 "], Ok(Some(4))),
            (&["4", "4"], Ok(Some(4))),
            (&["4, 4"], Ok(Some(4))),
            (&["4", "5"], Err("two Content-Lengths: 4 and 5")),
            (&["4,5"], Err("two Content-Lengths: 4 and 5")),
            (&["+4"], Err("`+4` is no Content-Length")),
            (&["-4"], Err("`-4` is no Content-Length")),
            (&["0x4"], Err("`0x4` is no Content-Length")),
            (&[""], Err("`` is no Content-Length")),
            (
                &["18446744073709551616"],
                Err("`18446744073709551616` is no Content-Length"),
            ),
        ];
        for (values, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_LENGTH, HeaderValue::from_str(value).unwrap());
            }
            let found = declared(&headers).map_err(|error| {
                assert_eq!(error.failure, Failure::Other);
                std::error::Error::source(&error).unwrap().to_string()
            });
            assert_eq!(found, expected.map_err(str::to_owned), "{values:?}");
        }
    }

    #[test]
    fn chunks_say_where_a_body_ends_whatever_its_length_is_said_to_be() {
        let headers = [(CONTENT_LENGTH, "9"), (TRANSFER_ENCODING, "chunked")];
        assert_eq!(read(&headers, &[b"abcd"]), Ok(b"abcd".to_vec()));
    }

    #[test]
    fn a_body_is_as_long_as_allowed_and_no_longer() {
        let encoding = [(CONTENT_ENCODING, "gzip")];
        let packed = gzip(&[b' '; 10_000]);
        let empty = gzip(b"").repeat(600);
        let cases: [(&str, u64, &[(HeaderName, &str)], &[u8], bool); 8] = [
            ("as long", 4, &[], b"abcd", true),
            ("longer", 3, &[], b"abcd", false),
            ("declared", 4, &[(CONTENT_LENGTH, "4")], b"abcd", true),
            ("declared longer", 4, &[(CONTENT_LENGTH, "5")], b"", false),
            ("decoded", 10_000, &encoding, &packed, true),
            ("decoded longer", 9_999, &encoding, &packed, false),
            ("nothing, decoded", 20_000, &encoding, &empty, true),
            ("nothing, in many bytes", 10_000, &encoding, &empty, false),
        ];
        for (name, longest, headers, wire, allowed) in cases {
            let whole = read_within(longest, headers, &[wire]);
            let pieces: Vec<_> = wire.chunks(1).collect();
            assert_eq!(read_within(longest, headers, &pieces), whole, "{name}");
            match whole {
                Ok(_) => assert!(allowed, "{name}"),
                Err(failure) => {
                    assert_eq!((failure, allowed), (Failure::TooLarge, false), "{name}")
                }
            }
        }
    }

    #[test]
    fn much_out_of_little_is_a_bomb() {
        let cases = [
            (0, 0, true),
            (HARMLESS, 1, true),
            (HARMLESS + 1, HARMLESS / DENSEST + 1, true),
            (HARMLESS + 200, HARMLESS / DENSEST, false),
            (1 << 32, 1 << 22, false),
            (1 << 32, 1 << 25, true),
        ];
        for (plain, wire, allowed) in cases {
            let checked = Size::new(u64::MAX).check(plain, wire);
            let failure = checked.map_err(|error| error.failure);
            let expected = if allowed {
                Ok(())
            } else {
                Err(Failure::TooLarge)
            };
            assert_eq!(failure, expected, "{plain} out of {wire}");
        }
    }
}
