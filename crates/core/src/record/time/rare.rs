//! Formats of times that only some APIs send; tried only after the usual formats failed.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{counted, written as usual};
use crate::record::time_format::formatted;

/// Formats that begin with the name of a day: those of Twitter, `git log`, C's `asctime`, and
/// `date`.
const WITH_DAYS: [&str; 5] = [
    "%a %b %d %H:%M:%S %z %Y",
    "%a %b %d %H:%M:%S %Y %z",
    "%a %b %e %H:%M:%S %Y",
    "%a %b %e %H:%M:%S UTC %Y",
    "%a %b %e %H:%M:%S GMT %Y",
];

/// Parses a time in one of these formats.
#[cold]
pub(super) fn written(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let trimmed = text.trim();
    if trimmed != text {
        return usual(trimmed, zone).or_else(|| written(trimmed, zone));
    }
    if let Some(number) = text.strip_prefix("/Date(") {
        return date_call(number.strip_suffix(")/")?);
    }
    let first = text.as_bytes().first()?;
    if first.is_ascii_alphabetic() {
        let zones = ["UTC", "GMT"];
        return WITH_DAYS.into_iter().find_map(|form| {
            let is_utc = zones.iter().any(|zone| form.contains(zone));
            let zone = if is_utc { &TimeZone::UTC } else { zone };
            formatted(form, text, zone)
        });
    }
    if text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return counted_text(text);
    }
    let plain = plain(text);
    if plain == text {
        return None;
    }
    usual(&plain, zone)
}

/// Seconds or milliseconds in quotes. Texts of other lengths may also be dates without separators
/// (`20240501`), so they are not accepted.
fn counted_text(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let sound = matches!(whole.len(), 9 | 10 | 13) && !fraction.is_empty();
    (sound && !whole.starts_with('0'))
        .then(|| counted(text))
        .flatten()
}

/// Milliseconds as ASP.NET writes them: `/Date(1714564800000+0200)/`; the offset has no effect.
fn date_call(inside: &str) -> Option<Timestamp> {
    let zone = inside.char_indices().skip(1);
    let zone = zone
        .into_iter()
        .find(|(_, letter)| matches!(letter, '+' | '-'));
    let number = zone.map_or(inside, |(at, _)| inside.get(..at).unwrap_or_default());
    let milliseconds: i64 = number.parse().ok()?;
    Timestamp::from_millisecond(milliseconds).ok()
}

/// Replaces slashes in the date, and removes the space before the zone.
fn plain(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let slashes = bytes.get(4) == Some(&b'/') && bytes.get(7) == Some(&b'/');
    let mut plain = Cow::Borrowed(text);
    if slashes {
        plain = text.replacen('/', "-", 2).into();
    }
    // There may be a space between the date and the time, too.
    let behind_time = plain
        .rsplit_once(' ')
        .filter(|(before, _)| before.len() > 10);
    if let Some((before, zone)) = behind_time {
        let zone = match zone {
            "UTC" | "GMT" | "Z" => "Z",
            offset if offset.starts_with(['+', '-']) => offset,
            _ => return plain,
        };
        plain = format!("{before}{zone}").into();
    }
    plain
}

/// Whether a text in quotes means that there is no time.
pub(super) fn is_none(text: &str) -> bool {
    // A number in a column of texts: 0 seconds means no time.
    if matches!(text.trim(), "" | "0") {
        return true;
    }
    // PHP turns the zero dates into the last one of these.
    let zero = ["0000-00-00", "0000/00/00", "-0001-11-30"];
    let rest = zero.iter().find_map(|zero| text.strip_prefix(zero));
    rest.is_some_and(|rest| {
        let zone = TimeZone::UTC;
        let same_form = format!("2000-01-01{rest}");
        usual(&same_form, &zone)
            .or_else(|| written(&same_form, &zone))
            .is_some()
    })
}
