//! Who has a place at a server, and who gives it up when another client wants one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use tokio::time::timeout_at;

use super::Limits;

/// Bytes a second, of a request or of a response, at which a client keeps its place.
const PACE: u64 = 16 * 1024;

/// How much longer a client may be behind that waits for its turn, which is not its fault.
const TURN: u32 = 4;

/// How well a client uses its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Account {
    /// Up to when it has kept the pace. Later, it is behind.
    good_until: Instant,
    /// Since when it waits for a response: the time that takes is ours, not the client's.
    asked: Option<Instant>,
    /// Whether that response is being made, rather than waiting for its turn.
    making: bool,
    /// Whether anything came from it since its last response: requests that were sent ahead
    /// say nothing of what it does now.
    heard: bool,
}

impl Account {
    fn new(now: Instant) -> Self {
        Self {
            good_until: now,
            asked: None,
            making: false,
            heard: false,
        }
    }

    /// Bytes came from the client, or it took some. What it was faster than the pace is
    /// remembered for no longer than `patience`.
    fn moved(&mut self, bytes: usize, now: Instant, patience: Duration) {
        let micros = (bytes as u64).saturating_mul(1_000_000) / PACE;
        let earned = Duration::from_micros(micros).min(patience);
        self.good_until = (self.good_until + earned).min(now + patience);
    }

    fn made(&mut self, now: Instant) {
        let took = self.asked.take().map(|asked| now.duration_since(asked));
        self.good_until = if self.heard {
            self.good_until.max(now)
        } else {
            // As far behind as it was when it asked.
            (self.good_until + took.unwrap_or_default()).min(now)
        };
        (self.making, self.heard) = (false, false);
    }

    /// When its place can be given to somebody else.
    fn over(&self, patience: Duration) -> Instant {
        let turns = if self.asked.is_some() { TURN } else { 1 };
        self.good_until + patience * turns
    }
}

/// Whether there is room for one more client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// There is a place.
    Free,
    /// This client is to give its place up.
    Of(u64),
    /// Not before then, unless somebody goes.
    NotBefore(Instant),
    /// Not before a response is made, or somebody goes.
    NotYet,
}

/// Decides who has to go when all places are taken: the one that is furthest behind, if it is
/// behind for longer than `patience`. Nobody goes whose response is being made.
fn room<'a>(
    clients: impl ExactSizeIterator<Item = (u64, &'a Account)>,
    limits: Limits,
    now: Instant,
) -> Room {
    if clients.len() < limits.connections {
        return Room::Free;
    }
    let idle = clients.filter(|(_, account)| !account.making);
    let ends = idle.map(|(key, account)| (account.over(limits.patience), key));
    let Some((over, key)) = ends.min() else {
        return Room::NotYet;
    };
    if over <= now {
        Room::Of(key)
    } else {
        Room::NotBefore(over)
    }
}

/// The places of a server.
#[derive(Debug)]
pub(super) struct Places {
    limits: Limits,
    clients: Mutex<Clients>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Clients {
    next: u64,
    /// A client whose sender is dropped has to go.
    placed: BTreeMap<u64, (Account, oneshot::Sender<()>)>,
}

impl Places {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            clients: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// A place for one more client, as soon as there is one, and what tells that it is lost.
    pub(super) async fn take(self: &Arc<Self>) -> (Arc<Place>, oneshot::Receiver<()>) {
        loop {
            match self.try_take() {
                Ok(taken) => return taken,
                Err(Some(time)) => {
                    // Whichever comes first.
                    let _ = timeout_at(time.into(), self.changed.notified()).await;
                }
                Err(None) => self.changed.notified().await,
            }
        }
    }

    /// The same, or when to look again; without a time, when something has changed.
    fn try_take(self: &Arc<Self>) -> Result<(Arc<Place>, oneshot::Receiver<()>), Option<Instant>> {
        let now = Instant::now();
        let mut clients = self.clients();
        let accounts = clients.placed.iter();
        let accounts = accounts.map(|(key, (account, _))| (*key, account));
        match room(accounts, self.limits, now) {
            Room::Free => {}
            Room::Of(key) => drop(clients.placed.remove(&key)),
            Room::NotBefore(time) => return Err(Some(time)),
            Room::NotYet => return Err(None),
        }
        let (sender, lost) = oneshot::channel();
        let key = clients.next;
        clients.next += 1;
        clients.placed.insert(key, (Account::new(now), sender));
        let places = Arc::clone(self);
        Ok((Arc::new(Place { places, key }), lost))
    }

    /// Has the one that is furthest behind go although there are places, if it is behind for
    /// longer than the patience.
    pub(super) fn give_one_up(&self) {
        let mut clients = self.clients();
        let accounts = clients.placed.iter();
        let accounts = accounts.map(|(key, (account, _))| (*key, account));
        let none_free = Limits {
            connections: 0,
            ..self.limits
        };
        if let Room::Of(key) = room(accounts, none_free, Instant::now()) {
            clients.placed.remove(&key);
        }
    }

