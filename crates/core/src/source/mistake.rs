//! Mistakes in source files: what is wrong, where, what is expected there, and the nearest valid
//! name.

use std::fmt;
use std::ops::Range;

use activity_tracker_text::Printable;

use super::redact::covered;

pub(super) use activity_tracker_text::nearest;

/// The two ways to locate a number in a response.
const LOCATORS: [&str; 2] = ["header", "body"];
const LOCATOR: &str = "`{ header = \"X-Total-Count\" }` or `{ body = \"meta.total\" }`";

/// A mistake in a source file, with everything needed to display it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The name of the file.
    pub file: String,
    /// The number of its line, from 1.
    pub line: usize,
    /// The line, with possible credentials redacted.
    pub text: String,
    /// The byte range of the mistake in the line.
    pub place: Range<usize>,
    /// What is wrong.
    pub title: String,
    /// What is expected there.
    pub expected: String,
    /// How to correct it, unless that is obvious.
    pub help: Option<String>,
}

impl Mistake {
    /// The column of the mistake, in characters from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        let before = self.text.get(..self.place.start).unwrap_or_default();
        before.chars().count() + 1
    }
}

impl fmt::Display for Mistake {
    /// In one line, for the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            title,
            expected,
            help,
            ..
        } = self;
        write!(f, "{}:{line}:{}: ", Printable(file), self.column())?;
        write!(f, "{}: {}", Printable(title), Printable(expected))?;
        match help {
            Some(help) => write!(f, "; {}", Printable(help)),
            None => Ok(()),
        }
    }
}

/// A mistake before it is located in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) title: String,
    pub(super) place: Range<usize>,
    pub(super) expected: String,
    pub(super) help: Option<String>,
    /// Whether the place contains a credential, which must not be shown.
    pub(super) secret: bool,
}

impl Flaw {
    pub(super) fn new(
        place: &Range<usize>,
        title: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            title: title.into(),
            place: place.clone(),
            expected: expected.into(),
            help: None,
            secret: false,
        }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        let help = Some(help.into());
        Self { help, ..self }
    }

    pub(super) fn secret(self) -> Self {
        let secret = true;
        Self { secret, ..self }
    }

    /// From the message of serde or the TOML parser, which report nothing else.
    ///
    /// The message's quotes from the file are dropped: the line is shown anyway, with credentials
    /// redacted.
    pub(super) fn from_toml(error: &toml::de::Error) -> Self {
        let message = error.message();
        let place = error.span().unwrap_or_default();
        if let Some(name) = quoted_after(message, "missing field ") {
            let expected = format!("expected `{name}` in this table");
            return Self::new(&place, format!("no `{name}`"), expected);
        }
        for trouble in ["unknown field ", "unknown variant "] {
            let Some(name) = name_after(message, trouble) else {
                continue;
            };
            // Unlike a key, a value may be a misplaced credential.
            let title = match trouble {
                "unknown field " => format!("unknown key `{name}`"),
                _ => "unknown value".to_owned(),
            };
            let after = &message[trouble.len() + name.len() + 2..];
            let names: Vec<_> = after.split('`').skip(1).step_by(2).collect();
            let expected = match after.split_once("expected ") {
                Some((_, words)) if words.contains("table") => words.to_owned(),
                _ if names == LOCATORS => LOCATOR.to_owned(),
                _ => listed(&names),
            };
            let flaw = Self::new(&place, title, format!("expected {expected}"));
            return flaw.nearest(name, names);
        }
        let (found, expected) = match message {
            "duplicate key" => (message, "this key is given above already".to_owned()),
            "invalid HTTP header name" => (
                "not the name of a header",
                "expected letters, digits and `-`".to_owned(),
            ),
            _ if message.starts_with("wanted exactly 1 element") => {
                ("not one place", format!("expected {LOCATOR}"))
            }
            // A message of this crate ends with the value that was found, which may contain that
            // word.
            _ => match message
                .strip_prefix("expected ")
                .map(|expected| ("", expected))
                .or_else(|| message.rsplit_once("expected "))
            {
                Some((found, expected)) => (found, format!("expected {}", plain_words(expected))),
                None => (message, "not valid here".to_owned()),
            },
        };
        let title = found
            .strip_prefix("invalid type: ")
            .map_or_else(|| without_values(found), found_type);
        Self::new(&place, title, expected)
    }

    /// Adds the most similar name as a suggestion, if there is one.
    pub(super) fn nearest<'n>(self, name: &str, names: impl IntoIterator<Item = &'n str>) -> Self {
        match nearest(name, names) {
            Some(meant) => self.help(format!("did you mean `{meant}`?")),
            None => self,
        }
    }

    pub(super) fn in_file(self, file: &str, text: &str) -> Mistake {
        let Range { start, end } = self.place;
        let start = text.floor_char_boundary(start);
        let end = text.ceil_char_boundary(end.max(start));
        let secret = self.secret.then_some(start..end);
        let covered = covered(text, secret);
        // One line is enough: a whole table would be too much, and what is dropped cannot be
        // leaked.
        let begin = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line = covered[begin..].lines().next().unwrap_or_default();
        // A mistake may be at the line ending, which on Windows is two bytes that are not shown.
        let from = (start - begin).min(line.len());
        let place = from..(end - begin).clamp(from, line.len());
        Mistake {
            file: file.to_owned(),
            line: text[..begin].matches('\n').count() + 1,
            text: line.to_owned(),
            place,
            title: self.title,
            expected: self.expected,
            help: self.help,
        }
    }
}

