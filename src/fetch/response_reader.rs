//! One answer on its way in: decoded, counted, handed to its sink. Both drivers
//! push pieces in here and know no more of bodies.

use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::error::{DataProcessingError, Error, chain};
use crate::json::splitter::{SplitError, Unmap};
use crate::text::count;

use super::reason::ENOUGH;
use super::sink::{Event, Observer, Recalled, Sink, Sinks, Whole};
use super::{Ask, Body, Failure, Now, Recall, SharedFetch, TransportError, Verdict};

/// Why an exchange did not end well.
pub(super) enum Trouble {
    /// For the state machine to judge.
    Transport(TransportError),
    /// It has judged: another request will be sent.
    Again(Verdict),
    /// The end of the run.
    Fatal(Error),
}

impl From<TransportError> for Trouble {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}

impl<E: Into<Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Fatal(error.into())
    }
}

/// Receives the body of one answer.
pub(super) struct Intake<A, S, O> {
    ask: A,
    body: Body,
    sink: S,
    started: Instant,
    observer: O,
    /// What came first, where it may be an error.
    beginning: Words,
    /// Where the records are the values of an object.
    unmap: Option<Unmap>,
}

impl<A: AsRef<Ask>, S: Sink, O: Observer> Intake<A, S, O> {
    pub(super) fn new(ask: A, body: Body, sink: S, started: Instant, observer: O) -> Self {
        let page = &ask.as_ref().page;
        let map = page.map.as_ref();
        Self {
            unmap: map.map(|map| Unmap::new(&page.records_at, map.field.as_deref())),
            ask,
            body,
            sink,
            started,
            observer,
            beginning: Words::within(Duration::MAX),
        }
    }

    /// Takes the next bytes off the wire, for which it was waited so long; the state machine
    /// learns how many they are.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        waited: Duration,
        shared: &SharedFetch,
    ) -> Result<(), Trouble> {
        let Ask { ticket, page, .. } = self.ask.as_ref();
        let resource = page.subject.resource;
        self.observer.on(Event::Arrived {
            resource,
            bytes: bytes.len() as u64,
        });
        let arrived = |bytes| shared.lock().arrived(*ticket, bytes, Instant::now());
        let mut pieces = self.body.decode(bytes, waited)?;
        // Bytes that unfold to nothing take their time as well.
        arrived(0)?;
        while let Some(piece) = pieces.next_piece()? {
            arrived(piece.len() as u64)?;
            if self.ask.as_ref().error.is_some() {
                self.beginning.push(piece);
            }
            let piece = match &mut self.unmap {
                Some(unmap) => unmap.turn(piece),
                None => piece,
            };
            if let Err(error) = self.sink.write(piece) {
                return Err(unless_it_says_so(
                    self.ask.as_ref(),
                    &self.beginning,
                    error,
                    shared,
                ));
            }
        }
        Ok(())
    }

    /// The wire has no more: the state machine learns of the answer, and it is kept.
    pub(super) fn finish(mut self, shared: &SharedFetch) -> Result<(), Trouble> {
        let delimited = self.body.is_delimited();
        let last = self.body.finish()?;
        let last = match &mut self.unmap {
            Some(unmap) => unmap.turn(&last),
            None => &last,
        };
        self.sink.write(last)?;
        let elapsed = self.started.elapsed();
        let ask = self.ask.as_ref();
        let (received, whole) = self.sink.finish().map_err(|error| match error {
            // Nothing marked the end: it was the connection that broke.
            Error::Data(DataProcessingError::NotRecords {
                cause: cause @ SplitError::Unfinished(_),
                ..
            }) if !delimited => {
                let what = format!("connection closed before the end of the data: {cause}");
                Trouble::Transport(TransportError::new(Failure::Body, what))
            }
            other => unless_it_says_so(ask, &self.beginning, other, shared),
        })?;
        let body = &received.body;
        let verdict = shared.lock().said_error(ask.ticket, body, Now::read())?;
        if let Some(verdict) = verdict {
            return Err(Trouble::Again(verdict));
        }
        shared.lock().heed_backoff(ask.ticket, body, Now::read());
        let Ask { ticket, page, .. } = ask;
        let (resource, records) = (page.subject.resource, received.records);
        info!(%resource, url = %page.subject.url, status = 200, bytes = received.bytes, records, ?elapsed, "fetched");
        self.observer.on(Event::Fetched { resource, records });
        let said = shared.lock().received(*ticket, &received)?;
        if let Some(said) = said {
            whole.keep(&said)?;
        }
        Ok(())
    }
}

