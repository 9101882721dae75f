//! A moment in the life of the sample forum.

use std::fmt::{self, Display};
use std::ops::Add;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Serialize, Serializer};

pub(super) const HOUR: i64 = 60 * 60;
pub(super) const DAY: i64 = 24 * HOUR;

/// A moment, to the second: the forum is shown as it was at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub(super) i64);

/// The text is neither a date nor a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a date or time in UTC (2026-05-31, 2026-05-31T08:00:00Z)")]
pub struct InvalidMoment;

impl Moment {
    /// When the forum begins: Monday, 2026-01-05, 00:00 UTC.
    pub(super) const START: Self = Self(1_767_571_200);

    /// After its last day: 2026-07-01, 00:00 UTC. Nothing happens then or later.
    pub(super) const END: Self = Self(1_782_864_000);

    /// Parses a moment: a date, which means its end, or a time; `None` for `latest` and for an
    /// empty text.
    ///
    /// # Errors
    /// If it is none of these.
    pub fn requested(text: &str) -> Result<Option<Self>, InvalidMoment> {
        match text {
            "" | "latest" => Ok(None),
            text => text.parse().map(Some),
        }
    }

    /// The moment `elapsed` later, if a day of the forum takes `day`.
    pub(super) fn after(self, elapsed: Duration, day: Duration) -> Self {
        let day = day.as_nanos().max(1);
        let seconds = elapsed.as_nanos().saturating_mul(DAY.unsigned_abs().into()) / day;
        self + i64::try_from(seconds).unwrap_or(i64::MAX)
    }
}

impl Add<i64> for Moment {
    type Output = Self;

    /// Adds seconds.
    fn add(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

impl FromStr for Moment {
    type Err = InvalidMoment;

    fn from_str(text: &str) -> Result<Self, InvalidMoment> {
        // Without a time zone, a time is in UTC.
        let utc = |time: DateTime| TimeZone::UTC.to_timestamp(time).ok();
        // A text with a time would also parse as a date.
        let date = text.parse::<Date>().ok();
        let date = date.filter(|_| text.len() == "2026-05-31".len());
        let moment = if let Some(date) = date {
            let next = date.checked_add(1.day()).ok();
            let next = next.and_then(|next| utc(next.at(0, 0, 0, 0)));
            next.map(|next| next.as_second() - 1)
        } else {
            let moment = text.parse::<Timestamp>().ok();
            let moment = moment.or_else(|| text.parse().ok().and_then(utc));
            moment.map(Timestamp::as_second)
        };
        moment.map(Self).ok_or(InvalidMoment)
    }
}

/// RFC 3339, in UTC.
impl Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = Timestamp::from_second(self.0).unwrap_or(Timestamp::MAX);
        moment.fmt(formatter)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_over_at_its_end_and_a_time_is_a_moment() {
        for (text, expected) in [
            ("2026-05-31", "2026-05-31T23:59:59Z"),
            ("2026-05-31T08:00:00Z", "2026-05-31T08:00:00Z"),
            ("2026-05-31T08:00:00.9Z", "2026-05-31T08:00:00Z"),
            ("2026-05-31T08:00:00+02:00", "2026-05-31T06:00:00Z"),
            ("2026-05-31T08:00", "2026-05-31T08:00:00Z"),
            ("2026-05-31 08:00", "2026-05-31T08:00:00Z"),
            ("0001-01-01", "0001-01-01T23:59:59Z"),
        ] {
            let found = text.parse::<Moment>().map(|moment| moment.to_string());
            assert_eq!(found.as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "yesterday",
            "2026-02-30",
            "2026-5-1",
            "7",
            "9999-12-31",
            " ",
        ] {
            assert_eq!(Moment::requested(text), Err(InvalidMoment), "{text}");
        }
        assert_eq!(Moment::requested("latest"), Ok(None));
        assert_eq!(Moment::requested(""), Ok(None));
    }

    #[test]
    fn the_forum_lives_from_a_monday_in_january_to_the_end_of_june() {
        assert_eq!(Moment::START.to_string(), "2026-01-05T00:00:00Z");
        assert_eq!(Moment::END.to_string(), "2026-07-01T00:00:00Z");
    }

    #[test]
    fn a_moving_clock_saturates() {
        let start = Moment::START;
        let second = Duration::from_secs(1);
        assert_eq!(start.after(3 * second, second), start + 3 * DAY);
        assert_eq!(start.after(second / 2, second), start + DAY / 2);
        assert_eq!(start.after(Duration::MAX, Duration::ZERO), Moment(i64::MAX));
    }
}
