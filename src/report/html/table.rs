//! Tables that can be sorted.

use askama::Template;

use super::words::{Shown, length, number};

/// A table; its first column names the rows.
#[derive(Debug, Template)]
#[template(path = "table.html", whitespace = "minimize")]
pub(super) struct Table {
    /// What it is called where it cannot be seen.
    pub(super) label: &'static str,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// How it is laid out besides.
    pub(super) class: &'static str,
}

impl Table {
    /// Whether it has more rows than one wants to pass on the way to what comes next.
    fn is_tall(&self) -> bool {
        self.rows.len() > 25
    }
}

/// A column and how it sorts.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// Numbers sort as numbers, the largest first.
    pub(super) numbers: bool,
    /// Whether it is aligned as text all the same.
    pub(super) leading: bool,
    /// How the table is sorted by it already.
    pub(super) sorted: Option<&'static str>,
}

impl Column {
    /// A column of text.
    pub(super) fn text(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            numbers: false,
            leading: true,
            sorted: None,
        }
    }

    /// A column of numbers.
    pub(super) fn numbers(name: impl Into<String>) -> Self {
        Self {
            numbers: true,
            leading: false,
            ..Self::text(name)
        }
    }

    /// A column of times, which sort as numbers and are read as text.
    pub(super) fn times(name: impl Into<String>) -> Self {
        Self {
            leading: true,
            ..Self::numbers(name)
        }
    }

    /// The column that the rows are sorted by.
    pub(super) fn sorted(self, order: &'static str) -> Self {
        Self {
            sorted: Some(order),
            ..self
        }
    }
}

/// What stands in one field of a table.
#[derive(Debug, Default)]
pub(super) struct Cell {
    pub(super) shown: Shown,
    /// What it sorts by; nothing sorts last.
    pub(super) key: String,
    /// Smaller lines below it.
    pub(super) under: Vec<Shown>,
    pub(super) href: Option<String>,
    /// How long the bar beside it is, of 100, and the class that colours it.
    pub(super) bar: Option<(f64, &'static str)>,
    /// Whether it is a word of ours in place of something that is missing.
    pub(super) missing: bool,
}

impl Cell {
    /// Remote text.
    pub(super) fn text(text: &str) -> Self {
        let shown = Shown::new(text);
        Self {
            key: shown.text.clone(),
            shown,
            ..Self::default()
        }
    }

    /// Nothing: there is no such thing, or nobody knows it.
    pub(super) fn missing(word: &str) -> Self {
        Self {
            shown: Shown::new(word),
            missing: true,
            ..Self::default()
        }
    }

    /// A number, or nothing.
    pub(super) fn count(count: Option<u64>) -> Self {
        count.map_or_else(
            || Self::missing("–"),
            |count| Self::measure(number(count), count),
        )
    }

    /// Something that sorts by a number.
    pub(super) fn measure(text: String, key: impl ToString + Copy) -> Self {
        Self {
            shown: Shown { text, whole: None },
            key: key.to_string(),
            ..Self::default()
        }
    }

    /// With a bar beside it, as long as its part of the highest.
    pub(super) fn with_bar(self, count: Option<u64>, highest: u64, class: &'static str) -> Self {
        let percent = length(count.unwrap_or(0)) / length(highest.max(1)) * 100.0;
        Self {
            bar: Some(((percent * 10.0).round() / 10.0, class)),
            ..self
        }
    }
}
