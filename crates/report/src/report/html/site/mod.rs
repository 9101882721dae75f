//! The pages that only `serve` has: a user, the runs, and notices.

mod runs;
mod user;

use askama::Template;

pub(crate) use self::runs::{Runs, runs_page};
pub(crate) use self::user::{UserPage, user_page};
use super::figure::Tiles;
use super::format::Shown;
use super::layout::{Layout, Link};
use super::{HtmlSection, PageContext, links_to};
use activity_tracker_text::excerpt;

/// The maximum length of an error, in characters.
const MAX_ERROR: usize = 1_000;

/// The content of a page.
#[derive(Debug, Template)]
#[template(path = "site.html", whitespace = "minimize")]
struct Content {
    eyebrow: &'static str,
    title: Shown,
    lead: Shown,
    /// Names and values in small print.
    facts: Vec<(&'static str, Shown)>,
    /// Further lines in small print.
    notes: Vec<&'static str>,
    warning: Option<Shown>,
    /// What to do about the warning; every other part is code.
    hint: Vec<String>,
    tiles: Tiles,
    sections: Vec<HtmlSection>,
}

impl Content {
    /// An empty page.
    fn new(eyebrow: &'static str, title: Shown) -> Self {
        Self {
            eyebrow,
            title,
            lead: Shown::default(),
            facts: Vec::new(),
            notes: Vec::new(),
            warning: None,
            hint: Vec::new(),
            tiles: Tiles { tiles: Vec::new() },
            sections: Vec::new(),
        }
    }

    /// The page as HTML; `path` marks the current navigation link.
    fn page(&self, path: Option<&str>) -> String {
        let mut links = links(PageContext::Server, path);
        // A single section needs no link.
        if self.sections.len() > 1 {
            links.extend(links_to(&self.sections));
        }
        let title = format!("{}: {}", self.eyebrow, self.title.text);
        Layout::new(&title, links, self).to_string()
    }
}

/// Navigation links to the pages of a server.
pub(super) fn links(context: PageContext, current: Option<&str>) -> Vec<Link> {
    let all = [("/", "Report"), ("/runs", "Runs")];
    let link = |(href, name): (&str, &'static str)| Link {
        href: href.to_owned(),
        name,
        current: current == Some(href),
    };
    match context {
        PageContext::File => Vec::new(),
        PageContext::Server => all.map(link).into(),
    }
}

/// A message in place of a page.
#[derive(Debug)]
pub(crate) struct Notice<'a> {
    pub(crate) title: &'a str,
    pub(crate) message: &'a str,
    /// What to do about it.
    pub(crate) hint: Option<&'a str>,
    pub(crate) is_failure: bool,
    /// Whether the browser reloads the page every few seconds.
    pub(crate) auto_refresh: bool,
}

/// A page with a message.
pub(crate) fn notice(notice: &Notice<'_>) -> String {
    let mut content = Content::new("Activity Tracker", Shown::new(notice.title));
    let message = Shown {
        text: excerpt(notice.message, MAX_ERROR),
        full: None,
    };
    if notice.is_failure {
        content.warning = Some(message);
    } else {
        content.lead = message;
    }
    let hint = notice.hint.map(|hint| excerpt(hint, MAX_ERROR));
    let parts = |hint: String| hint.split('`').map(str::to_owned).collect();
    content.hint = hint.map(parts).unwrap_or_default();
    if notice.auto_refresh {
        content.notes.push("Refreshes automatically.");
    }
    let links = links(PageContext::Server, None);
    let mut layout = Layout::new(notice.title, links, &content);
    layout.auto_refresh = notice.auto_refresh;
    layout.to_string()
}

#[cfg(test)]
mod tests;
