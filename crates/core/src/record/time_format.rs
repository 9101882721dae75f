//! Formats of times that a source file names.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// The units of numeric times, and how many nanoseconds each has.
const UNITS: [(&str, i128); 4] = [
    ("seconds", 1_000_000_000),
    ("milliseconds", 1_000_000),
    ("microseconds", 1000),
    ("nanoseconds", 1),
];

/// The word for the formats that are tried by default.
const STANDARD: &str = "standard";

/// How an API writes its times: a `strftime` format, or a word.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeFormat(String);

/// The text is not a [`TimeFormat`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a strftime format that has a whole date (`%d/%m/%Y %H:%M`), `seconds`, `milliseconds`, `microseconds`, `nanoseconds` or `standard`, found `{0}`"
)]
pub struct InvalidFormat(String);

impl TimeFormat {
    /// Parses a text in this format; `standard` parses it in the default formats.
    pub(super) fn read(
        &self,
        text: &str,
        zone: &TimeZone,
        standard: impl FnOnce() -> Option<Timestamp>,
    ) -> Option<Timestamp> {
        if self.0 == STANDARD {
            return standard();
        }
        if let Some((_, nanos)) = UNITS.iter().find(|(unit, _)| *unit == self.0) {
            return counted(text, *nanos);
        }
        // For strftime, a bare `Z` is a letter; the authors of formats mean UTC by it.
        let is_utc = self.0.ends_with('Z') && !self.0.ends_with("%Z");
        let zone = if is_utc { &TimeZone::UTC } else { zone };
        formatted(&self.0, text, zone)
    }
}

/// A number of units since 1970; fractions of a nanosecond are truncated.
fn counted(text: &str, nanos: i128) -> Option<Timestamp> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let sound = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !sound(whole) || !sound(fraction) {
        return None;
    }
    let fraction = fraction.get(..9).unwrap_or(fraction);
    let parts = 10i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let below = fraction.parse::<i128>().ok()?.checked_mul(nanos)? / parts;
    let whole = whole.parse::<i128>().ok()?.checked_mul(nanos)?;
    let all = whole.checked_add(below)?.checked_mul(sign)?;
    Timestamp::from_nanosecond(all).ok()
}

/// What messages expect of a time in other formats.
pub(super) fn expected(formats: &[TimeFormat]) -> String {
    let all: Vec<_> = formats.iter().map(|format| format!("`{format}`")).collect();
    format!("a time as {} has it", all.join(" or "))
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TimeFormat {
    type Err = InvalidFormat;

    fn from_str(text: &str) -> Result<Self, InvalidFormat> {
        let is_word = text == STANDARD || UNITS.iter().any(|(unit, _)| *unit == text);
        if is_word || is_format(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidFormat(activity_tracker_text::excerpt(text, 60)))
    }
}

/// Whether a time that is written in a format can be read in it.
fn is_format(text: &str) -> bool {
    let moment = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    let written = strtime::format(text, &moment);
    written.is_ok_and(|written| formatted(text, &written, &TimeZone::UTC).is_some())
}

/// Parses a text in a `strftime` format. A time without an offset is in `zone`.
pub(super) fn formatted(format: &str, text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let parts = strtime::parse(format, text).ok()?;
    if let Ok(instant) = parts.to_timestamp() {
        return Some(instant);
    }
    if parts.offset().is_some() {
        return None;
    }
    let midnight = || parts.to_date().ok().map(|date| date.at(0, 0, 0, 0));
    let civil = match parts.hour() {
        Some(_) => parts.to_datetime().ok(),
        None => midnight(),
    }?;
    zone.to_timestamp(civil).ok()
}

impl TryFrom<String> for TimeFormat {
    type Error = InvalidFormat;

    fn try_from(text: String) -> Result<Self, InvalidFormat> {
        text.parse()
    }
}

impl From<TimeFormat> for String {
    fn from(format: TimeFormat) -> Self {
        format.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{FromRaw, Time};
    use activity_tracker_json::Sound;

    #[test]
    fn a_time_is_read_as_the_named_format_has_it() {
        let noon = Some("2024-05-01T12:00:00Z");
        let cases = [
            ("%Y-%m-%d.%H:%M:%S", r#""2024-05-01.14:00:00""#, noon),
            ("%Y%m%dT%H%M%SZ", r#""20240501T120000Z""#, noon),
            ("%Y%m%dT%H%M%S%z", r#""20240501T140000+0200""#, noon),
            ("%d/%m/%Y %H:%M", r#""01/05/2024 14:00""#, noon),
            ("%m/%d/%Y", r#""05/01/2024""#, Some("2024-04-30T22:00:00Z")),
            (
                "%d/%m/%Y",
                r#""01\/05\/2024""#,
                Some("2024-04-30T22:00:00Z"),
            ),
            ("%Y%m%d", "20240501", Some("2024-04-30T22:00:00Z")),
            ("%Y%m%d%H%M%S", r#""20240501140000""#, noon),
            ("%b %d, %Y, %I:%M %p", r#""May 01, 2024, 02:00 PM""#, noon),
            ("microseconds", "1714564800000000", noon),
            ("microseconds", r#""1714564800000000""#, noon),
            ("nanoseconds", "1714564800000000000", noon),
            ("milliseconds", "86400000", Some("1970-01-02T00:00:00Z")),
            ("seconds", r#""86400.5""#, Some("1970-01-02T00:00:00.5Z")),
            ("seconds", "-1", Some("1969-12-31T23:59:59Z")),
            ("standard", r#""2024-05-01T12:00:00Z""#, noon),
            ("%d/%m/%Y", r#""2024-05-01T12:00:00Z""#, None),
            ("%d/%m/%Y", r#""05/13/2024""#, None),
            ("microseconds", r#""1e15""#, None),
            ("microseconds", "99999999999999999999999", None),
            ("%Y", "true", None),
            ("standard", r#""01/05/2024""#, None),
        ];
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        for (format, raw, expected) in cases {
            let formats = [TimeFormat(format.to_owned())];
            let time = Time::from_formats(Sound::new(raw), &zone, &formats);
            let found = time.ok().map(|time| time.instant().to_string());
            assert_eq!(found.as_deref(), expected, "{format} {raw}");
        }
    }

    #[test]
    fn the_first_format_that_fits_counts() {
        let formats: Vec<TimeFormat> = ["%d/%m/%Y", "standard"]
            .map(|format| format.parse().unwrap())
            .into();
        for raw in [r#""01/05/2024""#, r#""2024-05-01""#, "1714521600"] {
            let time = Time::from_formats(Sound::new(raw), &TimeZone::UTC, &formats).unwrap();
            assert_eq!(time.instant().to_string(), "2024-05-01T00:00:00Z", "{raw}");
        }
        let refused = Time::from_formats(Sound::new("\"x\""), &TimeZone::UTC, &formats);
        let why = refused.unwrap_err();
        assert_eq!(why.expected, "a time as `%d/%m/%Y` or `standard` has it");
    }

    #[test]
    fn what_is_no_format_is_refused() {
        for text in [
            "",
            "%H:%M",
            "%d/%m",
            "yyyy-mm-dd",
            "%",
            "%Q%Q",
            "%Y",
            "hours",
        ] {
            assert!(text.parse::<TimeFormat>().is_err(), "{text}");
        }
        for text in [
            "%s",
            "%F",
            "%F %T",
            "%d.%m.%Y",
            "%a %b %d %H:%M:%S %z %Y",
            "%Y-%j",
        ] {
            assert!(text.parse::<TimeFormat>().is_ok(), "{text}");
        }
    }
}
