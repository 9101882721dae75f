//! The driver's reports and how the machine reacts to them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::Value;
use tracing::{debug, info, warn};

use crate::fetch::ApiError;
use crate::fetch::paging::{PageInfo, PagingError, Repeated};
use crate::fetch::reason::Reason;
use crate::fetch::retry::{self, Now};
use crate::fetch::sink::Received;
use crate::fetch::{RequestTarget, ResponseHead, TransportError, rate};
use crate::record::Resource;
use activity_tracker_text::milliseconds;

use super::pause::Pause;
use super::resource_fetch::ResourceFetch;
use super::{Exchange, Fetch, RequestId, ResponseAction, excess};

/// Whether a first page refused with this status will be refused every time.
fn is_lasting(status: StatusCode) -> bool {
    let passing = matches!(status.as_u16(), 401 | 403 | 407 | 409 | 423);
    status.is_client_error() && !passing && !retry::is_passing(status)
}

/// How long to wait if a server reports a rate limit without a delay: what GitHub advises.
const UNTOLD_WAIT: Duration = Duration::from_mins(1);

impl Fetch {
    /// Handles the status and headers of a response.
    ///
    /// # Errors
    /// If the response cannot be retried or followed.
    pub fn head(
        &mut self,
        id: RequestId,
        head: &ResponseHead,
        now: Now,
    ) -> Result<ResponseAction, ApiError> {
        let Some(exchange) = self.under_way.get_mut(&id) else {
            return Ok(ResponseAction::Again(Duration::ZERO));
        };
        let refused = matches!(head.status.as_u16(), 403 | 429);
        let pause = rate::asked_pause(&head.headers, refused, now.wall);
        if let Some(asked) = pause {
            let wait_ms = milliseconds(asked);
            info!(resource = %exchange.page.subject.resource, wait_ms, "rate limit used up");
            let subject = exchange.page.subject.clone();
            let pause = Pause::new(
                now.instant,
                asked,
                self.policy.max_wait,
                head.status,
                subject,
            );
            // Of several pauses in effect, the longest counts.
            self.pause = Some(pause.longer(self.pause.take()));
        }
        let status = head.status;
        let place = exchange.place;
        match status.as_u16() {
            // 203: a proxy transformed the response, which is accepted. 206: how PostgREST sends a
            // page; if a single response should have everything, a part of it is not enough.
            code @ (200 | 203 | 206) if code != 206 || exchange.page.one_of_many => {
                exchange.headers.clone_from(&head.headers);
                Ok(ResponseAction::Read)
            }
            304 if self.resources[place.resource].keep() => {
                self.under_way.remove(&id);
                Ok(ResponseAction::Keep)
            }
            301 | 302 | 303 | 307 | 308 => self.redirect(id, head, now),
            code if self.resources[place.resource].is_past_end(
                place.paging,
                exchange.page.number(),
                code,
            ) =>
            {
                self.past_end(id, code)?;
                Ok(ResponseAction::PastEnd)
            }
            _ => Ok(ResponseAction::Refused),
        }
    }

