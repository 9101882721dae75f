//! How fast to ask: what the source file allows, and what the server says.

use std::time::{Duration, Instant, SystemTime};

use http::HeaderMap;

use crate::source::Rate;

/// Spaces requests out, after the generic cell rate algorithm (GCRA, ITU-T I.371).
///
/// It keeps one time: when the next request would be due if all came evenly. A
/// request may come before that by as much as the burst allows.
#[derive(Clone, Debug)]
pub(super) struct Limiter {
    interval: Duration,
    /// How far requests may run ahead of their even spacing.
    ahead: Duration,
    due: Option<Instant>,
}

impl Limiter {
    pub(super) fn new(rate: Rate) -> Self {
        let interval = rate.per / rate.requests.get();
        Self {
            interval,
            ahead: interval * (rate.burst.get() - 1),
            due: None,
        }
    }

    /// When the next request may be sent at the earliest.
    pub(super) fn earliest(&self, now: Instant) -> Instant {
        let due = self.due.unwrap_or(now);
        due.checked_sub(self.ahead).unwrap_or(now).max(now)
    }

    /// Notes that a request is sent.
    pub(super) fn sent(&mut self, now: Instant) {
        // Timers wake late by a little, every time: what is only that is not lost.
        let due = self
            .due
            .filter(|due| *due + self.interval / 10 >= now)
            .unwrap_or(now);
        self.due = Some(due + self.interval);
    }
}

/// The wait that a server asks for by saying that nothing remains: until its window begins anew.
///
/// Reads `RateLimit` in the forms of the IETF drafts (`limit=…, remaining=…,
/// reset=…` and `"policy";r=…;t=…`), and `[X-]RateLimit-Remaining` with
/// `-Reset` in seconds, epoch seconds or epoch milliseconds.
pub(super) fn asked_pause(headers: &HeaderMap, wall: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    if let Some(value) = text("ratelimit") {
        let field = |names: [&str; 2]| {
            value.split([',', ';']).find_map(|part| {
                let (name, number) = part.trim().split_once('=')?;
                names
                    .contains(&name.trim())
                    .then(|| number.trim().parse::<u64>().ok())?
            })
        };
        if field(["remaining", "r"])? == 0 {
            return field(["reset", "t"]).map(Duration::from_secs);
        }
        return None;
    }
    let either = |suffix: &str| {
        text(&format!("x-ratelimit-{suffix}")).or_else(|| text(&format!("ratelimit-{suffix}")))
    };
    // To Rust, `nan` and `inf` are numbers, too; no server counts like that.
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
    let remaining = number(either("remaining")?)?;
    if remaining >= 1.0 {
        return None;
    }
    let reset = number(either("reset")?)?;
    until(reset, wall)
}

/// No window is a billion seconds long, and no epoch time of our days is shorter.
const EPOCH_SECONDS: f64 = 1e9;
const EPOCH_MILLISECONDS: f64 = 1e12;

