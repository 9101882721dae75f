//! Looks at 64 bytes of a record at a time, without a branch for each of them.
//!
//! After the first stage of simdjson (Langdale and Lemire, "Parsing Gigabytes of
//! JSON per Second", 2019): one bit for each byte says whether it is a quote, a
//! backslash, an opening or a closing bracket; the rest is arithmetic on those bits.

use wide::u8x32;

/// How many bytes are looked at together.
pub(super) const LENGTH: usize = 64;

/// Where we are in a record that is an object or an array.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inside {
    /// How many brackets are open, at least one.
    pub(super) depth: u64,
    pub(super) in_string: bool,
    /// Whether the last byte was a backslash in a string, and itself not escaped.
    pub(super) escaped: bool,
}

/// A backslash outside of strings, which is no JSON: such bytes are for the
/// cutter to look at one by one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stray;

/// One bit for each byte of a block, the first byte's the lowest.
struct Bits {
    quotes: u64,
    backslashes: u64,
    opening: u64,
    closing: u64,
}

impl Inside {
    /// Goes through a block; gives how much of it belongs to the record, where
    /// that ends in it. Then, and where there is an error, nothing else changes.
    #[inline]
    pub(super) fn advance(&mut self, block: &[u8; LENGTH]) -> Result<Option<usize>, Stray> {
        let bits = Bits::of(block);
        let (escaped, open_escape) = escaped(bits.backslashes, self.escaped);
        let before = if self.in_string { u64::MAX } else { 0 };
        let in_strings = until_next(bits.quotes & !escaped) ^ before;
        if bits.backslashes & !in_strings != 0 {
            return Err(Stray);
        }
        let opening = bits.opening & !in_strings;
        let closing = bits.closing & !in_strings;
        // Most blocks have none: they lie in texts.
        if opening | closing != 0 {
            let closed = u64::from(closing.count_ones());
            if closed >= self.depth
                && let Some(length) = self.end(opening, closing)
            {
                return Ok(Some(length));
            }
            self.depth = self.depth + u64::from(opening.count_ones()) - closed;
        }
        self.in_string = in_strings >> (LENGTH - 1) != 0;
        self.escaped = open_escape;
        Ok(None)
    }

    /// Behind which byte no bracket is open any more.
    fn end(self, opening: u64, mut closing: u64) -> Option<usize> {
        let mut closed = 0;
        while closing != 0 {
            let lowest = closing & closing.wrapping_neg();
            closed += 1;
            let opened = u64::from((opening & (lowest - 1)).count_ones());
            if self.depth + opened == closed {
                return Some(lowest.trailing_zeros() as usize + 1);
            }
            closing ^= lowest;
        }
        None
    }
}

impl Bits {
    #[inline]
    fn of(block: &[u8; LENGTH]) -> Self {
        let (halves, _) = block.as_chunks();
        let [low, high] = [u8x32::new(halves[0]), u8x32::new(halves[1])];
        let equal = |low: u8x32, high: u8x32, byte: u8| {
            let wanted = u8x32::splat(byte);
            let low = u64::from(low.simd_eq(wanted).to_bitmask());
            low | u64::from(high.simd_eq(wanted).to_bitmask()) << 32
        };
        // With this bit set, `[` is `{` and `]` is `}`, and nothing else is.
        let curly = u8x32::splat(0x20);
        Self {
            quotes: equal(low, high, b'"'),
            backslashes: equal(low, high, b'\\'),
            opening: equal(low | curly, high | curly, b'{'),
            closing: equal(low | curly, high | curly, b'}'),
        }
    }
}

/// Which bytes are escaped by a backslash before them, and whether the first byte
/// of the next block is. `before` says it of the first byte of this one.
#[inline]
fn escaped(backslashes: u64, before: bool) -> (u64, bool) {
    let mut escaped = u64::from(before);
    let mut left = backslashes & !escaped;
    let mut behind = false;
    while left != 0 {
        let lowest = left & left.wrapping_neg();
        let next = lowest << 1;
        escaped |= next;
        behind = next == 0;
        left &= !(lowest | next);
    }
    (escaped, behind)
}

/// Sets all bits from each odd one to the next: from opening quotes up to closing ones.
#[inline]
fn until_next(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}