    /// Handles the beginning of the body of a response that was [`ResponseAction::Refused`].
    ///
    /// # Errors
    /// If the request cannot be retried.
    pub fn refused(
        &mut self,
        id: RequestId,
        head: &ResponseHead,
        body: &[u8],
        now: Now,
    ) -> Result<ResponseAction, ApiError> {
        let Some(exchange) = self.under_way.get(&id) else {
            return Ok(ResponseAction::Again(Duration::ZERO));
        };
        let status = head.status;
        let reason = Reason::of(&head.headers, body, &self.requests.secrets);
        let (subject, attempts) = (Box::new(exchange.page.subject.clone()), exchange.attempt);
        if reason != Reason::default() {
            info!(
                resource = %subject.resource, url = %subject.url, status = status.as_u16(), attempt = attempts,
                "request refused{reason}"
            );
        }
        let limit = self.policy.max_wait;
        let refused = matches!(status.as_u16(), 403 | 429);
        let asked = retry::retry_after(&head.headers, now.wall)
            .or_else(|| rate::asked_pause(&head.headers, refused, now.wall))
            .or_else(|| {
                // Some servers report a limit only in words; it usually lasts about a minute.
                let limited = matches!(status.as_u16(), 400 | 403) && reason.is_rate_limit();
                limited.then(|| UNTOLD_WAIT.min(limit))
            });
        // Some servers respond with 403 instead of 429 when their limit is used up.
        let limited = matches!(status.as_u16(), 400 | 403) && asked.is_some();
        let limited = limited && (status.as_u16() == 403 || reason.is_rate_limit());
        let passing = retry::is_passing(status) || limited;
        if !passing && self.goes_without(id, status, &reason)? {
            return Ok(ResponseAction::Missing);
        }
        let Some(exchange) = self.under_way.get(&id) else {
            return Ok(ResponseAction::Again(Duration::ZERO));
        };
        if !passing || attempts > self.policy.retries {
            let sent = self.requests.credential(&exchange.url).cloned();
            let reason = Box::new(reason);
            if self.is_expired(exchange, status) {
                return Err(ApiError::Expired {
                    subject,
                    status,
                    reason,
                });
            }
            let lasting = exchange.page.number() == 0 && is_lasting(status);
            return Err(ApiError::Status {
                subject,
                status,
                attempts,
                sent,
                reason,
                lasting,
            });
        }
        let asked = asked.unwrap_or_default();
        if asked > limit {
            return Err(ApiError::WaitTooLong {
                subject,
                status,
                asked,
                limit,
            });
        }
        if limited {
            // The limit applies to all requests.
            let pause = Pause::new(now.instant, asked, limit, status, *subject);
            self.pause = Some(pause.longer(self.pause.take()));
        }
        Ok(self.try_again(id, asked, now))
    }

    /// Checks whether the body of a `Read` reports an error; `body` is its content without the
    /// records. Returns `None` if it does not.
    ///
    /// # Errors
    /// If it reports an error that is not a rate limit, or no attempts are left.
    pub fn said_error(
        &mut self,
        id: RequestId,
        body: &Value,
        now: Now,
    ) -> Result<Option<ResponseAction>, ApiError> {
        let error = self.error.as_ref();
        let reason = error.and_then(|error| Reason::in_body(error, body, &self.requests.secrets));
        let (Some(reason), Some(exchange)) = (reason, self.under_way.get(&id)) else {
            return Ok(None);
        };
        let (subject, attempts) = (exchange.page.subject.clone(), exchange.attempt);
        if reason.is_rate_limit() && attempts <= self.policy.retries {
            info!(resource = %subject.resource, url = %subject.url, "response body reports an error{reason}");
            let limit = self.policy.max_wait;
            let told = retry::retry_after(&exchange.headers, now.wall);
            let asked = told.unwrap_or(UNTOLD_WAIT).min(limit);
            let pause = Pause::new(now.instant, asked, limit, StatusCode::OK, subject);
            self.pause = Some(pause.longer(self.pause.take()));
            return Ok(Some(self.try_again(id, asked, now)));
        }
        Err(ApiError::InBody {
            subject: Box::new(subject),
            attempts,
            reason: Box::new(reason),
        })
    }

    /// Obeys a delay requested in the body before sending anything else: Stack Exchange's
    /// `backoff`, in seconds.
    pub fn heed_backoff(&mut self, id: RequestId, body: &Value, now: Now) {
        let seconds = body.get("backoff").and_then(Value::as_u64);
        let (Some(seconds), Some(subject)) = (seconds.filter(|n| *n > 0), self.subject(id)) else {
            return;
        };
        info!(resource = %subject.resource, seconds, "server asks to wait");
        let (asked, limit) = (Duration::from_secs(seconds), self.policy.max_wait);
        let pause = Pause::new(now.instant, asked, limit, StatusCode::OK, subject);
        self.pause = Some(pause.longer(self.pause.take()));
    }

    /// Whether a page was refused whose cursor came from an interrupted run: cursors expire.
    fn is_expired(&self, exchange: &Exchange, status: StatusCode) -> bool {
        let page = &exchange.page;
        let Some(before) = page.number().checked_sub(1) else {
            return false;
        };
        let before = page.position.whole().then(before);
        matches!(status.as_u16(), 400 | 404 | 410 | 422)
            && self.resources[exchange.place.resource].follows()
            && self.recalled.contains(&(page.subject.resource, before))
    }

