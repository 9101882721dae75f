//! Receives one response: decodes it, counts it, and passes it to its sink. Both drivers push
//! chunks in here.

use std::time::{Duration, Instant};

use tracing::{debug, warn};

use activity_tracker_concurrency::Stopped;
use activity_tracker_json::splitter::{SplitError, Unmap};
use activity_tracker_text::{chain, milliseconds};

use super::reason::ENOUGH;
use super::sink::{CompletePage, Event, Observer, Restored, Sink, SinkError, SinkFactory};
use super::{
    ApiError, Body, Failure, Now, PageRequest, ResponseAction, SharedFetch, SpooledPage,
    TransportError,
};

/// Why an exchange failed.
pub(super) enum ExchangeError<E> {
    /// A network failure; the state machine decides about a retry.
    Transport(TransportError),
    /// The state machine decided to send another request.
    Again(ResponseAction),
    /// An error that ends the run.
    Fatal(E),
}

impl<E> From<TransportError> for ExchangeError<E> {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}

impl<E: SinkError> From<ApiError> for ExchangeError<E> {
    fn from(error: ApiError) -> Self {
        Self::Fatal(error.into())
    }
}

impl<E: SinkError> From<Stopped> for ExchangeError<E> {
    fn from(stopped: Stopped) -> Self {
        Self::Fatal(stopped.into())
    }
}

/// Receives the body of one response.
pub(super) struct ResponseReader<A, S, O> {
    request: A,
    body: Body,
    sink: S,
    started: Instant,
    observer: O,
    /// The beginning of the body, if the body may report an error.
    beginning: Words,
    /// Set if the records are the values of an object.
    unmap: Option<Unmap>,
}

impl<A: AsRef<PageRequest>, S: Sink, O: Observer> ResponseReader<A, S, O> {
    pub(super) fn new(request: A, body: Body, sink: S, started: Instant, observer: O) -> Self {
        let page = &request.as_ref().page;
        let map = page.map.as_ref();
        Self {
            unmap: map.map(|map| Unmap::new(&page.records_at, map.field.as_deref())),
            request,
            body,
            sink,
            started,
            observer,
            beginning: Words::within(Duration::MAX),
        }
    }

    /// Takes the next bytes from the wire, which took `waited` to arrive, and reports their number
    /// to the state machine.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        waited: Duration,
        shared: &SharedFetch,
    ) -> Result<(), ExchangeError<S::Error>> {
        let PageRequest { id, page, .. } = self.request.as_ref();
        let resource = page.subject.resource;
        self.observer.on(Event::Arrived {
            resource,
            bytes: bytes.len() as u64,
        });
        let arrived = |bytes| shared.lock().arrived(*id, bytes, Instant::now());
        let mut pieces = self.body.decode(bytes, waited)?;
        // Bytes that decompress to nothing take time too.
        arrived(0)?;
        while let Some(piece) = pieces.next_piece()? {
            arrived(piece.len() as u64)?;
            if self.request.as_ref().error.is_some() {
                self.beginning.push(piece);
            }
            let piece = match &mut self.unmap {
                Some(unmap) => unmap.turn(piece),
                None => piece,
            };
            if let Err(error) = self.sink.write(piece) {
                return Err(unless_it_says_so(
                    self.request.as_ref(),
                    &self.beginning,
                    error,
                    shared,
                ));
            }
        }
        Ok(())
    }

    /// Handles the end of the body: reports the response to the state machine, and keeps it.
    pub(super) fn finish(mut self, shared: &SharedFetch) -> Result<(), ExchangeError<S::Error>> {
        let delimited = self.body.is_delimited();
        let last = self.body.finish()?;
        let last = match &mut self.unmap {
            Some(unmap) => unmap.turn(&last),
            None => &last,
        };
        self.sink.write(last).map_err(ExchangeError::Fatal)?;
        let elapsed_ms = milliseconds(self.started.elapsed());
        let request = self.request.as_ref();
        let (received, whole) = self
            .sink
            .finish()
            .map_err(|error| match error.not_records() {
                // Nothing marked the end, so the connection was closed early.
                Some(cause @ SplitError::Unfinished(_)) if !delimited => {
                    let what = format!("connection closed before the end of the data: {cause}");
                    ExchangeError::Transport(TransportError::new(Failure::Body, what))
                }
                _ => unless_it_says_so(request, &self.beginning, error, shared),
            })?;
        let body = &received.body;
        let action = shared.lock().said_error(request.id, body, Now::read())?;
        if let Some(action) = action {
            return Err(ExchangeError::Again(action));
        }
        shared.lock().heed_backoff(request.id, body, Now::read());
        let PageRequest { id, page, .. } = request;
        let (resource, records) = (page.subject.resource, received.records);
        debug!(%resource, url = %page.subject.url, bytes = received.bytes, records, elapsed_ms, "page fetched");
        self.observer.on(Event::Fetched { resource, records });
        let info = shared.lock().received(*id, &received)?;
        if let Some(info) = info {
            whole.keep(&info).map_err(ExchangeError::Fatal)?;
        }
        Ok(())
    }
}

