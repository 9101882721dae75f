//! A look at a source: the first page of each resource, and how its first
//! records map. Nothing is written anywhere.

mod first_records;

use std::collections::BTreeMap;

use url::Url;

use crate::activity::{
    Comment, Field, FromFields, JsonPath, Mapping, Mappings, Object, Post, Record, Reject,
    Resource, Unlinked, User, map,
};
use crate::api::{self, Fetch, Outlook, Policy, SharedFetch, Transport};
use crate::concurrency::Stop;
use crate::error::{DataProcessingError, Error};
use crate::source::{Endpoint, Pagination, Source};
use crate::text::excerpt;

use super::work::mappings;
use first_records::{Beginning, FirstRecords, Kept};

/// How many characters of a record are shown.
const LONGEST: usize = 120;

/// What a source offers, as far as its first pages show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was found out about each resource.
    pub findings: BTreeMap<Resource, Finding>,
    /// Why a report could not tell which posts have an answer, as far as that is seen.
    pub unlinked: Option<Unlinked>,
}

impl Check {
    /// Whether all records that were looked at map.
    ///
    /// # Errors
    /// Gives the first one that does not.
    pub fn verdict(&self) -> Result<(), DataProcessingError> {
        for (resource, finding) in &self.findings {
            if let Some(reject) = finding.rejects().next() {
                return Err(DataProcessingError::Rejected {
                    resource: *resource,
                    reject: Box::new(reject.clone()),
                });
            }
        }
        Ok(())
    }
}

/// What was found out about a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Its first page came.
    FirstPage(FirstPage),
    /// It would be asked for once for each record of another resource.
    Children {
        /// Which one.
        parent: Resource,
        /// Where, with a placeholder for the parent's id.
        url: String,
    },
    /// It is taken out of the records of other resources.
    Within {
        /// Where in those records.
        places: BTreeMap<Resource, JsonPath>,
        /// The first ones, out of the records that were looked at.
        first: Vec<Look>,
    },
}

impl Finding {
    /// The records that were looked at.
    #[must_use]
    pub fn first(&self) -> &[Look] {
        match self {
            Self::FirstPage(page) => &page.first,
            Self::Within { first, .. } => first,
            Self::Children { .. } => &[],
        }
    }

    /// Those of them that did not map.
    pub fn rejects(&self) -> impl Iterator<Item = &Reject> {
        self.first().iter().filter_map(|look| match look {
            Look::Rejected(reject) => Some(reject),
            Look::Mapped(_) | Look::TooLong { .. } => None,
        })
    }
}

/// The first page of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstPage {
    /// Where it was asked for.
    pub url: Url,
    /// How many records it holds.
    pub records: u64,
    /// Whether the source says that there are further ones, and how to come to them.
    pub paged: bool,
    /// Whether a `Link` header is to name the next one.
    pub by_link: bool,
    /// Whether the source says where the number of all records is told.
    pub tells_total: bool,
    /// What it says about further ones.
    pub outlook: Outlook,
    /// Its first records.
    pub first: Vec<Look>,
}

/// What came of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// It maps; this is how it reads, printable and not too long.
    Mapped(String),
    /// It does not map.
    Rejected(Reject),
    /// It is too long to be kept for a look.
    TooLong {
        /// Which record, counted from 0.
        index: u64,
        /// Its length in bytes.
        bytes: u64,
    },
}

/// Fetches the first page of each resource and maps its first records.
///
/// An answer is held in memory no further than those records, however long it is.
///
/// # Errors
/// When a page cannot be fetched or is no array of records, and when `stop` is requested.
pub fn check(
    source: &Source,
    policy: Policy,
    transport: &Transport,
    stop: &Stop,
) -> Result<Check, Error> {
    let offered: Vec<_> = source.endpoints.keys().copied().collect();
    let mut fetch = Fetch::new(policy, source, &offered, fastrand::u64(..));
    fetch.only_first_pages();
    let shared = SharedFetch::new(fetch);
    let pages = FirstRecords::default();
    api::blocking::fetch(&shared, transport, &pages, stop, &())?;

    let (mut pages, outlooks) = (pages.take(), shared.outlook());
    let mut gaze = Gaze::new(mappings(source));
    let mut findings = BTreeMap::new();
    for (resource, endpoint) in &source.endpoints {
        if let Some(parent) = endpoint.parent {
            let url = template(source, endpoint);
            findings.insert(*resource, Finding::Children { parent, url });
        } else if let Some(page) = pages.remove(resource) {
            let page = FirstPage {
                first: gaze.records(*resource, &page),
                url: page.url,
                records: page.records,
                paged: endpoint.pagination != Pagination::None,
                by_link: endpoint.pagination == Pagination::Link,
                tells_total: endpoint.total.is_some(),
                outlook: outlooks.get(resource).copied().unwrap_or_default(),
            };
            findings.insert(*resource, Finding::FirstPage(page));
        }
    }
    if let Some(authors) = &source.authors
        && !findings.contains_key(&Resource::Users)
    {
        gaze.mappings = mappings(&source.clone().with_users_closed());
        let within = Finding::Within {
            places: authors.within.clone(),
            first: gaze.authors(),
        };
        findings.insert(Resource::Users, within);
    }
    let unlinked = gaze.unlinked(source);
    Ok(Check { findings, unlinked })
}

