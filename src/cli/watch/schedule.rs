//! When the next run of a watch starts. Pure: time and randomness are arguments.

use std::cmp::max;
use std::time::Duration;

/// The maximum jitter, however long the interval.
const MAX_JITTER: Duration = Duration::from_mins(1);

/// The schedule of a watch: one run per interval since it started, so that the duration of a run
/// does not delay the following ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    every: Duration,
    /// How many runs are left; `None` without a limit.
    left: Option<u64>,
    /// The number of the last run's interval.
    last: u64,
}

/// The next scheduled run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NextRun {
    /// When it starts, since the watch started.
    pub(crate) at: Duration,
    /// How many intervals were skipped because the previous run was still in progress.
    pub(crate) missed: u64,
    /// The number of its interval.
    number: u64,
}

impl Schedule {
    /// A schedule whose first run is now, with at most `limit` runs.
    pub(crate) fn new(every: Duration, limit: Option<u64>) -> Self {
        Self {
            every,
            left: limit.map(|limit| limit.saturating_sub(1)),
            last: 0,
        }
    }

    /// The next run, given the time since the watch started; `None` after the last one. `random`,
    /// from 0 to 1, scales the jitter.
    ///
    /// Intervals that began during a run are skipped.
    pub(crate) fn next(&self, elapsed: Duration, random: f64) -> Option<NextRun> {
        if self.left == Some(0) {
            return None;
        }
        let every = nanos(self.every).max(1);
        let due = nanos(elapsed).div_ceil(every);
        let number = max(due, self.last + 1);
        let begins = Duration::from_nanos(number.saturating_mul(every));
        Some(NextRun {
            at: begins + jitter(self.every, random),
            missed: number - self.last - 1,
            number,
        })
    }

    /// Advances to that run.
    pub(crate) fn advance(&mut self, next: NextRun) {
        self.last = next.number;
        self.left = self.left.map(|left| left.saturating_sub(1));
    }
}

/// Up to a tenth of the interval, so that machines started together do not send their requests
/// together.
fn jitter(every: Duration, random: f64) -> Duration {
    (every / 10).min(MAX_JITTER).mul_f64(random.clamp(0.0, 1.0))
}

/// Nanoseconds of up to 584 years.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    #[test]
    fn jitter_is_at_most_a_tenth_of_the_interval_and_a_minute() {
        let cases = [
            (ms(1_000), 0.0, ms(0)),
            (ms(1_000), 1.0, ms(100)),
            (ms(900_000), 0.5, ms(30_000)),
            (ms(900_000), 1.0, ms(60_000)),
            (Duration::from_hours(720), 1.0, ms(60_000)),
            (ms(1_000), 7.0, ms(100)),
            (ms(1_000), -7.0, ms(0)),
        ];
        for (every, random, expected) in cases {
            assert_eq!(jitter(every, random), expected, "{every:?} {random}");
        }
    }

    #[test]
    fn runs_are_scheduled_from_start_to_start_and_missed_ones_are_skipped() {
        // When each run ends, and when the next one starts.
        let table = [
            // A run that takes no time, and one that takes some.
            (0, 0.0, 10_000, 0),
            (10_400, 0.0, 20_000, 0),
            // Delayed by 1 s, it takes 8 s: the next ones are not delayed.
            (29_000, 1.0, 31_000, 0),
            (39_999, 0.5, 40_500, 0),
            // It ends with the interval: the next one is due.
            (50_000, 0.0, 50_000, 0),
            // It takes longer than one interval, and than three.
            (60_001, 0.0, 70_000, 1),
            (104_000, 0.0, 110_000, 3),
            // Delayed, it ends before a run with the same delay would start.
            (120_500, 1.0, 131_000, 1),
        ];
        let mut schedule = Schedule::new(ms(10_000), None);
        for (ended, random, at, missed) in table {
            let next = schedule.next(ms(ended), random).unwrap();
            assert_eq!((next.at, next.missed), (ms(at), missed), "{ended}");
            schedule.advance(next);
        }
    }

    #[test]
    fn no_interval_has_two_runs() {
        let mut schedule = Schedule::new(ms(1_000), None);
        let next = schedule.next(ms(0), 0.0).unwrap();
        schedule.advance(next);
        // A moment too early: clocks differ.
        let next = schedule.next(ms(999), 0.0).unwrap();
        assert_eq!(next.at, ms(2_000));
    }

    #[test]
    fn the_limit_is_the_number_of_runs() {
        for limit in [1, 2, 5] {
            let mut schedule = Schedule::new(ms(1_000), Some(limit));
            let mut runs = 1;
            while let Some(next) = schedule.next(ms(0), 0.0) {
                schedule.advance(next);
                runs += 1;
            }
            assert_eq!(runs, limit);
        }
    }

    #[test]
    fn the_longest_time_does_not_overflow() {
        let schedule = Schedule::new(ms(1_000), None);
        let next = schedule.next(Duration::MAX, 1.0).unwrap();
        assert!(next.at > Duration::from_hours(1_000_000));
    }
}
