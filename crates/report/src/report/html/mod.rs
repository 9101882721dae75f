//! A report as a single, self-contained HTML page, responsive and printable.
//!
//! | module | content |
//! | --- | --- |
//! | `layout` | the frame of every page: `<head>`, Content-Security-Policy, navigation |
//! | `overview`, `users`, `activity`, `changes` | the sections of the report |
//! | `site` | the other pages of `serve`: a user, the runs, a notice |
//! | `section`, `table`, `figure`, `chart` | the building blocks |
//! | `format` | numbers, times and remote text |
//!
//! The templates in `templates/` are compiled in. They escape all values; `|safe` is used only
//! for the output of other templates and for charts, which `svg` has escaped.

mod activity;
mod changes;
mod chart;
mod figure;
mod format;
mod layout;
mod overview;
mod section;
mod site;
mod table;
mod users;

use std::io::{self, Write};

use askama::Template;

pub(crate) use self::layout::policy;
use self::layout::{Layout, Link};
use self::overview::Overview;
use self::section::HtmlSection;
pub(crate) use self::site::{Notice, Runs, UserPage, notice, runs_page, user_page};
use super::ActivityReport;
use activity_tracker_core::record::Id;

/// The maximum number of rows of a list.
const MAX_LISTED: usize = 500;

/// Where a page is opened, which determines its links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageContext {
    /// A single file without links to other pages.
    File,
    /// A server with a page for each user at `/users/ID`.
    Server,
}

impl PageContext {
    /// The URL of a user's page.
    fn user(self, id: Option<&Id>) -> Option<String> {
        if self == Self::File {
            return None;
        }
        let id = match id? {
            Id::Number(number) => number.to_string(),
            // Empty and dot segments have a meaning in a path, even encoded; quotes mean a text.
            Id::Text(text) if matches!(&**text, "" | "." | "..") || text.starts_with('"') => {
                format!("\"{text}\"")
            }
            Id::Text(text) => text.to_string(),
        };
        let id = percent_encoding::utf8_percent_encode(&id, ENCODED).to_string();
        (id.len() <= MAX_LINK).then(|| format!("/users/{id}"))
    }
}

/// The maximum length of an id in a link; servers and proxies reject long URLs.
const MAX_LINK: usize = 4_000;

/// Everything but unreserved characters of a path segment.
const ENCODED: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_');

#[derive(Debug, Template)]
#[template(path = "report.html", whitespace = "minimize")]
struct Body<'a> {
    overview: Overview,
    sections: &'a [HtmlSection],
}

/// Writes a report as a single HTML file that works offline.
///
/// # Errors
/// If `out` cannot be written to.
pub fn write_html(report: &ActivityReport, out: &mut impl Write) -> io::Result<()> {
    out.write_all(page(report, PageContext::File).as_bytes())
}

/// A report as an HTML page. Data that the report does not have gets no section.
#[must_use]
pub fn page(report: &ActivityReport, context: PageContext) -> String {
    let sections: Vec<_> = [
        activity::section(report),
        Some(users::users(report, context)),
        users::unanswered(report, context),
        users::domains(report),
        changes::section(report),
        Some(overview::data_sources(report)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut links = site::links(context, Some("/"));
    links.extend(links_to(&sections));
    let body = Body {
        overview: Overview::new(report),
        sections: &sections,
    };
    let title = format!("Activity: {}", format::Shown::new(&report.source).text);
    Layout::new(&title, links, &body).to_string()
}

fn links_to(sections: &[HtmlSection]) -> impl Iterator<Item = Link> {
    sections.iter().map(|section| Link {
        href: format!("#{}", section.id),
        name: section.title,
        current: false,
    })
}

#[cfg(test)]
mod tests;
