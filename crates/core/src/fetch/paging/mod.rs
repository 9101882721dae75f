//! Pagination: finds the next page of a resource and detects when all pages have arrived.
//!
//! Each kind of pagination comes down to two questions: which pages can be requested now, and what
//! does a response say about later pages? Once the number of pages is known, all of them can be
//! requested at once.
//!
//! A short page is never treated as the last one: servers may clamp the requested page size without
//! saying so.

mod address;
mod edges;
mod error;
mod page_info;
mod rest;
mod seams;
mod text;

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;
use tracing::warn;
use url::{Origin, Url};

use crate::source::{Endpoint, Locator, NextAt, Pagination, Secret};
use activity_tracker_json::{JsonPath, MissingKey};

use super::reason::says_yes;
use super::secrets::Secrets;
use super::{Digest, link};

use address::{LinkRange, fingerprint, link_range, remove_value, set_parameter};
use page_info::{link_of, number_at, text_at};
use rest::Rest;
use seams::Seams;
use text::text_of;

pub use error::PagingError;
pub use page_info::PageInfo;
pub use rest::Repeated;

pub(super) use edges::{Edge, Edges};
pub(super) use page_info::Facts;

pub(super) use address::remove_parameter;

/// This many consecutive empty pages, each with a link to a next page, are an error. Servers that
/// filter records after reading them may send some; Matrix's sends ten.
const EMPTY_PAGES: u32 = 1000;

/// Restricts the targets of pagination links.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    /// The allowed origins.
    pub(super) origins: Vec<Origin>,
    /// The query parameter with the credential. Servers copy it into their links; it is removed
    /// because links are logged.
    pub(super) secret_parameter: Option<String>,
    /// The credential's value, removed whatever parameter name the server uses.
    pub(super) secret: Option<Secret>,
    /// Detects credentials anywhere else in a URL or cursor.
    pub(super) secrets: Secrets,
}

/// The pagination state of one resource: which pages can be requested, and what has arrived.
#[derive(Clone, Debug)]
pub(super) struct Paging {
    endpoint: Endpoint,
    first: Url,
    reach: Arc<Reach>,
    /// Number of pages requested; also the number of the next page.
    asked: u64,
    /// Number of pages that can be requested, as far as is known.
    upto: u64,
    under_way: u64,
    /// Number of pages, if the server reports it.
    declared: Option<u64>,
    /// URL of the next page, if only the previous page named it.
    next: Option<Url>,
    /// Numbered pages, from a `Link` header that names the last page.
    range: Option<LinkRange>,
    records: u64,
    page_size: Option<u64>,
    first_total: Option<u64>,
    total: Option<u64>,
    empty_in_a_row: u32,
    /// The cursor of the last requested page.
    cursor: Option<String>,
    asked_urls: HashSet<u128>,
    digests: HashSet<Digest>,
    /// Maximum number of pages to request, to fetch only the first ones.
    most: Option<u64>,
    seams: Seams,
    rest: Rest,
}

/// What the first pages say about the whole resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageEstimate {
    /// Number of records, if the server reports it.
    pub total: Option<u64>,
    /// Number of records that the first response reported. It differs from `total` if records were
    /// added or removed during the fetch.
    pub first_total: Option<u64>,
    /// Number of pages, if it is known in advance.
    pub pages: Option<u64>,
    /// Number of pages requested.
    pub asked: u64,
    /// Whether there are more pages than were requested.
    pub more: bool,
}

impl Paging {
    pub(super) fn new(endpoint: Endpoint, url: Url, reach: Arc<Reach>) -> Self {
        let mut first = url;
        for (name, value) in &endpoint.query {
            set_parameter(&mut first, name, value);
        }
        Self {
            seams: Seams::new(may_overlap(&endpoint)),
            endpoint,
            first,
            reach,
            asked: 0,
            upto: 1,
            under_way: 0,
            declared: None,
            next: None,
            range: None,
            records: 0,
            page_size: None,
            first_total: None,
            total: None,
            empty_in_a_row: 0,
            cursor: None,
            asked_urls: HashSet::new(),
            digests: HashSet::new(),
            most: None,
            rest: Rest::default(),
        }
    }

    /// Fetches all pages again while their records move, up to `left` times.
    pub(super) fn patient(mut self, left: u32, allow_moving: bool) -> Self {
        self.rest = Rest {
            left,
            allow_moving,
            ..Rest::default()
        };
        self
    }