    fn clients(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's place; others can have it when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    key: u64,
}

impl Place {
    /// Bytes came from the client.
    pub(super) fn heard(&self, bytes: usize) {
        self.account(|account| account.heard = true);
        self.moved(bytes);
    }

    /// Bytes came from the client, or it took some.
    pub(super) fn moved(&self, bytes: usize) {
        let (now, patience) = (Instant::now(), self.places.limits.patience);
        self.account(|account| account.moved(bytes, now, patience));
    }

    /// The client waits for us.
    pub(super) fn asked(&self) {
        let now = Instant::now();
        self.account(|account| account.asked = Some(now));
    }

    /// It is the client's turn.
    pub(super) fn making(&self) {
        self.account(|account| account.making = true);
    }

    /// We wait for the client.
    pub(super) fn made(&self) {
        let now = Instant::now();
        self.account(|account| account.made(now));
        self.places.changed.notify_one();
    }

    fn account(&self, change: impl FnOnce(&mut Account)) {
        let mut clients = self.places.clients();
        if let Some((account, _)) = clients.placed.get_mut(&self.key) {
            change(account);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.clients().placed.remove(&self.key);
        self.places.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits(connections: usize) -> Limits {
        Limits {
            connections,
            head: SECOND,
            stall: SECOND,
            patience: SECOND,
        }
    }

    #[test]
    fn who_is_furthest_behind_goes_and_nobody_whose_response_is_being_made() {
        let start = Instant::now();
        let idle = |behind: u64| Account::new(start + Duration::from_secs(10 - behind));
        let waiting = |behind: u64| Account {
            asked: Some(start),
            ..idle(behind)
        };
        let making = |behind: u64| Account {
            making: true,
            ..waiting(behind)
        };
        let now = start + Duration::from_secs(10);
        let soon = start + Duration::from_millis(10_500);
        let half = Account::new(start + Duration::from_millis(9_500));
        let cases: [(&[Account], Room); 11] = [
            (&[], Room::Free),
            (&[idle(9)], Room::Free),
            (&[idle(3), idle(9)], Room::Of(1)),
            (&[idle(9), idle(9)], Room::Of(0)),
            (&[making(9), idle(3)], Room::Of(1)),
            (&[making(9), making(3)], Room::NotYet),
            (&[half, idle(0)], Room::NotBefore(soon)),
            (&[idle(1), idle(0)], Room::Of(0)),
            (&[waiting(9), waiting(8)], Room::Of(0)),
            (&[waiting(4), idle(2)], Room::Of(1)),
            (&[waiting(3), making(9)], Room::NotBefore(now + SECOND)),
        ];
        for (accounts, expected) in cases {
            let clients: Vec<_> = (0..).zip(accounts).collect();
            assert_eq!(room(clients.into_iter(), limits(2), now), expected);
        }
    }

    #[tokio::test]
    async fn one_that_is_behind_goes_where_files_are_missing_and_not_places() {
        let places = Places::new(Limits {
            patience: Duration::ZERO,
            ..limits(9)
        });
        let (making, _making_lost) = places.take().await;
        making.asked();
        making.making();
        let (_idle, idle_lost) = places.take().await;
        places.give_one_up();
        assert!(idle_lost.await.is_err(), "nothing is ever sent");
        places.give_one_up();
        assert_eq!(places.clients().placed.len(), 1);
    }

    #[test]
    fn a_client_is_behind_when_it_is_slower_than_the_pace_and_not_while_it_waits_for_us() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let pace = usize::try_from(PACE).unwrap();
        let after = |moves: &[(usize, u64)]| {
            let mut account = Account::new(start);
            for (bytes, second) in moves {
                account.moved(*bytes, at(*second), SECOND);
            }
            account.good_until
        };
        // A byte now and then is as good as none.
        assert!(after(&[(1, 10), (1, 20), (1, 30)]) < at(1));
        assert_eq!(after(&[(pace, 1), (pace, 2), (pace, 3)]), at(3));
        // The faster one is no more than a second ahead.
        assert_eq!(after(&[(usize::MAX, 0)]), at(1));
        assert_eq!(after(&[(100 * pace, 0), (100 * pace, 0)]), at(1));
        let respond = |heard: bool| {
            let mut account = Account {
                asked: Some(at(10)),
                making: true,
                heard,
                ..Account::new(start)
            };
            account.made(at(60));
            account
        };
        assert_eq!(respond(true), Account::new(at(60)));
        // What it had sent ahead is no reason to wait for it again.
        assert_eq!(respond(false), Account::new(at(50)));
    }
}
