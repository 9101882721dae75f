//! A report in GitHub-flavoured Markdown.

use std::io::{self, Write};

use activity_tracker_text::{Printable, grouped};

use super::model::ActivityReport;
use super::text_report::{Cell, Column, Content, TextReport, WEEKDAYS};

/// Writes a report with up to `top` rows per list.
///
/// Remote text is escaped: it cannot add tags, links or table columns.
///
/// # Errors
/// If `out` cannot be written to.
pub fn write(out: &mut impl Write, report: &ActivityReport, top: usize) -> io::Result<()> {
    let text = TextReport::new(report, top);
    writeln!(out, "# Activity: {}", escaped(&text.source))?;
    writeln!(out, "\n{}", text.totals)?;
    writeln!(out, "\n{}", text.time_zone)?;
    for section in &text.sections {
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
    write_headers(out, columns)?;
    rows.iter()
        .try_for_each(|row| write_cells(out, columns, row))
}

/// Leaves out bars; the number is in another column.
fn visible(columns: &[Column]) -> impl Iterator<Item = (usize, &Column)> {
    let columns = columns.iter().enumerate();
    columns.filter(|(_, column)| !column.header.is_empty())
}

/// Writes the first two lines of a table.
pub(super) fn write_headers(out: &mut impl Write, columns: &[Column]) -> io::Result<()> {
    write_row(
        out,
        visible(columns).map(|(_, column)| column.header.to_owned()),
    )?;
    let rule = |column: &Column| if column.align_right { "---:" } else { "---" }.to_owned();
    write_row(out, visible(columns).map(|(_, column)| rule(column)))
}

/// Writes a row of a table.
pub(super) fn write_cells(
    out: &mut impl Write,
    columns: &[Column],
    row: &[Cell],
) -> io::Result<()> {
    let cells = visible(columns).filter_map(|(index, _)| row.get(index));
    write_row(
        out,
        cells.map(|cell| match cell {
            Cell::Text(text) => escaped(text),
            Cell::Number(number) => grouped(*number),
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
    let headers = (0..24).map(|hour| format!("{hour:02}"));
    write_row(out, [String::new()].into_iter().chain(headers))?;
    let rules = std::iter::repeat_n("---:".to_owned(), 24);
    write_row(out, ["---".to_owned()].into_iter().chain(rules))?;
    for (weekday, hours) in WEEKDAYS.iter().zip(hours) {
        let hours = hours.iter().copied().map(grouped);
        write_row(out, [(*weekday).to_owned()].into_iter().chain(hours))?;
    }
    Ok(())
}

/// Escapes remote text for Markdown.
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
            // GitHub makes links of these automatically.
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
    fn remote_text_is_escaped() {
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
