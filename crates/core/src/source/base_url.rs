//! Base URLs, and what they must not contain.

use url::Url;

/// Why a text is not a valid base URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadUrl {
    /// What is wrong with it.
    pub(super) reason: String,
    /// The text, without what may be a credential.
    pub(super) shown: String,
}

/// Parses a base URL.
pub(super) fn read(text: &str) -> Result<Url, BadUrl> {
    let bad = |reason: &str| BadUrl {
        reason: reason.to_owned(),
        shown: shown(text),
    };
    let url = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("credentials in a URL end up in logs and are not taken"));
    }
    match url.scheme() {
        "http" | "https" => {}
        other => return Err(bad(&format!("expected http or https, found {other}"))),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("a base URL has neither a query nor a fragment"));
    }
    Ok(url)
}

/// User names and passwords are before an `@`, keys in a query. This works on the text, because
/// even an invalid URL may contain them.
fn shown(text: &str) -> String {
    if text.contains('@') {
        return "http://…".to_owned();
    }
    match text.find(['?', '#']) {
        Some(at) if at + 1 < text.len() => format!("{}…", &text[..=at]),
        _ => text.to_owned(),
    }
}
