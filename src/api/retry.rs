//! When to ask again, and when to give up.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

use super::quota::Quota;

/// The time, as an argument: one clock for waiting, one for dates in headers.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Never goes back.
    pub instant: Instant,
    /// What the calendar says.
    pub wall: SystemTime,
}

impl Now {
    /// Asks the system.
    #[must_use]
    pub fn read() -> Self {
        Self {
            instant: Instant::now(),
            wall: SystemTime::now(),
        }
    }
}

/// How stubbornly to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How many times a request is sent again, at most.
    pub retries: u32,
    /// Before the first retry at most this long; doubled for each further one.
    pub first_backoff: Duration,
    /// However many retries: never longer than this.
    pub longest_backoff: Duration,
    /// A server that asks for a longer wait than this is given up.
    pub max_wait: Duration,
    /// How many redirects in a row are followed.
    pub redirects: u32,
    /// How many requests are under way at once, over all resources.
    pub concurrency: NonZeroUsize,
    /// How much one run may fetch.
    pub quota: Quota,
    /// Whether a resource is taken whose records move from page to page each time they are fetched.
    pub allow_moving: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            retries: 4,
            first_backoff: Duration::from_secs(1),
            longest_backoff: Duration::from_secs(30),
            max_wait: Duration::from_mins(5),
            redirects: 10,
            concurrency: const { NonZeroUsize::new(5).unwrap() },
            quota: Quota::default(),
            allow_moving: false,
        }
    }
}

impl Policy {
    /// How long to wait after the `attempt`th attempt failed, where `dice` is a throw in `0..1`.
    ///
    /// This is exponential backoff with full jitter, after Marc Brooker's
    /// "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): anything
    /// between nothing and the bound is as likely, so clients that failed
    /// together do not come back together.
    #[must_use]
    pub fn backoff(&self, attempt: u32, dice: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let bound = self
            .first_backoff
            .saturating_mul(1 << doublings)
            .min(self.longest_backoff);
        bound.mul_f64(dice.clamp(0.0, 1.0))
    }
}

/// Whether an answer with this status is worth asking again for.
pub(super) fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// The wait that a server asks for: seconds or an HTTP date (RFC 9110, section 10.2.3).
///
/// A date that has passed is no wait; what cannot be read is as if it were not there.
pub(super) fn retry_after(headers: &HeaderMap, wall: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are still a wait, and surely one that is too long.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(wall).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn backoff_doubles_up_to_its_bound_and_is_spread_from_zero() {
        let policy = Policy::default();
        let bounds: Vec<_> = (1..=7)
            .map(|attempt| policy.backoff(attempt, 1.0).as_secs())
            .collect();
        assert_eq!(bounds, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(policy.backoff(3, 0.0), Duration::ZERO);
        assert_eq!(policy.backoff(3, 0.25), Duration::from_secs(1));
        assert_eq!(policy.backoff(u32::MAX, 1.0), Duration::from_secs(30));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let cases = [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sunday, 06-Nov-94 08:49:47 GMT", Some(10)),
            ("Sun Nov  6 08:49:47 1994", Some(10)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            let found = retry_after(&headers, wall).map(|wait| wait.as_secs());
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
