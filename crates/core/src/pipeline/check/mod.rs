//! Checks a source: fetches the first two pages of each resource, and the first page of children of
//! the first few parents, and maps all of their records. Nothing is stored.

mod first_records;
mod seen;
mod warnings;

use std::collections::BTreeMap;
use std::sync::Arc;

use url::Url;

use crate::activity::Unlinked;
use crate::error::{DataProcessingError, Error};
use crate::fetch::{
    self, Fetch, Missing, PageEstimate, Policy, Position, Remark, SharedFetch, Transport,
};
use crate::record::{Field, Mapping, Reject, Resource};
use crate::source::child::EXPECTED;
use crate::source::{Endpoint, Source};
use activity_tracker_concurrency::Stop;
use activity_tracker_json::JsonPath;
use activity_tracker_text::excerpt;

use super::slice_processor::mappings;
use first_records::{Beginning, FirstRecords, Pages};
use seen::{Lacking, RecordSample, SampleReader};

pub use warnings::Warning;

/// How many pages of a resource are fetched.
const PAGES: u64 = 2;

/// How much of an id a message shows, in characters.
const SHOWN: usize = 60;

/// What a source offers, as far as its first pages show.
#[derive(Debug)]
pub struct Check {
    /// The findings on each resource.
    pub findings: BTreeMap<Resource, Finding>,
    /// Why reports could not tell which posts have a reply, as far as is known.
    pub unlinked: Option<Unlinked>,
    /// The error that a run would fail with. What was fetched before it is reported all the same.
    pub failure: Option<Error>,
}

impl Check {
    /// Whether a run would succeed, as far as is known.
    ///
    /// # Errors
    /// The error that a run would fail with: a page that cannot be fetched or read, rejected
    /// records, or a part that the server refuses.
    pub fn verdict(self) -> Result<(), Error> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        for (resource, finding) in &self.findings {
            if let Some(rejected) = finding.looked.first_rejects.first() {
                let (resource, reject) = (*resource, Box::new(rejected.reject.clone()));
                return Err(DataProcessingError::Rejected { resource, reject }.into());
            }
        }
        for (resource, finding) in &self.findings {
            if let Some(missing) = finding.missing.as_ref().filter(|it| it.is_lacking()) {
                let (resource, first) = (*resource, missing.to_string());
                return Err(DataProcessingError::Missing { resource, first }.into());
            }
        }
        Ok(())
    }
}

/// The findings on a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where its records come from.
    pub place: Place,
    /// What they are like.
    pub looked: SampledRecords,
    /// What the server refused to give.
    pub missing: Option<Missing>,
    /// Oddities of the responses, which make it unknown whether all records would be received.
    pub remarks: Vec<Remark>,
    /// Likely mistakes.
    pub warnings: Vec<Warning>,
}

/// Where the records of a resource come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// They have their own pages.
    Pages {
        /// The URL of the first page.
        url: Url,
        /// The received pages.
        pages: Vec<PageSeen>,
        /// What these pages say about all pages.
        estimate: PageEstimate,
        /// Whether a requested page is missing, because of the error that the check failed with.
        unfinished: bool,
    },
    /// They are requested once for each record of another resource.
    Children {
        /// The other resource.
        parent: Resource,
        /// The URL, with a placeholder for the parent's id.
        url: String,
        /// The pages of the first parents.
        pages: Vec<PageSeen>,
        /// Whether pages may be missing, because of the error that the check failed with.
        unfinished: bool,
    },
    /// They are embedded in the records of other resources.
    Within {
        /// The paths in those records.
        places: BTreeMap<Resource, JsonPath>,
    },
}

/// A page that was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageSeen {
    /// Its URL.
    pub url: Url,
    /// How many records it has.
    pub records: u64,
    /// Whether there is a next page, which was not requested.
    pub more: bool,
}

/// What the fetched records are like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampledRecords {
    /// How many there were.
    pub records: u64,
    /// The first ones, printable and truncated.
    pub first: Vec<String>,
    /// How many were rejected.
    pub rejects: u64,
    /// The first rejects.
    pub first_rejects: Vec<RejectSeen>,
    /// The optional fields that some records lack.
    pub lacks: Vec<AbsentField>,
}

/// A rejected record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectSeen {
    /// Its page among those that were fetched, counted from 0.
    pub page: u64,
    /// What is wrong with it.
    pub reject: Reject,
}