/// Where a resource is that has the ids of another in its path. No URL: braces would be encoded.
fn template(source: &Source, endpoint: &Endpoint) -> String {
    let base = source.base_url.as_str().trim_end_matches('/');
    format!("{base}/{}", endpoint.path.trim_start_matches('/'))
}

/// Looks at records, and remembers their authors.
struct Gaze {
    mappings: Mappings,
    /// Each once, as the API sent it.
    authors: Vec<String>,
    /// How many comments were looked at, and how many of them name their post.
    comments: (u64, u64),
}

impl Gaze {
    fn new(mappings: Mappings) -> Self {
        Self {
            mappings,
            authors: Vec::new(),
            comments: (0, 0),
        }
    }

    /// Why it would not be known which posts comments are on.
    fn unlinked(&self, source: &Source) -> Option<Unlinked> {
        let comments = source.endpoints.get(&Resource::Comments)?;
        source.endpoints.get(&Resource::Posts)?;
        let (seen, linked) = self.comments;
        if comments.fields.has(Field::PostId) {
            (seen > 0 && linked == 0).then_some(Unlinked::NoValue)
        } else {
            Some(Unlinked::NoField)
        }
    }

    fn records(&mut self, resource: Resource, page: &Beginning) -> Vec<Look> {
        let look = |(index, kept): (u64, &Kept)| match kept.whole() {
            Ok(record) => self.record(resource, index, record),
            Err(bytes) => Look::TooLong { index, bytes },
        };
        (0..).zip(&page.first).map(look).collect()
    }

    fn record(&mut self, resource: Resource, index: u64, record: &[u8]) -> Look {
        let mapping = self.mappings.of(resource);
        let read = match resource {
            Resource::Users => read::<User<'_>>(record, mapping, |_| None),
            Resource::Posts => read::<Post<'_>>(record, mapping, |post| post.author),
            Resource::Comments => {
                let comments = &mut self.comments;
                read::<Comment<'_>>(record, mapping, |comment| {
                    comments.0 += 1;
                    comments.1 += u64::from(comment.post_id.is_some());
                    comment.author
                })
            }
        };
        match read {
            Ok((text, author)) => {
                let known = |author: &&str| self.authors.iter().any(|known| known == author);
                if let Some(author) = author.filter(|author| !known(author)) {
                    self.authors.push(author.to_owned());
                }
                Look::Mapped(text)
            }
            Err(reject) => Look::Rejected(Reject { index, ..reject }),
        }
    }

    /// The authors of the records that were looked at.
    fn authors(&mut self) -> Vec<Look> {
        let authors = std::mem::take(&mut self.authors);
        let look = |(index, author): (u64, &String)| {
            self.record(Resource::Users, index, author.as_bytes())
        };
        (0..).zip(&authors).map(look).collect()
    }
}

/// How the one record of a slice reads, and its author where it has one inside.
fn read<'a, T: FromFields<'a> + Record>(
    slice: &'a [u8],
    mapping: &Mapping,
    mut author: impl FnMut(&T) -> Option<Object<'a>>,
) -> Result<(String, Option<&'a str>), Reject> {
    let mut read = (String::new(), None);
    for record in map::<T>(slice, mapping) {
        let record = record?;
        let text = excerpt(&record.to_string(), LONGEST);
        read = (text, author(&record).map(Object::raw));
    }
    Ok(read)
}
