//! Random numbers that are the same on every machine.

use std::convert::Infallible;

use fake::RngExt;
use fake::rand::TryRng;

/// The purpose of random numbers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stream {
    User = 1,
    Post = 2,
    Comment = 3,
    UserEmail = 4,
    GuestEmail = 5,
    Employer = 6,
    Story = 7,
}

/// A random number generator: `SplitMix64`, see <https://prng.di.unimi.it/splitmix64.c>. Each
/// record has its own, so creating one must be cheap.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// The random numbers for one purpose. `number` distinguishes purposes with the same id.
    pub(super) fn of(seed: u64, stream: Stream, id: u64, number: u64) -> Self {
        let parts = [seed, stream as u64, id, number];
        Self(
            parts
                .into_iter()
                .fold(0, |state, part| next(state ^ part).1),
        )
    }
}

/// The next state, and its number. The algorithm is defined with wrapping arithmetic.
fn next(state: u64) -> (u64, u64) {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (state, mixed ^ (mixed >> 31))
}

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        // The upper half.
        self.try_next_u64()
            .map(|number| u32::try_from(number >> 32).unwrap_or_default())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let number;
        (self.0, number) = next(self.0);
        Ok(number)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let number = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
        Ok(())
    }
}

/// A random word.
pub(super) fn pick<'a>(words: &[&'a str], rng: &mut Random) -> &'a str {
    words[rng.random_range(0..words.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_reference() {
        let mut random = Random(1_234_567);
        let numbers = [0; 3].map(|_: u64| random.random::<u64>());
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(numbers, expected);
    }

    #[test]
    fn every_part_of_the_key_changes_the_numbers() {
        let first = |mut random: Random| random.random::<u64>();
        let mut all = Vec::new();
        for seed in 0..4 {
            for id in 0..4 {
                for number in 0..4 {
                    for stream in [Stream::Post, Stream::Comment] {
                        all.push(first(Random::of(seed, stream, id, number)));
                    }
                }
            }
        }
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 128);
    }
}
