//! Formats numbers, times and remote text for HTML pages.

use jiff::{SignedDuration, Timestamp, civil};

use crate::report::zone::Zone;
use activity_tracker_text::excerpt;

pub(super) use crate::report::format::duration;
pub(super) use activity_tracker_text::{count, grouped as number};

/// The maximum number of characters of remote text.
const MAX_SHOWN: usize = 120;
/// The maximum number of characters in a tooltip.
const MAX_TOOLTIP: usize = 1_000;

/// Remote text, truncated, with control and direction characters escaped. Templates escape HTML
/// and isolate the text direction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// The text on the page.
    pub(crate) text: String,
    /// The tooltip with more of the text, if it is truncated.
    pub(crate) full: Option<String>,
}

impl Shown {
    /// Truncates and escapes text.
    pub(crate) fn new(text: &str) -> Self {
        let cut = text.chars().nth(MAX_SHOWN).is_some();
        Self {
            text: excerpt(text, MAX_SHOWN),
            full: cut.then(|| excerpt(text, MAX_TOOLTIP)),
        }
    }
}

/// The text, unless it is blank.
pub(super) fn non_blank(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str)
        .filter(|text| !text.trim().is_empty())
}

/// A short axis label: `950`, `12k`, `1.5M`.
pub(super) fn axis_label(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        size if size >= 1e9 => (value / 1e9, "G"),
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e4 => (value / 1e3, "k"),
        _ => return decimal(value),
    };
    // Ticks are multiples of 1, 2 or 5, so one decimal is enough.
    let text = format!("{scaled:.1}");
    format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
}

/// A number with at most one decimal: `3`, `3.5`, `12,000`.
pub(super) fn decimal(value: f64) -> String {
    let text = format!("{value:.1}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, "0"));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), number);
    if rest == "0" {
        whole
    } else {
        format!("{whole}.{rest}")
    }
}

/// A count for charts.
#[expect(
    clippy::cast_precision_loss,
    reason = "charts do not need more precision"
)]
pub(super) fn as_f64(count: u64) -> f64 {
    count as f64
}

/// A percentage: `12%`, `<1%`; `None` of 0.
pub(super) fn percentage(part: u64, whole: u64) -> Option<String> {
    let percent = (whole > 0).then(|| as_f64(part) / as_f64(whole) * 100.0)?;
    Some(match percent {
        low if part > 0 && low < 1.0 => "<1%".to_owned(),
        high if part < whole && high > 99.0 => ">99%".to_owned(),
        other => format!("{other:.0}%"),
    })
}

/// A day: `3 May 2024`.
pub(super) fn day(date: civil::Date) -> String {
    date.strftime("%-d %b %Y").to_string()
}

/// A time to the minute, with its zone: `3 May 2024, 14:05 UTC`.
pub(super) fn time(at: Timestamp, zone: &Zone) -> String {
    zone.local(at).strftime("%-d %b %Y, %H:%M %Z").to_string()
}

/// The day of a time: `3 May 2024`.
pub(super) fn day_of(at: Timestamp, zone: &Zone) -> String {
    day(zone.day(at))
}

/// The duration of a run: `0.42 s`, or as [`duration`] from ten seconds on.
pub(super) fn elapsed(span: SignedDuration) -> String {
    if span.is_negative() || span >= SignedDuration::from_secs(10) {
        return duration(span);
    }
    format!("{:.2} s", span.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_at_most_one_decimal() {
        let cases = [
            (0.04, "0"),
            (3.0, "3"),
            (3.46, "3.5"),
            (160_836.0, "160,836"),
            (1e20, "100000000000000000000"),
        ];
        for (value, text) in cases {
            assert_eq!(decimal(value), text);
        }
    }

    #[test]
    fn axis_labels_are_short() {
        let cases = [
            (0.0, "0"),
            (0.5, "0.5"),
            (5_000.0, "5,000"),
            (20_000.0, "20k"),
            (2_500_000.0, "2.5M"),
        ];
        for (value, text) in cases {
            assert_eq!(axis_label(value), text);
        }
    }

    #[test]
    fn percentages_are_not_rounded_to_none_or_all() {
        let cases = [
            ((0, 9), Some("0%")),
            ((1, 9_999), Some("<1%")),
            ((1, 3), Some("33%")),
            ((9_998, 9_999), Some(">99%")),
            ((9, 9), Some("100%")),
            ((0, 0), None),
        ];
        for ((part, whole), text) in cases {
            assert_eq!(
                percentage(part, whole).as_deref(),
                text,
                "{part} of {whole}"
            );
        }
    }

    #[test]
    fn times_name_their_zone() {
        let at = "2024-05-03T23:05:00Z".parse().unwrap();
        assert_eq!(time(at, &Zone::default()), "3 May 2024, 23:05 UTC");
        let zone = "+02:00".parse().unwrap();
        assert_eq!(time(at, &zone), "4 May 2024, 01:05 +02");
        assert_eq!(day_of(at, &zone), "4 May 2024");
    }

    #[test]
    fn long_text_is_truncated_with_a_tooltip() {
        let shown = Shown::new(&"x".repeat(10_000));
        assert_eq!(shown.text.chars().count(), MAX_SHOWN + 1);
        assert_eq!(shown.full.map(|full| full.chars().count()), Some(1_001));
        assert!(Shown::new("short").full.is_none());
    }
}
