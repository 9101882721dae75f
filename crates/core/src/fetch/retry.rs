//! When to retry, and when to give up.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

use super::quota::Quota;

/// The time, as an argument: one clock for waiting, one for dates in headers.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Monotonic.
    pub instant: Instant,
    /// Wall-clock time.
    pub wall: SystemTime,
}

impl Now {
    /// Reads the system's clocks.
    #[must_use]
    pub fn read() -> Self {
        Self {
            instant: Instant::now(),
            wall: SystemTime::now(),
        }
    }
}

/// Retries, redirects, concurrency and limits of a fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Maximum retries per request.
    pub retries: u32,
    /// Upper bound of the delay before the first retry; doubled for each further one.
    pub first_backoff: Duration,
    /// Upper bound of any delay.
    pub longest_backoff: Duration,
    /// The longest delay that a server may request; a longer one is an error.
    pub max_wait: Duration,
    /// Maximum redirects in a row.
    pub redirects: u32,
    /// Maximum concurrent requests, over all resources.
    pub concurrency: NonZeroUsize,
    /// How much one run may fetch.
    pub quota: Quota,
    /// Whether to accept a resource whose records still move between pages after all retries.
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
    /// The delay after attempt number `attempt` failed, where `dice` is a random number in `0..1`.
    ///
    /// This is exponential backoff with full jitter, after Marc Brooker's
    /// "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): the delay
    /// is uniform between zero and the bound, so clients that failed together
    /// do not retry together.
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

/// Whether a response with this status should be retried. 202 says that the data is still being
/// prepared; proxies use 520 to 530, 598 and 599 for failures of the server behind them.
pub(super) fn is_passing(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        202 | 408 | 425 | 429 | 500 | 502..=504 | 520..=530 | 598 | 599
    )
}

/// The delay that a server requests: seconds or a date (RFC 9110, section 10.2.3), also fractional
/// seconds; or milliseconds, in headers that some clouds send.
///
/// A date in the past means no delay; an invalid value is ignored.
pub(super) fn retry_after(headers: &HeaderMap, wall: SystemTime) -> Option<Duration> {
    let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.trim());
    let milliseconds = || {
        let text = text("retry-after-ms").or_else(|| text("x-ms-retry-after-ms"))?;
        Some(seconds(text)? / 1000)
    };
    let after = text(RETRY_AFTER.as_str());
    after
        .and_then(|text| {
            let number = seconds(text).map(|wait| until_moment(wait, wall).unwrap_or(wait));
            number.or_else(|| until_date(text, wall))
        })
        .or_else(milliseconds)
}

/// The time until a Unix timestamp, if the number is close to the current time: as a delay in
/// seconds, it would last decades.
fn until_moment(number: Duration, wall: SystemTime) -> Option<Duration> {
    const DAY: Duration = Duration::from_hours(24);
    let now = wall.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let near = now.saturating_sub(DAY)..now.saturating_add(DAY * 30);
    (now > DAY * 365 && near.contains(&number)).then(|| number.saturating_sub(now))
}

/// Decimal digits, perhaps with a fraction. Numbers that overflow saturate: still too long.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    if fraction.is_empty() {
        return Some(Duration::from_secs(whole.parse().unwrap_or(u64::MAX)));
    }
    let number = text.parse::<f64>().ok()?;
    Some(Duration::try_from_secs_f64(number).unwrap_or(Duration::from_secs(u64::MAX)))
}

/// The time until a date: in the format of HTTP, e-mail or RFC 3339; UTC if it has no offset.
pub(super) fn until_date(text: &str, wall: SystemTime) -> Option<Duration> {
    let of_http = || httpdate::parse_http_date(text).ok();
    let of_mail = || Some(rfc2822::parse(text).ok()?.timestamp().into());
    let of_rfc_3339 = || Some(text.parse::<Timestamp>().ok()?.into());
    let without_offset = || {
        let plain = text.strip_suffix(" UTC").unwrap_or(text);
        let time = plain
            .contains(':')
            .then(|| plain.parse::<DateTime>().ok())??;
        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().into())
    };
    let date: SystemTime = of_http()
        .or_else(of_rfc_3339)
        .or_else(of_mail)
        .or_else(without_offset)?;
    Some(date.duration_since(wall).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

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
            ("Sun, 06 Nov 1994 08:49:47 +0000", Some(10)),
            ("1994-11-06T08:49:47Z", Some(10)),
            ("1994-11-06T09:49:47+01:00", Some(10)),
            ("1994-11-06 08:49:47", Some(10)),
            ("9.0", Some(9)),
            ("784111787", Some(10)),
            ("784111787.5", Some(10)),
            ("784111700", Some(0)),
            ("784711777", Some(600_000)),
            ("700000000", Some(700_000_000)),
            ("-1", None),
            ("-1.5", None),
            ("1e3", None),
            (".5", None),
            ("nan", None),
            ("1994-11-06", None),
            ("soon", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            let found = retry_after(&headers, wall).map(|wait| wait.as_secs());
            assert_eq!(found, expected, "{text:?}");
        }
        let fractions = [
            (RETRY_AFTER, "1.5", 1500),
            (RETRY_AFTER, "0.8", 800),
            (HeaderName::from_static("retry-after-ms"), "1500", 1500),
            (HeaderName::from_static("x-ms-retry-after-ms"), "20", 20),
        ];
        for (name, text, expected) in fractions {
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(text))]);
            let found = retry_after(&headers, wall).map(|wait| wait.as_millis());
            assert_eq!(found, Some(expected), "{text:?}");
        }
    }

    #[test]
    fn trouble_of_a_proxy_passes_and_what_a_server_never_does_stays() {
        let passing = (100..600).filter(|code| {
            let status = StatusCode::from_u16(*code).unwrap();
            is_passing(status)
        });
        let passing: Vec<_> = passing.collect();
        let expected = [
            202, 408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 528,
            529, 530, 598, 599,
        ];
        assert_eq!(passing, expected);
    }
}
