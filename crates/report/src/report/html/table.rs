//! Sortable tables.

use askama::Template;

use super::format::{Shown, as_f64, number};

/// A table; its first column has the row headers.
#[derive(Debug, Template)]
#[template(path = "table.html", whitespace = "minimize")]
pub(super) struct HtmlTable {
    /// The accessible name.
    pub(super) label: &'static str,
    pub(super) columns: Vec<HtmlColumn>,
    pub(super) rows: Vec<Vec<HtmlCell>>,
    /// CSS classes.
    pub(super) class: &'static str,
}

impl HtmlTable {
    /// Whether it scrolls, because it would push the next section far down.
    fn is_tall(&self) -> bool {
        self.rows.len() > 25
    }
}

/// A column and how it sorts.
#[derive(Debug)]
pub(super) struct HtmlColumn {
    pub(super) name: String,
    /// Whether it sorts by number, largest first.
    pub(super) numbers: bool,
    /// Whether it is aligned like text.
    pub(super) align_left: bool,
    /// The `aria-sort` order, if the rows are sorted by this column.
    pub(super) sorted: Option<&'static str>,
}

impl HtmlColumn {
    /// A column of text.
    pub(super) fn text(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            numbers: false,
            align_left: true,
            sorted: None,
        }
    }

    /// A column of numbers.
    pub(super) fn numbers(name: impl Into<String>) -> Self {
        Self {
            numbers: true,
            align_left: false,
            ..Self::text(name)
        }
    }

    /// A column of times, which sort as numbers and are aligned like text.
    pub(super) fn times(name: impl Into<String>) -> Self {
        Self {
            align_left: true,
            ..Self::numbers(name)
        }
    }

    /// Marks the column that the rows are sorted by.
    pub(super) fn sorted(self, order: &'static str) -> Self {
        Self {
            sorted: Some(order),
            ..self
        }
    }
}

/// A table cell.
#[derive(Debug, Default)]
pub(super) struct HtmlCell {
    pub(super) shown: Shown,
    /// The sort key; empty keys sort last.
    pub(super) key: String,
    /// Lines below it, in smaller print.
    pub(super) details: Vec<Shown>,
    pub(super) href: Option<String>,
    /// The length of its bar in percent, and the bar's CSS class.
    pub(super) bar: Option<(f64, &'static str)>,
    /// Whether it is a placeholder for a missing value.
    pub(super) missing: bool,
}

impl HtmlCell {
    /// Remote text.
    pub(super) fn text(text: &str) -> Self {
        let shown = Shown::new(text);
        Self {
            key: shown.text.clone(),
            shown,
            ..Self::default()
        }
    }

    /// A placeholder for a missing value.
    pub(super) fn missing(placeholder: &str) -> Self {
        Self {
            shown: Shown::new(placeholder),
            missing: true,
            ..Self::default()
        }
    }

    /// A number, or a placeholder.
    pub(super) fn count(count: Option<u64>) -> Self {
        count.map_or_else(
            || Self::missing("–"),
            |count| Self::measure(number(count), count),
        )
    }

    /// Text that sorts by a number.
    pub(super) fn measure(text: String, key: impl ToString + Copy) -> Self {
        Self {
            shown: Shown { text, full: None },
            key: key.to_string(),
            ..Self::default()
        }
    }

    /// Adds a bar in proportion to the maximum.
    pub(super) fn with_bar(self, count: Option<u64>, max: u64, class: &'static str) -> Self {
        let percent = as_f64(count.unwrap_or(0)) / as_f64(max.max(1)) * 100.0;
        Self {
            bar: Some(((percent * 10.0).round() / 10.0, class)),
            ..self
        }
    }
}