/// Names as a phrase: `a`, `b` or `c`.
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => "nothing".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    }
}

fn quoted_after<'m>(message: &'m str, start: &str) -> Option<&'m str> {
    let rest = message.strip_prefix(start)?.strip_prefix('`')?;
    rest.split('`').next()
}

/// The name that a message calls unknown. It comes from the file and may contain quotes, so it ends
/// at the list of known names that follows.
fn name_after<'m>(message: &'m str, start: &str) -> Option<&'m str> {
    let rest = message.strip_prefix(start)?.strip_prefix('`')?;
    let ends = rest.rsplit_once("`, expected ");
    let (name, _) = ends.or_else(|| rest.split_once('`'))?;
    Some(name)
}

/// `string "abc", ` becomes `this is a string`.
fn found_type(found: &str) -> String {
    let kind = found
        .split(['"', '`', ','])
        .next()
        .unwrap_or_default()
        .trim();
    match kind {
        "map" => "this is a table".to_owned(),
        "sequence" => "this is an array".to_owned(),
        "integer" => "this is a whole number".to_owned(),
        "floating point" => "this is a number with a fraction".to_owned(),
        other => format!("this is a {other}"),
    }
}

/// The words of a message before the value that it quotes.
fn without_values(message: &str) -> String {
    let words = message.split(['"', '`']).next().unwrap_or_default();
    match words.trim_matches([' ', ',', ':', ';']) {
        "" | "invalid value" => "this cannot be read".to_owned(),
        "invalid value: integer" => "this number does not fit".to_owned(),
        words => words.to_owned(),
    }
}

/// What serde and the TOML parser expect, without Rust terms.
fn plain_words(expected: &str) -> &str {
    match expected {
        "a nonzero u32" | "a nonzero u64" => "a whole number above 0",
        "u16" | "u64" => "a whole number, not below 0",
        "literal string" => "a string in quotes",
        other => other.split(", found ").next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_a_slip_of_the_fingers_or_another_spelling() {
        let names = ["user_id", "post_id", "name", "username", "created_at"];
        let cases = [
            ("usr_id", Some("user_id")),
            ("userId", Some("user_id")),
            ("user-id", Some("user_id")),
            ("creatd_at", Some("created_at")),
            ("nmae", Some("name")),
            ("usrename", Some("username")),
            ("colour", None),
            ("", None),
        ];
        for (name, expected) in cases {
            assert_eq!(nearest(name, names), expected, "{name:?}");
        }
    }
}
