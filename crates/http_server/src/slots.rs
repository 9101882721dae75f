//! Connection slots, and which client loses its slot to a new one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use tokio::time::timeout_at;

use super::Limits;

/// The minimum transfer rate of a client, in bytes per second.
const MIN_RATE: u64 = 16 * 1024;

/// How many times longer a client may be behind while its request is queued, which is not its
/// fault.
const QUEUED_FACTOR: u32 = 4;

/// How a client uses its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Usage {
    /// The time up to which it has kept the minimum rate. Later, it is behind.
    good_until: Instant,
    /// When it sent the pending request; until the response, it does not fall behind.
    requested: Option<Instant>,
    /// Whether the response is being computed, not queued.
    responding: bool,
    /// Whether it sent anything since its last response: pipelined requests do not show that it
    /// is still reading.
    received: bool,
}

impl Usage {
    fn new(now: Instant) -> Self {
        Self {
            good_until: now,
            requested: None,
            responding: false,
            received: false,
        }
    }

    /// Adds transferred bytes. A faster client gets ahead by at most `patience`.
    fn transferred(&mut self, bytes: usize, now: Instant, patience: Duration) {
        let micros = (bytes as u64).saturating_mul(1_000_000) / MIN_RATE;
        let earned = Duration::from_micros(micros).min(patience);
        self.good_until = (self.good_until + earned).min(now + patience);
    }

    fn responded(&mut self, now: Instant) {
        let took = self
            .requested
            .take()
            .map(|requested| now.duration_since(requested));
        self.good_until = if self.received {
            self.good_until.max(now)
        } else {
            // As far behind as at the request.
            (self.good_until + took.unwrap_or_default()).min(now)
        };
        (self.responding, self.received) = (false, false);
    }

    /// When the slot can be given to another client.
    fn expires(&self, patience: Duration) -> Instant {
        let factor = if self.requested.is_some() {
            QUEUED_FACTOR
        } else {
            1
        };
        self.good_until + patience * factor
    }
}

/// Whether a new client can be admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admission {
    /// There is a free slot.
    Free,
    /// This client has to be evicted.
    Evict(u64),
    /// Not before then, unless a client disconnects.
    RetryAt(Instant),
    /// Not before a response is sent or a client disconnects.
    Full,
}

/// Decides whether a new client can be admitted. If all slots are taken, the client that is
/// furthest behind is evicted, if that is longer than `patience`; never one whose response is
/// being computed.
fn admission<'a>(
    clients: impl ExactSizeIterator<Item = (u64, &'a Usage)>,
    limits: Limits,
    now: Instant,
) -> Admission {
    if clients.len() < limits.connections {
        return Admission::Free;
    }
    let idle = clients.filter(|(_, usage)| !usage.responding);
    let ends = idle.map(|(key, usage)| (usage.expires(limits.patience), key));
    let Some((expires, key)) = ends.min() else {
        return Admission::Full;
    };
    if expires <= now {
        Admission::Evict(key)
    } else {
        Admission::RetryAt(expires)
    }
}

/// The connection slots of a server.
#[derive(Debug)]
pub(super) struct Slots {
    limits: Limits,
    clients: Mutex<Clients>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Clients {
    next: u64,
    /// Dropping the sender closes the connection.
    active: BTreeMap<u64, (Usage, oneshot::Sender<()>)>,
}

impl Slots {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            clients: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Waits for a slot. The receiver ends when the slot is lost.
    pub(super) async fn take(self: &Arc<Self>) -> (Arc<Slot>, oneshot::Receiver<()>) {
        loop {
            match self.try_take() {
                Ok(taken) => return taken,
                Err(Some(time)) => {
                    // Whatever happens first.
                    let _ = timeout_at(time.into(), self.changed.notified()).await;
                }
                Err(None) => self.changed.notified().await,
            }
        }
    }

    /// Takes a slot, or returns when to try again; `None` means after a change.
    fn try_take(self: &Arc<Self>) -> Result<(Arc<Slot>, oneshot::Receiver<()>), Option<Instant>> {
        let now = Instant::now();
        let mut clients = self.clients();
        let usages = clients.active.iter();
        let usages = usages.map(|(key, (usage, _))| (*key, usage));
        match admission(usages, self.limits, now) {
            Admission::Free => {}
            Admission::Evict(key) => drop(clients.active.remove(&key)),
            Admission::RetryAt(time) => return Err(Some(time)),
            Admission::Full => return Err(None),
        }
        let (sender, lost) = oneshot::channel();
        let key = clients.next;
        clients.next += 1;
        clients.active.insert(key, (Usage::new(now), sender));
        let slots = Arc::clone(self);
        Ok((Arc::new(Slot { slots, key }), lost))
    }

