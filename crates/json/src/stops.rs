//! Where the strings of a text may end: its quotes, backslashes and control characters, found 64
//! bytes at a time and some blocks ahead.
//!
//! SIMD support is detected at run time.

use fearless_simd::{Level, Simd, dispatch, prelude::*, u8x64};

/// The block size in bytes: one bit for each.
const BLOCK: usize = 64;

/// How many blocks are scanned ahead: enough to amortise the call, few enough to cost nothing for a
/// text of a single block.
const AHEAD: usize = 16;

/// The stops of a text: bytes that a string cannot contain unescaped.
#[derive(Clone, Debug)]
pub struct Stops<'a> {
    bytes: &'a [u8],
    /// The position of the first bit.
    start: usize,
    bits: [u64; AHEAD],
}

impl<'a> Stops<'a> {
    /// For a text that has not been scanned yet.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            // Far away from any position that is queried.
            start: usize::MAX / 2,
            bits: [0; AHEAD],
        }
    }

    /// The text.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The position of the next stop at or after `at`.
    #[inline]
    pub fn next(&mut self, mut at: usize) -> Option<usize> {
        loop {
            let offset = at.wrapping_sub(self.start);
            let Some(block) = self.bits.get(offset / BLOCK) else {
                self.look_ahead(at)?;
                continue;
            };
            let bits = block >> (offset % BLOCK);
            if bits != 0 {
                return Some(at + bits.trailing_zeros() as usize);
            }
            at += BLOCK - offset % BLOCK;
        }
    }

    /// Scans the blocks that begin at a byte; `None` at the end of the text.
    #[inline(never)]
    fn look_ahead(&mut self, at: usize) -> Option<()> {
        let rest = self.bytes.get(at..).filter(|rest| !rest.is_empty())?;
        self.start = at;
        let bits = &mut self.bits;
        dispatch!(Level::new(), simd => look(simd, rest, bits));
        Some(())
    }
}

// Closures, and functions that are not inlined, would be compiled for the baseline only.
#[expect(clippy::inline_always, reason = "see above")]
#[inline(always)]
fn look<S: Simd>(simd: S, bytes: &[u8], bits: &mut [u64; AHEAD]) {
    let (blocks, rest) = bytes.as_chunks();
    bits.fill(0);
    for (bits, block) in bits.iter_mut().zip(blocks) {
        *bits = stops(simd, block);
    }
    if let Some(bits) = bits.get_mut(blocks.len()) {
        // There are no stops after the end.
        let mut last = [b' '; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        *bits = stops(simd, &last);
    }
}

#[expect(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn stops<S: Simd>(simd: S, block: &[u8; BLOCK]) -> u64 {
    let bytes = u8x64::from_slice(simd, block);
    let quotes = bytes.simd_eq(u8x64::splat(simd, b'"'));
    let backslashes = bytes.simd_eq(u8x64::splat(simd, b'\\'));
    let control = bytes.simd_lt(u8x64::splat(simd, b' '));
    (quotes | backslashes | control).to_bitmask()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn stops_are_those_that_one_finds_byte_by_byte(
            parts in prop::collection::vec("[a-zé ]{0,200}|[\"\\\\\n\u{1f}\u{20}\u{0}]{1,3}", 0..30),
            from in prop::collection::vec(any::<prop::sample::Index>(), 1..20),
        ) {
            let text = parts.concat();
            let mut stops = Stops::new(text.as_bytes());
            for from in from {
                let from = from.index(text.len() + 2);
                let is_stop = |byte: u8| matches!(byte, b'"' | b'\\' | ..=0x1f);
                let expected = (from..text.len()).find(|at| is_stop(text.as_bytes()[*at]));
                prop_assert_eq!(stops.next(from), expected);
            }
        }
    }
}
