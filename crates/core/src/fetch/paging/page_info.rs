//! Pagination metadata of a response.

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

/// What is known about a complete response.
#[derive(Clone, Copy, Debug)]
pub(in crate::fetch) struct Facts<'a> {
    pub(in crate::fetch) number: u64,
    /// The URL it was requested from.
    pub(in crate::fetch) url: &'a Url,
    pub(in crate::fetch) headers: &'a HeaderMap,
    pub(in crate::fetch) records: u64,
    /// Distinguishes its records from those of other pages.
    pub(in crate::fetch) digest: Option<Digest>,
    /// The body without its records.
    pub(in crate::fetch) body: &'a Value,
    /// The last record, if the next page is requested by it.
    pub(in crate::fetch) last: Option<&'a Value>,
    /// Its first and last records, if they are compared with other pages.
    pub(in crate::fetch) edges: Edges,
}

/// What a response says about the other pages and about itself: everything besides the records that
/// the rest of the run, or a later run that resumes it, needs.
///
/// Links are stored without credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageInfo {
    /// Total number of records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) total: Option<u64>,
    /// Total number of pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pages: Option<u64>,
    /// The cursor of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cursor: Option<String>,
    /// The URL of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<Url>,
    /// The URL of the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Url>,
    /// Whether a flag marks it as the last page.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) ends: bool,
    /// Validators for a conditional request in a later run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::fetch) validators: Option<Validators>,
    /// Number of pages known so far, including this one.
    #[serde(default)]
    pub(in crate::fetch) planned: u64,
}

impl PageInfo {
    /// The metadata of an unchanged page that is kept from the last snapshot.
    #[must_use]
    pub fn unchanged(validators: Option<Validators>) -> Self {
        Self {
            validators,
            planned: 1,
            ..Self::default()
        }
    }

    /// Number of pages known so far, including this one.
    #[must_use]
    pub fn planned(&self) -> u64 {
        self.planned
    }

    /// Whether it reports the total number of records.
    pub(in crate::fetch) fn has_total(&self) -> bool {
        self.total.is_some()
    }

    /// Validators for a conditional request in a later run, if the server sent any.
    #[must_use]
    pub fn validators(&self) -> Option<&Validators> {
        self.validators.as_ref()
    }
}

/// Validators for a conditional request in the next run. They are stored, so one that contains a
/// credential is dropped.
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
            // `items 0-9/25`: the total is after the slash.
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

/// A cursor or URL in the body; `None` at the end. A cursor `0` also counts as `None`: it would
/// lead back to the first page.
pub(super) fn text_at(at: &JsonPath, body: &Value) -> Option<String> {
    let text = text_of(at.find(body)?)?;
    (!matches!(text.as_str(), "" | "0")).then_some(text)
}

/// The value is not a list of links with relations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoLinks;

/// The target of the first link with this relation, in a list of links in the body: Spring's
/// `{"rel", "href"}`, FHIR's `{"relation", "url"}`, Siren's with several relations in a list.
/// `None` if no link has it.
///
/// # Errors
/// If the value is something else: it may mean that there are more pages.
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