fn until(reset: f64, wall: SystemTime) -> Option<Duration> {
    let since_epoch = |seconds: f64| {
        let moment =
            SystemTime::UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
        Some(moment.duration_since(wall).unwrap_or_default())
    };
    if reset >= EPOCH_MILLISECONDS {
        since_epoch(reset / 1000.0)
    } else if reset >= EPOCH_SECONDS {
        since_epoch(reset)
    } else {
        Duration::try_from_secs_f64(reset).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;
    use std::num::NonZeroU32;

    fn limiter(requests: u32, burst: u32) -> Limiter {
        let number = |n| NonZeroU32::new(n).unwrap();
        Limiter::new(Rate {
            requests: number(requests),
            per: Duration::from_secs(1),
            burst: number(burst),
        })
    }

    /// Sends as fast as the limiter lets; gives when, in milliseconds.
    fn times(limiter: &mut Limiter, start: Instant, count: usize) -> Vec<u128> {
        let mut now = start;
        (0..count)
            .map(|_| {
                now = limiter.earliest(now);
                limiter.sent(now);
                (now - start).as_millis()
            })
            .collect()
    }

    #[test]
    fn requests_are_spaced_evenly_after_the_burst() {
        let start = Instant::now();
        assert_eq!(times(&mut limiter(20, 1), start, 5), [0, 50, 100, 150, 200]);
        assert_eq!(
            times(&mut limiter(20, 3), start, 6),
            [0, 0, 0, 50, 100, 150]
        );
    }

    #[test]
    fn a_timer_that_wakes_late_does_not_slow_the_pace() {
        let start = Instant::now();
        let mut limiter = limiter(20, 1);
        let mut now = start;
        for _ in 0..=200 {
            now = limiter.earliest(now) + Duration::from_millis(1);
            limiter.sent(now);
        }
        let elapsed = (now - start).as_secs_f64();
        assert!((10.0..10.1).contains(&elapsed), "{elapsed}");
    }

    #[test]
    fn a_pause_earns_a_burst_and_no_more() {
        let start = Instant::now();
        let mut limiter = limiter(10, 2);
        times(&mut limiter, start, 4);
        let later = start + Duration::from_mins(1);
        assert_eq!(times(&mut limiter, later, 4), [0, 0, 100, 200]);
    }

    proptest! {
        #[test]
        fn in_no_window_are_there_more_than_its_share_and_the_burst(
            requests in 1u32..50, burst in 1u32..10, pauses in prop::collection::vec(0u64..300, 1..80)
        ) {
            let mut limiter = limiter(requests, burst);
            let mut now = Instant::now();
            let mut sent = Vec::new();
            for pause in pauses {
                now += Duration::from_millis(pause);
                now = limiter.earliest(now);
                limiter.sent(now);
                sent.push(now);
            }
            for (i, first) in sent.iter().enumerate() {
                for (count, last) in (0u32..).zip(&sent[i..]) {
                    let share = (*last - *first).as_secs_f64() * f64::from(requests);
                    prop_assert!(f64::from(count) <= share + f64::from(burst) - 1.0 + 0.1 + 1e-6);
                }
            }
        }
    }

    #[test]
    fn what_servers_say_of_their_limits_is_understood() {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let cases: [(&[(&str, &str)], _); 16] = [
            (
                &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "30")],
                Some(30),
            ),
            (
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "1700000045"),
                ],
                Some(45),
            ),
            (
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "1700000045000"),
                ],
                Some(45),
            ),
            (
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "1600000000"),
                ],
                Some(0),
            ),
            (
                &[
                    ("x-ratelimit-remaining", "0.0"),
                    ("x-ratelimit-reset", "12.0"),
                ],
                Some(12),
            ),
            (
                &[("ratelimit-remaining", "0"), ("ratelimit-reset", "5")],
                Some(5),
            ),
            (
                &[("ratelimit", "limit=100, remaining=0, reset=50")],
                Some(50),
            ),
            (&[("ratelimit", "\"default\";r=0;t=7")], Some(7)),
            (&[("ratelimit", "limit=100, remaining=1, reset=50")], None),
            (&[("ratelimit", "\"default\";r=9")], None),
            (
                &[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "30")],
                None,
            ),
            (&[("x-ratelimit-remaining", "0")], None),
            (
                &[
                    ("x-ratelimit-remaining", "none"),
                    ("x-ratelimit-reset", "-1"),
                ],
                None,
            ),
            (
                &[
                    ("x-ratelimit-remaining", "NaN"),
                    ("x-ratelimit-reset", "30"),
                ],
                None,
            ),
            (
                &[
                    ("x-ratelimit-remaining", "-inf"),
                    ("x-ratelimit-reset", "30"),
                ],
                None,
            ),
            (&[], None),
        ];
        for (pairs, expected) in cases {
            let headers: HeaderMap = pairs
                .iter()
                .map(|(name, value)| {
                    (
                        name.parse::<HeaderName>().unwrap(),
                        HeaderValue::from_static(value),
                    )
                })
                .collect();
            let found = asked_pause(&headers, wall).map(|pause| pause.as_secs());
            assert_eq!(found, expected, "{pairs:?}");
        }
    }
}
