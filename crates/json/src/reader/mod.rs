//! A fast one-pass reader for valid JSON (RFC 8259), without error messages.
//!
//! What this reader accepts is valid. It gives no reason for what it rejects: the slower reader,
//! `serde_json`, reads that again and finds the message. So the message of a rejected record is the
//! same whichever of the two saw it first, and this reader may give up at any point, for example on
//! values that are nested deeper than in any API.
//!
//! What it learns about a value while reading is kept with it, so that the value need not be
//! scanned again.

#![expect(
    clippy::inline_always,
    reason = "calls took a measurable part of the time"
)]

use crate::Sound;
use crate::stops::Stops;
use crate::value::{Seen, unescape};

/// The maximum nesting depth. Deeper values are left to `serde_json`, which skips them without
/// recursion.
const DEEPEST: u32 = 64;

/// A position in a text, from which it reads on.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    text: &'a str,
    stops: Stops<'a>,
    at: usize,
    /// Whether what was read is not a model for the following records: for example, it has escapes.
    pub peculiar: bool,
}

impl<'a> Reader<'a> {
    /// Starts at a byte of `text`.
    #[must_use]
    pub fn new(text: &'a str, at: usize) -> Self {
        Self {
            text,
            stops: Stops::new(text.as_bytes()),
            at,
            peculiar: false,
        }
    }

    /// The position of the next byte.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips whitespace and returns the next byte without consuming it.
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

    /// Reads the value that begins at this position.
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

    /// Reads an object. `member` gets the key of each value, and has to read the value.
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

    /// Skips an object or an array.
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

/// Skips a string, a number or a literal; returns where it ends.
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

/// Skips a number.
#[inline(always)]
fn number(bytes: &[u8], start: usize) -> Option<(usize, Seen)> {
    let is_negative = bytes.get(start) == Some(&b'-');
    let whole = start + usize::from(is_negative);
    let (mut value, mut at) = (0_i64, whole);
    while let Some(digit) = bytes.get(at).map(|byte| byte.wrapping_sub(b'0'))
        && digit < 10
    {
        // If the number is too long for an integer, the result is wrong and is not used.
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

/// Skips the fraction and exponent of a number.
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

/// Skips digits, at least one.
#[inline]
fn digits(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    (at > start).then_some(at)
}

/// Skips a string with its quotes.
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

/// Reads an object and returns the values of some keys.
///
/// `None` if it is not a valid object, or one of the keys is repeated.
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
