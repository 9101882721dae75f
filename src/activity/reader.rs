//! Reads sound JSON (RFC 8259) in one pass, and nothing else.
//!
//! What this reader takes is sound. Of anything else it only says that it does
//! not take it: the slower reader, which is `serde_json`, looks at that once more
//! and finds the words. So a record is refused in the same words whichever of
//! the two saw it first, and this one may give up wherever it likes, such as
//! on values that are nested deeper than any API's.
//!
//! Strings are looked through 16 bytes at a time.

use wide::u8x16;

use super::value::{Escapes, Sound, unescape};

/// How many brackets may be open. Deeper values are left to `serde_json`, which
/// needs no stack for them.
const DEEPEST: u32 = 64;

/// A place in a text, and the way forward from there.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Whether what was read may not be taken for an example: see [`Shape`](super::shape::Shape).
    pub(super) peculiar: bool,
}

impl<'a> Reader<'a> {
    /// Begins at a byte of `text`.
    pub(super) fn new(text: &'a str, at: usize) -> Self {
        let peculiar = false;
        Self { text, at, peculiar }
    }

    /// The next byte to be read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no white space, which stays where it is.
    #[inline]
    pub(super) fn next(&mut self) -> Option<u8> {
        loop {
            match self.byte()? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                other => return Some(other),
            }
        }
    }

    #[inline]
    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then(|| self.at += 1)
    }

    /// Takes a value that stands right here, whatever it is.
    #[inline]
    pub(super) fn value(&mut self) -> Option<Sound<'a>> {
        let start = self.at;
        let escapes = match self.byte()? {
            b'"' => self.string()?,
            b'{' | b'[' => {
                self.nested(DEEPEST)?;
                Escapes::Unknown
            }
            _ => {
                self.bare()?;
                Escapes::Unknown
            }
        };
        let raw = self.text.get(start..self.at)?;
        Some(Sound { raw, escapes })
    }

    /// Takes an object. Each value in it is for `member` to take, who is told its key.
    #[inline]
    pub(super) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &str) -> Option<()>,
    ) -> Option<()> {
        self.expect(b'{')?;
        if self.next()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.next()?;
            let start = self.at + 1;
            let escapes = self.string()?;
            let key = self.text.get(start..self.at - 1)?;
            self.expect(b':')?;
            self.next()?;
            match escapes {
                Escapes::None => member(self, key)?,
                _ => member(self, &unescape(key)?)?,
            }
            match self.next()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// Passes by an object or an array.
    fn nested(&mut self, left: u32) -> Option<()> {
        let left = left.checked_sub(1)?;
        let close = if self.byte()? == b'{' { b'}' } else { b']' };
        self.at += 1;
        if self.next()? == close {
            self.at += 1;
            return Some(());
        }
        loop {
            if close == b'}' {
                self.next()?;
                self.string()?;
                self.expect(b':')?;
            }
            match self.next()? {
                b'"' => drop(self.string()?),
                b'{' | b'[' => self.nested(left)?,
                _ => self.bare()?,
            }
            match self.next()? {
                b',' => self.at += 1,
                found if found == close => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    #[inline]
    fn string(&mut self) -> Option<Escapes> {
        let (end, escapes) = string(self.text.as_bytes(), self.at)?;
        self.at = end;
        Some(escapes)
    }

    #[inline]
    fn bare(&mut self) -> Option<()> {
        self.at = bare(self.text.as_bytes(), self.at)?;
        Some(())
    }
}

/// Passes by a string, a number or a word; gives where it ends.
#[inline]
pub(super) fn scalar(bytes: &[u8], at: usize) -> Option<(usize, Escapes)> {
    match *bytes.get(at)? {
        b'"' => string(bytes, at),
        _ => Some((bare(bytes, at)?, Escapes::Unknown)),
    }
}

/// Passes by a number or a word.
#[inline]
fn bare(bytes: &[u8], at: usize) -> Option<usize> {
    let word: &[u8] = match *bytes.get(at)? {
        b't' => b"true",
        b'f' => b"false",
        b'n' => b"null",
        _ => return number(bytes, at),
    };
    bytes.get(at..)?.starts_with(word).then(|| at + word.len())
}

#[inline]
fn number(bytes: &[u8], mut at: usize) -> Option<usize> {
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    let whole = at;
    at = digits(bytes, at)?;
    if bytes.get(whole) == Some(&b'0') && at > whole + 1 {
        return None;
    }
    if bytes.get(at) == Some(&b'.') {
        at = digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = bytes.get(at) {
            at += 1;
        }
        at = digits(bytes, at)?;
    }
    Some(at)
}

/// Passes by digits, of which there must be one.
#[inline]
fn digits(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    (at > start).then_some(at)
}

/// Passes by a string with its quotes.
#[inline]
fn string(bytes: &[u8], at: usize) -> Option<(usize, Escapes)> {
    if *bytes.get(at)? != b'"' {
        return None;
    }
    let mut at = at + 1;
    let mut escapes = Escapes::None;
    loop {
        at = plain(bytes, at)?;
        match *bytes.get(at)? {
            b'"' => return Some((at + 1, escapes)),
            b'\\' => {}
            _ => return None,
        }
        match *bytes.get(at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                escapes = escapes.max(Escapes::Simple);
                at += 2;
            }
            b'u' => {
                let digits = bytes.get(at + 2..at + 6)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                escapes = Escapes::Unicode;
                at += 6;
            }
            _ => return None,
        }
    }
}

/// Where the next byte is that a string may not hold as it is: a quote, a
/// backslash, a control character.
#[inline]
fn plain(bytes: &[u8], mut at: usize) -> Option<usize> {
    const QUOTE: u8x16 = u8x16::new([b'"'; 16]);
    const BACKSLASH: u8x16 = u8x16::new([b'\\'; 16]);
    const LAST_CONTROL: u8x16 = u8x16::new([0x1f; 16]);
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let chunk = u8x16::new(*chunk);
        let stops = chunk.simd_eq(QUOTE)
            | chunk.simd_eq(BACKSLASH)
            | chunk.min(LAST_CONTROL).simd_eq(chunk);
        let stops = stops.to_bitmask();
        if stops != 0 {
            return Some(at + stops.trailing_zeros() as usize);
        }
        at += 16;
    }
    let stop = |byte: &u8| matches!(byte, b'"' | b'\\' | ..=0x1f);
    let found = bytes.get(at..)?.iter().position(stop)?;
    Some(at + found)
}

/// Reads an object of which some keys are wanted, and gives what stands there.
///
/// None where it is no sound object, or one of the keys stands there twice.
pub(super) fn members<'a, const N: usize>(
    raw: &'a str,
    keys: [&str; N],
) -> Option<[Option<Sound<'a>>; N]> {
    let mut found = [None; N];
    let mut reader = Reader::new(raw, 0);
    reader.object(|reader, key| {
        let value = reader.value()?;
        if let Some(at) = keys.iter().position(|wanted| *wanted == key)
            && found[at].replace(value).is_some()
        {
            return None;
        }
        Some(())
    })?;
    (reader.at == raw.len()).then_some(found)
}

#[cfg(test)]
mod tests;
