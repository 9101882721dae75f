//! Placeholders such as `{repo}` in a source file.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Vars;
use super::child::climbs;
use super::mistake::{Flaw, nearest};
use super::values::Marked;
use crate::record::Resource;

/// Characters of a path that are not encoded: RFC 3986's unreserved characters, and the slash,
/// since `owner/name` is meant as two segments.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// The placeholders for a parent's id; they are filled in for each request.
const PARENTS: [(&str, Resource); 3] = [
    ("user_id", Resource::Users),
    ("post_id", Resource::Posts),
    ("comment_id", Resource::Comments),
];

/// The resource whose ids replace a placeholder.
pub(super) fn parent(name: &str) -> Option<Resource> {
    let known = PARENTS.iter().find(|(known, _)| *known == name);
    known.map(|(_, resource)| *resource)
}

/// Whether this is a valid name of a placeholder.
pub(super) fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    let first = chars.next().unwrap_or('0');
    (first.is_ascii_alphabetic() || first == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// How a value is inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Verbatim, but without trailing slashes: people type `https://host/`.
    BaseUrl,
    /// Percent-encoded; placeholders of parents are kept for later.
    Path,
    /// Verbatim: names and values are encoded when the URL is built.
    Query,
}

/// A text with its placeholders filled in, and the parent that it refers to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filled {
    pub(super) text: String,
    pub(super) parent: Option<Resource>,
}

/// Fills in the placeholders of a text.
///
/// Braces around anything but a name are text: `{"a": 1}` needs no quoting.
///
/// `file` is the text of the whole file, in which the placeholder is located for messages.
pub(super) fn fill(
    template: &Marked<String>,
    place: Place,
    vars: &Vars,
    file: &str,
) -> Result<Filled, Flaw> {
    let mut filled = Filled::default();
    let mut rest = template.value.as_str();
    while let Some(open) = rest.find('{') {
        let (text, behind) = (&rest[..open], &rest[open + 1..]);
        filled.text.push_str(text);
        let name = behind.split('}').next().unwrap_or_default();
        if name.len() == behind.len() || !is_name(name) {
            filled.text.push('{');
            rest = behind;
            continue;
        }
        rest = &behind[name.len() + 1..];
        let flaw = |title: String, expected: String| {
            Flaw::new(&whereabouts(template, name, file), title, expected)
        };
        if let Some(value) = vars.get(name) {
            if place != Place::Query && climbs(value) {
                let title = format!("the value of `{{{name}}}` leads out of the path");
                let expected = "expected a value without `.` or `..` between slashes".to_owned();
                return Err(flaw(title, expected).help(
                    "it is the variable's default, or what --var gave; dots that are encoded count too",
                ));
            }
            match place {
                Place::BaseUrl => filled.text.push_str(value.trim_end_matches('/')),
                Place::Path => filled.text.extend(utf8_percent_encode(value, PATH)),
                Place::Query => filled.text.push_str(value),
            }
        } else if text.ends_with('$') {
            let title = format!("`${{{name}}}` does not stand for anything here");
            return Err(flaw(title, "expected no reference".to_owned()).help(
                "environment variables are for credentials, in [auth]; elsewhere declare a placeholder in [vars]",
            ));
        } else if let (Place::Path, Some(parent)) = (place, parent(name)) {
            if filled.parent.is_some() {
                let title = "a second parent".to_owned();
                let expected = "expected one of `{user_id}`, `{post_id}` and `{comment_id}`";
                return Err(flaw(title, expected.to_owned()));
            }
            filled.parent = Some(parent);
            filled.text.extend(["{", name, "}"]);
        } else {
            let title = format!("unknown placeholder `{{{name}}}`");
            return Err(unknown(flaw(title, String::new()), name, place, vars));
        }
    }
    filled.text.push_str(rest);
    Ok(filled)
}

