//! A compact encoding of users' ids and names, for segments and the ranking.
//!
//! Numbers are LEB128 (as in DWARF); signed ones are zigzag-encoded (0, -1, 1, -2, …), so that
//! small ones are short. A text is its length and its bytes.

use crate::record::Id;

/// Appends a number.
pub(super) fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while let (low, rest @ 1..) = (number & 0x7f, number >> 7) {
        bytes.push(u8::try_from(low).unwrap_or_default() | 0x80);
        number = rest;
    }
    bytes.push(u8::try_from(number).unwrap_or_default());
}

/// Takes the next number; `None` if it is invalid.
pub(super) fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Zigzag-encodes a signed number.
pub(super) fn zigzag(number: i64) -> u64 {
    (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned()
}

/// Decodes a [`zigzag`] number.
pub(super) fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// Appends a user's id and name.
pub(super) fn put_user(bytes: &mut Vec<u8>, id: &Id, name: Option<&str>) {
    match id {
        Id::Number(number) => {
            put_number(bytes, 0);
            put_number(bytes, zigzag(*number));
        }
        Id::Text(text) => put_text(bytes, Some(text)),
    }
    put_text(bytes, name);
}

/// Takes the next user; `None` if it is invalid.
pub(super) fn take_user<'a>(bytes: &mut &'a [u8]) -> Option<(Id, Option<&'a str>)> {
    Some((take_id(bytes)?, take_text(bytes)?))
}

/// Takes the next id; `None` if it is invalid.
pub(super) fn take_id(bytes: &mut &[u8]) -> Option<Id> {
    if let Some(text) = take_text(bytes)? {
        return Some(Id::Text(text.into()));
    }
    Some(Id::Number(unzigzag(take_number(bytes)?)))
}

/// Appends a text as its length plus one and its bytes; 0 is no text.
fn put_text(bytes: &mut Vec<u8>, text: Option<&str>) {
    put_number(bytes, text.map_or(0, |text| text.len() as u64 + 1));
    bytes.extend_from_slice(text.unwrap_or_default().as_bytes());
}

/// Takes the next text, which may be absent; `None` if it is invalid.
#[expect(
    clippy::option_option,
    reason = "the outer `None` is an error, the inner one an absent text"
)]
pub(super) fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a str>> {
    let Some(length) = take_number(bytes)?.checked_sub(1) else {
        return Some(None);
    };
    let (text, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(Some(std::str::from_utf8(text).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_user_takes_few_bytes() {
        let mut bytes = Vec::new();
        put_user(&mut bytes, &Id::Number(100_000), Some("Ada"));
        assert_eq!(bytes.len(), 1 + 3 + 1 + 3);
    }

    #[test]
    fn truncated_and_invalid_bytes_are_errors() {
        for bytes in [
            &b""[..],
            b"\0",
            b"\0\x80",
            b"\0\x02",
            b"\0\x02\x04Ad",
            b"\0\x02\x02\xff",
            b"\x03a",
        ] {
            assert_eq!(take_user(&mut &bytes[..]), None, "{bytes:?}");
        }
        assert_eq!(take_number(&mut &[0xff; 11][..]), None);
    }

    proptest! {
        #[test]
        fn decoding_returns_what_was_encoded(
            users in prop::collection::vec((prop_oneof![
                any::<i64>().prop_map(Id::Number),
                prop::sample::select(vec![i64::MIN, -1, 0, 63, 64, i64::MAX]).prop_map(Id::Number),
                ".{0,3}".prop_map(|text| Id::Text(text.into())),
            ], prop::option::of(".{0,200}"), any::<u64>()), 0..5)
        ) {
            let mut bytes = Vec::new();
            for (id, name, number) in &users {
                put_number(&mut bytes, *number);
                put_user(&mut bytes, id, name.as_deref());
            }
            let mut left = bytes.as_slice();
            for (id, name, number) in &users {
                prop_assert_eq!(take_number(&mut left), Some(*number));
                prop_assert_eq!(take_user(&mut left), Some((id.clone(), name.as_deref())));
            }
            prop_assert!(left.is_empty());
        }
    }
}
