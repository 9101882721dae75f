//! Likely mistakes in a source, judging by its first pages.

use std::collections::HashSet;
use std::fmt;

use serde_json::Value;

use crate::fetch::PageEstimate;
use crate::record::{Field, Mapping};
use crate::source::{Endpoint, Pagination};
use activity_tracker_json::JsonPath;
use activity_tracker_text::{count, excerpt, nearest};

use super::seen::RecordSample;
use super::{Place, merged};

/// How many characters of a name from the API are shown.
const SHOWN: usize = 60;

/// A likely mistake that does not fail a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The second page has records of the first one.
    Overlap {
        /// How many of its ids are on the first page, too.
        twice: u64,
        /// How many records it has.
        of: u64,
    },
    /// Several records have the same id.
    SameId {
        /// The path of the id.
        path: String,
        /// How many records have the id of an earlier one.
        twice: u64,
        /// How many records there are.
        of: u64,
    },
    /// The first page does not have the requested size.
    Size {
        /// The parameter.
        parameter: String,
        /// The requested size.
        asked: u64,
        /// How many records were received.
        came: u64,
    },
    /// The total differs on the second page.
    TotalChanged {
        /// On the first page.
        first: u64,
        /// On the second page.
        last: u64,
    },
    /// The number of pages does not match the total and the page size.
    PagesDisagree {
        /// The number of pages that the server reports.
        pages: u64,
        /// The number of records that it reports.
        total: u64,
        /// The page size.
        size: u64,
    },
    /// The total equals the number of records on a full page.
    TotalOfPage {
        /// The number.
        total: u64,
    },
    /// None of the records has a field.
    Absent {
        /// Its path in the source.
        path: String,
        /// The path that may be meant.
        meant: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overlap { twice, of } => write!(
                f,
                "{twice} of the {} on page 2 were on page 1 already: the records moved meanwhile, or have no fixed order (a parameter for sorting in `query` may help)",
                count(*of, "record")
            ),
            Self::SameId { path, twice, of } => write!(
                f,
                "{twice} of {} have an `{path}` that one before them has: it may not be their id",
                count(*of, "record")
            ),
            Self::Size {
                parameter,
                asked,
                came,
            } if came < asked => write!(
                f,
                "`{parameter}` requests {asked} records per page, but the page has {came}: the server has a lower limit, or another parameter"
            ),
            Self::Size {
                parameter,
                asked,
                came,
            } => write!(
                f,
                "`{parameter}` requests {asked} records per page, but the page has {came}: the server ignores it"
            ),
            Self::TotalChanged { first, last } => write!(
                f,
                "the total was {first} on page 1 and {last} on page 2: records come or go right now, or it is not a total"
            ),
            Self::PagesDisagree { pages, total, size } => write!(
                f,
                "the server reports {total} records in {pages}, which does not fit {size} per page",
                pages = count(*pages, "page")
            ),
            Self::TotalOfPage { total } => write!(
                f,
                "the total of {total} is the size of a page: it may count this page only, and then further ones are not fetched"
            ),
            Self::Absent { path, meant } => write!(
                f,
                "no record has `{path}`: did you mean `{}`?",
                excerpt(meant, SHOWN)
            ),
        }
    }
}

/// Finds likely mistakes for a resource, from these pages.
pub(super) fn find(
    endpoint: &Endpoint,
    place: &Place,
    seen: &[&RecordSample],
    mapping: &Mapping,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if let Place::Pages { estimate, .. } = place {
        warnings.extend(of_size(endpoint, seen, estimate));
        warnings.extend(of_totals(endpoint, seen, estimate));
    }
    let same_id = same_id(seen, mapping);
    // A value that is not an id also occurs on both pages.
    if matches!(place, Place::Pages { .. }) && same_id.is_none() {
        warnings.extend(overlap(seen));
    }
    warnings.extend(same_id);
    warnings.extend(of_fields(seen, mapping));
    warnings
}

/// The parameter for the page size, and the requested size.
fn size_asked(endpoint: &Endpoint) -> Option<(&String, u64)> {
    match &endpoint.pagination {
        Pagination::Page { size, .. } => size.as_ref().map(|(name, size)| (name, *size)),
        Pagination::Offset {
            limit: (name, size),
            ..
        } => Some((name, *size)),
        _ => None,
    }
}

