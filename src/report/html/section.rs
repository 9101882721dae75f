//! A section of a page.

use askama::Template;

/// One part of a page, with a heading of its own.
#[derive(Debug, Template)]
#[template(path = "section.html", whitespace = "minimize")]
pub(super) struct Section {
    /// What links lead to.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// What to know beforehand, a paragraph each.
    pub(super) notes: Vec<String>,
    /// HTML: charts, tables and tiles.
    pub(super) parts: Vec<String>,
}
