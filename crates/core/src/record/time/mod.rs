//! Times, in the formats in which APIs send them.

mod rare;

use std::fmt;

use jiff::fmt::{rfc2822, temporal};
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

use crate::record::FromRaw;
use crate::record::time_format::{self, TimeFormat};
use activity_tracker_json::{Mismatch, Sound, Text};

/// What messages call a time.
const EXPECTED: &str = "a time (RFC 3339, RFC 2822, a date, or seconds or milliseconds since 1970)";

const NANOS_PER_SECOND: u32 = 9;

/// Numbers below 10¹¹ are seconds, which is enough until the year 5138; larger ones are
/// milliseconds, beginning in March 1973. The limit is in nanoseconds, as if it were seconds.
const MILLISECONDS_FROM: i128 = 100_000_000_000 * 1_000_000_000;

/// How far a number may be beyond the first and the last timestamp, in nanoseconds: two days.
const BEYOND: i128 = 2 * 86_400 * 1_000_000_000;

/// A timestamp, and the text that the API sent for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time<'a> {
    text: Text<'a>,
    instant: Timestamp,
}

impl Time<'_> {
    /// The time as the API sent it, without quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.text.as_str()
    }

    /// The timestamp.
    #[must_use]
    pub fn instant(&self) -> Timestamp {
        self.instant
    }
}

impl fmt::Display for Time<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.instant.fmt(f)
    }
}

impl<'a> FromRaw<'a> for Time<'a> {
    fn from_raw(raw: &'a str, zone: &TimeZone) -> Result<Self, Mismatch> {
        let (text, instant) = if raw.starts_with('"') {
            let text = Text::from_raw(raw, zone).ok();
            let instant = text.as_ref().and_then(|text| {
                let text = text.as_str();
                written(text, zone).or_else(|| rare::written(text, zone))
            });
            (text, instant)
        } else {
            (Some(Text::bare(raw)), counted(raw))
        };
        text.zip(instant)
            .map(|(text, instant)| Self { text, instant })
            .ok_or_else(|| Mismatch::new(EXPECTED, raw))
    }

    fn from_formats(
        sound: Sound<'a>,
        zone: &TimeZone,
        formats: &[TimeFormat],
    ) -> Result<Self, Mismatch> {
        if formats.is_empty() {
            return Self::from_sound(sound, zone);
        }
        let raw = sound.raw();
        let mismatch = || Mismatch::new(&time_format::expected(formats), raw);
        let text = if raw.starts_with('"') {
            Text::from_raw(raw, zone)?
        } else if raw.starts_with(['{', '[']) || raw.parse::<bool>().is_ok() {
            return Err(mismatch());
        } else {
            Text::bare(raw)
        };
        let standard = || Self::from_raw(raw, zone).ok().map(|time| time.instant());
        let read = |format: &TimeFormat| format.read(text.as_str(), zone, standard);
        let instant = formats.iter().find_map(read).ok_or_else(mismatch)?;
        Ok(Self { text, instant })
    }

    /// Whether a text means no time: nothing or `0` in the quotes, or a zero date as `MySQL` or PHP
    /// writes it.
    fn is_blank(raw: &str) -> bool {
        raw.strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .is_some_and(rare::is_none)
    }

    /// The first days of the year 1 and the last days of the year 9999 mean "never".
    fn means_nothing(&self) -> bool {
        !(FIRST..LAST).contains(&self.instant.as_second())
    }
}

/// 0001-01-03T00:00:00Z in seconds: in every zone, the first date is before it.
const FIRST: i64 = -62_135_424_000;

/// 9999-12-30T00:00:00Z in seconds: in every zone, the last date is not before it.
const LAST: i64 = 253_402_128_000;

/// Parses a date with or without a time and a zone, or a date in the format of e-mails.
fn written(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let Some(behind_date) = behind_date(text) else {
        let parser = rfc2822::DateTimeParser::new();
        let found = parser.parse_timestamp(text).ok();
        return found.or_else(|| last_year(text));
    };
    // jiff's parser of civil times would skip an offset or a zone name that it cannot use, so the
    // parser is chosen here.
    let mut time = behind_date.bytes().skip(1);
    if time.all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.')) {
        let civil: civil::DateTime = text.parse().ok()?;
        // In the gap of spring, the later time; in the fold of autumn, the first one (RFC 5545).
        let found = zone.to_timestamp(civil).ok();
        found.or_else(|| is_last(civil.date()).then_some(Timestamp::MAX))
    } else if behind_date.contains('[') {
        None
    } else {
        let found = text.parse().ok();
        found.or_else(|| {
            let pieces = temporal::Pieces::parse(text).ok()?;
            pieces.offset()?;
            is_last(pieces.date()).then_some(Timestamp::MAX)
        })
    }
}

