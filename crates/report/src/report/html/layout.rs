//! The frame of every page.

use std::fmt::Display;
use std::sync::LazyLock;

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

const STYLE: &str = include_str!("../../../templates/style.css");
const SCRIPT: &str = include_str!("../../../templates/sort.js");

/// The Content-Security-Policy: only this style sheet and this script. Even unescaped remote text
/// could neither run nor load anything.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let [script, style] =
        [SCRIPT, STYLE].map(|text| STANDARD.encode(digest(&SHA256, text.as_bytes())));
    format!(
        "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; \
         base-uri 'none'; form-action 'none'"
    )
});

/// The Content-Security-Policy of all pages, for a server's headers.
#[must_use]
pub(crate) fn policy() -> &'static str {
    &POLICY
}

/// A navigation link to a section or another page.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) href: String,
    pub(super) name: &'static str,
    /// Whether it is the current page.
    pub(super) current: bool,
}

/// A page; its content is HTML.
#[derive(Template)]
#[template(path = "layout.html", whitespace = "minimize")]
pub(super) struct Layout<'a> {
    policy: &'static str,
    style: &'static str,
    script: &'static str,
    version: &'static str,
    title: &'a str,
    links: Vec<Link>,
    content: &'a dyn Display,
    /// Whether the browser reloads the page every few seconds.
    pub(super) auto_refresh: bool,
}

impl<'a> Layout<'a> {
    pub(super) fn new(title: &'a str, links: Vec<Link>, content: &'a dyn Display) -> Self {
        Self {
            policy: &POLICY,
            style: STYLE,
            script: SCRIPT,
            version: env!("CARGO_PKG_VERSION"),
            title,
            links,
            content,
            auto_refresh: false,
        }
    }
}
