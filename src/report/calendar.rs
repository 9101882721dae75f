//! When things were written: days, weeks, hours, and how long answers took.
//!
//! Days and hours are those of one time zone. Days are counted from 1970-01-01, a Thursday.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::str::FromStr;

use foldhash::fast::RandomState;
use jiff::fmt::temporal;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, civil};

use super::model::{Dates, Day, FirstAnswer, Week};
use super::people::Number;

const SECONDS_A_DAY: i64 = 24 * 60 * 60;

/// As many weeks in a row may be quiet and be listed all the same: ten years.
const QUIET_WEEKS: i64 = 520;

/// What was written, by day, hour and author.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    zone: Option<Zone>,
    days: HashMap<i64, Written, RandomState>,
    hours: [[u64; 24]; 7],
    /// Who wrote something in a week, 64 people in a row an entry: sets of (person, week).
    active: HashMap<(Number, i64), u64, RandomState>,
    /// By week.
    joined: BTreeMap<i64, u64>,
    /// How long each post waited, in microseconds.
    waits: Vec<i64>,
}

/// What a date is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Post,
    Comment,
}

#[derive(Clone, Copy, Debug, Default)]
struct Written {
    posts: u64,
    comments: u64,
}

/// A time zone by which days, weeks and hours are counted, in the place of UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// A text that names no time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown time zone: expected a name such as `Europe/Berlin`, or an offset such as `+02:00` (names come from this system's time zone database, the package tzdata)"
)]
pub struct UnknownZone;

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(text: &str) -> Result<Self, UnknownZone> {
        let parser = temporal::DateTimeParser::new();
        let zone = parser.parse_time_zone(text).map_err(|_| UnknownZone)?;
        // As the database spells it.
        let name = zone.iana_name().unwrap_or(text).to_owned();
        Ok(Self { name, zone })
    }
}

impl Calendar {
    /// Counts by the days of a zone; by those of UTC where there is none.
    pub(super) fn of(zone: Option<&Zone>) -> Self {
        Self {
            zone: zone.cloned(),
            ..Self::default()
        }
    }

    /// Notes that something was written.
    pub(super) fn add(&mut self, kind: Kind, when: Timestamp, author: Option<Number>) {
        let (day, hour) = self.day_and_hour(when);
        let written = self.days.entry(day).or_default();
        match kind {
            Kind::Post => written.posts += 1,
            Kind::Comment => written.comments += 1,
        }
        let weekday = usize::try_from((day + 3).rem_euclid(7)).unwrap_or_default();
        self.hours[weekday][hour] += 1;
        if let Some(author) = author {
            *self.active.entry((author / 64, week_of(day))).or_default() |= 1 << (author % 64);
        }
    }

    /// Notes that an account was made.
    pub(super) fn add_account(&mut self, when: Timestamp) {
        let week = week_of(self.day_and_hour(when).0);
        *self.joined.entry(week).or_default() += 1;
    }

    /// Notes how long a post waited for its first answer.
    pub(super) fn add_wait(&mut self, post: Timestamp, first_answer: i64) {
        self.waits
            .push(first_answer.saturating_sub(post.as_microsecond()).max(0));
    }

    /// All that is known of dates; nothing where nothing that was written has one.
    pub(super) fn finish(mut self) -> Option<Dates> {
        if self.days.is_empty() {
            return None;
        }
        let first_answer = first_answer(&mut self.waits);
        let mut days: Vec<_> = self.days.iter().collect();
        days.sort_unstable_by_key(|(day, _)| **day);
        let day = |(day, written): (&i64, &Written)| Day {
            date: date(*day),
            posts: written.posts,
            comments: written.comments,
        };
        Some(Dates {
            days: days.into_iter().map(day).collect(),
            weeks: self.weeks(),
            hours: self.hours,
            first_answer,
            time_zone: self.zone.map(|zone| zone.name),
        })
    }

    /// The day and the hour of it.
    fn day_and_hour(&self, when: Timestamp) -> (i64, usize) {
        let zone = self.zone.as_ref();
        let offset = zone.map_or(0, |zone| zone.zone.to_offset(when).seconds());
        let seconds = when.as_nanosecond().div_euclid(1_000_000_000);
        let seconds = i64::try_from(seconds).unwrap_or_default();
        let seconds = seconds.saturating_add(offset.into());
        let hour = seconds.rem_euclid(SECONDS_A_DAY) / 3600;
        (
            seconds.div_euclid(SECONDS_A_DAY),
            usize::try_from(hour).unwrap_or_default(),
        )
    }

