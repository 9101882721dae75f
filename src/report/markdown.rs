//! A report in Markdown (GitHub's, which has tables).

use std::io::{self, Write};

use crate::text::Printable;

use super::model::ActivityReport;
use super::outline::{Cell, Column, Content, Outline, WEEKDAYS};

/// Writes a report with `top` rows in each list.
///
/// Text that came from elsewhere shows as it is and does nothing: no tags, no links, no
/// further columns.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(out: &mut impl Write, report: &ActivityReport, top: usize) -> io::Result<()> {
    let outline = Outline::of(report, top);
    writeln!(out, "# Who is active at {}", escaped(&outline.source))?;
    writeln!(out, "\n{}", outline.totals)?;
    for section in &outline.sections {
        writeln!(out, "\n## {}\n", section.title)?;
        match &section.content {
            Content::Text(text) => writeln!(out, "{text}")?,
            Content::Table { columns, rows } => write_table(out, columns, rows)?,
            Content::Hours(hours) => write_hours(out, hours)?,
        }
        if let Some(note) = &section.note {
            writeln!(out, "\n{}", escaped(note))?;
        }
    }
    Ok(())
}

fn write_table(out: &mut impl Write, columns: &[Column], rows: &[Vec<Cell>]) -> io::Result<()> {
    write_heads(out, columns)?;
    rows.iter()
        .try_for_each(|row| write_cells(out, columns, row))
}

/// A bar is for the eye; its number stands beside it.
fn drawn(columns: &[Column]) -> impl Iterator<Item = (usize, &Column)> {
    let columns = columns.iter().enumerate();
    columns.filter(|(_, column)| !column.head.is_empty())
}

/// The first two lines of a table.
pub(super) fn write_heads(out: &mut impl Write, columns: &[Column]) -> io::Result<()> {
    write_row(
        out,
        drawn(columns).map(|(_, column)| column.head.to_owned()),
    )?;
    let rule = |column: &Column| if column.right { "---:" } else { "---" }.to_owned();
    write_row(out, drawn(columns).map(|(_, column)| rule(column)))
}

/// A line of a table.
pub(super) fn write_cells(
    out: &mut impl Write,
    columns: &[Column],
    row: &[Cell],
) -> io::Result<()> {
    let cells = drawn(columns).filter_map(|(index, _)| row.get(index));
    write_row(
        out,
        cells.map(|cell| match cell {
            Cell::Text(text) => escaped(text),
            Cell::Number(number) => number.to_string(),
            Cell::Bar(..) | Cell::Empty => String::new(),
        }),
    )
}

fn write_row(out: &mut impl Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    write!(out, "|")?;
    for cell in cells {
        write!(out, " {cell} |")?;
    }
    writeln!(out)
}

fn write_hours(out: &mut impl Write, hours: &[[u64; 24]; 7]) -> io::Result<()> {
    let heads = (0..24).map(|hour| format!("{hour:02}"));
    write_row(out, [String::new()].into_iter().chain(heads))?;
    let rules = std::iter::repeat_n("---:".to_owned(), 24);
    write_row(out, ["---".to_owned()].into_iter().chain(rules))?;
    for (weekday, hours) in WEEKDAYS.iter().zip(hours) {
        let hours = hours.iter().map(u64::to_string);
        write_row(out, [(*weekday).to_owned()].into_iter().chain(hours))?;
    }
    Ok(())
}

/// Remote text as Markdown that says just that.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    let printable = Printable(text).to_string();
    for (at, c) in printable.char_indices() {
        let rest = &printable[at..];
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '#' => {
                escaped.extend(['\\', c]);
            }
            // What GitHub makes a link of without being told to.
            ':' if rest.starts_with("://") => escaped.push_str("\\:"),
            '.' if ends_with_www(&printable[..at]) => escaped.push_str("\\."),
            '@' => escaped.push_str("&#64;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn ends_with_www(text: &str) -> bool {
    let last = text.len().checked_sub(3).and_then(|at| text.get(at..));
    last.is_some_and(|last| last.eq_ignore_ascii_case("www"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remote_text_shows_as_it_is_and_does_nothing() {
        let cases = [
            ("Ada Lovelace", "Ada Lovelace"),
            ("a|b", r"a\|b"),
            ("a\nb", r"a\\u{a}b"),
            ("<script>x</script>", "&lt;script&gt;x&lt;/script&gt;"),
            ("&lt;", "&amp;lt;"),
            ("`x`", r"\`x\`"),
            (r"\|", r"\\\|"),
            ("[x](javascript:y)", r"\[x\](javascript:y)"),
            ("https://x.org", r"https\://x.org"),
            ("WWW.x.org", r"WWW\.x.org"),
            ("a@x.org", "a&#64;x.org"),
            ("**b** ~~s~~ $m$", r"\*\*b\*\* \~\~s\~\~ \$m\$"),
            ("\u{202e}x", r"\\u{202e}x"),
            ("a\u{2028}b\u{61c}", r"a\\u{2028}b\\u{61c}"),
            ("日本 😀", "日本 😀"),
        ];
        for (text, expected) in cases {
            assert_eq!(escaped(text), expected, "{text:?}");
        }
    }
}
