//! When the next turn of a watch is. Pure: time and chance come in as arguments.

use std::cmp::max;
use std::time::Duration;

/// No turn is put off by more than this, however long the interval.
const LONGEST_JITTER: Duration = Duration::from_mins(1);

/// The turns of a watch: one for each interval since it began, so that the time that a run
/// takes does not push the others away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turns {
    every: Duration,
    /// How many are left; none where there is no end.
    left: Option<u64>,
    /// Which interval the last turn was of.
    last: u64,
}

/// The turn that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    /// When, counted from when the watch began.
    pub(crate) at: Duration,
    /// How many were not taken, since the turn before was under way still.
    pub(crate) missed: u64,
    /// Of which interval it is.
    number: u64,
}

impl Turns {
    /// Turns of which the first is now, `limit` of them or without an end.
    pub(crate) fn new(every: Duration, limit: Option<u64>) -> Self {
        Self {
            every,
            left: limit.map(|limit| limit.saturating_sub(1)),
            last: 0,
        }
    }

    /// The next turn, when so much time went by since the watch began; none when that was
    /// the last. `chance`, from 0 to 1, says how far it is put off.
    ///
    /// A turn that came due during another one is missed, and not made up for.
    pub(crate) fn next(&self, elapsed: Duration, chance: f64) -> Option<Next> {
        if self.left == Some(0) {
            return None;
        }
        let every = nanos(self.every).max(1);
        let due = nanos(elapsed).div_ceil(every);
        let number = max(due, self.last + 1);
        let begins = Duration::from_nanos(number.saturating_mul(every));
        Some(Next {
            at: begins + jitter(self.every, chance),
            missed: number - self.last - 1,
            number,
        })
    }

    /// Goes on to that turn.
    pub(crate) fn take(&mut self, next: Next) {
        self.last = next.number;
        self.left = self.left.map(|left| left.saturating_sub(1));
    }
}

/// How far a turn is put off: up to a tenth of the interval, so that machines which were
/// started together do not come together.
fn jitter(every: Duration, chance: f64) -> Duration {
    (every / 10)
        .min(LONGEST_JITTER)
        .mul_f64(chance.clamp(0.0, 1.0))
}

/// Centuries fit.
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
    fn a_turn_is_put_off_by_a_tenth_of_the_interval_and_a_minute_at_most() {
        let cases = [
            (ms(1_000), 0.0, ms(0)),
            (ms(1_000), 1.0, ms(100)),
            (ms(900_000), 0.5, ms(30_000)),
            (ms(900_000), 1.0, ms(60_000)),
            (Duration::from_hours(720), 1.0, ms(60_000)),
            (ms(1_000), 7.0, ms(100)),
            (ms(1_000), -7.0, ms(0)),
        ];
        for (every, chance, expected) in cases {
            assert_eq!(jitter(every, chance), expected, "{every:?} {chance}");
        }
    }

    #[test]
    fn turns_are_counted_from_start_to_start_and_missed_ones_are_skipped() {
        // How long each run ends after the watch began, and when the next one is.
        let table = [
            // A run that takes no time, and runs that take some.
            (0, 0.0, 10_000, 0),
            (10_400, 0.0, 20_000, 0),
            // Put off by 1 s, it takes 8 s: the others are not pushed away.
            (29_000, 1.0, 31_000, 0),
            (39_999, 0.5, 40_500, 0),
            // It ends with the interval: the next is due.
            (50_000, 0.0, 50_000, 0),
            // It takes longer than the interval, and than three.
            (60_001, 0.0, 70_000, 1),
            (104_000, 0.0, 110_000, 3),
            // Put off, it ends before a turn that is put off as well would be.
            (120_500, 1.0, 131_000, 1),
        ];
        let mut turns = Turns::new(ms(10_000), None);
        for (ended, chance, at, missed) in table {
            let next = turns.next(ms(ended), chance).unwrap();
            assert_eq!((next.at, next.missed), (ms(at), missed), "{ended}");
            turns.take(next);
        }
    }

    #[test]
    fn no_turn_comes_twice_when_a_run_ends_at_once() {
        let mut turns = Turns::new(ms(1_000), None);
        let next = turns.next(ms(0), 0.0).unwrap();
        turns.take(next);
        // Taken a moment early: clocks are not of one mind.
        let next = turns.next(ms(999), 0.0).unwrap();
        assert_eq!(next.at, ms(2_000));
    }

    #[test]
    fn there_are_as_many_turns_as_are_wanted() {
        for limit in [1, 2, 5] {
            let mut turns = Turns::new(ms(1_000), Some(limit));
            let mut taken = 1;
            while let Some(next) = turns.next(ms(0), 0.0) {
                turns.take(next);
                taken += 1;
            }
            assert_eq!(taken, limit);
        }
    }

    #[test]
    fn a_clock_that_ran_for_ever_overflows_nothing() {
        let turns = Turns::new(ms(1_000), None);
        let next = turns.next(Duration::MAX, 1.0).unwrap();
        assert!(next.at > Duration::from_hours(1_000_000));
    }
}
