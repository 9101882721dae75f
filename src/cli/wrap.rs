//! Lines for a terminal: wrapped between words, so that the terminal does not break inside them.

use std::io::{self, IsTerminal};

use anstream::adapter::strip_str;
use unicode_width::UnicodeWidthStr;

/// How much further than its first line a wrapped line is indented.
const HANGING: usize = 2;

/// The most that continuation lines are indented.
const DEEPEST: usize = 12;

/// The columns of stdout where it is a terminal.
pub(crate) fn stdout_width() -> Option<usize> {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map(|(width, _)| width.0.into())
}

/// The columns of stderr where it is a terminal.
pub(crate) fn stderr_width() -> Option<usize> {
    // A program that only reads stderr gets lines as they are.
    let size = io::stderr()
        .is_terminal()
        .then(|| terminal_size::terminal_size_of(io::stderr()));
    size.flatten().map(|(width, _)| width.0.into())
}

/// Wraps each line that is longer than `width` columns at spaces. A word that is longer than a line
/// stays whole. Colours take no columns. Without a width, the text stays as it is.
pub(crate) fn wrap(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else {
        return text.to_owned();
    };
    let mut wrapped = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if columns(line.trim_end()) <= width {
            wrapped.push_str(line);
        } else {
            wrap_line(&mut wrapped, line, width);
        }
    }
    wrapped
}

fn wrap_line(wrapped: &mut String, line: &str, width: usize) {
    let indent = line.len() - line.trim_start_matches(' ').len();
    let hanging = (indent + HANGING).min(DEEPEST);
    let mut used = 0;
    for word in line.split_inclusive(' ') {
        let taken = columns(word.trim_end());
        if used > indent && taken > 0 && used + taken > width {
            wrapped.truncate(wrapped.trim_end_matches(' ').len());
            wrapped.push('\n');
            wrapped.extend(std::iter::repeat_n(' ', hanging));
            used = hanging;
        }
        wrapped.push_str(word);
        used += columns(word.trim_end_matches('\n'));
    }
}

/// The columns that a text takes on a terminal.
fn columns(text: &str) -> usize {
    strip_str(text).to_string().width()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_wrapped_between_words_and_indented() {
        let cases = [
            ("one two three\n", 13, "one two three\n"),
            ("one two three\n", 12, "one two\n  three\n"),
            ("    a bb ccc\nd\n", 8, "    a bb\n      ccc\nd\n"),
            (
                "one https://example.org/a/b two\n",
                10,
                "one\n  https://example.org/a/b\n  two\n",
            ),
            ("no end of line", 8, "no end\n  of\n  line"),
            ("漢字 漢字 漢字\n", 9, "漢字 漢字\n  漢字\n"),
            (
                "\u{1b}[1mone\u{1b}[0m two\n",
                7,
                "\u{1b}[1mone\u{1b}[0m two\n",
            ),
            ("", 5, ""),
        ];
        for (text, width, expected) in cases {
            assert_eq!(wrap(text, Some(width)), expected, "{text:?}");
        }
        assert_eq!(wrap("one two", None), "one two");
    }
}
