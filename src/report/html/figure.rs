//! Charts with their headings and their numbers, and tiles with one number each.

use askama::Template;

use super::chart::Series;
use super::table::Table;

/// A chart and what belongs to it.
#[derive(Debug, Template)]
#[template(path = "figure.html", whitespace = "minimize")]
pub(super) struct Figure {
    pub(super) title: String,
    /// What there is to see, in a sentence.
    pub(super) says: String,
    /// What the colours mean.
    pub(super) legend: Vec<Series>,
    /// SVG.
    pub(super) chart: String,
    /// The same in numbers.
    pub(super) numbers: Table,
    /// `wide` for one that takes the whole width.
    pub(super) class: &'static str,
}

/// Numbers that stand out.
#[derive(Debug, Template)]
#[template(path = "tiles.html", whitespace = "minimize")]
pub(super) struct Tiles {
    pub(super) tiles: Vec<Tile>,
}

/// One number.
#[derive(Debug)]
pub(super) struct Tile {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// What to hold it against.
    pub(super) note: String,
}
