//! The fetch state of one resource: its pages, or its pages for each parent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use url::Url;

use crate::fetch::paging::{
    Edge, Edges, Facts, PageEstimate, PageInfo, Paging, PagingError, Reach, Repeated,
};
use crate::fetch::retry::Policy;
use crate::fetch::secrets::Secrets;
use crate::fetch::sink::{Page, Position, Received};
use crate::fetch::{RequestTarget, Validators};
use crate::record::{Field, Id, Resource};
use crate::source::{Auth, Endpoint, Source, child};
use activity_tracker_json::JsonPath;

use super::missing::{self, Refused};
use super::remarks::{Noticed, Remark};

/// Maximum number of parents whose pages are fetched at once.
const OPEN_PARENTS: usize = 64;

/// Identifies one pagination of one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) resource: usize,
    pub(super) paging: u64,
}

/// The fetch state of one resource.
#[derive(Clone, Debug)]
pub(super) struct ResourceFetch {
    resource: Resource,
    endpoint: Endpoint,
    source: Source,
    reach: Arc<Reach>,
    records_at: Arc<JsonPath>,
    /// One for the resource, or one for each parent whose pages are being fetched.
    pagings: BTreeMap<u64, (Position, Paging)>,
    next_paging: u64,
    parents: VecDeque<(Position, Id)>,
    /// Number of records of the parent resource that were mapped.
    parents_seen: u64,
    /// Whether more parents may follow.
    expects_parents: bool,
    /// Whether another resource is requested by this one's ids.
    has_children: bool,
    /// Number of pages requested, over all paginations.
    asked: u64,
    /// Number of records received, over all pages.
    records: u64,
    /// Validators of the last snapshot, to send; then those of the new response, to store.
    validators: Option<Validators>,
    asks_for_changes: bool,
    /// How often its pages may be fetched again, and whether records that keep moving are accepted.
    patience: (u32, bool),
    /// Number of finished parents whose records moved in every pass.
    moved: u64,
    /// Number of pages that arrived or had not changed.
    pages: u64,
    refused: Option<Refused>,
    /// Warnings about the responses.
    noticed: Noticed,
    /// Maximum number of pages of one pagination; all if `None`.
    most: Option<u64>,
    /// Estimates of finished parents, if only their first pages were requested.
    estimates: BTreeMap<Position, PageEstimate>,
}

impl ResourceFetch {
    /// The state for a resource of a source, if the source offers it. `fetched` lists all resources
    /// that are fetched.
    pub(super) fn new(
        source: &Source,
        resource: Resource,
        fetched: &[Resource],
        policy: &Policy,
    ) -> Option<Self> {
        let endpoint = source.endpoints.get(&resource)?.clone();
        let mut origins = vec![source.base_url.origin()];
        origins.extend(source.allowed_origins.iter().cloned());
        let secret_parameter = match &source.auth {
            Auth::Query { parameter, .. } => Some(parameter.clone()),
            _ => None,
        };
        let mut state = Self {
            resource,
            records_at: Arc::new(endpoint.records.clone()),
            expects_parents: endpoint
                .parent
                .is_some_and(|parent| fetched.contains(&parent)),
            endpoint,
            source: source.clone(),
            reach: Arc::new(Reach {
                origins,
                secret_parameter,
                secret: source.auth.secret().cloned(),
                secrets: Secrets::new(&source.auth),
            }),
            pagings: BTreeMap::new(),
            next_paging: 0,
            has_children: source
                .endpoints
                .values()
                .any(|other| other.parent == Some(resource)),
            parents: VecDeque::new(),
            parents_seen: 0,
            asked: 0,
            records: 0,
            validators: None,
            asks_for_changes: false,
            patience: (0, policy.allow_moving),
            moved: 0,
            pages: 0,
            refused: None,
            noticed: Noticed::default(),
            most: None,
            estimates: BTreeMap::new(),
        };
        if !state.has_children && state.endpoint.parent.is_none() {
            // With children, a second pass could not undo the requests that the first one led to.
            state.patience.0 = policy.retries;
        }
        if state.endpoint.parent.is_none() {
            let path = state.endpoint.path.clone();
            state.open(Position::default(), &path);
        }
        Some(state)
    }

