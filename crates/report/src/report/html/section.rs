//! A section of a page.

use askama::Template;

/// A part of a page with a heading.
#[derive(Debug, Template)]
#[template(path = "section.html", whitespace = "minimize")]
pub(super) struct HtmlSection {
    /// The anchor of links.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// Paragraphs above the parts.
    pub(super) notes: Vec<String>,
    /// HTML: charts, tables and tiles.
    pub(super) parts: Vec<String>,
}
