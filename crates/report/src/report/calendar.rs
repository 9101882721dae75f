//! Activity by day, week and hour, and the time to the first reply.
//!
//! Days and hours are in one time zone. Days are numbered from 1970-01-01, a Thursday.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use foldhash::fast::RandomState;
use jiff::{SignedDuration, Timestamp, ToSpan, civil};

use super::model::{Dates, Day, ReplyTimes, Week};
use super::people::PersonIndex;
use super::zone::Zone;

const SECONDS_A_DAY: i64 = 24 * 60 * 60;

/// Longer gaps without activity are left out: ten years of weeks.
const MAX_GAP: i64 = 520;

/// Counts of posts and comments, by day, hour and author.
#[derive(Debug)]
pub(super) struct Calendar {
    zone: Zone,
    days: HashMap<i64, DayCounts, RandomState>,
    hours: [[u64; 24]; 7],
    /// Bit sets of who was active in a week: an entry for 64 people and a week.
    active: HashMap<(PersonIndex, i64), u64, RandomState>,
    /// Accounts created, by week.
    joined: BTreeMap<i64, u64>,
    /// The time to the first reply of each post, in microseconds.
    waits: Vec<i64>,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventKind {
    Post,
    Comment,
}

#[derive(Clone, Copy, Debug, Default)]
struct DayCounts {
    posts: u64,
    comments: u64,
}

impl Calendar {
    /// An empty calendar of a time zone.
    pub(super) fn new(zone: &Zone) -> Self {
        Self {
            zone: zone.clone(),
            days: HashMap::default(),
            hours: Default::default(),
            active: HashMap::default(),
            joined: BTreeMap::new(),
            waits: Vec::new(),
        }
    }

    /// Adds a post or comment.
    pub(super) fn add(&mut self, kind: EventKind, when: Timestamp, author: Option<PersonIndex>) {
        let (day, hour) = self.day_and_hour(when);
        let counts = self.days.entry(day).or_default();
        match kind {
            EventKind::Post => counts.posts += 1,
            EventKind::Comment => counts.comments += 1,
        }
        let weekday = usize::try_from((day + 3).rem_euclid(7)).unwrap_or_default();
        self.hours[weekday][hour] += 1;
        if let Some(author) = author {
            *self.active.entry((author / 64, week_of(day))).or_default() |= 1 << (author % 64);
        }
    }

    /// Adds a new account.
    pub(super) fn add_account(&mut self, when: Timestamp) {
        let week = week_of(self.day_and_hour(when).0);
        *self.joined.entry(week).or_default() += 1;
    }

    /// Adds the time of a post's first reply, in microseconds since 1970.
    pub(super) fn add_first_reply(&mut self, post: Timestamp, first_reply: i64) {
        self.waits
            .push(first_reply.saturating_sub(post.as_microsecond()).max(0));
    }

    /// The counts; `None` if no post or comment has a date.
    pub(super) fn finish(mut self) -> Option<Dates> {
        if self.days.is_empty() {
            return None;
        }
        let time_to_first_reply = reply_times(&mut self.waits);
        let mut days: Vec<_> = self.days.iter().collect();
        days.sort_unstable_by_key(|(day, _)| **day);
        let day = |(day, counts): (&i64, &DayCounts)| Day {
            date: date(*day),
            posts: counts.posts,
            comments: counts.comments,
        };
        Some(Dates {
            days: days.into_iter().map(day).collect(),
            weeks: self.weeks(),
            hours: self.hours,
            time_to_first_reply,
        })
    }

    /// The number of the day, and the hour.
    fn day_and_hour(&self, when: Timestamp) -> (i64, usize) {
        let offset = self.zone.offset(when);
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
            if gap.end - gap.start < MAX_GAP {
                weeks.extend(gap.map(|empty| (empty, week(empty))));
            }
            weeks.insert(number, week(number));
            before = Some(number);
        }
        for (day, counts) in &self.days {
            if let Some(week) = weeks.get_mut(&week_of(*day)) {
                week.posts += counts.posts;
                week.comments += counts.comments;
            }
        }
        let mut active: Vec<_> = self.active.iter().collect();
        active.sort_unstable_by_key(|((_, week), _)| *week);
        let mut seen: HashMap<PersonIndex, u64, RandomState> = HashMap::default();
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

/// The number of a day's week; weeks start on Monday.
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

fn reply_times(waits: &mut [i64]) -> Option<ReplyTimes> {
    if waits.is_empty() {
        return None;
    }
    // The nearest-rank method: the result is one of the values.
    let mut percentile = |tenths: usize| {
        let rank = (waits.len() * tenths).div_ceil(10).max(1);
        let (_, wait, _) = waits.select_nth_unstable(rank - 1);
        SignedDuration::from_micros(*wait)
    };
    let (median, percentile_90) = (percentile(5), percentile(9));
    Some(ReplyTimes {
        posts: waits.len() as u64,
        median,
        percentile_90,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::UnknownZone;

    #[test]
    fn days_and_hours_follow_daylight_saving_time() {
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
            // A system may lack the time zone database.
            let Ok(zone) = zone.parse::<Zone>() else {
                continue;
            };
            let calendar = Calendar::new(&zone);
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