    /// Resumes at this pass over the pages.
    pub(super) fn resume_look(&mut self, look: u32) {
        self.rest.look = look;
    }

    /// The number of the current pass over the pages, from 0.
    pub(super) fn look(&self) -> u32 {
        self.rest.look
    }

    /// Whether records moved in every pass and were accepted anyway.
    pub(super) fn is_moving(&self) -> bool {
        self.rest.moving
    }

    /// Whether a record that moves between pages may be missed: where pages are counted, and with
    /// `Link` headers, whose URLs may count pages. Cursors and next URLs in the body are trusted.
    pub(super) fn may_move(&self) -> bool {
        let pagination = &self.endpoint.pagination;
        pagination.is_counted() || *pagination == Pagination::Link
    }

    /// Limits the fetch to the first `most` pages.
    pub(super) fn only_first(&mut self, most: Option<u64>) {
        self.most = most;
    }

    /// What the first pages said about the whole resource, if only those were requested.
    pub(super) fn estimate(&self) -> Option<PageEstimate> {
        self.most?;
        let more = self.is_cut_off();
        let told = self.rest.most.1.or(self.declared);
        Some(PageEstimate {
            total: self.total,
            first_total: self.first_total,
            pages: if more {
                told.or_else(|| self.pages_by_total())
            } else {
                Some(self.asked)
            },
            asked: self.asked,
            more,
        })
    }

    /// Whether there are further pages beyond the requested limit.
    fn is_cut_off(&self) -> bool {
        self.most.is_some_and(|most| self.asked >= most) && self.upto > self.asked
    }

    /// Whether there may be more than one page.
    pub(super) fn is_paged(&self) -> bool {
        self.endpoint.pagination != Pagination::None
    }

    /// Whether a page can be requested now.
    pub(super) fn has_next(&self) -> bool {
        let known = if self.seams.are_open() {
            self.upto.min(2)
        } else {
            self.upto
        };
        self.asked < known.min(self.most.unwrap_or(u64::MAX))
    }

    /// Number of pages and records that the server reports; 0 where it is unknown.
    pub(super) fn declared(&self) -> (u64, u64) {
        if self.most.is_some() {
            // Only the first pages are fetched, whatever the totals.
            return (0, 0);
        }
        let (pages, records) = (self.declared, self.total);
        (pages.unwrap_or_default(), records.unwrap_or_default())
    }

    /// Whether all pages have arrived.
    pub(super) fn is_done(&self) -> bool {
        !self.has_next() && self.under_way == 0
    }

    /// Takes the next page to request: its number and its URL.
    pub(super) fn take_next(&mut self) -> Option<(u64, Url)> {
        if !self.has_next() {
            return None;
        }
        let number = self.asked;
        let url = self.next.take().unwrap_or_else(|| self.numbered(number));
        self.asked_urls.insert(fingerprint(&url));
        self.asked += 1;
        self.under_way += 1;
        Some((number, url))
    }

    /// The URL of a page that is addressed by its number.
    pub(super) fn numbered(&self, number: u64) -> Url {
        let mut url = self.first.clone();
        match &self.endpoint.pagination {
            Pagination::Page {
                parameter,
                first,
                size,
            } => {
                if let Some((name, size)) = size {
                    set_parameter(&mut url, name, &size.to_string());
                }
                set_parameter(
                    &mut url,
                    parameter,
                    &first.saturating_add(number).to_string(),
                );
            }
            Pagination::Offset {
                parameter,
                limit: (name, limit),
                ..
            } => {
                // A server that clamps the limit clamps it for every page.
                let size = self.page_size.unwrap_or(*limit).min(*limit);
                let step = size.saturating_sub(self.seams.overlap().into());
                set_parameter(&mut url, name, &limit.to_string());
                set_parameter(
                    &mut url,
                    parameter,
                    &step.saturating_mul(number).to_string(),
                );
            }
            Pagination::Link => {
                if let Some(range) = self.range.as_ref().filter(|_| number > 0) {
                    url = range.url(number);
                }
            }
            Pagination::None | Pagination::Cursor { .. } | Pagination::Next { .. } => {}
        }
        url
    }

