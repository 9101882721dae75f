//! Numbers, times and remote text, in the form that people read.

use jiff::{SignedDuration, Timestamp, civil};

use crate::text::excerpt;

pub(crate) use crate::text::grouped as number;

/// How many characters of remote text a line shows.
const LINE: usize = 120;
/// How many characters of it are there to be pointed at.
const WHOLE: usize = 1_000;

/// Remote text with nothing in it that could steer what surrounds it.
///
/// Control characters and marks of direction are escaped; a template escapes HTML besides, and
/// isolates the text's own direction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// What stands on the page.
    pub(crate) text: String,
    /// More of it, where what stands there was cut.
    pub(crate) whole: Option<String>,
}

impl Shown {
    /// Cuts what is too long to be read.
    pub(crate) fn new(text: &str) -> Self {
        let cut = text.chars().nth(LINE).is_some();
        Self {
            text: excerpt(text, LINE),
            whole: cut.then(|| excerpt(text, WHOLE)),
        }
    }
}

/// Text of which something can be seen.
pub(super) fn visible(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str)
        .filter(|text| !text.trim().is_empty())
}

/// A count with its noun: `1 post`, `1,200 posts`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", number(count))
}

/// A number on an axis, short: `950`, `12k`, `1.5M`.
pub(super) fn on_axis(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        size if size >= 1e9 => (value / 1e9, "G"),
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    // Ticks are multiples of 1, 2 or 5: one digit behind the point says all of them.
    let text = format!("{scaled:.1}");
    format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
}

/// A number that may be an average: `3`, `3.5`, `12,000`.
pub(super) fn measured(value: f64) -> String {
    let text = format!("{value:.1}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, "0"));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), number);
    if rest == "0" {
        whole
    } else {
        format!("{whole}.{rest}")
    }
}

/// A count as a number to draw with.
#[expect(
    clippy::cast_precision_loss,
    reason = "bars are not longer than a screen"
)]
pub(super) fn length(count: u64) -> f64 {
    count as f64
}

/// A part of a whole: `12%`, `<1%`; none of nothing.
pub(super) fn share(part: u64, whole: u64) -> Option<String> {
    let percent = (whole > 0).then(|| length(part) / length(whole) * 100.0)?;
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

/// A moment, to the minute: `3 May 2024, 14:05 UTC`.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%-d %b %Y, %H:%M UTC").to_string()
}

/// The day of a moment, in UTC.
pub(super) fn day_of(at: Timestamp) -> String {
    at.strftime("%-d %b %Y").to_string()
}

/// How long something took, in its two largest units: `2 h 14 min`.
pub(super) fn duration(duration: SignedDuration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let sign = if duration.is_negative() { "−" } else { "" };
    let seconds = duration.as_secs().unsigned_abs();
    let Some(first) = UNITS.iter().position(|(unit, _)| seconds >= *unit) else {
        return "0 s".to_owned();
    };
    let (unit, name) = UNITS[first];
    let mut text = format!("{sign}{} {name}", number(seconds / unit));
    if let Some((smaller, name)) = UNITS.get(first + 1) {
        let rest = seconds % unit / smaller;
        if rest > 0 {
            text = format!("{text} {rest} {name}");
        }
    }
    text
}

/// How long a run took: `0.42 s`, or as [`duration`] from ten seconds on.
pub(super) fn took(time: SignedDuration) -> String {
    if time.is_negative() || time >= SignedDuration::from_secs(10) {
        return duration(time);
    }
    format!("{:.2} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000")];
        for (count, text) in cases {
            assert_eq!(number(count), text);
        }
        assert_eq!(number(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn averages_have_one_digit_behind_the_point() {
        let cases = [
            (0.04, "0"),
            (3.0, "3"),
            (3.46, "3.5"),
            (160_836.0, "160,836"),
            (1e20, "100000000000000000000"),
        ];
        for (value, text) in cases {
            assert_eq!(measured(value), text);
        }
    }

    #[test]
    fn ticks_are_short() {
        let cases = [
            (0.0, "0"),
            (0.5, "0.5"),
            (5_000.0, "5000"),
            (20_000.0, "20k"),
            (2_500_000.0, "2.5M"),
        ];
        for (value, text) in cases {
            assert_eq!(on_axis(value), text);
        }
    }

    #[test]
    fn a_share_says_neither_nothing_nor_all_where_that_is_not_so() {
        let cases = [
            ((0, 9), Some("0%")),
            ((1, 9_999), Some("<1%")),
            ((1, 3), Some("33%")),
            ((9_998, 9_999), Some(">99%")),
            ((9, 9), Some("100%")),
            ((0, 0), None),
        ];
        for ((part, whole), text) in cases {
            assert_eq!(share(part, whole).as_deref(), text, "{part} of {whole}");
        }
    }

    #[test]
    fn durations_have_two_units() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (8_040, "2 h 14 min"),
            (90_061, "1 d 1 h"),
            (-90, "−1 min 30 s"),
            (i64::MIN, "−106,751,991,167,300 d 15 h"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(SignedDuration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn long_text_is_cut_and_more_of_it_is_kept() {
        let shown = Shown::new(&"x".repeat(10_000));
        assert_eq!(shown.text.chars().count(), LINE + 1);
        assert_eq!(shown.whole.map(|whole| whole.chars().count()), Some(1_001));
        assert!(Shown::new("short").whole.is_none());
    }
}
