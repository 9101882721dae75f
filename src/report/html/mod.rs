//! A report as a page: one HTML file that needs nothing else, for a browser, a phone or paper.
//!
//! | part | holds |
//! | --- | --- |
//! | `shell` | what every page has: the head, the policy of what may run, navigation |
//! | `overview`, `people`, `dates`, `history` | the sections, each from one part of the report |
//! | `site` | the other pages of a server: a user, the runs, a notice |
//! | `section`, `table`, `figure`, `chart` | what pages and sections are made of |
//! | `words` | numbers, times and remote text as people read them |
//!
//! The templates lie in `templates/`, and are compiled. They escape whatever is put into them;
//! what they take as it is (`|safe`) is another template's output, or a chart's, which `svg`
//! has escaped.

mod chart;
mod dates;
mod figure;
mod history;
mod overview;
mod people;
mod section;
mod shell;
mod site;
mod table;
mod words;

use std::io::{self, Write};

use askama::Template;

use self::overview::Overview;
use self::section::Section;
pub(crate) use self::shell::policy;
use self::shell::{Link, Shell};
pub(crate) use self::site::{Notice, Person, Runs, notice, runs_page, user_page};
use super::ActivityReport;
use crate::record::Id;

/// How many users are listed at most.
const LISTED: usize = 500;

/// Where a page is read, which decides what it may link to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// A file, which stands alone.
    File,
    /// A server, which has a page for every user at `/users/ID`.
    Server,
}

impl Home {
    /// Where there is more about a user.
    fn user(self, id: Option<&Id>) -> Option<String> {
        if self == Self::File {
            return None;
        }
        let id = match id? {
            Id::Number(number) => number.to_string(),
            // Nothing and dots mean something in a path, encoded or not; quotes mean a text.
            Id::Text(text) if matches!(&**text, "" | "." | "..") || text.starts_with('"') => {
                format!("\"{text}\"")
            }
            Id::Text(text) => text.to_string(),
        };
        let id = percent_encoding::utf8_percent_encode(&id, ENCODED).to_string();
        (id.len() <= LONGEST_LINK).then(|| format!("/users/{id}"))
    }
}

/// Bytes of an id in a link; servers and proxies refuse long ones.
const LONGEST_LINK: usize = 4_000;

/// All that is not plainly part of one segment of a path.
const ENCODED: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_');

#[derive(Debug, Template)]
#[template(path = "report.html", whitespace = "minimize")]
struct Body<'a> {
    overview: Overview,
    sections: &'a [Section],
}

/// Writes a report as one HTML file, which opens without a network.
///
/// # Errors
/// When it cannot be written.
pub fn write_html(report: &ActivityReport, out: &mut impl Write) -> io::Result<()> {
    out.write_all(page(report, Home::File).as_bytes())
}

/// A report as an HTML page.
///
/// What the report does not have (no comments, no dates, no history) has no section.
#[must_use]
pub fn page(report: &ActivityReport, home: Home) -> String {
    let sections: Vec<_> = [
        report.dates.as_ref().map(dates::section),
        Some(people::users(report, home)),
        people::unanswered(report, home),
        people::domains(report),
        report.history.as_deref().and_then(history::section),
        Some(overview::origins(report)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut links = site::links(home, Some("/"));
    links.extend(links_to(&sections));
    let body = Body {
        overview: Overview::new(report),
        sections: &sections,
    };
    let title = format!("Activity: {}", words::Shown::new(&report.source).text);
    Shell::new(&title, links, &body).to_string()
}

fn links_to(sections: &[Section]) -> impl Iterator<Item = Link> {
    sections.iter().map(|section| Link {
        href: format!("#{}", section.id),
        name: section.title,
        current: false,
    })
}

#[cfg(test)]
mod tests;
