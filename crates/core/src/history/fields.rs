//! The fields that differ between two versions of a record.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use activity_tracker_json::JsonPath;

/// The fields that differ, by path (`address.city`), each value verbatim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    before: BTreeMap<String, String>,
    after: BTreeMap<String, String>,
}

impl Difference {
    /// Compares two versions of a record; `None` if one of them is not a JSON object.
    ///
    /// The order of fields and white space make no difference.
    pub(super) fn between(before: &str, after: &str) -> Option<Self> {
        let mut difference = Self::default();
        difference.objects("", &members(before)?, &members(after)?);
        Some(difference)
    }

    /// Removes the fields at these paths, and everything below them.
    pub(super) fn without(mut self, ignored: &[JsonPath]) -> Self {
        let ignored: Vec<_> = ignored.iter().map(ToString::to_string).collect();
        let counts = |path: &str| {
            !ignored.iter().any(|ignored| {
                let below = path.strip_prefix(ignored.as_str());
                below.is_some_and(|below| below.is_empty() || below.starts_with('.'))
            })
        };
        self.before.retain(|path, _| counts(path));
        self.after.retain(|path, _| counts(path));
        self
    }

    /// Removes the ids at these paths that differ only in quotes.
    pub(super) fn without_quotes(mut self, ids: &[&JsonPath]) -> Self {
        for path in ids.iter().map(ToString::to_string) {
            let same = match (self.before.get(&path), self.after.get(&path)) {
                (Some(was), Some(is)) => was.trim_matches('"') == is.trim_matches('"'),
                _ => false,
            };
            if same {
                self.before.remove(&path);
                self.after.remove(&path);
            }
        }
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    /// The old values of the fields, as a JSON object.
    pub(super) fn before(&self) -> String {
        object(&self.before)
    }

    /// The new values of the fields, as a JSON object.
    pub(super) fn after(&self) -> String {
        object(&self.after)
    }

    fn objects(&mut self, path: &str, before: &Members<'_>, after: &Members<'_>) {
        for (key, was) in before {
            let path = join(path, key);
            match after.get(key) {
                Some(is) => self.values(path, was.get(), is.get()),
                None => {
                    self.before.insert(path, compact(was.get()));
                }
            }
        }
        for (key, is) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
            self.after.insert(join(path, key), compact(is.get()));
        }
    }

