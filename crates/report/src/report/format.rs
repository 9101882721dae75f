//! Times and durations as people read them, the same in every format.

use jiff::{SignedDuration, Timestamp};

use super::zone::Zone;
use activity_tracker_text::grouped;

/// The day of a time: `2024-05-03`.
pub(super) fn iso_day(at: Timestamp, zone: &Zone) -> String {
    zone.local(at).strftime("%Y-%m-%d").to_string()
}

/// A time to the minute: `2024-05-03 14:05`. The caller has to name the time zone.
pub(super) fn iso_minute(at: Timestamp, zone: &Zone) -> String {
    zone.local(at).strftime("%Y-%m-%d %H:%M").to_string()
}

/// A time to the second, in UTC: `2024-05-03 14:05:00 UTC`.
pub(super) fn utc_second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A duration in its two largest units: `2 h 14 min`, `40 ms`.
pub(super) fn duration(duration: SignedDuration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let sign = if duration.is_negative() { "−" } else { "" };
    let seconds = duration.as_secs().unsigned_abs();
    let Some(first) = UNITS.iter().position(|(unit, _)| seconds >= *unit) else {
        return match duration.as_millis().unsigned_abs() {
            0 => "0 s".to_owned(),
            millis => format!("{sign}{millis} ms"),
        };
    };
    let (unit, name) = UNITS[first];
    let mut text = format!("{sign}{} {name}", grouped(seconds / unit));
    if let Some((smaller, name)) = UNITS.get(first + 1) {
        let rest = seconds % unit / smaller;
        if rest > 0 {
            text = format!("{text} {rest} {name}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(duration(SignedDuration::from_millis(40)), "40 ms");
    }

    #[test]
    fn times_are_shown_in_the_zone() {
        let at = "2024-05-03T23:30:59Z".parse().unwrap();
        let zone = "+02:00".parse().unwrap();
        assert_eq!(iso_minute(at, &zone), "2024-05-04 01:30");
        assert_eq!(iso_day(at, &zone), "2024-05-04");
        assert_eq!(iso_minute(at, &Zone::default()), "2024-05-03 23:30");
        assert_eq!(utc_second(at), "2024-05-03 23:30:59 UTC");
    }
}
