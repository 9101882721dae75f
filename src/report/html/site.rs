//! The pages that only a server has: a user, the runs, and a notice where there is nothing else.

mod runs;
mod user;

use askama::Template;

pub(crate) use self::runs::runs_page;
pub(crate) use self::user::{Person, user_page};
use super::figure::Tiles;
use super::shell::{Link, Shell};
use super::words::Shown;
use super::{Home, Section, links_to};

/// What is below the navigation of such a page.
#[derive(Debug, Template)]
#[template(path = "site.html", whitespace = "minimize")]
struct Content {
    eyebrow: &'static str,
    title: Shown,
    lead: String,
    /// In small print: what, and what of it.
    facts: Vec<(&'static str, Shown)>,
    warning: Option<Shown>,
    tiles: Tiles,
    sections: Vec<Section>,
}

impl Content {
    /// A page with nothing on it yet.
    fn new(eyebrow: &'static str, title: Shown) -> Self {
        Self {
            eyebrow,
            title,
            lead: String::new(),
            facts: Vec::new(),
            warning: None,
            tiles: Tiles { tiles: Vec::new() },
            sections: Vec::new(),
        }
    }

    fn page(&self) -> String {
        let mut links = links(Home::Server);
        links.extend(links_to(&self.sections));
        let title = format!("{}: {}", self.eyebrow, self.title.text);
        Shell::new(&title, links, self).to_string()
    }
}

/// The ways to the pages that a server has besides those of users.
pub(super) fn links(home: Home) -> Vec<Link> {
    let all = [("/", "Report"), ("/runs", "Runs")];
    let link = |(href, name): (&str, &'static str)| Link {
        href: href.to_owned(),
        name,
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
    /// Whether the page is to be asked for again, because that may pass.
    pub(crate) looks_again: bool,
}

/// A page that says why there is no other.
pub(crate) fn notice(notice: &Notice<'_>) -> String {
    let mut content = Content::new("Activity Tracker", Shown::new(notice.title));
    content
        .facts
        .extend(notice.hint.map(|hint| ("Try", Shown::new(hint))));
    content.warning = Some(Shown::new(notice.says));
    if notice.looks_again {
        "This page looks again every few seconds.".clone_into(&mut content.lead);
    }
    let links = links(Home::Server);
    let mut shell = Shell::new(notice.title, links, &content);
    shell.looks_again = notice.looks_again;
    shell.to_string()
}

#[cfg(test)]
mod tests;
