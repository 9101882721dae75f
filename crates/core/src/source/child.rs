//! Path segments that lead out of a path, and the paths of children, in which the id of the parent
//! replaces its placeholder.

use percent_encoding::percent_decode_str;

use crate::record::{Id, Resource};

/// How many times encoded text is decoded: servers and the proxies in front of them may each do it
/// once.
const DECODED: usize = 4;

/// What an id in a path has to be, for messages.
pub(crate) const EXPECTED: &str = "an id that names one place in a path, not empty, `.` or `..`";

/// Whether a segment of this text is `.` or `..`, which URLs resolve to the current and the parent
/// folder (RFC 3986, section 5.2.4).
///
/// Encoded dots and slashes count as decoded: the URL standard treats `%2e%2e` as `..`, and servers
/// decode slashes before they resolve a path.
pub(crate) fn climbs(text: &str) -> bool {
    let dots = |text: &str| {
        let mut parts = text.split(['/', '\\']);
        parts.any(|part| matches!(part, "." | ".."))
    };
    if dots(text) {
        return true;
    }
    let mut decoded = text.to_owned();
    for _ in 0..DECODED {
        if !decoded.contains('%') {
            return false;
        }
        decoded = percent_decode_str(&decoded)
            .decode_utf8_lossy()
            .into_owned();
        if dots(&decoded) {
            return true;
        }
    }
    false
}

/// Whether an id cannot be used in a path: as a segment it would change the target.
pub(crate) fn strays(id: &Id) -> bool {
    match id {
        Id::Number(_) => false,
        Id::Text(text) => text.is_empty() || climbs(text),
    }
}

/// The path of a parent's children; `None` for an id that would change the target.
pub(crate) fn path(template: &str, parent: Resource, id: &Id) -> Option<String> {
    if strays(id) {
        return None;
    }
    let text = match id {
        Id::Number(number) => number.to_string(),
        Id::Text(text) => text.to_string(),
    };
    let (before, after) = template.split_once(placeholder(parent))?;
    // An id is one segment of the path, whatever it contains.
    let segment: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    Some(format!("{before}{}{after}", segment.replace('+', "%20")))
}

/// The placeholder for a resource's ids.
pub(super) fn placeholder(parent: Resource) -> &'static str {
    match parent {
        Resource::Users => "{user_id}",
        Resource::Posts => "{post_id}",
        Resource::Comments => "{comment_id}",
    }
}

/// What is wrong with the path of a resource, with its variables filled in; `None` if nothing.
pub(super) fn flaw(path: &str, parent: Option<Resource>) -> Option<&'static str> {
    if path.contains(|c: char| c.is_control() || c == '\\') {
        return Some("a path with a backslash or a control character in it");
    }
    if climbs(path) {
        return Some("a path with `.` or `..` between its slashes");
    }
    let placeholder = placeholder(parent?);
    let segment = path.split('/').find(|part| part.contains(placeholder))?;
    let (before, after) = segment.split_once(placeholder)?;
    let mut end = before.bytes().rev();
    let half_encoded = end.next() == Some(b'%') || end.next() == Some(b'%');
    // Whatever the id is, it must not become dots together with the surrounding text.
    let dots = [before, after].concat();
    if half_encoded || (!dots.is_empty() && dots.bytes().all(|byte| byte == b'.')) {
        return Some("an id between dots, or after half of an encoded character");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use url::Url;

    fn text(id: &str) -> Id {
        Id::Text(id.into())
    }

    #[test]
    fn dots_between_slashes_climb_however_they_are_encoded() {
        let climbing = [
            ".",
            "..",
            "a/..",
            "../a",
            "a/./b",
            "..\\a",
            "%2e",
            "%2E%2e",
            ".%2e",
            "a%2f..%2Fb",
            "%252e%252e",
            "..%5c",
        ];
        for text in climbing {
            assert!(climbs(text), "{text}");
        }
        for text in [
            "",
            "a",
            "...",
            "a.b",
            "..a",
            "a/..b/c",
            "%2e%2e%2e",
            "100%",
            "%zz.",
            "https://host/x",
        ] {
            assert!(!climbs(text), "{text}");
        }
    }

    #[test]
    fn an_id_is_one_segment_of_the_path_whatever_is_in_it() {
        let cases = [
            (Id::Number(-7), Some("/posts/-7/comments")),
            (text("a/b"), Some("/posts/a%2Fb/comments")),
            (text("a\\b"), Some("/posts/a%5Cb/comments")),
            (
                text("a b\n\u{7f}?#"),
                Some("/posts/a%20b%0A%7F%3F%23/comments"),
            ),
            (text("{post_id}"), Some("/posts/%7Bpost_id%7D/comments")),
            (text("..."), Some("/posts/.../comments")),
            (text("50%"), Some("/posts/50%25/comments")),
            (text(""), None),
            (text("."), None),
            (text(".."), None),
            (text("%2e%2E"), None),
            (text("../../users"), None),
            (text("a/../../users"), None),
        ];
        for (id, expected) in cases {
            let path = path("/posts/{post_id}/comments", Resource::Posts, &id);
            assert_eq!(path.as_deref(), expected, "{id:?}");
        }
        // Braces that are not a placeholder are kept.
        let path = path("/{x/{user_id}", Resource::Users, &text("a"));
        assert_eq!(path.as_deref(), Some("/{x/a"));
    }

    #[test]
    fn a_path_that_leads_elsewhere_with_some_id_is_no_path() {
        for path in [
            "/a/{post_id}",
            "/{post_id}.json",
            "/a.{post_id}",
            "/v2{post_id}/..x",
        ] {
            assert_eq!(flaw(path, Some(Resource::Posts)), None, "{path}");
        }
        for path in [
            "/a/../{post_id}",
            "/a\\{post_id}",
            "/.\t./{post_id}",
            "/.{post_id}",
            "/{post_id}.",
            "/%{post_id}",
            "/%2{post_id}",
            "/%2e./{post_id}",
        ] {
            assert!(flaw(path, Some(Resource::Posts)).is_some(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_child_stands_where_its_template_says(id in "[.%25eE/\\\\a\u{1f}é]{0,6}") {
            let base = "https://api.test/v1/posts/";
            let Some(path) = path("{post_id}/comments", Resource::Posts, &text(&id)) else {
                return Ok(());
            };
            let url = Url::parse(&format!("{base}{path}")).unwrap();
            let segments: Vec<_> = url.path_segments().unwrap().collect();
            prop_assert_eq!(segments.len(), 4, "{}", url);
            let decoded = percent_decode_str(segments[2]).decode_utf8().unwrap();
            prop_assert_eq!(decoded, id);
        }
    }
}