    /// Whether this status means that the page is past the last one.
    ///
    /// Where pages are counted, several statuses mean that, unless the server declared that the
    /// page exists.
    pub(super) fn is_past_end(&self, number: u64, status: u16) -> bool {
        let counted = self.endpoint.pagination.is_counted();
        let by_meaning = counted
            && matches!(status, 204 | 404 | 410 | 416 | 422)
            && self.declared.is_none_or(|declared| number >= declared);
        // No content, and no link to a next page.
        let nothing = status == 204 && (number == 0 || !counted);
        // The offset of an overlapping second page is a guess: the server never said that a page
        // starts there.
        let no_overlap = self.seams.are_tried()
            && number == 1
            && matches!(status, 204 | 400 | 404 | 410 | 416 | 422);
        nothing
            || no_overlap
            || number > 0 && (self.endpoint.past_end.contains(&status) || by_meaning)
    }

    /// Handles a page that is past the last one.
    pub(super) fn past_end(&mut self, status: u16) -> Result<(), PagingError> {
        self.under_way = self.under_way.saturating_sub(1);
        if self.seams.are_tried() && self.asked > 1 {
            self.seams.refuse_second(status);
            self.ask_side_by_side();
            return Ok(());
        }
        self.seams.settle_doubt(Edge::Nothing, self.rest.is_all());
        if self.is_done() {
            self.settle()
        } else {
            Ok(())
        }
    }

    /// The second page does not begin with the last record of the first: requests it again,
    /// starting after the last record of the first page.
    fn ask_side_by_side(&mut self) {
        self.asked = 1;
        self.declared = self.pages_by_total();
        self.upto = self.declared.unwrap_or(2);
    }

    /// Handles a complete page and reads what it says about other pages. Returns `None` if the page
    /// does not count and will be requested again.
    pub(super) fn received(&mut self, facts: Facts<'_>) -> Result<Option<PageInfo>, PagingError> {
        let mut info = self.read(&facts)?;
        let (records, edges) = (facts.records, facts.edges);
        if !self.take(facts.number, (records, edges), facts.digest, &info)? {
            return Ok(None);
        }
        info.planned = self.upto;
        Ok(Some(info))
    }

    /// Reads the pagination metadata of a response.
    fn read(&self, facts: &Facts<'_>) -> Result<PageInfo, PagingError> {
        let number = |at: &Option<Locator>| at.as_ref().and_then(|at| number_at(at, facts));
        let mut info = PageInfo {
            total: number(&self.endpoint.total),
            pages: number(&self.endpoint.pages),
            validators: page_info::validators(facts, &self.reach.secrets),
            ..PageInfo::default()
        };
        if let Some(at) = &self.endpoint.total
            && facts.number == 0
            && info.total.is_none()
        {
            warn!(url = %facts.url, ?at, "no total where the source says it is");
        }
        if let Some(at) = &self.endpoint.truncated
            && at.find(facts.body).is_some_and(says_yes)
        {
            let (number, at) = (facts.number, at.to_string());
            return Err(PagingError::Truncated { number, at });
        }
        if let Some(more) = &self.endpoint.more {
            self.expect_key(&more.at, facts)?;
            let says = more.at.find(facts.body);
            info.ends = says.is_some_and(|says| says_yes(says) == more.ends);
        }
        if info.ends {
            return Ok(info);
        }
        match &self.endpoint.pagination {
            Pagination::None | Pagination::Page { .. } | Pagination::Offset { .. } => {}
            Pagination::Cursor { at, .. } => {
                info.cursor = self.named(at, facts)?;
                let cursor = info.cursor.as_deref().unwrap_or_default();
                if self.reach.secrets.are_in(cursor) {
                    return Err(PagingError::TellsSecret(facts.number));
                }
            }
            Pagination::Next { at } => {
                let target = self.named(at, facts)?;
                let next = target.map(|target| self.linked(&target, facts));
                info.next = next.transpose()?;
            }
            // If pages are addressed by number, only the last one has new information.
            Pagination::Link if facts.number.saturating_add(1) < self.upto => {}
            Pagination::Link => {
                let linked = |relation| {
                    let target = link::target(facts.headers, relation);
                    let target = target.map_err(|_| PagingError::BadHeader(facts.number))?;
                    target.map(|target| self.linked(&target, facts)).transpose()
                };
                info.next = linked("next")?;
                if info.next.is_some() && facts.number == 0 {
                    info.last = linked("last")?;
                }
            }
        }
        let names_next = info.cursor.is_some() || info.next.is_some();
        let expects_next = self.endpoint.more.is_some() && self.endpoint.pagination.names_next();
        let last_known = facts.number.saturating_add(1) >= self.upto;
        if expects_next && last_known && !names_next {
            return Err(PagingError::NoNext(facts.number));
        }
        Ok(info)
    }