    fn weeks(&self) -> Vec<Week> {
        let mut weeks: BTreeMap<i64, Week> = BTreeMap::new();
        let week = |number: i64| Week {
            monday: date(number * 7 - 3),
            posts: 0,
            comments: 0,
            new_users: 0,
            returning_users: 0,
            joined: (!self.joined.is_empty())
                .then(|| self.joined.get(&number).copied().unwrap_or_default()),
        };
        let busy = self.days.keys().map(|day| week_of(*day));
        let busy: BTreeSet<_> = busy.chain(self.joined.keys().copied()).collect();
        let mut before = None;
        for number in busy {
            let gap = before.map_or(number, |before| before + 1)..number;
            if gap.end - gap.start < QUIET_WEEKS {
                weeks.extend(gap.map(|quiet| (quiet, week(quiet))));
            }
            weeks.insert(number, week(number));
            before = Some(number);
        }
        for (day, written) in &self.days {
            if let Some(week) = weeks.get_mut(&week_of(*day)) {
                week.posts += written.posts;
                week.comments += written.comments;
            }
        }
        let mut active: Vec<_> = self.active.iter().collect();
        active.sort_unstable_by_key(|((_, week), _)| *week);
        let mut seen: HashMap<Number, u64, RandomState> = HashMap::default();
        for ((block, number), people) in active {
            let seen = seen.entry(*block).or_default();
            if let Some(week) = weeks.get_mut(number) {
                week.new_users += u64::from((people & !*seen).count_ones());
                week.returning_users += u64::from((people & *seen).count_ones());
            }
            *seen |= people;
        }
        weeks.into_values().collect()
    }
}

/// The number of the week that a day is in; weeks begin on Monday.
fn week_of(day: i64) -> i64 {
    (day + 3).div_euclid(7)
}

fn date(day: i64) -> civil::Date {
    let beyond = if day < 0 {
        civil::Date::MIN
    } else {
        civil::Date::MAX
    };
    let day = civil::date(1970, 1, 1).checked_add(day.days());
    day.unwrap_or(beyond)
}

fn first_answer(waits: &mut [i64]) -> Option<FirstAnswer> {
    if waits.is_empty() {
        return None;
    }
    // The nearest rank: the smallest wait that so many did not exceed.
    let mut within = |tenths: usize| {
        let rank = (waits.len() * tenths).div_ceil(10).max(1);
        let (_, wait, _) = waits.select_nth_unstable(rank - 1);
        SignedDuration::from_micros(*wait)
    };
    let (median, percentile_90) = (within(5), within(9));
    Some(FirstAnswer {
        answered: waits.len() as u64,
        median,
        percentile_90,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_hours_are_those_of_the_zone_before_and_after_its_clocks_change() {
        // In Berlin clocks went forward at 01:00 UTC on 31 March 2024, and back on 27 October.
        let cases = [
            ("Europe/Berlin", "2024-03-30T23:30:00Z", "2024-03-31", 0),
            ("Europe/Berlin", "2024-03-31T00:59:59Z", "2024-03-31", 1),
            ("Europe/Berlin", "2024-03-31T01:00:00Z", "2024-03-31", 3),
            ("Europe/Berlin", "2024-03-31T22:00:00Z", "2024-04-01", 0),
            ("Europe/Berlin", "2024-10-27T00:30:00Z", "2024-10-27", 2),
            ("Europe/Berlin", "2024-10-27T01:30:00Z", "2024-10-27", 2),
            ("Europe/Berlin", "2024-10-27T22:30:00Z", "2024-10-27", 23),
            ("Asia/Kolkata", "2024-05-01T18:45:00Z", "2024-05-02", 0),
            (
                "Pacific/Kiritimati",
                "2024-05-01T10:00:00Z",
                "2024-05-02",
                0,
            ),
            ("America/New_York", "2024-05-01T03:59:59Z", "2024-04-30", 23),
            ("+02:00", "2024-01-01T22:00:00Z", "2024-01-02", 0),
        ];
        for (zone, when, day, hour) in cases {
            // A system may lack the database of zones.
            let Ok(zone) = zone.parse::<Zone>() else {
                continue;
            };
            let calendar = Calendar::of(Some(&zone));
            let (found, at) = calendar.day_and_hour(when.parse().unwrap());
            assert_eq!(
                (date(found).to_string(), at),
                (day.to_owned(), hour),
                "{zone:?} {when}"
            );
        }
        for unknown in ["", "Europe/Nowhere", "Berlin", "+25:99", "EST5EDT,M3"] {
            assert_eq!(unknown.parse::<Zone>(), Err(UnknownZone), "{unknown}");
        }
    }
}
