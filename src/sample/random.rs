//! Random numbers that are the same on every machine.

use fake::RngExt;
use fake::rand::{SeedableRng, rngs::ChaCha8Rng};

/// What random numbers are for.
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

/// The random numbers for one thing. Keys of a cipher need no mixing: consecutive ids give
/// unrelated streams. `number` tells things with the same id apart.
pub(super) fn generator(seed: u64, stream: Stream, id: u64, number: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&id.to_le_bytes());
    key[16] = stream as u8;
    key[24..].copy_from_slice(&number.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// One of some words.
pub(super) fn pick<'a>(words: &[&'a str], rng: &mut ChaCha8Rng) -> &'a str {
    words[rng.random_range(0..words.len())]
}