    /// Evicts the client that is furthest behind although there are free slots, if that is longer
    /// than the patience.
    pub(super) fn evict_one(&self) {
        let mut clients = self.clients();
        let usages = clients.active.iter();
        let usages = usages.map(|(key, (usage, _))| (*key, usage));
        let none_free = Limits {
            connections: 0,
            ..self.limits
        };
        if let Admission::Evict(key) = admission(usages, none_free, Instant::now()) {
            clients.active.remove(&key);
        }
    }

    fn clients(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's slot; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    key: u64,
}

impl Slot {
    /// The client sent bytes.
    pub(super) fn received(&self, bytes: usize) {
        self.update(|usage| usage.received = true);
        self.transferred(bytes);
    }

    /// The client sent or took bytes.
    pub(super) fn transferred(&self, bytes: usize) {
        let (now, patience) = (Instant::now(), self.slots.limits.patience);
        self.update(|usage| usage.transferred(bytes, now, patience));
    }

    /// The client sent a request.
    pub(super) fn requested(&self) {
        let now = Instant::now();
        self.update(|usage| usage.requested = Some(now));
    }

    /// The response is being computed.
    pub(super) fn response_started(&self) {
        self.update(|usage| usage.responding = true);
    }

    /// The response is ready.
    pub(super) fn response_ready(&self) {
        let now = Instant::now();
        self.update(|usage| usage.responded(now));
        self.slots.changed.notify_one();
    }

    fn update(&self, change: impl FnOnce(&mut Usage)) {
        let mut clients = self.slots.clients();
        if let Some((usage, _)) = clients.active.get_mut(&self.key) {
            change(usage);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.clients().active.remove(&self.key);
        self.slots.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits(connections: usize) -> Limits {
        Limits {
            connections,
            headers: SECOND,
            stall: SECOND,
            patience: SECOND,
        }
    }

    #[test]
    fn the_client_furthest_behind_is_evicted_unless_it_is_being_served() {
        let start = Instant::now();
        let idle = |behind: u64| Usage::new(start + Duration::from_secs(10 - behind));
        let waiting = |behind: u64| Usage {
            requested: Some(start),
            ..idle(behind)
        };
        let responding = |behind: u64| Usage {
            responding: true,
            ..waiting(behind)
        };
        let now = start + Duration::from_secs(10);
        let soon = start + Duration::from_millis(10_500);
        let half = Usage::new(start + Duration::from_millis(9_500));
        let cases: [(&[Usage], Admission); 11] = [
            (&[], Admission::Free),
            (&[idle(9)], Admission::Free),
            (&[idle(3), idle(9)], Admission::Evict(1)),
            (&[idle(9), idle(9)], Admission::Evict(0)),
            (&[responding(9), idle(3)], Admission::Evict(1)),
            (&[responding(9), responding(3)], Admission::Full),
            (&[half, idle(0)], Admission::RetryAt(soon)),
            (&[idle(1), idle(0)], Admission::Evict(0)),
            (&[waiting(9), waiting(8)], Admission::Evict(0)),
            (&[waiting(4), idle(2)], Admission::Evict(1)),
            (
                &[waiting(3), responding(9)],
                Admission::RetryAt(now + SECOND),
            ),
        ];
        for (usages, expected) in cases {
            let clients: Vec<_> = (0..).zip(usages).collect();
            assert_eq!(admission(clients.into_iter(), limits(2), now), expected);
        }
    }

    #[tokio::test]
    async fn a_client_is_evicted_if_file_handles_run_out_before_slots() {
        let slots = Slots::new(Limits {
            patience: Duration::ZERO,
            ..limits(9)
        });
        let (busy, _busy_lost) = slots.take().await;
        busy.requested();
        busy.response_started();
        let (_idle, idle_lost) = slots.take().await;
        slots.evict_one();
        assert!(idle_lost.await.is_err(), "nothing is ever sent");
        slots.evict_one();
        assert_eq!(slots.clients().active.len(), 1);
    }

    #[test]
    fn a_client_falls_behind_below_the_minimum_rate_but_not_while_waiting() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let pace = usize::try_from(MIN_RATE).unwrap();
        let after = |moves: &[(usize, u64)]| {
            let mut usage = Usage::new(start);
            for (bytes, second) in moves {
                usage.transferred(*bytes, at(*second), SECOND);
            }
            usage.good_until
        };
        // A byte now and then is too slow.
        assert!(after(&[(1, 10), (1, 20), (1, 30)]) < at(1));
        assert_eq!(after(&[(pace, 1), (pace, 2), (pace, 3)]), at(3));
        // At most a second ahead.
        assert_eq!(after(&[(usize::MAX, 0)]), at(1));
        assert_eq!(after(&[(100 * pace, 0), (100 * pace, 0)]), at(1));
        let respond = |received: bool| {
            let mut usage = Usage {
                requested: Some(at(10)),
                responding: true,
                received,
                ..Usage::new(start)
            };
            usage.responded(at(60));
            usage
        };
        assert_eq!(respond(true), Usage::new(at(60)));
        // Pipelined requests do not count.
        assert_eq!(respond(false), Usage::new(at(50)));
    }
}
