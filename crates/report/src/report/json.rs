//! A report as JSON: complete, with verbatim text.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter};

use super::model::ActivityReport;
use activity_tracker_text as text;

/// Writes a complete report, like [`print()`].
///
/// # Errors
/// If `out` cannot be written to.
pub fn write(out: &mut impl Write, report: &ActivityReport) -> io::Result<()> {
    print(out, report)
}

/// Prints a value as indented JSON. Invisible and control characters are written as `\\u`
/// escapes, because the output may go to a terminal.
///
/// # Errors
/// If `out` cannot be written to.
pub fn print(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let formatter = Escaping(PrettyFormatter::new());
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, formatter);
    value.serialize(&mut serializer)?;
    writeln!(out)
}

/// Wraps a formatter and escapes invisible and control characters.
pub(super) struct Escaping<F>(pub(super) F);

/// Raw JSON in one line, with invisible and control characters escaped.
pub(super) fn in_line(raw: &str) -> String {
    let mut line = String::with_capacity(raw.len());
    let (mut in_string, mut escaped) = (false, false);
    for (c, shows) in text::characters(raw) {
        // Whitespace between values.
        if !in_string && c.is_ascii_whitespace() {
            continue;
        }
        if c == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && c == '\\' && !escaped;
        push(&mut line, c, shows);
    }
    line
}

/// Appends a character or its escape, which is a surrogate pair beyond the first plane.
fn push(out: &mut String, c: char, shows: bool) {
    if shows {
        return out.push(c);
    }
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing to a string does not fail.
        let _ = std::fmt::Write::write_fmt(out, format_args!("\\u{unit:04x}"));
    }
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
        // Serde has escaped all other ASCII control characters.
        if fragment.is_ascii() && !fragment.contains('\u{7f}') {
            return out.write_all(fragment.as_bytes());
        }
        let mut escaped = String::with_capacity(fragment.len());
        for (c, shows) in text::characters(fragment) {
            push(&mut escaped, c, shows);
        }
        out.write_all(escaped.as_bytes())
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
    fn raw_json_becomes_one_escaped_line() {
        let cases = [
            (
                "{\n  \"a\": [1.10, 2],\r\n\t\"b c\": null }",
                r#"{"a":[1.10,2],"b c":null}"#,
            ),
            (r#"{"a \" b" : "\\" , "c": 1}"#, r#"{"a \" b":"\\","c":1}"#),
            ("\"\u{202e}\u{9b}é😀\"", r#""\u202e\u009bé😀""#),
            ("\"\u{e0041}\u{61c}\"", r#""\udb40\udc41\u061c""#),
        ];
        for (raw, expected) in cases {
            assert_eq!(in_line(raw), expected);
        }
    }

    #[test]
    fn printed_json_is_escaped_and_equal() {
        let texts = [
            "plain \"quoted\" \\ and é 😀 👩\u{200d}👧 می\u{200c}خواهم",
            "\u{0}\u{1b}[31m\u{7f}\u{80}\u{9b}\r\n\u{2028}\u{2029}",
            "\u{61c}\u{200b}\u{200d}\u{200e}\u{202e}\u{2066}\u{feff}\u{e0041}\u{fe0f}",
        ];
        for text in texts {
            let value = serde_json::json!({ text: [text] });
            let mut out = Vec::new();
            print(&mut out, &value).unwrap();
            let printed = String::from_utf8(out).unwrap();
            let read: serde_json::Value = serde_json::from_str(&printed).unwrap();
            assert_eq!(read, value);
            let seen = text::characters(&printed).all(|(c, shows)| shows || c == '\n');
            assert!(seen, "{printed}");
        }
    }
}