    /// The value at the place where the source says the next page is named.
    fn named(&self, at: &NextAt, facts: &Facts<'_>) -> Result<Option<String>, PagingError> {
        let number = facts.number;
        match at {
            NextAt::Body(path) => {
                self.expect_key(path, facts)?;
                Ok(text_at(path, facts.body))
            }
            NextAt::Header(name) => {
                let text = facts.headers.get(name).map(link::text);
                Ok(text.filter(|text| !matches!(text.as_str(), "" | "0")))
            }
            NextAt::Links { list, relation } => {
                self.expect_key(list, facts)?;
                link_of(list, relation, facts.body).map_err(|_| PagingError::NoLinks {
                    number,
                    at: list.to_string(),
                })
            }
            NextAt::LastRecord(_) if facts.records == 0 => Ok(None),
            NextAt::LastRecord(path) => {
                let record = facts.last.unwrap_or(&Value::Null);
                match path.find(record).and_then(text_of) {
                    Some(text) if !text.is_empty() => Ok(Some(text)),
                    _ => Err(PagingError::NoField {
                        number,
                        missing: MissingKey::new(path, record),
                    }),
                }
            }
        }
    }

    /// The first page must have the key that the source names, even if its value is null: a typo in
    /// the source would otherwise silently end pagination after the first page.
    fn expect_key(&self, at: &JsonPath, facts: &Facts<'_>) -> Result<(), PagingError> {
        if facts.number > 0 || self.endpoint.next_optional || at.find(facts.body).is_some() {
            return Ok(());
        }
        Err(PagingError::NoKey(MissingKey::new(at, facts.body)))
    }

    /// Accounts for a page from the network, or from the spool of an interrupted run. Returns
    /// whether it counts.
    pub(super) fn take(
        &mut self,
        number: u64,
        (records, edges): (u64, Edges),
        digest: Option<Digest>,
        info: &PageInfo,
    ) -> Result<bool, PagingError> {
        self.under_way = self.under_way.saturating_sub(1);
        match number {
            0 if self.seams.are_tried() => self.seams.begin(edges),
            1 if self.seams.are_tried() => {
                let again = digest.is_some_and(|digest| self.digests.contains(&digest));
                if !self.seams.try_second(edges, again) {
                    self.ask_side_by_side();
                    return Ok(false);
                }
            }
            1 => self.seams.settle_doubt(edges.first, self.rest.is_all()),
            _ if self.seams.overlap() => self.seams.join(number, edges),
            _ => {}
        }
        self.records = self.records.saturating_add(records);
        if number == 0 {
            self.page_size = Some(records);
        }
        let no_further = self.comes_no_further(records, info);
        if let Some(digest) = digest.filter(|_| records > 0 && !no_further)
            && !self.digests.insert(digest)
        {
            return Err(PagingError::RepeatedPage(number));
        }
        self.empty_in_a_row = if records == 0 {
            self.empty_in_a_row.saturating_add(1)
        } else {
            0
        };
        self.rest.told(info);
        if let Some(total) = info.total {
            self.first_total.get_or_insert(total);
            self.total = Some(total);
        }
        if !no_further {
            self.look_ahead(number, records, info)?;
        }
        // With a total to verify against, an empty page is the end, whatever number of pages the
        // server reports.
        let empty = records == 0 && number > 0 && self.next.is_none();
        // Records have already moved and another pass will follow: end this one.
        let in_vain = self.seams.moved() && self.rest.left > 0;
        if info.ends || no_further || in_vain || empty && self.total.is_some() {
            self.upto = self.asked;
            self.next = None;
        }
        if self.empty_in_a_row >= EMPTY_PAGES && self.has_next() {
            return Err(PagingError::OnlyEmpty(EMPTY_PAGES));
        }
        if self.is_done() {
            self.settle()?;
        }
        Ok(true)
    }