/// How often an optional field is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbsentField {
    /// Its path.
    pub path: String,
    /// How many records lack it.
    pub absent: u64,
    /// In how many records it is `null`.
    pub null: u64,
    /// In how many records it is a time that means none: an empty text, or zeros.
    pub empty: u64,
    /// How many records were inspected.
    pub of: u64,
}

/// Fetches the first two pages of each resource, and the first page of children of the first three
/// parents. All records on them are mapped as in a run.
///
/// No more than one record of a response is in memory at once, however long the response is.
///
/// # Errors
/// When `stop` is requested, or nothing can be fetched at all. An error that a run would fail with
/// is a part of the [`Check`].
pub fn check(
    source: &Source,
    policy: Policy,
    transport: &Transport,
    stop: &Stop,
) -> Result<Check, Error> {
    let offered: Vec<_> = source.endpoints.keys().copied().collect();
    let mut fetch = Fetch::new(policy, source, &offered, fastrand::u64(..));
    fetch.only_first_pages(PAGES);
    let shared = SharedFetch::new(fetch);
    let unlisted = source.clone().with_users_closed();
    let reading = Arc::new(SampleReader {
        records: mappings(source),
        authors: mappings(&unlisted).of(Resource::Users).clone(),
    });
    let pages = FirstRecords::new(&reading, &shared);
    let fetched = fetch::blocking::fetch(&shared, transport, &pages, stop, &());
    let failure = match fetched.map_err(Error::from) {
        Ok(()) => None,
        Err(error @ (Error::Api(_) | Error::Data(_))) => Some(error),
        Err(other) => return Err(other),
    };
    let sight = Sight {
        source,
        reading,
        pages: pages.take(),
        estimates: shared.estimates(),
        missing: shared.missing(),
        remarks: shared.remarks(),
        failed: failure.is_some(),
    };
    Ok(Check {
        findings: sight.findings(),
        unlinked: sight.unlinked(),
        failure,
    })
}

/// Everything that was fetched.
struct Sight<'a> {
    source: &'a Source,
    reading: Arc<SampleReader>,
    pages: Pages,
    estimates: BTreeMap<Resource, BTreeMap<Position, PageEstimate>>,
    missing: BTreeMap<Resource, Missing>,
    remarks: BTreeMap<Resource, Vec<Remark>>,
    /// Whether something is missing, because of an error.
    failed: bool,
}