/// Whether a date is one of the last two days of a four-digit calendar, by which APIs mean "never".
/// A timestamp must have a date in every zone, so the last timestamp is before the end of these
/// days.
fn is_last(date: civil::Date) -> bool {
    date >= civil::date(9999, 12, 30)
}

/// The last timestamp, for an e-mail date in the last days of the last year.
fn last_year(text: &str) -> Option<Timestamp> {
    let date = text.split_once(", ").map_or(text, |(_, date)| date);
    let days = ["30 Dec 9999 ", "31 Dec 9999 "];
    let day = days.into_iter().find(|day| date.starts_with(day))?;
    // The same day of the previous year shows whether the rest is a valid time.
    let before = format!("{}{}", day.replace("9999", "9998"), &date[day.len()..]);
    let parser = rfc2822::DateTimeParser::new();
    parser.parse_timestamp(&before).ok()?;
    Some(Timestamp::MAX)
}

/// The rest of a text that begins with a date such as `2024-05-01`.
fn behind_date(text: &str) -> Option<&str> {
    let (date, rest) = text.split_at_checked(10)?;
    let shaped = date.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    shaped.then_some(rest)
}

/// Seconds or milliseconds since 1970, exactly; fractions of a nanosecond are truncated.
fn counted(number: &str) -> Option<Timestamp> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = whole.bytes().chain(fraction.bytes());
    let digits = digits.try_fold(0i128, |number, digit| {
        let digit = char::from(digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })?;
    let decimals = i32::try_from(fraction.len()).ok()?;
    let shift = exponent
        .checked_sub(decimals)?
        .checked_add_unsigned(NANOS_PER_SECOND)?;
    let power = 10i128.checked_pow(shift.unsigned_abs());
    let as_seconds = match (digits, power) {
        (0, _) => 0,
        (digits, Some(power)) if shift >= 0 => digits.checked_mul(power)?,
        (digits, Some(power)) => digits / power,
        (_, None) if shift >= 0 => return None,
        (_, None) => 0,
    };
    let nanos = if as_seconds < MILLISECONDS_FROM {
        as_seconds
    } else {
        as_seconds / 1000
    };
    let (nanos, bounds) = (sign * nanos, [Timestamp::MIN, Timestamp::MAX]);
    let [least, most] = bounds.map(Timestamp::as_nanosecond);
    // The first and the last date in some zone are accepted, as in texts. A number beyond them
    // counts something else.
    let within = (least - BEYOND..=most + BEYOND).contains(&nanos);
    within.then(|| Timestamp::from_nanosecond(nanos.clamp(least, most)).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(raw: &str, zone: &TimeZone) -> Option<String> {
        let time = Time::from_raw(raw, zone).ok()?;
        Some(time.instant().to_string())
    }

    #[test]
    fn a_time_is_read_in_each_form_that_apis_send() {
        let noon = Some("2024-05-01T12:00:00Z");
        let cases = [
            (r#""2024-05-01T12:00:00Z""#, noon),
            (r#""2024-05-01t12:00:00z""#, noon),
            (r#""2024-05-01T14:00:00+02:00""#, noon),
            (r#""2024-05-01T14:00:00+0200""#, noon),
            (r#""2024-05-01 07:00:00-05""#, noon),
            (r#""2024-05-01T12:00:00.000Z""#, noon),
            (r#""2024-05-01T12:00:00\u005a""#, noon),
            (r#""2024-05-01T12:00:00""#, Some("2024-05-01T10:00:00Z")),
            (r#""2024-05-01 12:00:00""#, Some("2024-05-01T10:00:00Z")),
            (r#""2024-05-01 12:00:00.5""#, Some("2024-05-01T10:00:00.5Z")),
            (r#""2024-05-01T12:00""#, Some("2024-05-01T10:00:00Z")),
            (r#""2024-05-01""#, Some("2024-04-30T22:00:00Z")),
            (r#""2016-12-31T23:59:60Z""#, Some("2016-12-31T23:59:59Z")),
            (r#""Wed, 01 May 2024 12:00:00 +0000""#, noon),
            (r#""Wed, 1 May 2024 12:00:00 GMT""#, noon),
            (r#""1 May 2024 14:00 +0200""#, noon),
        ];
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        for (raw, expected) in cases {
            assert_eq!(instant(raw, &zone).as_deref(), expected, "{raw}");
        }
    }

    #[test]
    fn a_time_is_read_as_frameworks_and_services_write_it() {
        let noon = "2024-05-01T12:00:00Z";
        let cases = [
            ("2024-05-01 12:00:00 UTC", noon),
            ("2024-05-01 12:00:00 GMT", noon),
            ("2024-05-01 12:00:00 Z", noon),
            ("2024-05-01 14:00:00 +0200", noon),
            ("2024-05-01 14:00:00 +02:00", noon),
            ("2024-05-01T12:00:00 UTC", noon),
            ("2024-05-01 12:00:00.25 UTC", "2024-05-01T12:00:00.25Z"),
            ("2024/05/01 21:00:00 +0900", noon),
            ("2024/05/01 12:00:00Z", noon),
            ("2024/05/01T12:00:00Z", noon),
            ("2024/05/01 14:00:00", noon),
            ("2024/05/01", "2024-04-30T22:00:00Z"),
            ("Wed May 01 12:00:00 +0000 2024", noon),
            ("Wed Oct 10 20:19:24 +0000 2018", "2018-10-10T20:19:24Z"),
            ("Wed May 1 14:00:00 2024 +0200", noon),
            ("Wed May  1 14:00:00 2024", noon),
            ("Wed May  1 12:00:00 UTC 2024", noon),
            ("Wed, 1 May 2024 14:00:00 +0200", noon),
            ("1714564800", noon),
            ("1714564800000", noon),
            ("1714564800.123456", "2024-05-01T12:00:00.123456Z"),
            ("1714564800123.5", "2024-05-01T12:00:00.1235Z"),
            ("/Date(1714564800000)/", noon),
            ("/Date(1714564800000+0200)/", noon),
            ("/Date(-1000)/", "1969-12-31T23:59:59Z"),
            (" 2024-05-01T12:00:00Z ", noon),
            ("2024-05-01 12:00:00 UTC ", noon),
            (" 1714564800", noon),
        ];
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        for (text, expected) in cases {
            let raw = format!("\"{text}\"");
            assert_eq!(instant(&raw, &zone).as_deref(), Some(expected), "{raw}");
        }
        let escaped = r#""\/Date(1714564800000)\/""#;
        assert_eq!(instant(escaped, &zone).as_deref(), Some(noon));
    }

    #[test]
    fn some_times_are_none() {
        for text in [
            "",
            "  ",
            "0",
            "0000-00-00",
            "0000-00-00 00:00:00",
            "0000-00-00T00:00:00Z",
            "0000-00-00 00:00:00.000000 UTC",
            "0000/00/00",
            "-0001-11-30T00:00:00+00:00",
            "-0001-11-30 00:00:00",
        ] {
            assert!(Time::is_blank(&format!("\"{text}\"")), "{text}");
        }
        for raw in [
            "0",
            "null",
            "\"0000-00-00 x\"",
            "\"2024-00-00\"",
            "\"-\"",
            "\"never\"",
        ] {
            assert!(!Time::is_blank(raw), "{raw}");
        }
        for (raw, expected) in [
            ("\"0001-01-01T00:00:00Z\"", true),
            ("\"0001-01-01\"", true),
            ("\"0001-01-01T00:00:00-12:00\"", true),
            ("\"9999-12-31\"", true),
            ("\"9999-12-31T23:59:59.999Z\"", true),
            ("-62135596800", true),
            ("253402300799000", true),
            ("0", false),
            ("\"0002-01-01\"", false),
            ("\"9998-12-31T23:59:59Z\"", false),
        ] {
            let time = Time::from_raw(raw, &TimeZone::UTC).unwrap();
            assert_eq!(time.means_nothing(), expected, "{raw}");
        }
    }

    #[test]
    fn a_number_counts_seconds_or_milliseconds_by_its_size() {
        let noon = Some("2024-05-01T12:00:00Z");
        let cases = [
            ("1714564800", noon),
            ("1714564800.0", noon),
            ("1.7145648e9", noon),
            ("17145648E+2", noon),
            ("1714564800000", noon),
            ("1714564800000.0", noon),
            (
                "1714564800.123456789",
                Some("2024-05-01T12:00:00.123456789Z"),
            ),
            (
                "1714564800.1234567899",
                Some("2024-05-01T12:00:00.123456789Z"),
            ),
            ("1714564800123.5", Some("2024-05-01T12:00:00.1235Z")),
            ("0", Some("1970-01-01T00:00:00Z")),
            ("-0", Some("1970-01-01T00:00:00Z")),
            ("0e999", Some("1970-01-01T00:00:00Z")),
            ("1e-999", Some("1970-01-01T00:00:00Z")),
            ("-1.5", Some("1969-12-31T23:59:58.5Z")),
            ("99999999999", Some("5138-11-16T09:46:39Z")),
            ("100000000000", Some("1973-03-03T09:46:40Z")),
            ("-100000000000", Some("1966-10-31T14:13:20Z")),
        ];
        for (raw, expected) in cases {
            assert_eq!(instant(raw, &TimeZone::UTC).as_deref(), expected, "{raw}");
        }
    }

    #[test]
    fn the_last_days_of_the_calendar_are_its_last_moment() {
        let (last, first) = (Timestamp::MAX.to_string(), Timestamp::MIN.to_string());
        let texts = [
            "9999-12-31",
            "9999-12-31T23:59:59",
            "9999-12-31 23:59:59.999999999",
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59.999Z",
            "9999-12-31T00:00:00+00:00",
            "9999-12-31T23:59:59-12:00",
            "9999-12-30T23:00:00-01:00",
            "Fri, 31 Dec 9999 23:59:59 GMT",
            "31 Dec 9999 23:59 +0000",
        ];
        for offset in [-25, -12, 0, 1] {
            let zone = TimeZone::fixed(jiff::tz::offset(offset));
            for text in texts {
                let raw = format!("\"{text}\"");
                assert_eq!(instant(&raw, &zone), Some(last.clone()), "{raw} {offset}");
            }
        }
        let east = TimeZone::fixed(jiff::tz::offset(14));
        let read = |raw: &str| instant(raw, &east);
        assert_eq!(
            read(r#""9999-12-31""#).as_deref(),
            Some("9999-12-30T10:00:00Z")
        );
        assert!(read(r#""0000-01-01""#).is_some() && read(r#""0001-01-01T00:00:00Z""#).is_some());
        for (number, expected) in [
            ("253402300799000", Some(&last)),
            (
                "253402207200999",
                Some(&"9999-12-30T22:00:00.999Z".to_owned()),
            ),
            ("253402207201000", Some(&last)),
            ("-377705116800000", Some(&first)),
            ("-377705023202000", Some(&first)),
            ("253402500000000", None),
            ("1714564800000000", None),
            ("9223372036854775807", None),
        ] {
            assert_eq!(read(number).as_ref(), expected, "{number}");
        }
        for text in [
            "9999-12-31T25:00:00Z",
            "9999-12-32",
            "9999-12-31T00:00:00+99:99",
            "31 Dec 9999 x",
            "9999-12-31T00:00:00Z x",
        ] {
            assert_eq!(read(&format!("\"{text}\"")), None, "{text}");
        }
    }

    #[test]
    fn in_the_gap_a_time_moves_on_and_in_the_fold_it_is_the_first() {
        let new_york = TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap();
        let cases = [
            (r#""2024-03-10T02:30:00""#, "2024-03-10T07:30:00Z"),
            (r#""2024-11-03T01:30:00""#, "2024-11-03T05:30:00Z"),
            (r#""2024-07-01""#, "2024-07-01T04:00:00Z"),
        ];
        for (raw, expected) in cases {
            assert_eq!(instant(raw, &new_york).as_deref(), Some(expected), "{raw}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_was_expected() {
        let cases = [
            r#""""#,
            r#""yesterday""#,
            r#""20240501""#,
            r#""20240501T120000Z""#,
            r#""12345678""#,
            r#""202405011200""#,
            r#""20240501120000""#,
            r#""-1714564800""#,
            r#""1714564800x""#,
            r#""01/02/2024""#,
            r#""2024/05-01""#,
            r#""2024-05-01 12:00:00 CEST""#,
            r#""2024-05-01 12:00:00  UTC x""#,
            r#""2024-05-01 UTC""#,
            r#""Thu May 01 12:00:00 +0000 2024""#,
            r#""Wed May 32 12:00:00 +0000 2024""#,
            r#""/Date(x)/""#,
            r#""2024-05""#,
            r#""2024-13-01""#,
            r#""2024-02-30T00:00:00Z""#,
            r#""2024-05-01T25:00:00""#,
            r#""2024-05-01T12:00:00+99:99""#,
            r#""2024-05-01T12:00:00Z and more""#,
            r#""2024-05-01T12:00:00[Europe/Paris]""#,
            r#""2024-05-01T12:00:00Z[Europe/Paris]""#,
            r#""2024-05-0é""#,
            r#""Thu, 01 May 2024 12:00:00 +0000""#,
            r#""\ud800""#,
            "1e400",
            "1e99999999999999999999",
            "123456789012345678901234567890123456789012345678901234567890",
            "1e17",
            "null",
            "true",
            "{}",
            "[1]",
        ];
        for raw in cases {
            let found = Time::from_raw(raw, &TimeZone::UTC).map(|time| time.to_string());
            assert_eq!(found, Err(Mismatch::new(EXPECTED, raw)), "{raw}");
        }
    }

    #[test]
    fn a_time_keeps_the_text_that_was_sent() {
        for (raw, text) in [(r#""2024-05-01""#, "2024-05-01"), ("17e8", "17e8")] {
            let time = Time::from_raw(raw, &TimeZone::UTC).unwrap();
            assert_eq!(time.as_str(), text);
        }
    }
}