    /// All pages arrived: checks that they show one consistent state of the server.
    ///
    /// If the total grows, a record was added during the fetch. An insertion before the records
    /// already fetched pushes one of them to the next page, where it appears again; an insertion
    /// after them does not. Either way no earlier record is missed, and the sum is right. If the
    /// total shrinks, a record was removed, and another one may have moved to a page that had
    /// already been fetched.
    fn settle(&mut self) -> Result<(), PagingError> {
        if self.is_cut_off() {
            // The remaining pages can only add records.
            let too_many = self.total.is_some_and(|total| total < self.records);
            return if too_many { self.reconcile() } else { Ok(()) };
        }
        let changed = self.first_total != self.total;
        let sum_is_right = self.total.is_none_or(|total| total == self.records);
        if !self.may_move() {
            return self.reconcile();
        }
        let moved = self.rest.shrank || self.seams.moved() || changed && !sum_is_right;
        // The total did not change, but differs from the number of records: another pass either
        // finds the same numbers or shows that records moved.
        let sums = Some((self.records, self.total));
        let doubtful = self.reconcile().is_err() && self.rest.left > 0 && self.rest.sums != sums;
        if !moved && !doubtful {
            return self.reconcile();
        }
        self.rest.sums = sums;
        if self.rest.left == 0 {
            if self.rest.allow_moving {
                self.rest.moving = true;
                return Ok(());
            }
            return Err(self.never_rested(self.records));
        }
        self.look_again();
        Ok(())
    }

    /// The error if no pass was consistent; the last one received `found` records.
    fn never_rested(&self, found: u64) -> PagingError {
        PagingError::Moving {
            looks: self.rest.look.saturating_add(1),
            found,
            first: self.first_total,
            last: self.total,
        }
    }

    /// Starts another pass over the pages.
    fn look_again(&mut self) {
        let (endpoint, reach) = (self.endpoint.clone(), Arc::clone(&self.reach));
        let (most, seams) = (self.most, self.seams.again(may_overlap(&self.endpoint)));
        let Rest {
            look,
            left,
            allow_moving,
            repeated,
            sums,
            ..
        } = self.rest;
        let left = left.saturating_sub(1);
        *self = Self::new(endpoint, self.first.clone(), reach).patient(left, allow_moving);
        self.resume_look(look.saturating_add(1));
        (self.rest.repeated, self.rest.sums) = (repeated, sums);
        self.seams = seams;
        self.only_first(most);
    }

    /// Handles records that appeared on more than one page: records moved, and others may have been
    /// missed. Returns whether to fetch the pages again.
    ///
    /// Duplicates are harmless if nothing else is missing. If two passes repeat the same records,
    /// the duplicates are accepted as the server's data: it may sort by a key that is not unique.
    pub(super) fn repeated(&mut self, repeated: Repeated) -> Result<bool, PagingError> {
        let found = self.records.saturating_sub(repeated.count);
        let least = self.first_total.min(self.total);
        let short = !self.endpoint.total_counts_hidden && least.is_some_and(|least| found < least);
        let agrees = repeated.count == 0 || self.rest.repeated == Some(repeated);
        if !short && (agrees || !self.may_move()) {
            return Ok(false);
        }
        if self.may_move() && self.rest.left > 0 {
            self.rest.repeated = Some(repeated);
            self.look_again();
            return Ok(true);
        }
        if short && !self.rest.allow_moving {
            return Err(self.never_rested(found));
        }
        self.rest.moving = true;
        Ok(false)
    }

    /// Whether a page requested by the last record of the previous page ends with that same record.
    /// Some servers include that record, and at the end it is the only one left. A full page of
    /// records with the same value is not the end.
    fn comes_no_further(&self, records: u64, info: &PageInfo) -> bool {
        let same = info.cursor.is_some() && info.cursor == self.cursor;
        let few = records == 1 || self.page_size.is_some_and(|size| records < size);
        self.endpoint.pagination.is_by_last_record() && same && few
    }

    fn look_ahead(
        &mut self,
        number: u64,
        records: u64,
        info: &PageInfo,
    ) -> Result<(), PagingError> {
        match &self.endpoint.pagination {
            Pagination::None => {}
            Pagination::Page { .. } | Pagination::Offset { .. } => {
                let further = if records == 0 {
                    0
                } else {
                    number.saturating_add(2)
                };
                let known = self.known_pages(info);
                self.declared = known.or(self.declared);
                self.upto = self.upto.max(known.unwrap_or(further));
            }
            Pagination::Cursor { parameter, .. } => {
                if let Some(cursor) = &info.cursor {
                    self.cursor = Some(cursor.clone());
                    let mut url = self.first.clone();
                    set_parameter(&mut url, parameter, cursor);
                    self.follow(url, number)?;
                }
            }
            Pagination::Next { .. } | Pagination::Link => {
                let Some(next) = &info.next else {
                    return Ok(());
                };
                let range = info.last.as_ref().and_then(|last| link_range(next, last));
                if let Some((range, pages)) = range {
                    self.range = Some(range);
                    self.declared = Some(pages);
                    self.upto = pages;
                } else {
                    self.follow(next.clone(), number)?;
                }
            }
        }
        Ok(())
    }