    fn values(&mut self, path: String, was: &str, is: &str) {
        if was == is {
            return;
        }
        if let (Some(was), Some(is)) = (members(was), members(is)) {
            return self.objects(&path, &was, &is);
        }
        // `1.0` differs from `1.00` here: what the API sends has changed. White space in a list
        // makes no difference.
        let (was, is) = (compact(was), compact(is));
        if was != is {
            self.before.insert(path.clone(), was);
            self.after.insert(path, is);
        }
    }
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

fn members(text: &str) -> Option<Members<'_>> {
    text.starts_with('{')
        .then(|| serde_json::from_str(text).ok())
        .flatten()
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// JSON without white space between its tokens: on one line, and otherwise verbatim.
pub(super) fn compact(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let matters = |letter: &char| {
        if in_string {
            in_string = escaped || *letter != '"';
            escaped = !escaped && *letter == '\\';
            return true;
        }
        in_string = *letter == '"';
        !letter.is_ascii_whitespace()
    };
    json.chars().filter(matters).collect()
}

fn object(fields: &BTreeMap<String, String>) -> String {
    let member =
        |(path, value): (&String, &String)| format!("{}:{value}", Value::from(path.as_str()));
    let members: Vec<_> = fields.iter().map(member).collect();
    format!("{{{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_that_differ_are_told_verbatim() {
        let cases = [
            (r#"{"a":1}"#, r#"{"a":1}"#, "{}", "{}"),
            (r#"{"a":1,"b":2}"#, r#"{ "b":2, "a":1 }"#, "{}", "{}"),
            (r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":1}"#, r#"{"a":2}"#),
            (
                r#"{"a":1.0}"#,
                r#"{"a":1.00}"#,
                r#"{"a":1.0}"#,
                r#"{"a":1.00}"#,
            ),
            (r#"{"a":1}"#, r#"{"a":"1"}"#, r#"{"a":1}"#, r#"{"a":"1"}"#),
            (r#"{"a":1}"#, r"{}", r#"{"a":1}"#, "{}"),
            (r"{}", r#"{"a":null}"#, "{}", r#"{"a":null}"#),
            (r#"{"a":[1, 2]}"#, r#"{"a":[1,2]}"#, "{}", "{}"),
            (
                r#"{"a":[1]}"#,
                r#"{"a":[2]}"#,
                r#"{"a":[1]}"#,
                r#"{"a":[2]}"#,
            ),
            (
                r#"{"a":{"b":1,"c":1}}"#,
                r#"{"a":{"b":1,"c":2}}"#,
                r#"{"a.c":1}"#,
                r#"{"a.c":2}"#,
            ),
            (
                r#"{"a":{"b":1}}"#,
                r#"{"a":[1]}"#,
                r#"{"a":{"b":1}}"#,
                r#"{"a":[1]}"#,
            ),
            (
                r#"{"a":123456789012345678901}"#,
                r#"{"a":123456789012345678902}"#,
                r#"{"a":123456789012345678901}"#,
                r#"{"a":123456789012345678902}"#,
            ),
            (r#"{"\"":1}"#, r#"{"\"":2}"#, r#"{"\"":1}"#, r#"{"\"":2}"#),
        ];
        for (before, after, was, is) in cases {
            let difference = Difference::between(before, after).unwrap();
            assert_eq!(
                (difference.before().as_str(), difference.after().as_str()),
                (was, is)
            );
            assert_eq!(
                difference.is_empty(),
                was == is && was == "{}",
                "{before} {after}"
            );
        }
    }

    #[test]
    fn only_blanks_between_parts_are_left_out() {
        let cases = [
            ("{ \"a b\" :\n [ 1.0 ,\t2 ] }", r#"{"a b":[1.0,2]}"#),
            (r#"[ " \" x \\" , "\\\"  " ]"#, r#"[" \" x \\","\\\"  "]"#),
            ("\"é  \u{3000}\"", "\"é  \u{3000}\""),
        ];
        for (json, expected) in cases {
            assert_eq!(compact(json), expected);
        }
    }

    #[test]
    fn ignored_fields_and_quotes_around_ids_are_no_difference() {
        let before = r#"{"id":1,"views":1,"viewsAll":1,"stats":{"seen":1,"kept":1},"userId":7}"#;
        let after = r#"{"id":1,"views":2,"viewsAll":1,"stats":{"seen":2,"kept":1},"userId":"7"}"#;
        let paths = |texts: &[&str]| -> Vec<JsonPath> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let cases: [(&[&str], &[&str], &str); 5] = [
            (&["views", "stats"], &["userId"], "{}"),
            (&["views", "/stats/seen"], &["id", "userId"], "{}"),
            (&["view", "stats"], &["userId"], r#"{"views":1}"#),
            (&["views", "stats.kept"], &["userId"], r#"{"stats.seen":1}"#),
            (&["views", "stats"], &["id"], r#"{"userId":7}"#),
        ];
        for (ignored, ids, expected) in cases {
            let difference = Difference::between(before, after).unwrap();
            let ids = paths(ids);
            let difference = difference
                .without(&paths(ignored))
                .without_quotes(&ids.iter().collect::<Vec<_>>());
            assert_eq!(difference.before(), expected, "{ignored:?}");
        }
    }

    #[test]
    fn what_is_no_object_has_no_fields() {
        for other in ["", "1", "[1]", "{", "null"] {
            assert_eq!(Difference::between(other, "{}"), None, "{other}");
        }
    }
}