    fn open(&mut self, position: Position, path: &str) {
        let url = self.source.url(path);
        let (looks, allow_moving) = self.patience;
        let paging = Paging::new(self.endpoint.clone(), url, Arc::clone(&self.reach));
        let mut paging = paging.patient(looks, allow_moving);
        paging.only_first(self.most);
        self.pagings.insert(self.next_paging, (position, paging));
        self.next_paging = self.next_paging.saturating_add(1);
    }

    /// Whether all of it is in one response.
    pub(super) fn is_single(&self) -> bool {
        self.endpoint.parent.is_none()
            && self.pagings.values().all(|(_, paging)| !paging.is_paged())
    }

    /// Whether each page names the next one.
    pub(super) fn follows(&self) -> bool {
        self.endpoint.pagination.names_next()
    }

    pub(super) fn has_next(&self) -> bool {
        let open_more = !self.parents.is_empty() && self.pagings.len() < OPEN_PARENTS;
        open_more || self.pagings.values().any(|(_, paging)| paging.has_next())
    }

    pub(super) fn is_done(&self) -> bool {
        !self.expects_parents
            && self.parents.is_empty()
            && self.pagings.values().all(|(_, paging)| paging.is_done())
    }

    /// Number of pages requested, including those that would be next.
    pub(super) fn wants(&self) -> u64 {
        let pagings = self.pagings.values();
        let open = pagings.filter(|(_, paging)| paging.has_next()).count();
        self.asked
            .saturating_add((open + self.parents.len()) as u64)
    }

    /// The number of pages and records that the server reports for one pagination.
    pub(super) fn declared(&self, key: u64) -> (u64, u64) {
        let paging = self.pagings.get(&key);
        paging.map_or((0, 0), |(_, paging)| paging.declared())
    }

    /// The resource and its URL, for messages about all of its pages.
    pub(super) fn subject(&self) -> RequestTarget {
        RequestTarget {
            resource: self.resource,
            url: self.source.url(&self.endpoint.path),
        }
    }

    /// Takes the next page to request, and the pagination it belongs to.
    pub(super) fn take_next(&mut self) -> Option<(u64, Page)> {
        if !self.pagings.values().any(|(_, paging)| paging.has_next())
            && self.pagings.len() < OPEN_PARENTS
            && let Some((position, path)) = self.next_child()
        {
            self.open(position, &path);
        }
        let (key, (prefix, paging)) = self
            .pagings
            .iter_mut()
            .find(|(_, (_, paging))| paging.has_next())?;
        let (number, url) = paging.take_next()?;
        self.asked = self.asked.saturating_add(1);
        let page = Page {
            subject: RequestTarget {
                resource: self.resource,
                url,
            },
            position: prefix.then(number),
            records_at: Arc::clone(&self.records_at),
            one_of_many: paging.is_paged(),
            has_children: self.has_children,
            shows_ends: paging.shows_ends(),
            overlaps: paging.overlaps() && number > 0,
            map: self.endpoint.map.clone(),
            may_end: number > 0 && self.endpoint.pagination.ends_with_empty(),
            look: (self.patience.0 > 0 && paging.may_move()).then(|| paging.look()),
        };
        Some((*key, page))
    }

    /// The position and the path of the next parent's children.
    ///
    /// An id that would lead elsewhere was rejected when its record was processed. If one arrives
    /// anyway, it is skipped and never requested.
    fn next_child(&mut self) -> Option<(Position, String)> {
        let parent = self.endpoint.parent?;
        while let Some((position, id)) = self.parents.pop_front() {
            if let Some(path) = child::path(&self.endpoint.path, parent, &id) {
                return Some((position, path));
            }
        }
        None
    }

    pub(super) fn is_past_end(&self, paging: u64, number: u64, status: u16) -> bool {
        self.pagings
            .get(&paging)
            .is_some_and(|(_, paging)| paging.is_past_end(number, status))
    }

    /// The first page of a pagination, for messages about all of its pages.
    pub(super) fn first_page(&self, key: u64) -> Option<RequestTarget> {
        let (_, paging) = self.pagings.get(&key)?;
        Some(RequestTarget {
            resource: self.resource,
            url: paging.numbered(0),
        })
    }

    pub(super) fn past_end(&mut self, key: u64, status: u16) -> Result<(), PagingError> {
        if let Some((_, paging)) = self.pagings.get_mut(&key) {
            paging.past_end(status)?;
        }
        self.close_if_done(key);
        Ok(())
    }