impl Sight<'_> {
    fn findings(&self) -> BTreeMap<Resource, Finding> {
        let endpoints = self.source.endpoints.iter();
        let mut findings: BTreeMap<_, _> = endpoints
            .map(|(resource, endpoint)| (*resource, self.finding(*resource, endpoint)))
            .collect();
        if let Some(authors) = &self.source.authors {
            let listed = findings.get(&Resource::Users);
            let is_listed = listed.is_some_and(|listed| listed.missing.is_none());
            let missing = listed.and_then(|listed| listed.missing.clone());
            if !is_listed {
                let mut within = self.within(authors.within.clone());
                within.missing = missing.map(|missing| Missing {
                    authors: within.looked.records > 0,
                    ..missing
                });
                findings.insert(Resource::Users, within);
            }
        }
        findings
    }

    /// The pages of a resource, in the order of the API.
    fn pages_of(&self, resource: Resource) -> impl Iterator<Item = (&Position, &Beginning)> {
        self.pages.get(&resource).into_iter().flatten()
    }

    fn estimate(&self, resource: Resource, of: &Position) -> PageEstimate {
        let of_resource = self.estimates.get(&resource);
        let estimate = of_resource.and_then(|estimates| estimates.get(of));
        estimate.copied().unwrap_or_default()
    }

    fn finding(&self, resource: Resource, endpoint: &Endpoint) -> Finding {
        let mapping = self.reading.records.of(resource);
        let seen: Vec<_> = self
            .pages_of(resource)
            .map(|(_, it)| &it.gaze.records)
            .collect();
        let mut looked = looked(&seen, mapping);
        let pages = self.pages_of(resource);
        let pages = pages.map(|(position, page)| PageSeen {
            url: page.url.clone(),
            records: page.gaze.records.records,
            more: self.estimate(resource, &position.whole()).more,
        });
        let pages: Vec<_> = pages.collect();
        let place = if let Some(parent) = endpoint.parent {
            self.reject_strays(parent, &mut looked);
            let url = template(self.source, endpoint);
            Place::Children {
                parent,
                url,
                pages,
                unfinished: self.failed,
            }
        } else {
            let estimate = self.estimate(resource, &Position::default());
            Place::Pages {
                url: self.source.url(&endpoint.path),
                unfinished: self.failed && estimate.asked > pages.len() as u64,
                pages,
                estimate,
            }
        };
        let warnings = warnings::find(endpoint, &place, &seen, mapping);
        Finding {
            place,
            looked,
            missing: self.missing.get(&resource).cloned(),
            remarks: self.remarks.get(&resource).cloned().unwrap_or_default(),
            warnings,
        }
    }

    /// Rejects children of parents whose ids cannot be part of a path, as a run does.
    fn reject_strays(&self, parent: Resource, looked: &mut SampledRecords) {
        for (page, (_, seen)) in (0..).zip(self.pages_of(parent)) {
            let (count, first) = &seen.gaze.records.strays;
            looked.rejects = looked.rejects.saturating_add(*count);
            let rejected = first.as_ref().map(|(index, id)| RejectSeen {
                page,
                reject: Reject {
                    index: *index,
                    path: "id".to_owned(),
                    expected: EXPECTED.to_owned(),
                    found: excerpt(&serde_json::to_string(id).unwrap_or_default(), SHOWN),
                },
            });
            looked.first_rejects.extend(rejected);
        }
        looked.first_rejects.truncate(seen::KEPT);
    }

    /// The users, if they are the authors of other records.
    fn within(&self, places: BTreeMap<Resource, JsonPath>) -> Finding {
        let pages = self.pages.values().flat_map(BTreeMap::values);
        let seen: Vec<_> = pages.map(|page| &page.gaze.authors).collect();
        let mapping = &self.reading.authors;
        Finding {
            place: Place::Within { places },
            looked: looked(&seen, mapping),
            missing: None,
            remarks: Vec::new(),
            warnings: warnings::of_fields(&seen, mapping),
        }
    }

    /// Why comments could not be matched to posts.
    fn unlinked(&self) -> Option<Unlinked> {
        let comments = self.source.endpoints.get(&Resource::Comments)?;
        self.source.endpoints.get(&Resource::Posts)?;
        if !comments.fields.has(Field::PostId) {
            return Some(Unlinked::NoField);
        }
        let seen = self
            .pages_of(Resource::Comments)
            .map(|(_, it)| &it.gaze.records);
        let (mapped, linked) = seen.fold((0, 0), |(mapped, linked), seen| {
            let of_page = seen.records.saturating_sub(seen.rejects);
            (mapped + of_page, linked + seen.linked)
        });
        (mapped > 0 && linked == 0 && !self.failed).then_some(Unlinked::NoValue)
    }
}

/// Summarizes the records of some pages.
fn looked(pages: &[&RecordSample], mapping: &Mapping) -> SampledRecords {
    let all = merged(pages);
    let rejects = (0..).zip(pages).flat_map(|(page, seen)| {
        let rejects = seen.first_rejects.iter().cloned();
        rejects.map(move |reject| RejectSeen { page, reject })
    });
    SampledRecords {
        records: all.records,
        rejects: all.rejects,
        first_rejects: rejects.take(seen::KEPT).collect(),
        lacks: lacks(&all, mapping),
        first: all.first,
    }
}

fn merged(pages: &[&RecordSample]) -> RecordSample {
    let mut all = RecordSample::default();
    for seen in pages {
        all.merge(seen);
    }
    all
}

/// The optional fields that some records lack.
fn lacks(seen: &RecordSample, mapping: &Mapping) -> Vec<AbsentField> {
    let fields = Field::ALL.into_iter().zip(&seen.lacking);
    let lacks = fields.filter_map(|(field, lacking)| {
        let path = mapping.path(field).filter(|_| mapping.is_optional(field))?;
        (*lacking != Lacking::default()).then(|| AbsentField {
            path: path.to_string(),
            absent: lacking.absent,
            null: lacking.null,
            empty: lacking.empty,
            of: seen.objects,
        })
    });
    lacks.collect()
}

/// The URL of a resource whose path has the ids of another one. As a text, because a URL would
/// encode the braces.
fn template(source: &Source, endpoint: &Endpoint) -> String {
    let base = source.base_url.as_str().trim_end_matches('/');
    format!("{base}/{}", endpoint.path.trim_start_matches('/'))
}