    /// Number of pages, according to the response.
    fn known_pages(&self, info: &PageInfo) -> Option<u64> {
        if info.pages.is_some() {
            return info.pages;
        }
        self.pages_by_total()
    }

    /// Whether the next page begins, or may begin, with the last record of the previous one.
    pub(super) fn overlaps(&self) -> bool {
        self.seams.overlap()
    }

    /// Whether the first and last records of each page are needed.
    pub(super) fn shows_ends(&self) -> bool {
        self.seams.show_edges() || self.endpoint.pagination.is_by_last_record()
    }

    /// Number of pages, from the total number of records and the size of the first page.
    fn pages_by_total(&self) -> Option<u64> {
        match (self.total?, self.page_size?) {
            (_, 0) => Some(1),
            (total, size) if self.seams.overlap() && total > size => {
                let further = (total - size).div_ceil(size.saturating_sub(1).max(1));
                Some(further.saturating_add(1))
            }
            (total, size) => Some(total.div_ceil(size)),
        }
    }

    /// Plans the page at `url` as the next one.
    fn follow(&mut self, url: Url, number: u64) -> Result<(), PagingError> {
        if self.asked_urls.contains(&fingerprint(&url)) {
            // Some servers repeat the last cursor at the end.
            return if self.empty_in_a_row > 0 {
                Ok(())
            } else {
                Err(PagingError::Loop(number))
            };
        }
        self.next = Some(url);
        self.upto = self.asked.saturating_add(1);
        Ok(())
    }

    /// Resolves a link and checks that it may be followed.
    fn linked(&self, target: &str, facts: &Facts<'_>) -> Result<Url, PagingError> {
        let number = facts.number;
        let mut url = facts
            .url
            .join(target)
            .map_err(|_| PagingError::BadLink(number))?;
        self.upgrade(&mut url);
        if !self.reach.origins.contains(&url.origin())
            || !url.username().is_empty()
            || url.password().is_some()
        {
            let origin = url.origin().ascii_serialization();
            let origin = self.reach.secrets.hidden_in(&origin);
            return Err(PagingError::OtherOrigin { number, origin });
        }
        url.set_fragment(None);
        if let Some(name) = &self.reach.secret_parameter {
            remove_parameter(&mut url, name);
        }
        if let Some(secret) = &self.reach.secret {
            remove_value(&mut url, secret.expose());
        }
        // Page URLs are logged and stored, and a secret in a path cannot be removed without
        // changing the target.
        let tells = |url: &Url| self.reach.secrets.are_in(url.as_str());
        if tells(&url) && !tells(&self.first) {
            return Err(PagingError::TellsSecret(number));
        }
        Ok(url)
    }

    /// Upgrades an `http` link of an `https` API, e.g. behind a proxy that terminates TLS. On the
    /// same host it is the same resource, and it is never requested in plain text.
    fn upgrade(&self, url: &mut Url) {
        let (from, to) = (&self.first, &*url);
        let same_port = to.port().is_none() || to.port() == from.port_or_known_default();
        if from.scheme() == "https"
            && to.scheme() == "http"
            && to.host() == from.host()
            && same_port
        {
            // Both are web schemes and the port comes from a URL: neither call can fail.
            let _ = url.set_scheme("https");
            let _ = url.set_port(from.port());
        }
    }

    /// The number of records received and the server's total, if fewer arrived and the total may
    /// include hidden records.
    pub(super) fn hidden(&self) -> Option<(u64, u64)> {
        let total = self.total.filter(|total| self.records < *total)?;
        self.endpoint
            .total_counts_hidden
            .then_some((self.records, total))
    }

    /// Verifies the number of records received against the server's total.
    pub(super) fn reconcile(&self) -> Result<(), PagingError> {
        match self.total {
            Some(_) if self.hidden().is_some() => Ok(()),
            Some(total) if total != self.records => Err(PagingError::Incomplete {
                found: self.records,
                total,
                first_total: self.first_total.unwrap_or(total),
            }),
            _ => Ok(()),
        }
    }
}

/// Whether a page may begin with the last record of the previous one. If the server reports a
/// number of pages, it counts pages that do not overlap.
fn may_overlap(endpoint: &Endpoint) -> bool {
    let overlap = matches!(endpoint.pagination, Pagination::Offset { overlap, .. } if overlap);
    overlap && endpoint.pages.is_none()
}

#[cfg(test)]
mod tests;
