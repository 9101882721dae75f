//! A report for a terminal: text, and tables with bars.

use std::io::{self, Write};

use anstyle::Style;
use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Row, TableStyle,
};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use activity_tracker_text::{count, excerpt, grouped};

use super::model::ActivityReport;
use super::text_report::{Cell, Column, Content, Section, TextReport, WEEKDAYS};

pub(super) const HEADING: Style = Style::new().bold();
pub(super) const DIMMED: Style = Style::new().dimmed();

/// The minimum and the maximum width of the output.
pub(super) const WIDTHS: (usize, usize) = (40, 120);

/// The maximum number of characters of a text, however wide the terminal is.
pub(super) const MAX_TEXT: usize = 200;

/// Writes a report for a terminal with `width` columns, with up to `top` rows per list.
///
/// Remote text is escaped. Styles are ANSI escapes; `anstream` removes them if the output does not
/// support them.
///
/// # Errors
/// If `out` cannot be written to.
pub fn write(
    out: &mut impl Write,
    report: &ActivityReport,
    width: usize,
    top: usize,
) -> io::Result<()> {
    let width = width.clamp(WIDTHS.0, WIDTHS.1);
    let text = TextReport::new(report, top);
    let source = excerpt(&text.source, MAX_TEXT);
    write_wrapped(out, HEADING, &format!("Activity: {source}"), width)?;
    write_wrapped(out, Style::new(), &text.totals, width)?;
    write_wrapped(out, DIMMED, &text.time_zone, width)?;
    for section in &text.sections {
        write_section(out, section, width)?;
    }
    Ok(())
}

fn write_section(out: &mut impl Write, section: &Section, width: usize) -> io::Result<()> {
    writeln!(out)?;
    write_wrapped(out, HEADING, &section.title, width)?;
    match &section.content {
        Content::Text(text) => write_wrapped(out, Style::new(), text, width)?,
        Content::Table { columns, rows } => write_table(out, columns, (rows, &[]), width)?,
        Content::Hours(hours) => write_hours(out, hours, width)?,
    }
    match &section.note {
        Some(note) => write_wrapped(out, DIMMED, note, width),
        None => Ok(()),
    }
}

/// Writes text in lines of up to `width` columns, broken between words.
pub(super) fn write_wrapped(
    out: &mut impl Write,
    style: Style,
    text: &str,
    width: usize,
) -> io::Result<()> {
    wrapped(text, width)
        .iter()
        .try_for_each(|line| writeln!(out, "{style}{line}{style:#}"))
}

/// Breaks text between words. A longer word than a line is truncated: terminals would break it.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let word = truncated(word, width);
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(&word),
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

/// The text, or as much of it as fits into `width` columns with a `…`.
fn truncated(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let fits = |c: &char| {
        let rest = left.checked_sub(c.width().unwrap_or_default());
        left = rest.unwrap_or_default();
        rest.is_some()
    };
    let mut start: String = text.chars().take_while(fits).collect();
    // A trailing joiner has nothing left to join.
    start.truncate(start.trim_end_matches(['\u{200c}', '\u{200d}']).len());
    start + "…"
}

/// The indent of lines below a row.
const INDENT: usize = 4;

