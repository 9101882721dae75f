//! The pages that only a server has: a user, the runs, and a notice where there is nothing else.

mod runs;
mod user;

use askama::Template;

pub(crate) use self::runs::{Runs, runs_page};
pub(crate) use self::user::{Person, user_page};
use super::figure::Tiles;
use super::shell::{Link, Shell};
use super::words::Shown;
use super::{Home, Section, links_to};
use crate::text::excerpt;

/// How much of an error is shown.
const ERROR: usize = 1_000;

/// What is below the navigation of such a page.
#[derive(Debug, Template)]
#[template(path = "site.html", whitespace = "minimize")]
struct Content {
    eyebrow: &'static str,
    title: Shown,
    lead: Shown,
    /// In small print: what, and what of it.
    facts: Vec<(&'static str, Shown)>,
    warning: Option<Shown>,
    /// What to do about it; every other part is code.
    hint: Vec<String>,
    tiles: Tiles,
    sections: Vec<Section>,
}

impl Content {
    /// A page with nothing on it yet.
    fn new(eyebrow: &'static str, title: Shown) -> Self {
        Self {
            eyebrow,
            title,
            lead: Shown::default(),
            facts: Vec::new(),
            warning: None,
            hint: Vec::new(),
            tiles: Tiles { tiles: Vec::new() },
            sections: Vec::new(),
        }
    }

    /// All of it, at a path of the navigation or at another one.
    fn page(&self, path: Option<&str>) -> String {
        let mut links = links(Home::Server, path);
        // One section needs no way to it.
        if self.sections.len() > 1 {
            links.extend(links_to(&self.sections));
        }
        let title = format!("{}: {}", self.eyebrow, self.title.text);
        Shell::new(&title, links, self).to_string()
    }
}

/// The ways to the pages that a server has besides those of users.
pub(super) fn links(home: Home, current: Option<&str>) -> Vec<Link> {
    let all = [("/", "Report"), ("/runs", "Runs")];
    let link = |(href, name): (&str, &'static str)| Link {
        href: href.to_owned(),
        name,
        current: current == Some(href),
    };
    match home {
        Home::File => Vec::new(),
        Home::Server => all.map(link).into(),
    }
}

/// What stands in the place of a page.
#[derive(Debug)]
pub(crate) struct Notice<'a> {
    /// In a few words.
    pub(crate) title: &'a str,
    /// What is wrong.
    pub(crate) says: &'a str,
    /// What can be done about it.
    pub(crate) hint: Option<&'a str>,
    /// Whether something failed.
    pub(crate) is_failure: bool,
    /// Whether the page is to be asked for again, because that may pass.
    pub(crate) looks_again: bool,
}

/// A page that says why there is no other.
pub(crate) fn notice(notice: &Notice<'_>) -> String {
    let mut content = Content::new("Activity Tracker", Shown::new(notice.title));
    let says = Shown {
        text: excerpt(notice.says, ERROR),
        whole: None,
    };
    if notice.is_failure {
        content.warning = Some(says);
    } else {
        content.lead = says;
    }
    let hint = notice.hint.map(|hint| excerpt(hint, ERROR));
    let parts = |hint: String| hint.split('`').map(str::to_owned).collect();
    content.hint = hint.map(parts).unwrap_or_default();
    if notice.looks_again {
        let again = Shown::new("this page looks again every few seconds");
        content.facts.push(("Meanwhile", again));
    }
    let links = links(Home::Server, None);
    let mut shell = Shell::new(notice.title, links, &content);
    shell.looks_again = notice.looks_again;
    shell.to_string()
}

#[cfg(test)]
mod tests;
