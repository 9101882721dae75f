//! When people write: more by day than at night, less at weekends, and most in spring.

use std::ops::Range;

use fake::RngExt;

use super::moment::{HOUR, Moment};
use super::random::Random;

/// The number of hours of the forum's life.
pub(super) const HOURS: usize = 177 * 24;

/// The weight of each week: a slow start, a burst in March, Easter, a slow summer.
const WEEKS: [u64; 26] = [
    4, 6, 7, 8, 8, 9, 8, 10, 13, 24, 22, 16, 6, 9, 11, 12, 10, 12, 11, 9, 9, 8, 8, 7, 6, 5,
];

/// The weight of each weekday, from Monday.
const WEEKDAYS: [u64; 7] = [10, 11, 11, 10, 9, 5, 6];

/// The weight of each hour of a day.
const DAY_HOURS: [u64; 24] = [
    1, 1, 0, 0, 0, 1, 3, 7, 9, 10, 10, 9, 8, 9, 10, 9, 9, 8, 9, 11, 11, 8, 5, 2,
];

/// The cumulative weights of the hours of the forum's life.
#[derive(Debug)]
pub(super) struct Rhythm {
    /// For each hour, the total weight of the hours before it; then the total weight of all hours.
    before: Vec<u64>,
}

impl Rhythm {
    pub(super) fn new() -> Self {
        let mut before = Vec::with_capacity(HOURS + 1);
        let mut sum = 0;
        for hour in 0..HOURS {
            before.push(sum);
            let day = hour / 24;
            sum += WEEKS[day / 7] * WEEKDAYS[day % 7] * DAY_HOURS[hour % 24];
        }
        before.push(sum);
        Self { before }
    }

    /// A random moment in a range of hours.
    pub(super) fn moment(&self, hours: Range<usize>, rng: &mut Random) -> Moment {
        let weights = self.before[hours.start]..self.before[hours.end];
        let drawn = rng.random_range(weights);
        let hour = self.before.partition_point(|before| *before <= drawn) - 1;
        let hour = i64::try_from(hour).unwrap_or_default();
        Moment::START + (hour * HOUR + rng.random_range(0..HOUR))
    }
}

/// Whether it is night: few people write.
pub(super) fn is_night(at: Moment) -> bool {
    at.0.div_euclid(HOUR).rem_euclid(24) < 6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::DAY;
    use crate::random::Stream;

    #[test]
    fn days_are_busier_than_nights_and_march_than_june() {
        let rhythm = Rhythm::new();
        let rng = &mut Random::of(1, Stream::Story, 0, 0);
        let moments: Vec<_> = (0..2000).map(|_| rhythm.moment(0..HOURS, rng)).collect();
        let of = |from: i64, days: i64| {
            let (from, to) = (
                Moment::START + from * DAY,
                Moment::START + (from + days) * DAY,
            );
            moments.iter().filter(|at| (from..to).contains(at)).count()
        };
        assert_eq!(of(0, 177), 2000);
        assert!(of(63, 7) > 2 * of(161, 7));
        let nights = moments.iter().filter(|at| is_night(**at)).count();
        assert!(nights < 100, "{nights}");
        let early = (0..300).map(|_| rhythm.moment(24..48, rng));
        let day = Moment::START + DAY..Moment::START + 2 * DAY;
        assert!(early.into_iter().all(|at| day.contains(&at)));
    }
}