fn unknown(flaw: Flaw, name: &str, place: Place, vars: &Vars) -> Flaw {
    let parents = PARENTS.iter().map(|(known, _)| *known);
    let parents = parents.filter(|_| place == Place::Path);
    let names: Vec<_> = vars.keys().map(String::as_str).chain(parents).collect();
    let shown: Vec<_> = names.iter().map(|name| format!("{{{name}}}")).collect();
    let shown: Vec<_> = shown.iter().map(String::as_str).collect();
    let expected = if shown.is_empty() {
        "expected a placeholder of [vars]".to_owned()
    } else {
        format!("expected {}", super::mistake::listed(&shown))
    };
    let help = match nearest(name, names) {
        Some(meant) => format!("did you mean `{{{meant}}}`?"),
        None => format!("declare it: under [vars], `{name} = \"what it is\"`"),
    };
    Flaw { expected, ..flaw }.help(help)
}

/// The byte range of a placeholder in the file; that of the whole string if escapes hide it.
fn whereabouts(template: &Marked<String>, name: &str, file: &str) -> std::ops::Range<usize> {
    let Marked { place, .. } = template;
    let raw = file.get(place.clone()).unwrap_or_default();
    let shown = format!("{{{name}}}");
    match raw.find(&shown) {
        Some(at) => place.start + at..place.start + at + shown.len(),
        None => place.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill_in(text: &str, place: Place) -> Result<Filled, Flaw> {
        let vars = [("repo", "a b/ü?c"), ("site", "https://host/")];
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let template = Marked {
            value: text.to_owned(),
            place: 1..text.len() + 3,
        };
        fill(&template, place, &Vars::from(vars), &format!("={text:?}"))
    }

    #[test]
    fn a_value_is_encoded_for_where_it_stands() {
        let cases = [
            ("/repos/{repo}/x", Place::Path, "/repos/a%20b/%C3%BC%3Fc/x"),
            ("{repo}", Place::Query, "a b/ü?c"),
            ("{site}/wp-json", Place::BaseUrl, "https://host/wp-json"),
            ("no braces", Place::Query, "no braces"),
            ("{\"a\": {repo}}", Place::Query, "{\"a\": a b/ü?c}"),
            ("{", Place::Query, "{"),
            ("{}", Place::Query, "{}"),
            ("{repo", Place::Query, "{repo"),
            ("{1}", Place::Query, "{1}"),
        ];
        for (text, place, expected) in cases {
            let filled = fill_in(text, place).unwrap();
            assert_eq!(
                (filled.text.as_str(), filled.parent),
                (expected, None),
                "{text}"
            );
        }
    }

    #[test]
    fn a_parent_stays_in_the_path_for_each_request() {
        let filled = fill_in("/repos/{repo}/{post_id}/c", Place::Path).unwrap();
        assert_eq!(filled.text, "/repos/a%20b/%C3%BC%3Fc/{post_id}/c");
        assert_eq!(filled.parent, Some(Resource::Posts));
    }

    #[test]
    fn a_value_that_climbs_is_refused_where_it_would_be_part_of_a_path() {
        let cases = ["..", ".", "a/../b", "%2e%2E", "..\\x", "a/%252e"];
        for value in cases {
            let fill_in = |text: &str, place| {
                let template = Marked {
                    value: text.to_owned(),
                    place: 0..text.len(),
                };
                let vars = Vars::from([("v".to_owned(), value.to_owned())]);
                fill(&template, place, &vars, text)
            };
            let flaw = fill_in("/a/{v}/b", Place::Path).unwrap_err();
            assert_eq!(flaw.place, 3..6, "{value}");
            assert_eq!(flaw.title, "the value of `{v}` leads out of the path");
            assert!(fill_in("http://h/{v}", Place::BaseUrl).is_err(), "{value}");
            assert!(fill_in("{v}", Place::Query).is_ok(), "{value}");
        }
    }

    #[test]
    fn a_placeholder_that_nothing_fills_is_marked_verbatim() {
        let cases = [
            ("/{rpo}", Place::Path, Some(3..8)),
            ("{post_id}", Place::Query, Some(2..11)),
            ("/{user_id}/{post_id}", Place::Path, Some(13..22)),
            ("${repos}", Place::Query, Some(3..10)),
        ];
        for (text, place, expected) in cases {
            let found = fill_in(text, place).err().map(|flaw| flaw.place);
            assert_eq!(found, expected, "{text}");
        }
    }
}
