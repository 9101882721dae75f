//! What drivers report, and what comes of it.

use std::time::{Duration, Instant};

use tracing::{debug, info};

use crate::api::paging::{PagingError, Said};
use crate::api::rate;
use crate::api::retry::{self, Now};
use crate::api::sink::Received;
use crate::api::{Head, Subject, TransportError};
use crate::error::ApiError;

use super::lane::Lane;
use super::pause::Pause;
use super::{Exchange, Fetch, Ticket, Verdict, excess};

impl Fetch {
    /// The head of an answer came.
    ///
    /// # Errors
    /// When the answer is one to give up at.
    pub fn head(&mut self, ticket: Ticket, head: &Head, now: Now) -> Result<Verdict, ApiError> {
        let Some(exchange) = self.under_way.get_mut(&ticket) else {
            return Ok(Verdict::Again(Duration::ZERO));
        };
        let pause = rate::asked_pause(&head.headers, now.wall);
        if let Some(asked) = pause {
            info!(resource = %exchange.page.subject.resource, ?asked, "the server's limit is used up");
            let subject = exchange.page.subject.clone();
            let pause = Pause::new(
                now.instant,
                asked,
                self.policy.max_wait,
                head.status,
                subject,
            );
            // Of answers that came at the same time, the one that asks for more counts.
            self.pause = Some(pause.longer(self.pause.take()));
        }
        let status = head.status;
        let place = exchange.place;
        match status.as_u16() {
            200 => {
                exchange.headers.clone_from(&head.headers);
                Ok(Verdict::Read)
            }
            304 if self.lanes[place.lane].keep() => {
                self.under_way.remove(&ticket);
                Ok(Verdict::Keep)
            }
            301 | 302 | 303 | 307 | 308 => self.redirect(ticket, head, now),
            code if self.lanes[place.lane].is_past_end(
                place.paging,
                exchange.page.number(),
                code,
            ) =>
            {
                self.under_way.remove(&ticket);
                self.lanes[place.lane].past_end(place.paging);
                Ok(Verdict::PastEnd)
            }
            code => {
                let subject = Box::new(exchange.page.subject.clone());
                let attempts = exchange.attempt;
                let sent = self.requests.credential(&exchange.url).cloned();
                let asked = retry::retry_after(&head.headers, now.wall).or(pause);
                // Some servers answer 403 instead of 429 when their limit is used up.
                let passing = retry::is_passing(status) || (code == 403 && asked.is_some());
                if !passing && self.goes_without(ticket, status)? {
                    return Ok(Verdict::Missing);
                }
                if !passing || attempts > self.policy.retries {
                    return Err(ApiError::Status {
                        subject,
                        status,
                        attempts,
                        sent,
                    });
                }
                let (asked, limit) = (asked.unwrap_or_default(), self.policy.max_wait);
                if asked > limit {
                    return Err(ApiError::WaitTooLong {
                        subject,
                        status,
                        asked,
                        limit,
                    });
                }
                Ok(self.try_again(ticket, asked, now))
            }
        }
    }

    /// More of the body that belongs to a `Read` arrived: so many bytes, decoded.
    ///
    /// # Errors
    /// When that is more than the run may fetch, or too late.
    pub fn arrived(&mut self, ticket: Ticket, bytes: u64, now: Instant) -> Result<(), ApiError> {
        let quota = &self.policy.quota;
        let within = self.used.add_bytes(quota, bytes);
        let within = within.and_then(|()| self.used.check_time(quota, now));
        within.or_else(|cause| {
            let subject = self.subject(ticket);
            subject.map_or(Ok(()), |subject| Err(excess(subject, cause)))
        })
    }

    /// The body that belonged to a `Read` arrived whole. Gives what it says about other pages.
    ///
    /// # Errors
    /// When it shows that the pages cannot be the whole resource.
    pub fn received(&mut self, ticket: Ticket, received: &Received) -> Result<Said, ApiError> {
        self.take(ticket, received, |lane, exchange| {
            let Exchange {
                place,
                page,
                headers,
                ..
            } = exchange;
            lane.received(place.paging, page, headers, received)
        })
    }

