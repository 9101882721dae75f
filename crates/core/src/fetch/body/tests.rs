//! Bodies, without a wire.

use super::*;
use http::{HeaderName, HeaderValue};

/// Values of `Content-Length`, and what they declare.
type Lengths = (&'static [&'static str], Result<Option<u64>, &'static str>);

/// How long a body may be, its headers, its bytes on the wire, and whether they are allowed.
type Bounded<'a> = (&'a str, u64, &'a [(HeaderName, &'a str)], &'a [u8], bool);

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
    let cases: [Lengths; 12] = [
        (&[], Ok(None)),
        (&["4"], Ok(Some(4))),
        (&[" 04 "], Ok(Some(4))),
        (&["4", "4"], Ok(Some(4))),
        (&["4, 4"], Ok(Some(4))),
        (
            &["4", "5"],
            Err("conflicting Content-Length headers: 4 and 5"),
        ),
        (&["4,5"], Err("conflicting Content-Length headers: 4 and 5")),
        (&["+4"], Err("invalid Content-Length `+4`")),
        (&["-4"], Err("invalid Content-Length `-4`")),
        (&["0x4"], Err("invalid Content-Length `0x4`")),
        (&[""], Err("invalid Content-Length ``")),
        (
            &["18446744073709551616"],
            Err("invalid Content-Length `18446744073709551616`"),
        ),
    ];
    for (values, expected) in cases {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_LENGTH, HeaderValue::from_str(value).unwrap());
        }
        let found = declared(&headers).map_err(|error| {
            assert_eq!(error.failure, Failure::NotHttp);
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
fn a_transfer_encoding_is_chunked_or_not_understood() {
    let cases = [
        ("chunked", true),
        (" Chunked ", true),
        ("identity", true),
        ("gzip", false),
        ("gzip, chunked", false),
        ("chunked, gzip", false),
        ("xchunked", false),
        ("chunked, chunked", false),
        ("", false),
    ];
    for (value, understood) in cases {
        let found = read(&[(TRANSFER_ENCODING, value)], &[b"[]"]);
        let expected = if understood {
            Ok(b"[]".to_vec())
        } else {
            Err(Failure::Encoding)
        };
        assert_eq!(found, expected, "{value:?}");
    }
}

#[test]
fn a_body_is_as_long_as_allowed_and_no_longer() {
    let encoding = [(CONTENT_ENCODING, "gzip")];
    let packed = gzip(&[b' '; 10_000]);
    let empty = gzip(b"").repeat(600);
    let cases: [Bounded; 8] = [
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
                assert_eq!((failure, allowed), (Failure::TooLarge, false), "{name}");
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

#[test]
fn an_encoding_that_is_none_is_plain_and_one_that_exists_is_not_guessed() {
    let plain = [
        "",
        "identity",
        "utf-8",
        "UTF-8",
        "none",
        "binary",
        "application/json",
        "identity, ",
    ];
    for name in plain {
        let encoding = [(CONTENT_ENCODING, name)];
        assert_eq!(read(&encoding, &[b"[]"]), Ok(b"[]".to_vec()), "{name}");
    }
    for name in ["gzip", "x-gzip", "identity, gzip", "GZIP,utf-8"] {
        let encoding = [(CONTENT_ENCODING, name)];
        assert_eq!(
            read(&encoding, &[&gzip(b"[]")]),
            Ok(b"[]".to_vec()),
            "{name}"
        );
    }
    for name in [
        "br",
        "deflate",
        "zstd",
        "compress",
        "gzip, br",
        "gzip, gzip",
    ] {
        let encoding = [(CONTENT_ENCODING, name)];
        assert_eq!(read(&encoding, &[b"[]"]), Err(Failure::Encoding), "{name}");
    }
}
