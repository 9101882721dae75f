//! Text that came from elsewhere, made safe to show.

use std::fmt::{self, Write};

/// Shows remote text with its control characters escaped, so that an answer
/// can neither steer a terminal nor forge a line of the log.
///
/// Besides the C0 and C1 controls this escapes the marks that turn the reading
/// direction around (the "Trojan Source" characters).
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() || turns_direction(c) {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// Whether a character turns the direction in which text is shown.
pub(crate) fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The first `limit` characters of `text`, printable, with `…` where it was longer.
#[must_use]
pub fn excerpt(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", Printable(&text[..end])),
        None => Printable(text).to_string(),
    }
}

/// As much of a text as fits into so many bytes, cut between characters.
#[must_use]
pub(crate) fn beginning(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// A count with its noun: `1 post`, `2 posts`.
#[must_use]
pub fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_direction_characters_are_escaped() {
        let text = Printable("a\u{1b}[31m\r\nb\u{9b}\u{202e}é😀").to_string();
        assert_eq!(text, "a\\u{1b}[31m\\u{d}\\u{a}b\\u{9b}\\u{202e}é😀");
    }

    #[test]
    fn an_excerpt_is_cut_between_characters() {
        assert_eq!(excerpt("äöü", 2), "äö…");
        assert_eq!(excerpt("äö", 2), "äö");
        assert_eq!(beginning("äö", 3), "ä");
        assert_eq!(beginning("äö", 4), "äö");
    }
}
