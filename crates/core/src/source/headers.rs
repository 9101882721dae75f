//! Headers that a source file must not set.

use http::HeaderName;

use super::mistake::Flaw;

/// Headers that control message framing, routing and the connection (RFC 9110, section 7.6.1; RFC
/// 9112, section 6), and those that make a server send anything but a normal, complete response.
const RESERVED: [&str; 21] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "expect",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-http-method-override",
];

/// Rejects a header that only the HTTP client or the program sets.
pub(super) fn settable(name: &HeaderName, place: &std::ops::Range<usize>) -> Result<(), Flaw> {
    if RESERVED.contains(&name.as_str()) {
        let title = format!("the header `{name}` is set by the program alone");
        let expected = "expected a header that says nothing about the message or the connection";
        return Err(Flaw::new(place, title, expected));
    }
    Ok(())
}
