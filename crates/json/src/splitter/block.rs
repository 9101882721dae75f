//! Scans 64 bytes of records at a time, without a branch for each byte.
//!
//! Based on the first stage of simdjson (Langdale and Lemire, "Parsing Gigabytes of JSON per
//! Second", 2019): one bit for each byte says whether it is a quote, a backslash, an opening or a
//! closing bracket; the rest is arithmetic on those bits. SIMD support is detected at run time.

// Inlined code is compiled for each SIMD level at the call site. Closures, and functions that are
// not inlined, would be compiled for the baseline only.
#![expect(clippy::inline_always, reason = "see above")]

use std::ops::{ControlFlow, Range};

use fearless_simd::{Level, Simd, dispatch, prelude::*, u8x64};

/// The block size in bytes.
pub(super) const LENGTH: usize = 64;

/// The state inside a record that is an object or an array.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inside {
    /// How many brackets are open, at least one.
    pub(super) depth: u64,
    pub(super) in_string: bool,
    /// Whether the last byte was an unescaped backslash in a string.
    pub(super) escaped: bool,
    /// Where the record begins.
    pub(super) start: u64,
}

/// The state after scanning blocks.
pub(super) enum Left {
    /// In a record; what follows is not a complete block, or not valid JSON.
    Inside(Inside),
    /// After a record; what follows is not the usual separator.
    Behind,
}

/// One bit for each byte of a block, the lowest for the first byte.
struct Bits {
    quotes: u64,
    backslashes: u64,
    opening: u64,
    closing: u64,
}

impl Inside {
    /// Scans complete blocks, the first of which begins at byte `at` of the response. Calls `found`
    /// with the range of each record that ends in them, until it breaks. Returns how many bytes
    /// were scanned.
    pub(super) fn skip(
        self,
        bytes: &[u8],
        at: u64,
        found: &mut impl FnMut(Range<u64>) -> ControlFlow<()>,
    ) -> (usize, Left) {
        let level = Level::new();
        dispatch!(level, simd => self.skip_with(simd, bytes, at, found))
    }

    #[inline(always)]
    fn skip_with<S: Simd>(
        mut self,
        simd: S,
        bytes: &[u8],
        at: u64,
        found: &mut impl FnMut(Range<u64>) -> ControlFlow<()>,
    ) -> (usize, Left) {
        let mut length = 0;
        for block in bytes.as_chunks().0 {
            let bits = Bits::of(simd, block);
            let (escaped, open_escape) = escaped(bits.backslashes, self.escaped);
            let before = if self.in_string { u64::MAX } else { 0 };
            let in_strings = until_next(bits.quotes & !escaped) ^ before;
            // A backslash outside of strings is not valid JSON: continue byte by byte.
            if bits.backslashes & !in_strings != 0 {
                break;
            }
            let mut opening = bits.opening & !in_strings;
            let mut closing = bits.closing & !in_strings;
            while let Some(end) = self.end(opening, closing) {
                let place = self.start..at + (length + end) as u64;
                let next = match found(place) {
                    ControlFlow::Continue(()) => next_record(simd, block, opening, end),
                    ControlFlow::Break(()) => None,
                };
                let Some(next) = next else {
                    return (length + end, Left::Behind);
                };
                self.start = at + (length + next) as u64;
                self.depth = 1;
                opening &= from(next + 1);
                closing &= from(next + 1);
            }
            self.depth += u64::from(opening.count_ones());
            self.depth -= u64::from(closing.count_ones());
            self.in_string = in_strings >> (LENGTH - 1) != 0;
            self.escaped = open_escape;
            length += LENGTH;
        }
        (length, Left::Inside(self))
    }

    /// The offset after the byte that closes the last open bracket.
    #[inline(always)]
    fn end(self, opening: u64, mut closing: u64) -> Option<usize> {
        // Most blocks are inside strings, or have too few closing brackets.
        if u64::from(closing.count_ones()) < self.depth {
            return None;
        }
        let mut closed = 0;
        while closing != 0 {
            let bit = lowest(closing);
            closed += 1;
            let opened = u64::from((opening & (bit - 1)).count_ones());
            if self.depth + opened == closed {
                return Some(bit.trailing_zeros() as usize + 1);
            }
            closing ^= bit;
        }
        None
    }
}

/// Where in the block the next record begins, if it is an object or an array and only a comma and
/// whitespace precede it.
#[inline(always)]
fn next_record<S: Simd>(simd: S, block: &[u8; LENGTH], opening: u64, at: usize) -> Option<usize> {
    let bytes = u8x64::from_slice(simd, block);
    let lines = equal(simd, bytes, b'\n') | equal(simd, bytes, b'\r');
    let space = equal(simd, bytes, b' ') | equal(simd, bytes, b'\t') | lines;
    let rest = !space & from(at);
    let comma = lowest(rest);
    let first = lowest(rest ^ comma);
    (comma & equal(simd, bytes, b',') != 0 && first & opening != 0)
        .then(|| first.trailing_zeros() as usize)
}

/// All bits from that of byte `at`.
#[inline(always)]
fn from(at: usize) -> u64 {
    u64::MAX.unbounded_shl(u32::try_from(at).unwrap_or(u32::MAX))
}

#[inline(always)]
fn lowest(bits: u64) -> u64 {
    bits & bits.wrapping_neg()
}

impl Bits {
    #[inline(always)]
    fn of<S: Simd>(simd: S, block: &[u8; LENGTH]) -> Self {
        let bytes = u8x64::from_slice(simd, block);
        // With this bit set, `[` equals `{` and `]` equals `}`, and no other byte does.
        let curly = bytes | u8x64::splat(simd, 0x20);
        Self {
            quotes: equal(simd, bytes, b'"'),
            backslashes: equal(simd, bytes, b'\\'),
            opening: equal(simd, curly, b'{'),
            closing: equal(simd, curly, b'}'),
        }
    }
}

/// A bit for each byte that equals `byte`.
#[inline(always)]
fn equal<S: Simd>(simd: S, bytes: u8x64<S>, byte: u8) -> u64 {
    bytes.simd_eq(u8x64::splat(simd, byte)).to_bitmask()
}

/// Which bytes are escaped by a backslash before them, and whether the first byte of the next block
/// is. `before` is that flag for this block.
///
/// In a run of backslashes every second one is escaped, and so is the byte after a run of odd
/// length. Adding its first bit to a run carries to the bit after it, so runs that begin at an odd
/// byte are distinguished without looking at each one (simdjson).
#[inline(always)]
fn escaped(backslashes: u64, before: bool) -> (u64, bool) {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    if backslashes == 0 {
        return (u64::from(before), false);
    }
    let backslashes = backslashes & !u64::from(before);
    let behind_one = backslashes << 1 | u64::from(before);
    let odd_starts = backslashes & !EVEN & !behind_one;
    let (rows, behind) = odd_starts.overflowing_add(backslashes);
    ((EVEN ^ (rows << 1)) & behind_one, behind)
}

/// Sets all bits from each odd one to the next: from opening quotes up to closing ones.
#[inline(always)]
fn until_next(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}
