//! The fetch state machine: what to request next, when, and when to give up.
//!
//! A driver asks [`Fetch::step`] what to do, does it, and reports the result. Several requests may
//! be in progress at once; each has a [`RequestId`]. Time and randomness are passed in as
//! arguments, so every rule is a plain function of what was reported.
//!
//! The design follows the "sans I/O" libraries and the blocking/async pair in the oauth2 crate's
//! device code flow: one policy, two drivers.

mod missing;
mod pause;
mod remarks;
mod reports;
mod resource_fetch;
mod step;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, StatusCode};
use url::Url;

use crate::fetch::ApiError;
use crate::record::{Id, Resource};
use crate::source::{ErrorInBody, Source};

use super::RequestTarget;
use super::addresses::Addresses;
use super::paging::PageEstimate;
use super::quota::{Excess, Used};
use super::rate::Limiter;
use super::reason::Reason;
use super::request::{Requests, add_conditions};
use super::retry::Policy;
use super::sink::{Page, Position};
use super::{Failure, TransportError, Validators};

use missing::Refused;
use pause::Pause;
use resource_fetch::ResourceFetch;

pub use missing::Missing;
pub use remarks::Remark;
pub use step::{PageRequest, RequestId, ResponseAction, SpooledPage, Step};

/// A request for one page, queued or in progress.
#[derive(Clone, Debug)]
struct Exchange {
    /// The resource and the pagination that the page belongs to.
    place: resource_fetch::Place,
    page: Page,
    /// The URL to request: the page's own, or the target of a redirect.
    url: Url,
    attempt: u32,
    redirects: u32,
    /// When to send it again.
    due: Option<Instant>,
    /// The headers of the response whose body is being read.
    headers: HeaderMap,
}

impl Exchange {
    /// Whether it has never been sent.
    fn is_new(&self) -> bool {
        self.attempt == 0
    }
}

/// Decides what is fetched, and how persistently.
#[derive(Clone, Debug)]
pub struct Fetch {
    policy: Policy,
    requests: Requests,
    addresses: Arc<Addresses>,
    error: Option<Arc<ErrorInBody>>,
    limiter: Option<Limiter>,
    /// Set when the server reports that its rate limit is exhausted.
    pause: Option<Pause>,
    resources: Vec<ResourceFetch>,
    under_way: BTreeMap<RequestId, Exchange>,
    /// Requests to send again after a failure or a redirect, and new ones that wait to be sent.
    again: Vec<Exchange>,
    next_id: u64,
    /// Complete pages in the spool of an interrupted run.
    stored: HashSet<(Resource, Position)>,
    /// Those that were loaded from there.
    recalled: HashSet<(Resource, Position)>,
    /// What has been used of the policy's quota.
    used: Used,
    /// Number of requests that were retried.
    retries: u64,
    dice: fastrand::Rng,
}

impl Fetch {
    /// Prepares to fetch these resources of a source. `seed` makes the random delays reproducible.
    ///
    /// Resources that the source does not offer are left out.
    #[must_use]
    pub fn new(policy: Policy, source: &Source, resources: &[Resource], seed: u64) -> Self {
        let offered = resources
            .iter()
            .filter(|resource| source.endpoints.contains_key(resource));
        let offered: Vec<_> = offered.copied().collect();
        let resources = offered
            .iter()
            .filter_map(|resource| ResourceFetch::new(source, *resource, &offered, &policy));
        let resources = resources.collect();
        Self {
            policy,
            requests: Requests::new(source),
            addresses: Addresses::new(source),
            error: source.error.clone(),
            limiter: source.rate.map(Limiter::new),
            pause: None,
            resources,
            under_way: BTreeMap::new(),
            again: Vec::new(),
            next_id: 0,
            stored: HashSet::new(),
            recalled: HashSet::new(),
            used: Used::default(),
            retries: 0,
            dice: fastrand::Rng::with_seed(seed),
        }
    }

