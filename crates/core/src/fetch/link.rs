//! The `Link` header (RFC 8288), as far as pagination needs it.

use std::fmt::Write;

use http::header::LINK;
use http::{HeaderMap, HeaderValue};

/// A `Link` header that is not well-formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The target of the first link whose relations include `relation`, as sent except that non-ASCII
/// bytes are percent-encoded, as in a URL.
///
/// Accepts other relations, quoted commas and semicolons, parameters in any order, single quotes,
/// empty headers and several headers.
///
/// # Errors
/// If no such link is found and a header is malformed: the link may be in there.
pub(super) fn target(headers: &HeaderMap, relation: &str) -> Result<Option<String>, Malformed> {
    let mut malformed = false;
    for value in headers.get_all(LINK) {
        let text = encoded(value.as_bytes());
        let mut links = Links { rest: &text };
        for link in links.by_ref() {
            let mut relations = link.relations.split_ascii_whitespace();
            if relations.any(|word| word.eq_ignore_ascii_case(relation)) {
                return Ok(Some(link.target.to_owned()));
            }
        }
        malformed |= !links.rest.trim_matches([',', ' ', '\t']).is_empty();
    }
    if malformed { Err(Malformed) } else { Ok(None) }
}

/// A header's value as text. If it is not UTF-8, non-ASCII bytes are percent-encoded.
pub(super) fn text(value: &HeaderValue) -> String {
    let bytes = value.as_bytes().trim_ascii();
    str::from_utf8(bytes).map_or_else(|_| encoded(bytes), str::to_owned)
}

/// A header's value with all non-ASCII bytes percent-encoded, whatever their encoding.
fn encoded(value: &[u8]) -> String {
    let mut text = String::new();
    for &byte in value {
        if byte.is_ascii() {
            text.push(byte.into());
        } else {
            // Writing to a string does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

struct Link<'h> {
    target: &'h str,
    relations: &'h str,
}

struct Links<'h> {
    rest: &'h str,
}

impl<'h> Iterator for Links<'h> {
    type Item = Link<'h>;

    fn next(&mut self) -> Option<Link<'h>> {
        let start = self.rest.trim_start_matches([',', ' ', '\t']);
        let (target, mut rest) = start.strip_prefix('<')?.split_once('>')?;
        let mut relations = None;
        loop {
            rest = rest.trim_start_matches([' ', '\t']);
            let Some(parameter) = rest.strip_prefix(';') else {
                break;
            };
            let (name, value, behind) = parameter_of(parameter);
            // Only the first `rel` counts (section 3.3).
            if name.eq_ignore_ascii_case("rel") && relations.is_none() {
                relations = Some(value);
            }
            rest = behind;
        }
        self.rest = rest;
        Some(Link {
            target,
            relations: relations.unwrap_or_default(),
        })
    }
}

/// The name and value of the parameter that `text` begins with, and the rest of the text.
fn parameter_of(text: &str) -> (&str, &str, &str) {
    let end = text.find([';', ',', '=']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let name = name.trim();
    let Some(value) = rest.strip_prefix('=') else {
        return (name, "", rest);
    };
    let value = value.trim_start_matches([' ', '\t']);
    if let Some(quote @ ('"' | '\'')) = value.chars().next() {
        let quoted = &value[1..];
        let mut escaped = false;
        let close = quoted.find(|c| {
            let closes = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        });
        // An unclosed quote extends to the end.
        let close = close.unwrap_or(quoted.len());
        return (
            name,
            &quoted[..close],
            quoted.get(close + 1..).unwrap_or_default(),
        );
    }
    let end = value.find([';', ',']).unwrap_or(value.len());
    (name, value[..end].trim_end(), &value[end..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_target_of_a_relation_is_found() {
        let cases: [(&[&str], Option<&str>); 16] = [
            (&[r#"</posts?_page=2>; rel="next""#], Some("/posts?_page=2")),
            (&["<a>; rel=next"], Some("a")),
            (&["<a>; rel=first, <b>; rel=next"], Some("b")),
            (
                &[r#"<a>; rel="prev first", <b>; rel="last NEXT""#],
                Some("b"),
            ),
            (
                &[r#"<a,b;c>; title="x, <y>; rel=next"; rel="next""#],
                Some("a,b;c"),
            ),
            (&[r#"<a>; title="say \"hi, <z>\""; rel=next"#], Some("a")),
            (&["<a>;rel = next ;type=x"], Some("a")),
            (&["<a>; rel=prev; rel=next"], None),
            (&["<a>; rel=\"nextish\""], None),
            (&["<a>"], None),
            (&[""], None),
            (&[", ,"], None),
            (&["<a>; rel='next'"], Some("a")),
            (&["<a>; title='\", <b>; rel=x'; rel=next"], Some("a")),
            (&["<a>; rel=\"next"], Some("a")),
            (&["<a>; rel=last", "<b>; rel=next"], Some("b")),
        ];
        for (values, expected) in cases {
            let headers = values
                .iter()
                .map(|value| (LINK, HeaderValue::from_str(value).unwrap()))
                .fold(HeaderMap::new(), |mut headers, (name, value)| {
                    headers.append(name, value);
                    headers
                });
            let expected = Ok(expected.map(str::to_owned));
            assert_eq!(target(&headers, "next"), expected, "{values:?}");
        }
    }

    #[test]
    fn what_is_not_ascii_is_encoded_and_what_is_no_link_is_an_error() {
        let cases: [(&[&[u8]], _); 9] = [
            (
                &["</é?page=2>; rel=next".as_bytes()],
                Ok(Some("/%C3%A9?page=2")),
            ),
            (&[b"</\xe9?page=2>; rel=next"], Ok(Some("/%E9?page=2"))),
            (&["<a>; rel=next; title=\"é\"".as_bytes()], Ok(Some("a"))),
            (&["</é>; rel=up, <a>; rel=next".as_bytes()], Ok(Some("a"))),
            (&[b"a; rel=next"], Err(Malformed)),
            (&[b"<a; rel=next"], Err(Malformed)),
            (&[b"<a>; rel=prev, next"], Err(Malformed)),
            // The well-formed part names the next page.
            (&[b"nonsense", b"<a>; rel=next"], Ok(Some("a"))),
            (&[b"<a>; rel=next, nonsense"], Ok(Some("a"))),
        ];
        for (values, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(LINK, HeaderValue::from_bytes(value).unwrap());
            }
            let expected = expected.map(|target: Option<&str>| target.map(str::to_owned));
            assert_eq!(target(&headers, "next"), expected, "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_to_its_end(text in "[ -~]{0,80}") {
            let headers = HeaderMap::from_iter([(LINK, HeaderValue::from_str(&text).unwrap())]);
            let _ = target(&headers, "next");
        }

        #[test]
        fn a_well_formed_link_is_found_behind_any_others(
            others in prop::collection::vec(("[a-z/?=&,;]{0,10}", "[a-z ,;<>]{0,10}"), 0..4)
        ) {
            let others = others.iter().map(|(target, title)| format!("<{target}>; title=\"{title}\"; rel=prev, "));
            let text = others.collect::<String>() + "<here>; rel=next";
            let headers = HeaderMap::from_iter([(LINK, HeaderValue::from_str(&text).unwrap())]);
            prop_assert_eq!(target(&headers, "next"), Ok(Some("here".to_owned())));
        }
    }
}