    /// The spool had the page of a `Recall`, whole; `said` is what it said when it came.
    ///
    /// # Errors
    /// When it shows that the pages cannot be the whole resource.
    pub fn recalled(
        &mut self,
        ticket: Ticket,
        received: &Received,
        said: &Said,
    ) -> Result<(), ApiError> {
        let subject = self.subject(ticket);
        self.take(ticket, received, |lane, exchange| {
            lane.recalled(exchange.place.paging, &exchange.page, received, said)
        })?;
        let within = self.used.add_bytes(&self.policy.quota, received.bytes);
        match (within, subject) {
            (Err(cause), Some(subject)) => Err(excess(subject, cause)),
            _ => Ok(()),
        }
    }

    fn subject(&self, ticket: Ticket) -> Option<Subject> {
        let exchange = self.under_way.get(&ticket)?;
        Some(exchange.page.subject.clone())
    }

    /// The spool does not have the page of a `Recall` after all: it is sent for.
    pub fn not_recalled(&mut self, ticket: Ticket) {
        self.again.extend(self.under_way.remove(&ticket));
    }

    /// Has a page taken in by its lane.
    fn take<T: Default>(
        &mut self,
        ticket: Ticket,
        received: &Received,
        take: impl FnOnce(&mut Lane, &Exchange) -> Result<T, PagingError>,
    ) -> Result<T, ApiError> {
        let Some(exchange) = self.under_way.remove(&ticket) else {
            return Ok(T::default());
        };
        let lane = &mut self.lanes[exchange.place.lane];
        let taken = take(lane, &exchange).map_err(|cause| {
            // No single page is to blame for a wrong sum: the first one stands for all.
            let sum = matches!(cause, PagingError::Incomplete { .. });
            let first = lane.first_page(exchange.place.paging).filter(|_| sum);
            let subject = Box::new(first.unwrap_or_else(|| exchange.page.subject.clone()));
            ApiError::Paging { subject, cause }
        })?;
        let quota = &self.policy.quota;
        let (pages, records) = lane.declared(exchange.place.paging);
        let declared = quota.check_declared(pages, records);
        declared
            .and_then(|()| self.used.add_records(quota, received.records))
            .map_err(|cause| excess(exchange.page.subject, cause))?;
        self.settle_parents();
        Ok(taken)
    }

    /// No whole answer came.
    ///
    /// # Errors
    /// When that is not worth another attempt, or there are none left.
    pub fn failed(
        &mut self,
        ticket: Ticket,
        cause: TransportError,
        now: Now,
    ) -> Result<Verdict, ApiError> {
        let Some(exchange) = self.under_way.get(&ticket) else {
            return Ok(Verdict::Again(Duration::ZERO));
        };
        if cause.failure.is_passing() && exchange.attempt <= self.policy.retries {
            return Ok(self.try_again(ticket, Duration::ZERO, now));
        }
        let (subject, attempts) = (Box::new(exchange.page.subject.clone()), exchange.attempt);
        Err(ApiError::Transport {
            subject,
            attempts,
            cause,
        })
    }

    /// Plans another attempt, not before `least` has gone by.
    fn try_again(&mut self, ticket: Ticket, least: Duration, now: Now) -> Verdict {
        let Some(mut exchange) = self.under_way.remove(&ticket) else {
            return Verdict::Again(least);
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
        Verdict::Again(delay)
    }

    fn redirect(&mut self, ticket: Ticket, head: &Head, now: Now) -> Result<Verdict, ApiError> {
        let Some(mut exchange) = self.under_way.remove(&ticket) else {
            return Ok(Verdict::Again(Duration::ZERO));
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
        Ok(Verdict::Again(Duration::ZERO))
    }
}