    /// Maximum number of useful concurrent requests.
    #[must_use]
    pub fn width(&self) -> usize {
        let single = self.resources.iter().all(ResourceFetch::is_single);
        let useful = if single {
            self.resources.len()
        } else {
            usize::MAX
        };
        useful.min(self.policy.concurrency.get())
    }

    /// Decides what to do now.
    ///
    /// # Errors
    /// If the server requires a longer wait than the policy allows, a URL leads to a private
    /// address, or the run's quota is exceeded.
    pub fn step(&mut self, now: Instant) -> Result<Step, ApiError> {
        self.check_quota(now)?;
        let step = self.unlimited_step(now)?;
        if step == Step::Done {
            self.check_refused()?;
        }
        Ok(match (step, self.used.deadline(&self.policy.quota, now)) {
            // The driver calls again at the deadline, which then ends the run.
            (Step::Wait(Some(until)), Some(deadline)) => Step::Wait(Some(until.min(deadline))),
            (step, _) => step,
        })
    }

    fn unlimited_step(&mut self, now: Instant) -> Result<Step, ApiError> {
        if self.under_way.len() >= self.policy.concurrency.get() {
            return Ok(Step::Wait(None));
        }
        if let Some(recall) = self.recall() {
            return Ok(recall);
        }
        let due = |exchange: &Exchange| exchange.due.is_none_or(|due| due <= now);
        let again = self.again.iter().position(due);
        if again.is_none() && !self.resources.iter().any(ResourceFetch::has_next) {
            return Ok(self.idle());
        }
        if let Some(pause) = &self.pause {
            pause.check()?;
        }
        let earliest = self.earliest(now);
        if earliest > now {
            return Ok(Step::Wait(Some(earliest)));
        }
        let exchange = match again {
            Some(index) => Some(self.again.swap_remove(index)),
            None => self.next_page(),
        };
        let Some(exchange) = exchange else {
            return Ok(self.idle());
        };
        self.check_address(&exchange)?;
        Ok(self.send(exchange, now))
    }

    /// Rejects a URL that contains a private address, wherever it came from.
    fn check_address(&self, exchange: &Exchange) -> Result<(), ApiError> {
        self.addresses.check(&exchange.url).map_err(|cause| {
            let (subject, attempts) = (exchange.page.subject.clone(), exchange.attempt.max(1));
            ApiError::Transport {
                subject: Box::new(subject),
                attempts,
                cause: TransportError::new(Failure::Private, cause),
            }
        })
    }

    /// The addresses that may be connected to; drivers check them when a name is resolved.
    pub(super) fn addresses(&self) -> Arc<Addresses> {
        Arc::clone(&self.addresses)
    }

    /// Takes the next page from the spool if it is there; no rate limit applies to that.
    fn recall(&mut self) -> Option<Step> {
        // A new page that is not in the spool is already queued.
        if self.stored.is_empty() || self.again.iter().any(Exchange::is_new) {
            return None;
        }
        let exchange = self.next_page()?;
        let page = exchange.page.clone();
        if !self
            .stored
            .remove(&(page.subject.resource, page.position.clone()))
        {
            self.again.push(exchange);
            return None;
        }
        Some(Step::LoadFromSpool(Box::new(SpooledPage {
            id: self.under_way(exchange),
            page,
        })))
    }

    fn under_way(&mut self, exchange: Exchange) -> RequestId {
        let id = RequestId(self.next_id);
        self.next_id += 1;
        self.under_way.insert(id, exchange);
        id
    }

    /// Nothing can be sent now: finished, or waiting?
    fn idle(&self) -> Step {
        if self.is_done() {
            return Step::Done;
        }
        Step::Wait(self.again.iter().filter_map(|exchange| exchange.due).min())
    }

    fn is_done(&self) -> bool {
        let busy = !self.under_way.is_empty() || !self.again.is_empty();
        !busy && self.resources.iter().all(ResourceFetch::is_done)
    }

