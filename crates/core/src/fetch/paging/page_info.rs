//! What a response says about the pages of its resource, apart from its records.

use http::HeaderMap;
use http::header::{CONTENT_RANGE, ETAG, LAST_MODIFIED};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::fetch::secrets::Secrets;
use crate::fetch::{Digest, Validators};
use crate::source::Locator;
use activity_tracker_json::JsonPath;

use super::edges::Edges;
use super::text::text_of;

/// What is known of a response that arrived whole.
#[derive(Clone, Copy, Debug)]
pub(in crate::fetch) struct Facts<'a> {
    pub(in crate::fetch) number: u64,
    /// Where it was asked for.
    pub(in crate::fetch) url: &'a Url,
    pub(in crate::fetch) headers: &'a HeaderMap,
    pub(in crate::fetch) records: u64,
    /// Tells its records from those of other pages.
    pub(in crate::fetch) digest: Option<Digest>,
    /// The body without its records.
    pub(in crate::fetch) body: &'a Value,
    /// The last record, where the next page is asked for by it.
    pub(in crate::fetch) last: Option<&'a Value>,
    /// What it begins and ends with, where that is looked at.
    pub(in crate::fetch) edges: Edges,
}

/// What a response says about the other pages and about itself: all that the rest
/// of the run, or a later one that goes on with it, needs besides the records.
///
/// Links stand here without credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageInfo {
    /// How many records there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) total: Option<u64>,
    /// How many pages there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pages: Option<u64>,
    /// What to ask for the next page with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cursor: Option<String>,
    /// Where the next page is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<Url>,
    /// Where the last page is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Url>,
    /// Whether its flag says that it is the last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) ends: bool,
    /// What to ask with later whether it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::fetch) validators: Option<Validators>,
    /// How many pages were known of, with this response.
    #[serde(default)]
    pub(in crate::fetch) planned: u64,
}

impl PageInfo {
    /// What a page said that was kept from the last snapshot.
    #[must_use]
    pub fn unchanged(validators: Option<Validators>) -> Self {
        Self {
            validators,
            planned: 1,
            ..Self::default()
        }
    }

    /// How many pages were known of, with this response.
    #[must_use]
    pub fn planned(&self) -> u64 {
        self.planned
    }

    /// Whether it told how many records there are.
    pub(in crate::fetch) fn has_total(&self) -> bool {
        self.total.is_some()
    }

    /// What to ask with later whether the response changed, if its server gave anything.
    #[must_use]
    pub fn validators(&self) -> Option<&Validators> {
        self.validators.as_ref()
    }
}

/// What the next run can ask with whether this response changed. It is stored, so it must not give
/// a credential away that a server put into it.
pub(super) fn validators(facts: &Facts<'_>, secrets: &Secrets) -> Option<Validators> {
    let text = |name| {
        let text = facts.headers.get(name)?.to_str().ok()?;
        (!secrets.are_in(text)).then(|| text.to_owned())
    };
    let (etag, last_modified) = (text(ETAG), text(LAST_MODIFIED));
    (etag.is_some() || last_modified.is_some()).then(|| Validators {
        url: facts.url.clone(),
        etag,
        last_modified,
    })
}

pub(super) fn number_at(at: &Locator, facts: &Facts<'_>) -> Option<u64> {
    match at {
        Locator::Header(name) => {
            let text = facts.headers.get(name)?.to_str().ok()?;
            // `items 0-9/25`: behind the slash is how many there are.
            let number = if *name == CONTENT_RANGE {
                text.rsplit('/').next()?
            } else {
                text
            };
            number.trim().parse().ok()
        }
        Locator::Body(path) => match path.find(facts.body)? {
            Value::String(text) => text.trim().parse().ok(),
            number => number.as_u64(),
        },
    }
}

/// A cursor or URL in the body; nothing where there is none any more. A cursor 0 is none: it would
/// lead to the first page.
pub(super) fn text_at(at: &JsonPath, body: &Value) -> Option<String> {
    let text = text_of(at.find(body)?)?;
    (!matches!(text.as_str(), "" | "0")).then_some(text)
}

/// What is there is no list of links, each with its relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoLinks;

/// The target of the first link with this relation, in a list of links in the body: Spring's
/// `{"rel", "href"}`, FHIR's `{"relation", "url"}`, Siren's with several relations in a list.
/// Nothing where none has it.
///
/// # Errors
/// Where something else is there, for it may say that there is more.
pub(super) fn link_of(
    at: &JsonPath,
    relation: &str,
    body: &Value,
) -> Result<Option<String>, NoLinks> {
    let links = match at.find(body) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(links)) => links,
        Some(_) => return Err(NoLinks),
    };
    let is_it = |text: &Value| {
        let words = text.as_str().into_iter().flat_map(str::split_whitespace);
        words
            .into_iter()
            .any(|word| word.eq_ignore_ascii_case(relation))
    };
    for link in links {
        let named = link.get("rel").or_else(|| link.get("relation"));
        let found = match named.ok_or(NoLinks)? {
            Value::Array(several) => several.iter().any(is_it),
            one => is_it(one),
        };
        if found {
            let target = ["href", "url", "uri"].iter().find_map(|key| link.get(*key));
            return match target.ok_or(NoLinks)? {
                Value::Null => Ok(None),
                target => Ok(text_of(target).filter(|text| !text.is_empty())),
            };
        }
    }
    Ok(None)
}