    /// More of the body of a `Read` arrived: this many decoded bytes.
    ///
    /// # Errors
    /// If the run exceeds its limit of bytes or time.
    pub fn arrived(&mut self, id: RequestId, bytes: u64, now: Instant) -> Result<(), ApiError> {
        let quota = &self.policy.quota;
        let within = self.used.add_bytes(quota, bytes);
        let within = within.and_then(|()| self.used.check_time(quota, now));
        within.or_else(|cause| {
            let subject = self.subject(id);
            subject.map_or(Ok(()), |subject| Err(excess(subject, cause)))
        })
    }

    /// The body of a `Read` is complete. Returns what it says about other pages, or `None` if it is
    /// not to be kept because the page will be requested again.
    ///
    /// # Errors
    /// If the pages cannot be the complete resource, or exceed the quota.
    pub fn received(
        &mut self,
        id: RequestId,
        received: &Received,
    ) -> Result<Option<PageInfo>, ApiError> {
        self.take(id, received, |state, exchange| {
            let Exchange {
                place,
                page,
                headers,
                ..
            } = exchange;
            state.received(place.paging, page, headers, received)
        })
    }

    /// The page of a `SpooledPage` was loaded from the spool, complete; `info` is the metadata
    /// stored with it. Returns whether to keep it.
    ///
    /// # Errors
    /// If the pages cannot be the complete resource, or exceed the quota.
    pub fn recalled(
        &mut self,
        id: RequestId,
        received: &Received,
        info: &PageInfo,
    ) -> Result<bool, ApiError> {
        let subject = self.subject(id);
        if let Some(exchange) = self.under_way.get(&id) {
            let page = &exchange.page;
            let place = (page.subject.resource, page.position.clone());
            self.recalled.insert(place);
        }
        let counts = self.take(id, received, |state, exchange| {
            state.recalled(exchange.place.paging, &exchange.page, received, info)
        })?;
        let within = self.used.add_bytes(&self.policy.quota, received.bytes);
        match (within, subject) {
            (Err(cause), Some(subject)) => Err(excess(subject, cause)),
            _ => Ok(counts),
        }
    }

    /// Handles a page that is past the last one of its resource.
    fn past_end(&mut self, id: RequestId, status: u16) -> Result<(), ApiError> {
        let Some(exchange) = self.under_way.remove(&id) else {
            return Ok(());
        };
        let state = &mut self.resources[exchange.place.resource];
        let look = state.look();
        let ended = state.past_end(exchange.place.paging, status);
        ended.map_err(|cause| blamed(state, &exchange, cause))?;
        self.forget_if_moved(exchange.place.resource, look);
        Ok(())
    }

    /// All pages arrived, and these records are on more than one of them. Returns whether to fetch
    /// pages again.
    ///
    /// # Errors
    /// If there are fewer records than the server reports and no attempts are left.
    pub fn repeated(&mut self, repeated: &BTreeMap<Resource, Repeated>) -> Result<bool, ApiError> {
        let mut again = false;
        for index in 0..self.resources.len() {
            let state = &mut self.resources[index];
            let Some(repeated) = repeated.get(&state.resource()) else {
                continue;
            };
            let look = state.look();
            let moved = state.repeated(*repeated);
            let subject = state.subject();
            again |= moved.map_err(|cause| ApiError::Paging {
                subject: Box::new(subject),
                cause,
            })?;
            self.forget_if_moved(index, look);
        }
        Ok(again)
    }

    /// If records moved and all pages are fetched again, drops the pages in the spool: they belong
    /// to an earlier pass.
    fn forget_if_moved(&mut self, state: usize, look: u32) {
        let state = &self.resources[state];
        if state.look() != look {
            let resource = state.resource();
            warn!(%resource, look = state.look(), "records moved between pages; fetching all pages again");
            self.stored.retain(|(of, _)| *of != resource);
        }
    }

    fn subject(&self, id: RequestId) -> Option<RequestTarget> {
        let exchange = self.under_way.get(&id)?;
        Some(exchange.page.subject.clone())
    }