/// The sink's error, unless the body itself reports an error.
fn unless_it_says_so<E: SinkError>(
    request: &PageRequest,
    body: &Words,
    error: E,
    shared: &SharedFetch,
) -> ExchangeError<E> {
    if request.error.is_none() || error.not_records().is_none() {
        return ExchangeError::Fatal(error);
    }
    // A body that is not JSON reports nothing.
    let body = serde_json::from_slice(body.bytes()).unwrap_or_default();
    match shared.lock().said_error(request.id, &body, Now::read()) {
        Ok(Some(action)) => ExchangeError::Again(action),
        Ok(None) => ExchangeError::Fatal(error),
        Err(info) => ExchangeError::Fatal(info.into()),
    }
}

/// The beginning of a body, for its error message.
pub(super) struct Words {
    bytes: Vec<u8>,
    until: Option<Instant>,
}

impl Words {
    /// For a body that may take this long in total.
    pub(super) fn within(time: Duration) -> Self {
        Self {
            bytes: Vec::new(),
            until: Instant::now().checked_add(time),
        }
    }

    /// The time left; `None` if enough has arrived or the time is up.
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

/// Restores a page from the spool; if it is incomplete there, it is fetched again.
pub(super) fn recall<S: SinkFactory>(
    recall: &SpooledPage,
    shared: &SharedFetch,
    sinks: &S,
    observer: &impl Observer,
) -> Result<(), S::Error> {
    let page = &recall.page;
    let resource = page.subject.resource;
    let Some(recalled) = sinks.recall(page)? else {
        warn!(%resource, url = %page.subject.url, "page is incomplete in the spool; fetching it again");
        shared.lock().not_recalled(recall.id);
        return Ok(());
    };
    let Restored {
        received,
        info,
        whole,
    } = recalled;
    let (bytes, records) = (received.bytes, received.records);
    debug!(%resource, url = %page.subject.url, bytes, records, "page restored from spool");
    observer.on(Event::Fetched { resource, records });
    if shared.lock().recalled(recall.id, &received, &info)? {
        whole.keep(&info)?;
    }
    Ok(())
}

/// Logs a retry, and reports it to the observer.
pub(super) fn note_action(
    request: &PageRequest,
    action: ResponseAction,
    why: &str,
    observer: &dyn Observer,
) {
    let resource = request.page.subject.resource;
    if action == ResponseAction::Missing {
        warn!(%resource, url = %request.page.subject.url, why, "refused; continuing without it");
    }
    let ResponseAction::Again(delay) = action else {
        return;
    };
    let (attempt, delay_ms) = (request.attempt, milliseconds(delay));
    warn!(%resource, url = %request.page.subject.url, why, attempt, delay_ms, "retrying");
    if !delay.is_zero() {
        observer.on(Event::Waiting { resource, delay });
    }
}

/// Logs a network failure, and returns its message.
pub(super) fn note_failure(request: &PageRequest, cause: &TransportError) -> String {
    let why = chain(cause);
    let resource = request.page.subject.resource;
    warn!(%resource, url = %request.page.subject.url, attempt = request.attempt, "{why}");
    why
}
