//! The request rate: what the source file allows, and what the server's headers say.

use std::time::{Duration, Instant, SystemTime};

use http::HeaderMap;

use crate::source::Rate;

use super::retry::until_date;

/// Spaces out requests with the generic cell rate algorithm (GCRA, ITU-T I.371).
///
/// It keeps a single time: when the next request would be due at an even rate. A request may be
/// earlier than that by as much as the burst allows.
#[derive(Clone, Debug)]
pub(super) struct Limiter {
    interval: Duration,
    /// How far requests may be ahead of the even rate.
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

    /// The earliest time for the next request.
    pub(super) fn earliest(&self, now: Instant) -> Instant {
        let due = self.due.unwrap_or(now);
        due.checked_sub(self.ahead).unwrap_or(now).max(now)
    }

    /// Notes that a request is sent.
    pub(super) fn sent(&mut self, now: Instant) {
        // Timers always fire slightly late: a small delay does not lower the rate.
        let due = self
            .due
            .filter(|due| *due + self.interval / 10 >= now)
            .unwrap_or(now);
        self.due = Some(due + self.interval);
    }
}

/// The delay until the server's next window, if its headers say that no requests remain.
///
/// Reads `RateLimit` in the forms of the IETF drafts (`limit=…, remaining=…, reset=…` and
/// `"policy";r=…;t=…`, also several of them, with their windows in `RateLimit-Policy`), and
/// `[X-]RateLimit-Remaining` or `X-Rate-Limit-Remaining` with `-Reset` in seconds, as an epoch
/// time, or as a date. If the response was `refused` because of its rate, the remaining count may
/// be absent.
pub(super) fn asked_pause(
    headers: &HeaderMap,
    refused: bool,
    wall: SystemTime,
) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let by_policy = policies(headers, "ratelimit")
        .filter(|policy| policy.number(["remaining", "r"]) == Some(0))
        .filter_map(|policy| {
            let reset = policy.number(["reset", "t"]);
            let window = || {
                policies(headers, "ratelimit-policy")
                    .find(|known| known.name == policy.name)?
                    .number(["window", "w"])
            };
            reset.or_else(window).map(Duration::from_secs)
        })
        .max();
    if headers.contains_key("ratelimit") {
        return by_policy;
    }
    let any = |suffix: &str| {
        SPELLINGS
            .iter()
            .find_map(|prefix| text(&format!("{prefix}{suffix}")))
    };
    // Rust parses `nan` and `inf` as numbers; they are invalid here.
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
    match any("remaining") {
        Some(remaining) if number(remaining)? >= 1.0 => return None,
        None if !refused => return None,
        _ => {}
    }
    // A relative time is preferred: it does not depend on clocks.
    if let Some(after) = any("reset-after").and_then(number) {
        return Duration::try_from_secs_f64(after).ok();
    }
    let reset = any("reset")?.trim();
    match number(reset) {
        Some(reset) => until(reset, wall),
        None => until_date(reset, wall),
    }
}

/// Prefixes of the non-standard headers that frameworks use.
const SPELLINGS: [&str; 3] = ["x-ratelimit-", "x-rate-limit-", "ratelimit-"];

/// One policy of a list: `"name";r=0;t=5`. In the older form the whole header is one policy without
/// a name.
struct Policy<'a> {
    name: &'a str,
    text: &'a str,
}

impl Policy<'_> {
    fn number(&self, names: [&str; 2]) -> Option<u64> {
        self.text.split([',', ';']).find_map(|part| {
            let (name, number) = part.trim().split_once('=')?;
            names
                .contains(&name.trim())
                .then(|| number.trim().parse().ok())?
        })
    }
}

fn policies<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = Policy<'h>> {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| {
            let older = !value.contains([';', '"']);
            let separator = if older { '\0' } else { ',' };
            value.split(separator)
        })
        .map(|text| Policy {
            name: text.split([';', '=']).next().unwrap_or_default().trim(),
            text,
        })
}

/// Separates durations from epoch times: no window lasts a billion seconds, and current epoch times
/// are larger.
const EPOCH_SECONDS: f64 = 1e9;

fn until(reset: f64, wall: SystemTime) -> Option<Duration> {
    if reset < EPOCH_SECONDS {
        return Duration::try_from_secs_f64(reset).ok();
    }
    // The timestamp may be in seconds, milliseconds, microseconds or nanoseconds.
    let unit = [1.0, 1e3, 1e6, 1e9]
        .into_iter()
        .find(|unit| reset / unit < 1e3 * EPOCH_SECONDS)?;
    let since_epoch = Duration::try_from_secs_f64(reset / unit).ok()?;
    let moment = SystemTime::UNIX_EPOCH.checked_add(since_epoch)?;
    Some(moment.duration_since(wall).unwrap_or_default())
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

    /// Sends as fast as the limiter allows; returns the times, in milliseconds.
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
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn what_servers_say_of_their_limits_is_understood() {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let cases: [(&[(&str, &str)], _); 26] = [
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
            (
                &[("ratelimit", "\"burst\";r=0;t=5, \"day\";r=900;t=80000")],
                Some(5),
            ),
            (
                &[("ratelimit", "\"burst\";r=9;t=5, \"day\";r=0;t=80000")],
                Some(80_000),
            ),
            (
                &[
                    ("ratelimit", "\"burst\";r=0"),
                    (
                        "ratelimit-policy",
                        "\"day\";q=9;w=86400, \"burst\";q=1;w=60",
                    ),
                ],
                Some(60),
            ),
            (
                &[("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "9")],
                Some(9),
            ),
            (
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "2023-11-14T22:14:20.000Z"),
                ],
                Some(60),
            ),
            (
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "2023-11-14T23:14:20+01:00"),
                ],
                Some(60),
            ),
            (
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "Tue, 14 Nov 2023 22:14:20 GMT"),
                ],
                Some(60),
            ),
            (
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "1700000045000000"),
                ],
                Some(45),
            ),
            (
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset-after", "3.5"),
                    ("x-ratelimit-reset", "1700000099"),
                ],
                Some(3),
            ),
            (&[("x-ratelimit-reset", "30")], None),
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
            let found = asked_pause(&headers, false, wall).map(|pause| pause.as_secs());
            assert_eq!(found, expected, "{pairs:?}");
        }
    }
    #[test]
    fn a_refusal_needs_no_word_of_what_remains() {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let cases: [(&[(&'static str, &'static str)], _); 6] = [
            (&[("x-ratelimit-reset", "30")], Some(30)),
            (&[("x-rate-limit-reset", "1700000045")], Some(45)),
            (&[("ratelimit-reset", "2023-11-14T22:14:20Z")], Some(60)),
            (&[("x-ratelimit-reset", "soon")], None),
            // What remains is not what it was refused for.
            (
                &[
                    ("x-ratelimit-remaining", "4000"),
                    ("x-ratelimit-reset", "1700003600"),
                ],
                None,
            ),
            (&[], None),
        ];
        for (pairs, expected) in cases {
            let pairs = pairs.iter().map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            });
            let headers: HeaderMap = pairs.collect();
            let found = asked_pause(&headers, true, wall).map(|pause| pause.as_secs());
            assert_eq!(found, expected, "{headers:?}");
        }
    }
}