    /// The page of a `SpooledPage` is not in the spool after all: requests it instead.
    pub fn not_recalled(&mut self, id: RequestId) {
        self.again.extend(self.under_way.remove(&id));
    }

    /// Passes a page to its resource's state and checks the quota.
    fn take<T: Default>(
        &mut self,
        id: RequestId,
        received: &Received,
        take: impl FnOnce(&mut ResourceFetch, &Exchange) -> Result<T, PagingError>,
    ) -> Result<T, ApiError> {
        let Some(exchange) = self.under_way.remove(&id) else {
            return Ok(T::default());
        };
        let state = &mut self.resources[exchange.place.resource];
        let look = state.look();
        let taken = take(state, &exchange).map_err(|cause| blamed(state, &exchange, cause))?;
        let quota = &self.policy.quota;
        let (pages, records) = state.declared(exchange.place.paging);
        let declared = quota.check_declared(pages, records);
        declared
            .and_then(|()| self.used.add_records(quota, received.records))
            .map_err(|cause| excess(exchange.page.subject, cause))?;
        self.forget_if_moved(exchange.place.resource, look);
        self.settle_parents();
        Ok(taken)
    }

    /// The request failed before a complete response arrived.
    ///
    /// # Errors
    /// If the failure is not transient, or no attempts are left.
    pub fn failed(
        &mut self,
        id: RequestId,
        cause: TransportError,
        now: Now,
    ) -> Result<ResponseAction, ApiError> {
        let Some(exchange) = self.under_way.get(&id) else {
            return Ok(ResponseAction::Again(Duration::ZERO));
        };
        if cause.failure.is_passing() && exchange.attempt <= self.policy.retries {
            return Ok(self.try_again(id, Duration::ZERO, now));
        }
        let (subject, attempts) = (Box::new(exchange.page.subject.clone()), exchange.attempt);
        Err(ApiError::Transport {
            subject,
            attempts,
            cause,
        })
    }

    /// Schedules another attempt after a delay of at least `least`.
    fn try_again(&mut self, id: RequestId, least: Duration, now: Now) -> ResponseAction {
        let Some(mut exchange) = self.under_way.remove(&id) else {
            return ResponseAction::Again(least);
        };
        self.retries += 1;
        let delay = self
            .policy
            .backoff(exchange.attempt, self.dice.f64())
            .max(least);
        exchange.url = exchange.page.subject.url.clone();
        exchange.redirects = 0;
        exchange.due = Some(now.instant + delay);
        self.again.push(exchange);
        ResponseAction::Again(delay)
    }

    fn redirect(
        &mut self,
        id: RequestId,
        head: &ResponseHead,
        now: Now,
    ) -> Result<ResponseAction, ApiError> {
        let Some(mut exchange) = self.under_way.remove(&id) else {
            return Ok(ResponseAction::Again(Duration::ZERO));
        };
        let limit = self.policy.redirects;
        let target = if exchange.redirects == limit {
            Err(format!("more than {limit} redirects in a row"))
        } else {
            self.requests.redirect(&exchange.url, head)
        };
        match target {
            Ok(url) => {
                let from = exchange.page.subject.url.as_str();
                debug!(
                    from,
                    to = self.requests.secrets.hidden_in(url.path()),
                    origin = url.origin().ascii_serialization(),
                    "following a redirect"
                );
                exchange.url = self.requests.stripped(url);
            }
            Err(reason) => {
                let subject = Box::new(exchange.page.subject);
                return Err(ApiError::Redirect { subject, reason });
            }
        }
        exchange.redirects += 1;
        exchange.due = Some(now.instant);
        self.again.push(exchange);
        Ok(ResponseAction::Again(Duration::ZERO))
    }
}

/// The error of pages that do not fit together. No single page is to blame for a wrong sum, so it
/// is reported with the first one.
fn blamed(state: &ResourceFetch, exchange: &Exchange, cause: PagingError) -> ApiError {
    let sum = matches!(
        cause,
        PagingError::Incomplete { .. } | PagingError::Moving { .. }
    );
    let first = state.first_page(exchange.place.paging).filter(|_| sum);
    let subject = Box::new(first.unwrap_or_else(|| exchange.page.subject.clone()));
    ApiError::Paging { subject, cause }
}