fn of_size(
    endpoint: &Endpoint,
    seen: &[&RecordSample],
    estimate: &PageEstimate,
) -> Option<Warning> {
    let (parameter, asked) = size_asked(endpoint)?;
    let came = seen.first()?.records;
    let further = estimate.more || seen.get(1).is_some_and(|page| page.records > 0);
    (came > asked || came < asked && came > 0 && further).then(|| Warning::Size {
        parameter: parameter.clone(),
        asked,
        came,
    })
}

fn of_totals(endpoint: &Endpoint, seen: &[&RecordSample], estimate: &PageEstimate) -> Vec<Warning> {
    let size = seen.first().map_or(0, |page| page.records);
    let (Some(total), true) = (estimate.total, size > 0) else {
        return Vec::new();
    };
    let mut warnings = Vec::new();
    if let Some(first) = estimate.first_total.filter(|first| *first != total) {
        warnings.push(Warning::TotalChanged { first, last: total });
    }
    let pages = estimate.pages.filter(|_| estimate.more);
    if let Some(pages) = pages.filter(|pages| *pages != total.div_ceil(size)) {
        warnings.push(Warning::PagesDisagree { pages, total, size });
    }
    let full = size_asked(endpoint).is_some_and(|(_, asked)| asked == size);
    if full && !estimate.more && total == size {
        warnings.push(Warning::TotalOfPage { total });
    }
    warnings
}

fn overlap(seen: &[&RecordSample]) -> Option<Warning> {
    let [first, second] = seen else { return None };
    let twice = second.ids.intersection(&first.ids).count() as u64;
    let of = second.records;
    (twice > 0).then_some(Warning::Overlap { twice, of })
}

/// Records with the id of another one on the same page.
fn same_id(seen: &[&RecordSample], mapping: &Mapping) -> Option<Warning> {
    let of_page = |seen: &&RecordSample| {
        let mapped = seen.records.saturating_sub(seen.rejects);
        mapped.saturating_sub(seen.ids.len() as u64)
    };
    // If a page has more ids than are distinguished, the number of duplicates is unknown.
    let few = |seen: &&&RecordSample| seen.ids.len() < super::seen::MOST_TOLD_APART;
    let twice = seen.iter().filter(few).map(of_page).sum();
    let path = mapping.path(Field::Id)?.to_string();
    let of = seen.iter().map(|seen| seen.records).sum();
    (twice > 0).then_some(Warning::SameId { path, twice, of })
}

/// Fields that no record has, if another one may be meant.
pub(super) fn of_fields(seen: &[&RecordSample], mapping: &Mapping) -> Vec<Warning> {
    let all = merged(seen);
    let Some(example) = all.example.as_ref().filter(|_| all.objects > 0) else {
        return Vec::new();
    };
    let mapped: HashSet<String> = Field::ALL
        .into_iter()
        .filter_map(|field| mapping.path(field).map(JsonPath::to_string))
        .collect();
    let fields = Field::ALL.into_iter().zip(&all.lacking);
    let absent = fields.filter(|(_, lacking)| lacking.absent == all.objects);
    let warnings = absent.filter_map(|(field, _)| {
        let path = mapping.path(field)?;
        let meant = meant(path, example).filter(|meant| !mapped.contains(meant))?;
        let path = path.to_string();
        Some(Warning::Absent { path, meant })
    });
    warnings.collect()
}

/// What may be meant by a path that no record has: a path with a similar name, or with the same
/// name one level below.
fn meant(path: &JsonPath, example: &Value) -> Option<String> {
    let (beside, text) = (path.beside(example), path.to_string());
    if let Some(near) = nearest(&text, beside.iter().map(String::as_str)) {
        return Some(near.to_owned());
    }
    let key = path.keys().last()?;
    let objects = example.as_object()?.iter();
    let mut below = objects.filter(|(_, value)| value.get(key).is_some_and(|it| !it.is_null()));
    below.next().map(|(outer, _)| format!("{outer}.{key}"))
}

#[cfg(test)]
mod tests;
