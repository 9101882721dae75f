//! A report as JSON: all of it, text to the letter.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter};

use super::model::ActivityReport;

/// Writes all of a report. Characters that could steer a terminal are escaped, as JSON
/// allows for every character.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(out: &mut impl Write, report: &ActivityReport) -> io::Result<()> {
    let formatter = Escaping(PrettyFormatter::new());
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, formatter);
    report.serialize(&mut serializer)?;
    writeln!(out)
}

/// JSON laid out as ever, with escapes for what is no letter to see.
pub(super) struct Escaping<F>(pub(super) F);

/// JSON that came from elsewhere, in one line, with escapes for what is no letter to see.
pub(super) fn in_line(raw: &str) -> String {
    let mut line = String::with_capacity(raw.len());
    let (mut within, mut escaped) = (false, false);
    for c in raw.chars() {
        // Blanks between values are not of their letters.
        if !within && c.is_ascii_whitespace() {
            continue;
        }
        if c == '"' && !escaped {
            within = !within;
        }
        escaped = within && c == '\\' && !escaped;
        if is_unseen(c) {
            let _ = write_escaped(&mut line, c);
        } else {
            line.push(c);
        }
    }
    line
}

fn is_unseen(c: char) -> bool {
    c.is_control() || crate::text::turns_direction(c)
}

/// All of these are of the first plane: one escape each.
fn write_escaped(out: &mut impl std::fmt::Write, c: char) -> std::fmt::Result {
    write!(out, "\\u{:04x}", u32::from(c))
}

impl<F: Formatter> Formatter for Escaping<F> {
    fn write_raw_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        out.write_all(in_line(fragment).as_bytes())
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut written = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| is_unseen(*c)) {
            let mut escape = String::new();
            let _ = write_escaped(&mut escape, c);
            write!(out, "{}{escape}", &fragment[written..at])?;
            written = at + c.len_utf8();
        }
        out.write_all(&fragment.as_bytes()[written..])
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_of_others_becomes_one_line_that_steers_nothing() {
        let cases = [
            (
                "{\n  \"a\": [1.10, 2],\r\n\t\"b c\": null }",
                r#"{"a":[1.10,2],"b c":null}"#,
            ),
            (r#"{"a \" b" : "\\" , "c": 1}"#, r#"{"a \" b":"\\","c":1}"#),
            ("\"\u{202e}\u{9b}é😀\"", r#""\u202e\u009bé😀""#),
        ];
        for (raw, expected) in cases {
            assert_eq!(in_line(raw), expected);
        }
    }
}
