//! Remote text, made safe to display.

use std::fmt::{self, Write};
use std::time::Duration;

/// Whole milliseconds, for the log.
#[must_use]
pub fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// An error and its causes in one line, escaped: `error: cause: cause of the cause`.
///
/// A cause that is already quoted is not repeated.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut line = Printable(&error.to_string()).to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = Printable(&cause.to_string()).to_string();
        if !line.contains(&words) {
            line.push_str(": ");
            line.push_str(&words);
        }
        next = cause.source();
    }
    line
}

/// Shows remote text with invisible characters escaped, so that a response can neither control a
/// terminal, nor forge a line of the log, nor look like another text.
///
/// Escaped are:
///
/// - the C0 and C1 controls, and the separators of lines and paragraphs;
/// - the marks that change the text direction (the "Trojan Source" characters);
/// - characters without a glyph: zero-width ones, fillers, tags, and others that Unicode calls
///   *default ignorable*.
///
/// Three kinds of the last ones are needed, and are kept where they have an effect: a joiner
/// between two emoji, a joiner or a non-joiner between two letters of a script that joins them
/// (Persian, Hindi), and one variation selector after a character.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (c, shows) in characters(self.0) {
            if shows {
                f.write_char(c)?;
            } else {
                write!(f, "{}", c.escape_unicode())?;
            }
        }
        Ok(())
    }
}

/// The characters of a text, and whether each one is visible as what it is.
pub fn characters(text: &str) -> impl Iterator<Item = (char, bool)> {
    let mut characters = text.chars().peekable();
    // The last visible character, and whether a selector has followed it.
    let (mut base, mut selected) = (None, false);
    std::iter::from_fn(move || {
        let c = characters.next()?;
        let shows = match c {
            ZWJ | ZWNJ => joins(base, c, characters.peek().copied()),
            _ if is_selector(c) => base.is_some() && !std::mem::replace(&mut selected, true),
            _ => !is_unseen(c),
        };
        if !shows || c == ZWJ || c == ZWNJ {
            base = None;
        } else if !is_selector(c) {
            (base, selected) = (Some(c), false);
        }
        Some((c, shows))
    })
}

const ZWNJ: char = '\u{200c}';
const ZWJ: char = '\u{200d}';

/// Whether a character has no glyph of its own, wherever it is.
#[must_use]
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || turns_direction(c)
        || matches!(c,
            // Soft hyphen, grapheme joiner, Hangul fillers, Khmer vowels that are not written.
            '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            // Mongolian vowel separator; zero-width spaces and joiners.
            | '\u{180e}' | '\u{200b}'..='\u{200d}'
            // Line and paragraph separators; word joiner and invisible operators.
            | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{206f}'
            // Hangul fillers, byte order mark, annotations.
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            // Shorthand and musical controls.
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            // Tags, which can hide any text, and reserved characters next to them.
            | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}')
}

/// Whether a character changes the direction of text.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character selects a variant of the one before it.
fn is_selector(c: char) -> bool {
    matches!(c, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether a joiner or non-joiner has an effect between these two.
fn joins(before: Option<char>, joiner: char, after: Option<char>) -> bool {
    let Some((before, after)) = before.zip(after) else {
        return false;
    };
    let letters = is_joined(before) && is_joined(after);
    letters || (joiner == ZWJ && is_emoji(before) && is_emoji(after))
}

/// Whether a character belongs to a script in which joining matters.
fn is_joined(c: char) -> bool {
    let of_script = matches!(c,
        // Arabic, Syriac, Thaana, N'Ko, Mandaic; the scripts of India.
        '\u{620}'..='\u{8ff}' | '\u{900}'..='\u{dff}'
        // Myanmar, Khmer, Mongolian, Balinese and their neighbours.
        | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{18af}' | '\u{1a20}'..='\u{1cff}'
        | '\u{a840}'..='\u{abff}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
        | '\u{10a00}'..='\u{10fff}' | '\u{11000}'..='\u{11fff}' | '\u{1e900}'..='\u{1e95f}');
    of_script && !is_unseen(c) && !is_selector(c)
}

/// Whether a character is a part of emoji, or treated as one.
fn is_emoji(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}' | '\u{2600}'..='\u{27bf}'
        | '\u{2b00}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
}

/// The first `limit` characters of `text`, printable, with `…` if it was longer.
#[must_use]
pub fn excerpt(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => {
            // A trailing joiner has nothing left to join.
            let kept = text[..end].trim_end_matches([ZWJ, ZWNJ]);
            format!("{}…", Printable(kept))
        }
        None => Printable(text).to_string(),
    }
}