    /// Checks the run's time limit and the number of pages of each resource.
    fn check_quota(&mut self, now: Instant) -> Result<(), ApiError> {
        let quota = &self.policy.quota;
        if let Some(state) = self
            .resources
            .iter()
            .find(|state| state.wants() > quota.pages)
        {
            return Err(excess(state.subject(), Excess::Pages(quota.pages)));
        }
        let in_time = self.used.check_time(quota, now);
        in_time.or_else(|cause| {
            // If everything has arrived, it was in time.
            let late = self.resources.iter().find(|state| !state.is_done());
            let asked = self.again.first().or(self.under_way.values().next());
            let of_page = asked.map(|exchange| exchange.page.subject.clone());
            let subject = of_page.or_else(|| late.map(ResourceFetch::subject));
            subject.map_or(Ok(()), |subject| Err(excess(subject, cause)))
        })
    }

    /// When the next request may be sent, given the source's rate limit and the server's pause.
    fn earliest(&self, now: Instant) -> Instant {
        let limited = self
            .limiter
            .as_ref()
            .map_or(now, |limiter| limiter.earliest(now));
        self.pause
            .as_ref()
            .map_or(limited, |pause| limited.max(pause.until()))
    }

    /// The next page to request, from the resource with the fewest requests in progress.
    fn next_page(&mut self) -> Option<Exchange> {
        let busy = |resource: usize| {
            self.under_way
                .values()
                .filter(|e| e.place.resource == resource)
                .count()
        };
        let resources = self
            .resources
            .iter()
            .enumerate()
            .filter(|(_, state)| state.has_next());
        let (index, _) = resources.min_by_key(|(index, _)| busy(*index))?;
        let (paging, page) = self.resources[index].take_next()?;
        Some(Exchange {
            place: resource_fetch::Place {
                resource: index,
                paging,
            },
            url: page.subject.url.clone(),
            page,
            attempt: 0,
            redirects: 0,
            due: None,
            headers: HeaderMap::new(),
        })
    }

    fn send(&mut self, mut exchange: Exchange, now: Instant) -> Step {
        // A redirect belongs to the attempt that it interrupts.
        exchange.attempt += u32::from(exchange.redirects == 0);
        if let Some(limiter) = &mut self.limiter {
            limiter.sent(now);
        }
        let mut request = self.requests.to(&exchange.url);
        if let Some(stored) = self.resources[exchange.place.resource].asks_with(&exchange.url) {
            add_conditions(&mut request.headers, stored);
        }
        let (page, attempt) = (exchange.page.clone(), exchange.attempt);
        Step::Send(Box::new(PageRequest {
            id: self.under_way(exchange),
            page,
            attempt,
            http: request,
            error: self.error.clone(),
        }))
    }

    /// Leaves out a refused page if the run can continue without it, and returns whether it can.
    fn goes_without(
        &mut self,
        id: RequestId,
        status: StatusCode,
        reason: &Reason,
    ) -> Result<bool, ApiError> {
        let Some(exchange) = self.under_way.get(&id) else {
            return Ok(false);
        };
        let (state, code) = (&self.resources[exchange.place.resource], status.as_u16());
        let sent = self.requests.credential(&exchange.url).cloned();
        let alone = self.resources.len() == 1;
        let is_first = exchange.page.number() == 0;
        let all = match code {
            404 | 410 if state.is_of_parents() => false,
            _ if !alone && is_first && state.may_be_closed(code, sent.is_some()) => true,
            _ => return Ok(false),
        };
        let subject = exchange.page.subject.clone();
        let told = (sent, reason.clone());
        let (place, new) = (exchange.place, Refused::new(subject, status, told, all));
        let refused = self.resources[place.resource].refuse(place.paging, new, status);
        let wrong = refused.filter(|refused| refused.is_wrong_path(false));
        if let Some(refused) = wrong {
            return Err(refused.error());
        }
        self.under_way.remove(&id);
        self.settle_parents();
        Ok(true)
    }

    /// Checks at the end that only a part was refused, not everything.
    fn check_refused(&self) -> Result<(), ApiError> {
        let any = self.resources.iter().any(ResourceFetch::has_something);
        let refused = self.resources.iter().filter_map(ResourceFetch::refused);
        let wrong = refused.into_iter().find(|(state, refused)| {
            let none_of_it = !state.has_responded() && refused.is_wrong_path(true);
            none_of_it || (refused.is_all() && !any)
        });
        wrong.map_or(Ok(()), |(_, refused)| Err(refused.error()))
    }