    /// The number of the current pass over its pages.
    pub(super) fn look(&self) -> u32 {
        let looks = self.pagings.values().map(|(_, paging)| paging.look());
        looks.max().unwrap_or_default()
    }

    /// Resumes at the pass that the interrupted run had reached.
    pub(super) fn resume_look(&mut self, look: u32) {
        for (_, paging) in self.pagings.values_mut() {
            paging.resume_look(look);
        }
    }

    /// The number of records received and the server's total, if that may include hidden records.
    pub(super) fn hidden(&self) -> Option<(u64, u64)> {
        let mut pagings = self.pagings.values();
        pagings.find_map(|(_, paging)| paging.hidden())
    }

    /// Handles records that appeared on more than one page. Returns whether to fetch all again.
    pub(super) fn repeated(&mut self, repeated: Repeated) -> Result<bool, PagingError> {
        if self.is_of_parents() {
            return Ok(false);
        }
        let paging = self.pagings.values_mut().next();
        let again = paging.map_or(Ok(false), |(_, paging)| paging.repeated(repeated))?;
        if again {
            self.records = 0;
        }
        Ok(again)
    }

    /// Whether its records moved in every pass and were accepted anyway.
    pub(super) fn is_moving(&self) -> bool {
        self.moved > 0 || self.pagings.values().any(|(_, paging)| paging.is_moving())
    }

    pub(super) fn received(
        &mut self,
        key: u64,
        page: &Page,
        headers: &HeaderMap,
        received: &Received,
    ) -> Result<Option<PageInfo>, PagingError> {
        let edges = self.edges(received);
        let Some((_, paging)) = self.pagings.get_mut(&key) else {
            return Ok(Some(PageInfo::default()));
        };
        let info = paging.received(Facts {
            number: page.number(),
            url: &page.subject.url,
            headers,
            records: received.records,
            digest: received.digest,
            body: &received.body,
            last: received.last.as_ref(),
            edges,
        })?;
        let Some(info) = info else { return Ok(None) };
        let what = (page.number(), received.records, &received.body);
        self.noticed
            .page(&self.endpoint, headers, what, info.has_total());
        self.taken(key, received.records, &info);
        Ok(Some(info))
    }

    /// Handles a page from the spool of an interrupted run. Returns whether it counts.
    pub(super) fn recalled(
        &mut self,
        key: u64,
        page: &Page,
        received: &Received,
        info: &PageInfo,
    ) -> Result<bool, PagingError> {
        let edges = self.edges(received);
        let Some((_, paging)) = self.pagings.get_mut(&key) else {
            return Ok(true);
        };
        let records = (received.records, edges);
        if !paging.take(page.number(), records, received.digest, info)? {
            return Ok(false);
        }
        self.noticed.recalled();
        self.taken(key, received.records, info);
        Ok(true)
    }

    /// The first and last record of a page.
    fn edges(&self, received: &Received) -> Edges {
        let records = received.records.saturating_add(received.overlap.into());
        if records == 0 {
            return Edges::default();
        }
        let id = self.endpoint.fields.get(Field::Id).map(|field| &field.path);
        let edge = |record: &Option<serde_json::Value>| Edge::of(record.as_ref(), id);
        Edges {
            first: edge(&received.first),
            last: edge(&received.last),
            records,
        }
    }

    /// Whether it is requested once for each parent.
    pub(super) fn is_of_parents(&self) -> bool {
        self.endpoint.parent.is_some()
    }

    pub(super) fn may_be_closed(&self, status: u16, sent: bool) -> bool {
        // If a page arrived, the resource is open.
        let closed = !self.is_of_parents() && self.pages == 0;
        closed && missing::may_be_closed(self.resource, status, sent)
    }

    /// Leaves out what was refused: the pages of one parent, or all.
    pub(super) fn refuse(
        &mut self,
        key: u64,
        new: Refused,
        status: StatusCode,
    ) -> Option<&Refused> {
        self.pagings.remove(&key);
        self.refused.get_or_insert(new).add(status);
        self.refused.as_ref().filter(|_| self.pages == 0)
    }

    pub(super) fn refused(&self) -> Option<(&Self, &Refused)> {
        self.refused.as_ref().map(|refused| (self, refused))
    }

    /// Whether a page arrived or had not changed.
    pub(super) fn has_responded(&self) -> bool {
        self.pages > 0
    }

    /// Whether any of it is available: records that arrived, or an unchanged response.
    pub(super) fn has_something(&self) -> bool {
        let kept = self.asks_for_changes && self.pages > 0;
        kept || self.records > 0
    }

