//! A report for a terminal: tables with small bars.

use std::io::{self, Write};

use anstyle::Style;
use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Row, Table, TableStyle,
};

use crate::text::excerpt;

use super::model::ActivityReport;
use super::outline::{Cell, Column, Content, Outline, Section, WEEKDAYS};

pub(super) const HEAD: Style = Style::new().bold();
pub(super) const QUIET: Style = Style::new().dimmed();

/// The least and the most columns that tables are laid out for.
pub(super) const WIDTHS: (usize, usize) = (40, 120);

/// Characters of a text that a cell may show at most, however wide the screen is.
pub(super) const LONGEST: usize = 200;

/// Writes a report for a screen of `width` columns, with `top` rows in each list.
///
/// Text that came from elsewhere is made safe to show. Styles are ANSI escapes, for
/// `anstream` to take out where they are not wanted.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(
    out: &mut impl Write,
    report: &ActivityReport,
    width: usize,
    top: usize,
) -> io::Result<()> {
    let width = width.clamp(WIDTHS.0, WIDTHS.1);
    let outline = Outline::of(report, top);
    let source = excerpt(&outline.source, LONGEST);
    writeln!(out, "{HEAD}Who is active at {source}{HEAD:#}")?;
    writeln!(out, "{}", outline.totals)?;
    for section in &outline.sections {
        write_section(out, section, width)?;
    }
    Ok(())
}

fn write_section(out: &mut impl Write, section: &Section, width: usize) -> io::Result<()> {
    writeln!(out, "\n{HEAD}{}{HEAD:#}", section.title)?;
    match &section.content {
        Content::Text(text) => writeln!(out, "{text}")?,
        Content::Table { columns, rows } => write_table(out, columns, rows, width)?,
        Content::Hours(hours) => write_hours(out, hours)?,
    }
    match &section.note {
        Some(note) => writeln!(out, "{QUIET}{note}{QUIET:#}"),
        None => Ok(()),
    }
}

/// How far lines below a row stand to the right.
const INDENT: usize = 4;

/// Lines below the heads, and nothing else: what is cut off here is easily read.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

fn write_table(
    out: &mut impl Write,
    columns: &[Column],
    rows: &[Vec<Cell>],
    width: usize,
) -> io::Result<()> {
    write_table_with(out, columns, (rows, &[]), width)
}

/// Writes a table with lines of text below its rows.
pub(super) fn write_table_with(
    out: &mut impl Write,
    columns: &[Column],
    (rows, below): (&[Vec<Cell>], &[Vec<String>]),
    width: usize,
) -> io::Result<()> {
    let shown: Vec<_> = (0..columns.len())
        .filter(|index| width >= columns[*index].from_width)
        .collect();
    let bar_width = (width / 6).min(20);
    let mut table = Table::new();
    table
        .load_style(STYLE)
        // Cut off anywhere, not between words: there is none of these in what is printable.
        .set_delimiter('\0')
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(width).unwrap_or(u16::MAX))
        .set_header(shown.iter().map(|index| columns[*index].head));
    for row in rows {
        let cells = shown.iter().filter_map(|index| row.get(*index));
        let mut row = Row::from(cells.map(|cell| drawn(cell, bar_width)));
        // Text that is too wide is cut off, and no line is broken.
        row.max_height(1);
        table.add_row(row);
    }
    for (place, index) in shown.iter().enumerate() {
        let is_text = |row: &Vec<Cell>| matches!(row.get(*index), Some(Cell::Text(_)));
        let Some(column) = table.column_mut(place) else {
            continue;
        };
        let last = place + 1 == shown.len();
        column.set_padding((0, if last { 0 } else { 2 }));
        if columns[*index].right {
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
                writeln!(out, "{QUIET}{line}{QUIET:#}")?;
                continue;
            }
            _ => writeln!(out, "{line}")?,
        }
        for text in below.get(number - 2).into_iter().flatten() {
            let text = excerpt(text, width.saturating_sub(INDENT + 1));
            writeln!(out, "{:INDENT$}{text}", "")?;
        }
    }
    Ok(())
}

fn drawn(cell: &Cell, bar_width: usize) -> String {
    match cell {
        Cell::Text(text) => excerpt(text, LONGEST),
        Cell::Number(number) => number.to_string(),
        Cell::Bar(part, most) => bar(*part, *most, bar_width),
        Cell::Empty => String::new(),
    }
}

/// A bar of at most `width` columns; what is more than nothing can be seen.
fn bar(part: u64, most: u64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if part == 0 || most == 0 {
        return String::new();
    }
    let all = width as u128 * 8;
    let eighths = (u128::from(part) * all).div_ceil(u128::from(most)).min(all);
    let eighths = usize::try_from(eighths).unwrap_or_default();
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

/// Two columns an hour, darker where more was written.
fn write_hours(out: &mut impl Write, hours: &[[u64; 24]; 7]) -> io::Result<()> {
    const SHADES: [&str; 5] = ["· ", "░░", "▒▒", "▓▓", "██"];
    let most = hours.iter().flatten().copied().max().unwrap_or_default();
    let heads: Vec<_> = (0..24)
        .step_by(3)
        .map(|hour| format!("{hour:02}"))
        .collect();
    writeln!(out, "{QUIET}     {}{QUIET:#}", heads.join("    "))?;
    for (weekday, hours) in WEEKDAYS.iter().zip(hours) {
        let shade = |written: &u64| match most {
            0 => SHADES[0],
            most => {
                let quarter = (u128::from(*written) * 4).div_ceil(u128::from(most));
                SHADES[usize::try_from(quarter).unwrap_or_default().min(4)]
            }
        };
        let line: String = hours.iter().map(shade).collect();
        writeln!(out, "{weekday}  {}", line.trim_end())?;
    }
    let what = if most == 1 {
        "post or comment"
    } else {
        "posts and comments"
    };
    writeln!(out, "{QUIET}darkest: {most} {what}{QUIET:#}")
}