/// An error of the sink's, unless the body says of itself that it is an error.
fn unless_it_says_so(ask: &Ask, body: &Words, error: Error, shared: &SharedFetch) -> Trouble {
    let data = matches!(error, Error::Data(DataProcessingError::NotRecords { .. }));
    if ask.error.is_none() || !data {
        return Trouble::Fatal(error);
    }
    // What is no JSON says nothing.
    let body = serde_json::from_slice(body.bytes()).unwrap_or_default();
    match shared.lock().said_error(ask.ticket, &body, Now::read()) {
        Ok(Some(verdict)) => Trouble::Again(verdict),
        Ok(None) => Trouble::Fatal(error),
        Err(said) => Trouble::Fatal(said.into()),
    }
}

/// The beginning of a body that is read for its words.
pub(super) struct Words {
    bytes: Vec<u8>,
    until: Option<Instant>,
}

impl Words {
    /// For a body that may take so long, all in all.
    pub(super) fn within(time: Duration) -> Self {
        Self {
            bytes: Vec::new(),
            until: Instant::now().checked_add(time),
        }
    }

    /// How much longer it may take; none where enough is there, or it took too long.
    pub(super) fn left(&self) -> Option<Duration> {
        let left = self.until.map_or(Duration::MAX, |until| {
            until.saturating_duration_since(Instant::now())
        });
        (self.bytes.len() < ENOUGH && !left.is_zero()).then_some(left)
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = ENOUGH.saturating_sub(self.bytes.len());
        self.bytes.extend(bytes.iter().take(room));
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Takes a page out of the spool; if it is not whole there, it is sent for.
pub(super) fn recall<S: Sinks>(
    recall: &Recall,
    shared: &SharedFetch,
    sinks: &S,
    observer: &impl Observer,
) -> Result<(), Error> {
    let page = &recall.page;
    let resource = page.subject.resource;
    let Some(recalled) = sinks.recall(page)? else {
        warn!(%resource, url = %page.subject.url, "the spool does not hold this page whole");
        shared.lock().not_recalled(recall.ticket);
        return Ok(());
    };
    let Recalled {
        received,
        said,
        whole,
    } = recalled;
    let (bytes, records) = (received.bytes, received.records);
    info!(%resource, url = %page.subject.url, bytes, records, "taken out of the spool");
    observer.on(Event::Fetched { resource, records });
    if shared.lock().recalled(recall.ticket, &received, &said)? {
        whole.keep(&said)?;
    }
    Ok(())
}

/// Notes that a request will be sent again.
pub(super) fn note_verdict(ask: &Ask, verdict: Verdict, why: &str, observer: &dyn Observer) {
    let resource = ask.page.subject.resource;
    if verdict == Verdict::Missing {
        warn!(%resource, url = %ask.page.subject.url, why, "refused; the run goes on without it");
    }
    let Verdict::Again(delay) = verdict else {
        return;
    };
    let attempts = count(ask.attempt.into(), "attempt");
    warn!(%resource, url = %ask.page.subject.url, why, ?delay, "asking again after {attempts}");
    if !delay.is_zero() {
        observer.on(Event::Waiting { resource, delay });
    }
}

/// What a failure is called in the log.
pub(super) fn note_failure(ask: &Ask, cause: &TransportError) -> String {
    let why = chain(cause);
    let resource = ask.page.subject.resource;
    warn!(%resource, url = %ask.page.subject.url, attempt = ask.attempt, "{why}");
    why
}
