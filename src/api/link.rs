//! The `Link` header (RFC 8288), as far as paging needs it.

use http::HeaderMap;
use http::header::LINK;

/// The target of the first link whose relations include `relation`, as it was sent.
///
/// Other relations, quoted commas and semicolons, parameters in any order, an
/// empty header and several headers in a row are all as the standard has them.
/// What is not well-formed ends the header it stands in, and is no error.
pub(super) fn target<'h>(headers: &'h HeaderMap, relation: &str) -> Option<&'h str> {
    headers
        .get_all(LINK)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| Links { rest: text })
        .find(|link| {
            link.relations
                .split_ascii_whitespace()
                .any(|word| word.eq_ignore_ascii_case(relation))
        })
        .map(|link| link.target)
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
            // Of several `rel` only the first counts (section 3.3).
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

/// The name and value of the parameter that `text` begins with, and what stands behind it.
fn parameter_of(text: &str) -> (&str, &str, &str) {
    let end = text.find([';', ',', '=']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let name = name.trim();
    let Some(value) = rest.strip_prefix('=') else {
        return (name, "", rest);
    };
    let value = value.trim_start_matches([' ', '\t']);
    if let Some(quoted) = value.strip_prefix('"') {
        let mut escaped = false;
        let close = quoted.find(|c| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        });
        // A quote that nobody closes reaches to the end.
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
    use http::HeaderValue;
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
            (&["a; rel=next"], None),
            (&["<a; rel=next"], None),
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
            assert_eq!(target(&headers, "next"), expected, "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_to_its_end(text in "[ -~]{0,80}") {
            let headers = HeaderMap::from_iter([(LINK, HeaderValue::from_str(&text).unwrap())]);
            target(&headers, "next");
        }

        #[test]
        fn a_well_formed_link_is_found_behind_any_others(
            others in prop::collection::vec(("[a-z/?=&,;]{0,10}", "[a-z ,;<>]{0,10}"), 0..4)
        ) {
            let others = others.iter().map(|(target, title)| format!("<{target}>; title=\"{title}\"; rel=prev, "));
            let text = others.collect::<String>() + "<here>; rel=next";
            let headers = HeaderMap::from_iter([(LINK, HeaderValue::from_str(&text).unwrap())]);
            prop_assert_eq!(target(&headers, "next"), Some("here"));
        }
    }
}
