//! How the values of options are parsed: durations, sizes, numbers, ports.

use std::num::{IntErrorKind, NonZeroUsize};
use std::ops::RangeInclusive;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::{Span, SpanRelativeTo};

/// The longest duration that an option accepts.
const LONGEST: Duration = Duration::from_hours(30 * 24);

/// The largest number of worker processes: each one has a thread in this process.
const MOST_WORKERS: u64 = 1000;

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a duration such as 30s, 5min or 50ms".to_owned();
    let span: Span = text.parse().map_err(|_| expected())?;
    if span.get_years() != 0 || span.get_months() != 0 {
        let problem = "years and months vary in length: expected a duration such as 7d or 6h";
        return Err(problem.to_owned());
    }
    let signed = span.to_duration(SpanRelativeTo::days_are_24_hours());
    let time = Duration::try_from(signed.map_err(|_| expected())?).map_err(|_| expected())?;
    if time > LONGEST {
        return Err("must be at most 30 days".to_owned());
    }
    Ok(time)
}

pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be longer than 0s".to_owned()),
        time => Ok(time),
    }
}

pub(crate) fn size(text: &str) -> Result<ByteSize, String> {
    match text.parse() {
        Ok(ByteSize(0)) => Err("must be greater than 0".to_owned()),
        Ok(size) => Ok(size),
        Err(_) => Err("expected a size such as 500kB, 10MiB or 4GiB".to_owned()),
    }
}

/// A whole number.
///
/// clap's own parsers print the messages of Rust's standard library, such as "invalid digit found
/// in string"; these do not.
pub(crate) fn number(text: &str) -> Result<u64, String> {
    in_range(text, 0..=u64::MAX)
}

/// A whole number of 32 bits.
pub(crate) fn small_number(text: &str) -> Result<u32, String> {
    let number = in_range(text, 0..=u32::MAX.into())?;
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

/// A whole number of at least 1.
pub(crate) fn positive(text: &str) -> Result<u64, String> {
    in_range(text, 1..=u64::MAX)
}

/// A whole number of at least 1, as a length in memory.
pub(crate) fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    length(text, u64::MAX)
}

/// A number of worker processes.
pub(crate) fn workers(text: &str) -> Result<NonZeroUsize, String> {
    length(text, MOST_WORKERS)
}

/// A TCP port; 0 lets the system pick one.
pub(crate) fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| "not a port: expected a number from 0 to 65535".to_owned())
}

fn length(text: &str, most: u64) -> Result<NonZeroUsize, String> {
    let number = in_range(text, 1..=most)?;
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    Ok(NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN))
}

fn in_range(text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let too_small = || format!("must be at least {}", range.start());
    let too_large = || format!("must be at most {}", range.end());
    match text.parse::<u64>() {
        Ok(number) if number < *range.start() => Err(too_small()),
        Ok(number) if number > *range.end() => Err(too_large()),
        Ok(number) => Ok(number),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => Err(too_large()),
        Err(_) if is_negative(text) => Err(too_small()),
        Err(_) => Err("not a whole number".to_owned()),
    }
}

fn is_negative(text: &str) -> bool {
    let digits = text.strip_prefix('-');
    digits.is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
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

    #[test]
    fn numbers_are_refused_in_words_of_the_program() {
        let cases = [
            ("1", Ok(1)),
            ("1000", Ok(1000)),
            ("0", Err("must be at least 1")),
            ("-3", Err("must be at least 1")),
            ("1001", Err("must be at most 1000")),
            ("18446744073709551616", Err("must be at most 1000")),
            ("two", Err("not a whole number")),
            ("1.5", Err("not a whole number")),
            ("-", Err("not a whole number")),
            ("", Err("not a whole number")),
        ];
        for (text, expected) in cases {
            let found = workers(text).map(NonZeroUsize::get);
            assert_eq!(found, expected.map_err(str::to_owned), "{text:?}");
        }
        assert_eq!(number("0"), Ok(0));
        assert_eq!(positive("0"), Err("must be at least 1".to_owned()));
        assert_eq!(small_number("4294967295"), Ok(u32::MAX));
        assert!(small_number("4294967296").is_err());
    }

    #[test]
    fn a_port_is_a_number_of_16_bits() {
        assert_eq!(port("0"), Ok(0));
        assert_eq!(port("65535"), Ok(65535));
        for wrong in ["80a", "65536", "-1", "", "http"] {
            assert!(
                port(wrong).unwrap_err().starts_with("not a port"),
                "{wrong:?}"
            );
        }
    }
}
