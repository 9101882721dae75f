//! Reads sound JSON (RFC 8259) in one pass, and nothing else.
//!
//! What this reader takes is sound. Of anything else it only says that it does
//! not take it: the slower reader, which is `serde_json`, looks at that once more
//! and finds the words. So a record is refused in the same words whichever of
//! the two saw it first, and this one may give up wherever it likes, such as
//! on values that are nested deeper than any API's.
//!
//! What a value was seen to be on the way is kept with it, so that nobody has to look again.

#![expect(
    clippy::inline_always,
    reason = "calls were a part of the time to read"
)]

use crate::Sound;
use crate::stops::Stops;
use crate::value::{Seen, unescape};

/// How many brackets may be open. Deeper values are left to `serde_json`, which
/// needs no stack for them.
const DEEPEST: u32 = 64;

/// A place in a text, and the way forward from there.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    text: &'a str,
    stops: Stops<'a>,
    at: usize,
    /// Whether what was read may not be an example for the records after it: it has escapes, say.
    pub peculiar: bool,
}

impl<'a> Reader<'a> {
    /// Begins at a byte of `text`.
    #[must_use]
    pub fn new(text: &'a str, at: usize) -> Self {
        Self {
            text,
            stops: Stops::new(text.as_bytes()),
            at,
            peculiar: false,
        }
    }

    /// The next byte to be read.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no white space, which stays where it is.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte()? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                other => return Some(other),
            }
        }
    }

    #[inline]
    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    /// Takes a value that stands right here, whatever it is.
    #[inline]
    pub fn value(&mut self) -> Option<Sound<'a>> {
        let start = self.at;
        let seen = match self.byte()? {
            b'{' | b'[' => {
                self.nested(DEEPEST)?;
                Seen::Nothing
            }
            _ => self.scalar()?,
        };
        let raw = self.text.get(start..self.at)?;
        Some(Sound { raw, seen })
    }

    /// Takes an object. Each value in it is for `member` to take, who is told its key.
    #[inline]
    pub fn object(&mut self, mut member: impl FnMut(&mut Self, &str) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.peek()?;
            let start = self.at + 1;
            let seen = self.string()?;
            let key = self.text.get(start..self.at - 1)?;
            self.expect(b':')?;
            self.peek()?;
            match seen {
                Seen::Text => member(self, key)?,
                _ => member(self, &unescape(key)?)?,
            }
            match self.peek()? {
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
        if self.peek()? == close {
            self.at += 1;
            return Some(());
        }
        loop {
            if close == b'}' {
                self.peek()?;
                self.string()?;
                self.expect(b':')?;
            }
            match self.peek()? {
                b'{' | b'[' => self.nested(left)?,
                _ => drop(self.scalar()?),
            }
            match self.peek()? {
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
    fn string(&mut self) -> Option<Seen> {
        let (end, seen) = string(&mut self.stops, self.at)?;
        self.at = end;
        Some(seen)
    }

    #[inline]
    fn scalar(&mut self) -> Option<Seen> {
        let (end, seen) = scalar(&mut self.stops, self.at)?;
        self.at = end;
        Some(seen)
    }
}

/// Passes by a string, a number or a word; gives where it ends.
#[inline(always)]
pub fn scalar(text: &mut Stops<'_>, at: usize) -> Option<(usize, Seen)> {
    let bytes = text.bytes();
    let (word, seen): (&[u8], _) = match *bytes.get(at)? {
        b'"' => return string(text, at),
        b't' => (b"true", Seen::Nothing),
        b'f' => (b"false", Seen::Nothing),
        b'n' => (b"null", Seen::Null),
        _ => return number(bytes, at),
    };
    let is_there = bytes.get(at..)?.starts_with(word);
    is_there.then(|| (at + word.len(), seen))
}

/// Passes by a number.
#[inline(always)]
fn number(bytes: &[u8], start: usize) -> Option<(usize, Seen)> {
    let is_negative = bytes.get(start) == Some(&b'-');
    let whole = start + usize::from(is_negative);
    let (mut value, mut at) = (0_i64, whole);
    while let Some(digit) = bytes.get(at).map(|byte| byte.wrapping_sub(b'0'))
        && digit < 10
    {
        // Of longer numbers than a whole one can be, this is not the value.
        value = value.wrapping_mul(10).wrapping_add(digit.into());
        at += 1;
    }
    let length = at - whole;
    if length == 0 || bytes.get(whole) == Some(&b'0') && length > 1 {
        return None;
    }
    if let Some(b'.' | b'e' | b'E') = bytes.get(at) {
        return Some((fraction(bytes, at)?, Seen::Nothing));
    }
    let seen = match length {
        ..=18 if is_negative => Seen::Whole(-value),
        ..=18 => Seen::Whole(value),
        _ => Seen::Nothing,
    };
    Some((at, seen))
}

/// Passes by what may stand behind the whole part of a number.
fn fraction(bytes: &[u8], mut at: usize) -> Option<usize> {
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
#[inline(always)]
fn string(text: &mut Stops<'_>, at: usize) -> Option<(usize, Seen)> {
    let bytes = text.bytes();
    if *bytes.get(at)? != b'"' {
        return None;
    }
    let mut at = at + 1;
    let mut seen = Seen::Text;
    loop {
        at = text.next(at)?;
        match *bytes.get(at)? {
            b'"' => return Some((at + 1, seen)),
            b'\\' => {}
            _ => return None,
        }
        match *bytes.get(at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                if let Seen::Text = seen {
                    seen = Seen::Escapes;
                }
                at += 2;
            }
            b'u' => {
                let digits = bytes.get(at + 2..at + 6)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                seen = Seen::Unicode;
                at += 6;
            }
            _ => return None,
        }
    }
}

/// Reads an object of which some keys are wanted, and gives what stands there.
///
/// None where it is no sound object, or one of the keys stands there twice.
#[must_use]
pub fn members<'a, const N: usize>(
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
