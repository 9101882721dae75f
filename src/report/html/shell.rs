//! What every page has around its content.

use std::fmt::Display;
use std::sync::LazyLock;

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

const STYLE: &str = include_str!("../../../templates/style.css");
const SCRIPT: &str = include_str!("../../../templates/sort.js");

/// What a page may do: be styled by this style sheet and run this script, nothing else.
///
/// Should somebody's text ever slip through unescaped, it could neither run nor load anything.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let [script, style] =
        [SCRIPT, STYLE].map(|text| STANDARD.encode(digest(&SHA256, text.as_bytes())));
    format!(
        "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; \
         base-uri 'none'; form-action 'none'"
    )
});

/// The policy of all pages, for a server to send along.
#[must_use]
pub(crate) fn policy() -> &'static str {
    &POLICY
}

/// A way to another part of the page, or to another page.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) href: String,
    pub(super) name: &'static str,
    /// Whether it leads to where one is.
    pub(super) current: bool,
}

/// A page around its content, which is HTML.
#[derive(Template)]
#[template(path = "shell.html", whitespace = "minimize")]
pub(super) struct Shell<'a> {
    policy: &'static str,
    style: &'static str,
    script: &'static str,
    version: &'static str,
    title: &'a str,
    links: Vec<Link>,
    content: &'a dyn Display,
    /// Whether the browser is to ask for the page again after a while.
    pub(super) looks_again: bool,
}

impl<'a> Shell<'a> {
    pub(super) fn new(title: &'a str, links: Vec<Link>, content: &'a dyn Display) -> Self {
        Self {
            policy: &POLICY,
            style: STYLE,
            script: SCRIPT,
            version: env!("CARGO_PKG_VERSION"),
            title,
            links,
            content,
            looks_again: false,
        }
    }
}
