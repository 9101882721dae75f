//! Charts with their headings and data tables, and tiles with one number each.

use askama::Template;

use super::chart::Series;
use super::table::HtmlTable;

/// A chart with its heading and data.
#[derive(Debug, Template)]
#[template(path = "figure.html", whitespace = "minimize")]
pub(super) struct Figure {
    pub(super) title: String,
    /// What the chart shows, in a sentence.
    pub(super) summary: String,
    /// The series and their CSS classes.
    pub(super) legend: Vec<Series>,
    /// SVG.
    pub(super) chart: String,
    /// The same data as a table.
    pub(super) data: HtmlTable,
    /// `wide` for full width.
    pub(super) class: &'static str,
}

/// Key numbers.
#[derive(Debug, Template)]
#[template(path = "tiles.html", whitespace = "minimize")]
pub(super) struct Tiles {
    pub(super) tiles: Vec<Tile>,
}

/// A key number.
#[derive(Debug)]
pub(super) struct Tile {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// Context in smaller print.
    pub(super) note: String,
}
