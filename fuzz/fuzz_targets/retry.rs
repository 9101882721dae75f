//! The waits that servers ask for: `Retry-After`, and the headers on rate limits.
//!
//! An input is a line with the time in seconds since 1970, and lines of
//! headers: `Retry-After: 7`.
#![no_main]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use activity_tracker::fuzzing::{asked_pause, retry_after};
use activity_tracker_fuzz::first_line;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

/// A number of seconds becomes one of nanoseconds, rounded.
const ROUNDED: f64 = 1.0 + 1e-9;
/// The last second of the year 9999, which no HTTP date is behind.
const LAST_DATE: u64 = 253_402_300_799;

fuzz_target!(|input: &[u8]| {
    let (line, rest) = first_line(input);
    let seconds = std::str::from_utf8(line)
        .ok()
        .and_then(|text| text.parse::<u32>().ok())
        .unwrap_or(1_700_000_000);
    let wall = UNIX_EPOCH + Duration::from_secs(seconds.into());
    let mut headers = HeaderMap::new();
    for line in rest.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = HeaderName::from_bytes(parts.next().unwrap_or_default());
        let value = HeaderValue::from_bytes(parts.next().unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    check_retry_after(&headers, wall);
    a_date_is_read_back(&headers, wall);
    check_pause(&headers, wall);
});

fn value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Seconds, perhaps with a fraction, or a date that has not passed, and nothing else.
fn check_retry_after(headers: &HeaderMap, wall: SystemTime) {
    let wait = retry_after(headers, wall);
    let in_milliseconds = ["retry-after-ms", "x-ms-retry-after-ms"];
    if in_milliseconds
        .iter()
        .any(|name| headers.contains_key(*name))
    {
        return;
    }
    let Some(text) = value(headers, "retry-after") else {
        assert_eq!(wait, None);
        return;
    };
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let significant = text.trim_start_matches('0');
        let seconds = if significant.is_empty() {
            0
        } else {
            significant.parse().unwrap_or(u64::MAX)
        };
        assert_eq!(wait, Some(Duration::from_secs(seconds)));
    } else if let Some(wait) = wait {
        if let Ok(date) = httpdate::parse_http_date(text) {
            assert_eq!(wait, date.duration_since(wall).unwrap_or_default());
        } else if let Ok(seconds) = text.parse::<f64>() {
            assert!(text.contains('.') && wait.as_secs_f64() <= seconds * ROUNDED + 1e-9);
        } else {
            assert!(wait <= Duration::from_secs(LAST_DATE));
        }
    } else {
        assert!(httpdate::parse_http_date(text).is_err(), "{text:?}");
    }
}

/// What is written as a date is the wait that it was made from.
fn a_date_is_read_back(headers: &HeaderMap, wall: SystemTime) {
    let Some(Ok(seconds)) = value(headers, "x-wait").map(str::parse::<u32>) else {
        return;
    };
    let wait = Duration::from_secs(seconds.into());
    let date = HeaderValue::from_str(&httpdate::fmt_http_date(wall + wait)).unwrap();
    let headers = HeaderMap::from_iter([(RETRY_AFTER, date)]);
    assert_eq!(retry_after(&headers, wall), Some(wait));
}

/// A pause comes of a server that says that nothing remains, and of no other.
fn check_pause(headers: &HeaderMap, wall: SystemTime) {
    let pause = asked_pause(headers, wall);
    let either = |suffix: &str| {
        let spellings = ["x-ratelimit-", "x-rate-limit-", "ratelimit-"];
        let mut found = spellings.iter();
        found.find_map(|prefix| value(headers, &format!("{prefix}{suffix}")))
    };
    if either("reset-after").is_some() {
        return;
    }
    if let Some(limit) = value(headers, "ratelimit") {
        if let Some(pause) = pause {
            assert_eq!(pause.subsec_nanos(), 0);
            let all = headers.get_all("ratelimit").iter();
            let mut all = all.filter_map(|value| value.to_str().ok());
            assert!(all.any(says_zero), "something remains: {limit}");
            let policy = headers.contains_key("ratelimit-policy");
            assert!(policy || limit.contains("reset") || limit.contains('t'));
        }
        return;
    }
    let (remaining, reset) = (either("remaining"), either("reset"));
    let Some(pause) = pause else {
        let zero = remaining.is_some_and(|text| text == "0");
        let seconds = reset.is_some_and(|text| {
            text.len() < 10 && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
        });
        assert!(!(zero && seconds), "a plain wait is taken");
        return;
    };
    let (remaining, reset) = (remaining.unwrap(), reset.unwrap());
    let is_number = |text: &str| text.bytes().all(|byte| b"0123456789+-.eE".contains(&byte));
    assert!(is_number(remaining), "no number: {remaining:?}");
    assert!(remaining.parse::<f64>().unwrap() < 1.0);
    if !is_number(reset) {
        assert!(
            pause <= Duration::from_secs(LAST_DATE),
            "no date: {reset:?}"
        );
        return;
    }
    let reset: f64 = reset.parse().unwrap();
    assert!(
        reset >= 0.0 && pause.as_secs_f64() <= reset * ROUNDED + 1e-9,
        "{pause:?}"
    );
}

/// Whether a number in the list is zero: `remaining=0`, `r=00`.
fn says_zero(limit: &str) -> bool {
    limit.split([',', ';']).any(|part| {
        part.split_once('=').is_some_and(|(name, number)| {
            matches!(name.trim(), "remaining" | "r") && number.trim().parse() == Ok(0u64)
        })
    })
}