    /// What the server refused, by resource.
    #[must_use]
    pub fn missing(&self) -> BTreeMap<Resource, Missing> {
        let refused = self.resources.iter().filter_map(ResourceFetch::refused);
        refused
            .map(|(state, refused)| (state.resource(), refused.missing()))
            .collect()
    }

    /// Limits the fetch to the first `most` pages of each resource, or to the first page for each
    /// parent.
    pub fn only_first_pages(&mut self, most: u64) {
        for state in &mut self.resources {
            state.only_first_pages(most);
        }
    }

    /// What the first pages said about the whole resource, if only those were requested: by
    /// resource and by the parent's position.
    #[must_use]
    pub fn estimates(&self) -> BTreeMap<Resource, BTreeMap<Position, PageEstimate>> {
        let resources = self.resources.iter();
        resources
            .map(|state| (state.resource(), state.estimates()))
            .collect()
    }

    /// Does not request these pages: the spool of an interrupted run has them complete. `looks` is
    /// the pass over the pages, by resource, that they belong to.
    pub fn resume(
        &mut self,
        stored: HashSet<(Resource, Position)>,
        looks: &BTreeMap<Resource, u32>,
    ) {
        self.stored = stored;
        for state in &mut self.resources {
            if let Some(look) = looks.get(&state.resource()) {
                state.resume_look(*look);
            }
        }
    }

    /// Resources whose records moved in every pass and were accepted anyway.
    #[must_use]
    pub fn moving(&self) -> BTreeSet<Resource> {
        let moving = self.resources.iter().filter(|state| state.is_moving());
        moving.map(ResourceFetch::resource).collect()
    }

    /// Uses these validators to ask whether the single responses of the last snapshot changed.
    pub fn ask_for_changes(&mut self, mut stored: BTreeMap<Resource, Validators>) {
        for state in &mut self.resources {
            state.ask_for_changes(stored.remove(&state.resource()));
        }
    }

    /// For resources whose total may include hidden records: the number received, and the total.
    #[must_use]
    pub fn hidden(&self) -> BTreeMap<Resource, (u64, u64)> {
        let known = |state: &ResourceFetch| Some((state.resource(), state.hidden()?));
        self.resources.iter().filter_map(known).collect()
    }

    /// Warnings about the responses, by resource.
    #[must_use]
    pub fn remarks(&self) -> BTreeMap<Resource, Vec<Remark>> {
        let resources = self.resources.iter();
        let remarks = resources.map(|state| (state.resource(), state.remarks()));
        remarks.filter(|(_, remarks)| !remarks.is_empty()).collect()
    }

    /// Number of requests that were retried.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.retries
    }

    /// The validators for conditional requests in the next run, by resource.
    #[must_use]
    pub fn validators(&self) -> BTreeMap<Resource, Validators> {
        let known = |state: &ResourceFetch| Some((state.resource(), state.validators()?.clone()));
        self.resources.iter().filter_map(known).collect()
    }

    /// Records of a resource were mapped; `ids` are the parents of other resources' requests.
    pub fn parents(&mut self, parent: Resource, slice: &Position, records: u64, ids: &[Id]) {
        for state in &mut self.resources {
            let most = self.policy.quota.pages;
            state.add_parents(parent, (slice, records), ids, most);
        }
        self.settle_parents();
    }

    /// Informs the resources that no more parents will follow, once all of them were mapped.
    fn settle_parents(&mut self) {
        let complete: Vec<_> = self
            .resources
            .iter()
            .filter_map(ResourceFetch::complete)
            .collect();
        for state in &mut self.resources {
            state.settle_parents(&complete);
        }
    }
}

fn excess(subject: RequestTarget, cause: Excess) -> ApiError {
    let subject = Box::new(subject);
    ApiError::Excess { subject, cause }
}

#[cfg(test)]
mod tests;
