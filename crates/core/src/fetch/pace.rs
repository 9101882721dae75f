//! How slowly a response may come.
//!
//! A server that sends a byte now and then is never silent for long, and never
//! done. So besides silence its pace is watched: see [`Pace`].

use std::time::Duration;

use super::{Failure, TransportError};
use activity_tracker_text::count;

/// How much must come in each stretch: a bad line gives that, only ill will or a fault gives less.
const LEAST: u64 = 1024;

/// Watches that in each stretch of waiting a little of the response comes.
///
/// It counts the time that was spent waiting for the wire and no other: what a
/// slow disk takes, or a full queue, is not the server's doing.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    stretch: Duration,
    /// Since as much as must come came last.
    waited: Duration,
    came: u64,
}

impl Pace {
    /// For stretches of this length.
    pub(super) fn new(stretch: Duration) -> Self {
        Self {
            stretch,
            waited: Duration::ZERO,
            came: 0,
        }
    }

    /// So many bytes came, after so much time of waiting for them.
    ///
    /// # Errors
    /// When that is too little: [`Failure::Timeout`], with how little.
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

    /// After which of these pieces, each of some bytes after some seconds, a response is too slow.
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