    fn taken(&mut self, key: u64, records: u64, info: &PageInfo) {
        self.pages = self.pages.saturating_add(1);
        self.records = self.records.saturating_add(records);
        self.remember(info);
        self.close_if_done(key);
    }

    /// Drops the state of a parent whose pages have all arrived: there may be millions of parents.
    fn close_if_done(&mut self, key: u64) {
        let Some((_, paging)) = self.pagings.get(&key) else {
            return;
        };
        let (done, moving) = (paging.is_done(), paging.is_moving());
        if done && self.endpoint.parent.is_some() {
            self.moved = self.moved.saturating_add(moving.into());
            let closed = self.pagings.remove(&key);
            let estimate =
                closed.and_then(|(position, paging)| Some((position, paging.estimate()?)));
            self.estimates.extend(estimate);
        }
    }

    /// Adds parents from a slice of which `records` records were mapped. Queues at most one more
    /// than `most`, which is enough to detect that there are too many.
    pub(super) fn add_parents(
        &mut self,
        parent: Resource,
        (slice, records): (&Position, u64),
        ids: &[Id],
        most: u64,
    ) {
        if self.endpoint.parent == Some(parent) {
            let most = usize::try_from(most)
                .unwrap_or(usize::MAX)
                .saturating_add(1);
            let room = most.saturating_sub(self.parents.len());
            let positions = (0..).map(|index| slice.then(index));
            let parents = positions.zip(ids.iter().cloned());
            self.parents.extend(parents.take(room));
            self.parents_seen = self.parents_seen.saturating_add(records);
        }
    }

    /// The resource and its number of records, once all of its pages arrived.
    pub(super) fn complete(&self) -> Option<(Resource, u64)> {
        self.is_done().then_some((self.resource, self.records))
    }

    /// No more parents follow once all records of a complete resource were mapped.
    pub(super) fn settle_parents(&mut self, complete: &[(Resource, u64)]) {
        let all = |(resource, records): &(Resource, u64)| {
            self.endpoint.parent == Some(*resource) && self.parents_seen == *records
        };
        if complete.iter().any(all) {
            self.expects_parents = false;
        }
    }

    /// Limits the fetch to the first `most` pages, or to the first page for each parent.
    pub(super) fn only_first_pages(&mut self, most: u64) {
        self.most = Some(if self.is_of_parents() { 1 } else { most });
        for (_, paging) in self.pagings.values_mut() {
            paging.only_first(self.most);
        }
    }

    /// What the first pages said about the whole resource, by the parent's position.
    pub(super) fn estimates(&self) -> BTreeMap<Position, PageEstimate> {
        let open = self.pagings.values();
        let open = open.filter_map(|(position, paging)| {
            paging
                .estimate()
                .map(|estimate| (position.clone(), estimate))
        });
        open.chain(self.estimates.clone()).collect()
    }

    /// Warnings about the responses.
    pub(super) fn remarks(&self) -> Vec<Remark> {
        self.noticed.remarks(&self.endpoint)
    }

    pub(super) fn resource(&self) -> Resource {
        self.resource
    }

    pub(super) fn validators(&self) -> Option<&Validators> {
        self.validators.as_ref()
    }

    /// Sends a conditional request for the single response of the last snapshot.
    pub(super) fn ask_for_changes(&mut self, stored: Option<Validators>) {
        // Children need the ids in its records, which an unchanged response does not contain.
        if self.is_single() && !self.has_children {
            self.asks_for_changes = stored.is_some();
            self.validators = stored;
        }
    }

    /// The validators to send to this URL, if the stored response came from it.
    pub(super) fn asks_with(&self, url: &Url) -> Option<&Validators> {
        self.validators
            .as_ref()
            .filter(|stored| self.asks_for_changes && stored.url == *url)
    }

    /// Keeps the response of the last snapshot, which has not changed. Returns whether the request
    /// was conditional.
    pub(super) fn keep(&mut self) -> bool {
        if self.asks_for_changes {
            self.pages = self.pages.saturating_add(1);
            self.pagings.clear();
        }
        self.asks_for_changes
    }

    /// Stores the validators for the next run.
    fn remember(&mut self, info: &PageInfo) {
        self.asks_for_changes = false;
        self.validators = info.validators.clone().filter(|_| self.is_single());
    }
}
