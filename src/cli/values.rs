//! How the value of an argument is read: times, sizes, numbers.

use std::num::NonZeroUsize;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::{Span, SpanRelativeTo};

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a time such as 30s, 5min or 50ms".to_owned();
    let span: Span = text.parse().map_err(|_| expected())?;
    if span.get_years() != 0 || span.get_months() != 0 {
        let problem =
            "years and months are not all of one length: expected a time such as 7d or 6h";
        return Err(problem.to_owned());
    }
    // Nothing is said of a place, so no clock is set there meanwhile.
    let signed = span.to_duration(SpanRelativeTo::days_are_24_hours());
    let time = Duration::try_from(signed.map_err(|_| expected())?).map_err(|_| expected())?;
    // Longer than any wait can be meant, and short enough for every clock.
    if time > LONGEST {
        return Err("expected at most 30 days".to_owned());
    }
    Ok(time)
}

pub(crate) fn size(text: &str) -> Result<ByteSize, String> {
    match text.parse() {
        Ok(ByteSize(0)) => Err("expected more than nothing".to_owned()),
        Ok(size) => Ok(size),
        Err(_) => Err("expected a size such as 500kB, 10MiB or 4GiB".to_owned()),
    }
}

/// A number of things of which there must be one.
pub(crate) fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse() {
        Ok(number) => NonZeroUsize::new(number).ok_or_else(|| "expected at least 1".to_owned()),
        Err(_) => Err("expected a number, 1 or more".to_owned()),
    }
}

/// The most worker processes: each has a thread that hands it its tasks.
const MOST_WORKERS: usize = 1000;

/// How many worker processes there may be.
pub(crate) fn workers(text: &str) -> Result<NonZeroUsize, String> {
    match at_least_one(text)? {
        number if number.get() > MOST_WORKERS => Err(format!("expected at most {MOST_WORKERS}")),
        number => Ok(number),
    }
}

const LONGEST: Duration = Duration::from_hours(30 * 24);

pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("expected more than no time".to_owned()),
        time => Ok(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_units() {
        let cases = [
            ("30s", Some(30_000)),
            ("5min", Some(300_000)),
            ("5 m", Some(300_000)),
            ("50ms", Some(50)),
            ("1h 30m", Some(5_400_000)),
            ("0s", Some(0)),
            ("30", None),
            ("-1s", None),
            ("soon", None),
            ("720h", Some(2_592_000_000)),
            ("1d", Some(86_400_000)),
            ("2 days, 12h", Some(216_000_000)),
            ("1w", Some(604_800_000)),
            ("4w 2d", Some(2_592_000_000)),
            ("P1DT12H", Some(129_600_000)),
            ("1.5h", Some(5_400_000)),
            ("4w 2d 1ns", None),
            ("-1d", None),
            ("1d ago", None),
            ("1mo", None),
            ("1y", None),
            ("1y 1d", None),
            ("1.5d", None),
            ("9223372036854775807s", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let found = duration(text).ok().map(|time| time.as_millis());
            assert_eq!(found, expected, "{text:?}");
        }
        assert!(positive_duration("0s").is_err());
    }

    #[test]
    fn sizes_are_read_with_their_units() {
        let cases = [
            ("500kB", Some(500_000)),
            ("10MiB", Some(10 << 20)),
            ("4GiB", Some(4 << 30)),
            ("1.5 MB", Some(1_500_000)),
            ("1000", Some(1000)),
            ("0", None),
            ("0kB", None),
            ("0.1B", None),
            ("-1", None),
            ("-1kB", None),
            ("much", None),
            ("NaN", None),
            ("infMB", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let found = size(text).ok().map(|size| size.as_u64());
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