/// The longest beginning of a text that fits into `bytes` bytes, cut between characters.
#[must_use]
pub fn beginning(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// A count with its noun: `1 post`, `1,200 posts`.
#[must_use]
pub fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// A number with thousands separators: `1,234,567`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The most similar one of `names`, if any is similar at all.
pub fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // `userId` and `user-id` are spellings of `user_id`, not other names.
    let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    let wanted = plain(name);
    let farthest = (wanted.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(&wanted, &plain(known)), known))
        .filter(|(distance, _)| *distance <= farthest)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
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
    fn what_cannot_be_seen_is_escaped_wherever_it_stands() {
        let unseen = [
            '\u{0}',
            '\u{7f}',
            '\u{85}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{180e}',
            '\u{200b}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2064}',
            '\u{2066}',
            '\u{2069}',
            '\u{206f}',
            '\u{3164}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0061}',
            '\u{e007f}',
            '\u{e01f0}',
        ];
        for c in unseen {
            for (before, after) in [("", ""), ("a", "b"), ("😀", "😀"), ("ی", "ی"), ("क", "ष")]
            {
                let shown = Printable(&format!("{before}{c}{after}")).to_string();
                assert_eq!(shown, format!("{before}{}{after}", c.escape_unicode()));
            }
        }
    }

    #[test]
    fn joiners_and_selectors_are_kept_where_they_do_what_they_are_for() {
        let kept = [
            // A family, a pilot with a tone of skin, a heart on fire, a rainbow flag.
            "👩\u{200d}👩\u{200d}👧",
            "👩🏽\u{200d}✈\u{fe0f}",
            "❤\u{fe0f}\u{200d}🔥",
            "🏳\u{fe0f}\u{200d}🌈",
            // Persian, Hindi, Malayalam, Mongolian.
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "ന്\u{200d}മ",
            "ᠠ\u{180b}",
            "葛\u{e0100}",
            "1\u{fe0f}\u{20e3}",
        ];
        for text in kept {
            assert_eq!(Printable(text).to_string(), text);
        }
        let escaped = [
            ("a\u{200d}b", "a\\u{200d}b"),
            ("a\u{200c}b", "a\\u{200c}b"),
            ("\u{200d}👩", "\\u{200d}👩"),
            ("👩\u{200d}", "👩\\u{200d}"),
            ("👩\u{200c}👩", "👩\\u{200c}👩"),
            ("👩\u{200d}\u{200d}👩", "👩\\u{200d}\\u{200d}👩"),
            ("ی\u{200c}a", "ی\\u{200c}a"),
            ("\u{fe0f}", "\\u{fe0f}"),
            ("a\u{fe0f}\u{fe0f}", "a\u{fe0f}\\u{fe0f}"),
            ("a\u{e0100}\u{e0101}b", "a\u{e0100}\\u{e0101}b"),
            ("\u{200b}\u{fe0f}", "\\u{200b}\\u{fe0f}"),
        ];
        for (text, expected) in escaped {
            assert_eq!(Printable(text).to_string(), expected);
        }
    }

    #[test]
    fn an_excerpt_is_cut_between_characters() {
        assert_eq!(excerpt("äöü", 2), "äö…");
        assert_eq!(excerpt("äö", 2), "äö");
        assert_eq!(excerpt("👩\u{200d}👧", 2), "👩…");
        assert_eq!(beginning("äö", 3), "ä");
        assert_eq!(beginning("äö", 4), "äö");
    }

    #[test]
    fn numbers_have_thousands_separators() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (123_456, "123,456"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ];
        for (number, expected) in cases {
            assert_eq!(grouped(number), expected);
        }
        assert_eq!(count(1, "post"), "1 post");
        assert_eq!(count(1_200, "post"), "1,200 posts");
    }
}
