//! When things were written: days, weeks, hours, and how long answers took.
//!
//! Everything is UTC. Days are counted from 1970-01-01, a Thursday.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use foldhash::fast::RandomState;
use jiff::{SignedDuration, Timestamp, ToSpan, civil};

use super::model::{Dates, Day, FirstAnswer, Week};
use super::people::Number;

const SECONDS_A_DAY: i64 = 24 * 60 * 60;

/// As many weeks in a row may be quiet and be listed all the same: ten years.
const QUIET_WEEKS: i64 = 520;

/// What was written, by day, hour and author.
#[derive(Debug, Default)]
pub(super) struct Calendar {
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

impl Calendar {
    /// Notes that something was written.
    pub(super) fn add(&mut self, kind: Kind, when: Timestamp, author: Option<Number>) {
        let (day, hour) = day_and_hour(when);
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
        *self
            .joined
            .entry(week_of(day_and_hour(when).0))
            .or_default() += 1;
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
        })
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

/// The day and the hour of it.
fn day_and_hour(when: Timestamp) -> (i64, usize) {
    let seconds = when.as_nanosecond().div_euclid(1_000_000_000);
    let seconds = i64::try_from(seconds).unwrap_or_default();
    let hour = seconds.rem_euclid(SECONDS_A_DAY) / 3600;
    (
        seconds.div_euclid(SECONDS_A_DAY),
        usize::try_from(hour).unwrap_or_default(),
    )
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
