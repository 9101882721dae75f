//! The minimum transfer rate of a response.
//!
//! A server that sends a byte now and then never runs into a read timeout, and never finishes. So
//! its rate is checked as well: see [`Pace`].

use std::time::Duration;

use super::{Failure, TransportError};
use activity_tracker_text::count;

/// Minimum number of bytes per period: even a poor connection manages that, so less means a fault
/// or an attack.
const LEAST: u64 = 1024;

/// Checks that a minimum number of bytes arrives in each period of waiting.
///
/// Only time spent waiting for the network counts: a slow disk or a full queue is not the server's
/// fault.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    stretch: Duration,
    /// Time spent waiting since the minimum was last reached.
    waited: Duration,
    came: u64,
}

impl Pace {
    /// For periods of this length.
    pub(super) fn new(stretch: Duration) -> Self {
        Self {
            stretch,
            waited: Duration::ZERO,
            came: 0,
        }
    }

    /// Notes that `bytes` arrived after waiting for `waited`.
    ///
    /// # Errors
    /// If too little arrived: [`Failure::Timeout`], with the number of bytes.
    pub(super) fn note(&mut self, bytes: u64, waited: Duration) -> Result<(), TransportError> {
        self.came = self.came.saturating_add(bytes);
        self.waited = self.waited.saturating_add(waited);
        if self.came >= LEAST {
            *self = Self::new(self.stretch);
        } else if self.waited >= self.stretch {
            let (came, waited) = (count(self.came, "byte"), self.waited);
            let message = format!("timed out: only {came} came in {waited:.1?}, less than {LEAST}");
            return Err(TransportError::new(Failure::Timeout, message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The index of the first chunk, each given as bytes and seconds, at which a response is too
    /// slow.
    fn too_slow_at(pieces: &[(u64, u64)]) -> Option<usize> {
        let mut pace = Pace::new(Duration::from_secs(30));
        let mut noted = pieces
            .iter()
            .map(|(bytes, seconds)| pace.note(*bytes, Duration::from_secs(*seconds)));
        noted.position(|noted| noted.is_err())
    }

    #[test]
    fn a_stretch_of_waiting_must_bring_a_little() {
        let cases: [(_, Vec<_>, _); 9] = [
            ("nothing", vec![], None),
            ("one byte a second", vec![(1, 1); 60], Some(29)),
            (
                "forty bytes a second, just enough",
                vec![(40, 1); 1000],
                None,
            ),
            ("a little less", vec![(34, 1); 1000], Some(29)),
            ("a byte at a time, fast", vec![(1, 0); 5000], None),
            ("a short response after a long wait", vec![(2, 29)], None),
            ("much, after any wait", vec![(1024, 90); 9], None),
            (
                "much, and then a drip",
                [vec![(1 << 20, 1)], vec![(1, 10); 9]].concat(),
                Some(3),
            ),
            (
                "a drip that becomes a stream in time",
                [vec![(1, 1); 29], vec![(1000, 0), (1000, 0), (1000, 29)]].concat(),
                None,
            ),
        ];
        for (name, pieces, expected) in cases {
            assert_eq!(too_slow_at(&pieces), expected, "{name}");
        }
    }

    #[test]
    fn a_response_that_is_too_slow_says_how_little_came() {
        let mut pace = Pace::new(Duration::from_secs(30));
        pace.note(16, Duration::from_secs(29)).unwrap();
        let error = pace.note(1, Duration::from_millis(1500)).unwrap_err();
        assert_eq!(error.failure, Failure::Timeout);
        let said = activity_tracker_text::chain(&error);
        assert_eq!(
            said,
            "timed out: only 17 bytes came in 30.5s, less than 1024"
        );
    }
}