/// A line below the headers and no other borders, so that output is easy to copy and paste.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Writes a table, with lines of text below its rows.
pub(super) fn write_table(
    out: &mut impl Write,
    columns: &[Column],
    (rows, below): (&[Vec<Cell>], &[Vec<String>]),
    width: usize,
) -> io::Result<()> {
    let shown: Vec<_> = (0..columns.len())
        .filter(|index| width >= columns[*index].min_width)
        .collect();
    let bar_width = (width / 6).min(20);
    let mut table = comfy_table::Table::new();
    table
        .load_style(STYLE)
        // Rows have one line: cells are truncated anywhere, not broken between words.
        .set_delimiter('\0')
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(width).unwrap_or(u16::MAX))
        .set_header(one_line(
            shown.iter().map(|index| columns[*index].header.to_owned()),
        ));
    for row in rows {
        let cells = shown.iter().filter_map(|index| row.get(*index));
        table.add_row(one_line(cells.map(|cell| cell_text(cell, bar_width))));
    }
    for (position, index) in shown.iter().enumerate() {
        let is_text = |row: &Vec<Cell>| matches!(row.get(*index), Some(Cell::Text(_)));
        let Some(column) = table.column_mut(position) else {
            continue;
        };
        let last = position + 1 == shown.len();
        column.set_padding((0, if last { 0 } else { 2 }));
        if columns[*index].align_right {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if !rows.iter().any(is_text) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    for (number, line) in table.lines().enumerate() {
        let line = line.trim_end();
        match number {
            0 | 1 => {
                writeln!(out, "{DIMMED}{line}{DIMMED:#}")?;
                continue;
            }
            _ => writeln!(out, "{line}")?,
        }
        for text in below.get(number - 2).into_iter().flatten() {
            let text = truncated(&excerpt(text, MAX_TEXT), width.saturating_sub(INDENT));
            writeln!(out, "{:INDENT$}{text}", "")?;
        }
    }
    Ok(())
}

fn one_line(cells: impl Iterator<Item = String>) -> Row {
    let mut row = Row::from(cells);
    row.max_height(1);
    row
}

fn cell_text(cell: &Cell, bar_width: usize) -> String {
    match cell {
        Cell::Text(text) => excerpt(text, MAX_TEXT),
        Cell::Number(number) => grouped(*number),
        Cell::Bar(value, max) => bar(*value, *max, bar_width),
        Cell::Empty => String::new(),
    }
}

/// A bar of at most `width` columns; only 0 has none.
fn bar(value: u64, max: u64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if value == 0 || max == 0 {
        return String::new();
    }
    let all = width as u128 * 8;
    let eighths = (u128::from(value) * all).div_ceil(u128::from(max)).min(all);
    let eighths = usize::try_from(eighths).unwrap_or_default();
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

/// Writes a heat map, darker for more activity.
fn write_hours(out: &mut impl Write, hours: &[[u64; 24]; 7], width: usize) -> io::Result<()> {
    const SHADES: [&str; 5] = ["·", "░", "▒", "▓", "█"];
    /// The width with two columns per hour.
    const WIDE: usize = 5 + 2 * 24;
    let per_hour = if width < WIDE { 1 } else { 2 };
    let max = hours.iter().flatten().copied().max().unwrap_or_default();
    let gap = " ".repeat(3 * per_hour - 2);
    let labels = (0..24).step_by(3).map(|hour| format!("{hour:02}"));
    let labels = labels.collect::<Vec<_>>().join(&gap);
    writeln!(out, "{DIMMED}     {labels}{DIMMED:#}")?;
    for (weekday, hours) in WEEKDAYS.iter().zip(hours) {
        let shade = |written: &u64| {
            let quarter = match max {
                0 => 0,
                max => (u128::from(*written) * 4).div_ceil(u128::from(max)),
            };
            match usize::try_from(quarter).unwrap_or_default().min(4) {
                0 => format!("{:<per_hour$}", SHADES[0]),
                quarter => SHADES[quarter].repeat(per_hour),
            }
        };
        let line: String = hours.iter().map(shade).collect();
        writeln!(out, "{weekday}  {}", line.trim_end())?;
    }
    let max = match max {
        1 => "1 post or comment".to_owned(),
        max => format!("{} and comments", count(max, "post")),
    };
    writeln!(out, "{DIMMED}max: {max}{DIMMED:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_between_words_and_longer_words_are_truncated() {
        let cases: [(&str, &[&str]); 5] = [
            ("", &[""]),
            ("one two", &["one two"]),
            ("one two three", &["one two", "three"]),
            ("abcdefghij k", &["abcdefg…", "k"]),
            ("a 漢漢漢漢漢", &["a", "漢漢漢…"]),
        ];
        for (text, lines) in cases {
            assert_eq!(wrapped(text, 8), lines, "{text}");
        }
    }
}
