//! The splitter against a full parser, and against itself in other pieces.
//!
//! An input is: a line with the path to the records (empty for a plain array),
//! a line whose bytes are the lengths of pieces, and the answer.
#![no_main]

use std::ops::Range;

use activity_tracker::json::JsonPath;
use activity_tracker::json::splitter::{SplitError, Splitter, records};
use activity_tracker_fuzz::{Astray, first_line, is_json, lookup, place};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::value::RawValue;

const WHITE_SPACE: &[u8] = b" \t\r\n";

/// All that a splitter tells of an answer.
#[derive(Debug, PartialEq)]
struct Cut {
    places: Vec<Range<usize>>,
    end: Result<Value, SplitError>,
    /// The bytes that belong to the array; of a whole answer only.
    array: Vec<u8>,
}

fuzz_target!(|input: &[u8]| {
    let (path, rest) = first_line(input);
    let (lengths, text) = first_line(rest);
    let Some(path) = std::str::from_utf8(path)
        .ok()
        .and_then(|path| path.parse::<JsonPath>().ok())
    else {
        return;
    };
    let whole = cut(&path, text, &mut std::iter::once(text));
    let by_lengths = cut(&path, text, &mut pieces(text, lengths));
    let by_bytes = cut(&path, text, &mut text.chunks(1));
    assert_eq!(whole, by_lengths);
    assert_eq!(whole, by_bytes);
    assert_eq!(whole.places, places_at_once(&path, text));
    lie_in_order(&whole.places, text);
    compare_with_parser(&path, text, &whole);
    as_a_slice(text, lengths, &whole);
});

/// Pieces of the lengths that bytes give, and what remains.
fn pieces<'t>(text: &'t [u8], lengths: &'t [u8]) -> impl Iterator<Item = &'t [u8]> {
    let mut rest = Some(text);
    let mut lengths = lengths.iter();
    std::iter::from_fn(move || {
        let all = rest.take()?;
        let length = lengths
            .next()
            .map_or(usize::MAX, |length| usize::from(*length));
        let Some((piece, behind)) = all.split_at_checked(length) else {
            return Some(all);
        };
        rest = Some(behind);
        Some(piece)
    })
}

/// Cuts an answer, and checks at the end of each piece what the splitter says of it.
fn cut(path: &JsonPath, text: &[u8], pieces: &mut dyn Iterator<Item = &[u8]>) -> Cut {
    let mut splitter = Splitter::of_array_at(path);
    let mut found = Cut {
        places: Vec::new(),
        end: Ok(Value::Null),
        array: Vec::new(),
    };
    let mut open = Vec::new();
    let mut at = 0;
    for piece in pieces {
        let mut rest = piece;
        loop {
            match splitter.advance(rest) {
                Ok((consumed, Some(record))) => {
                    found.places.push(bounds(&record));
                    rest = &rest[consumed..];
                }
                Ok((consumed, None)) => {
                    assert_eq!(consumed, rest.len(), "all was looked at");
                    break;
                }
                Err(error) => {
                    found.array.clear();
                    found.end = Err(error);
                    return found;
                }
            }
        }
        at += piece.len();
        let array = splitter.array_part(piece.len());
        found.array.extend_from_slice(&piece[array]);
        open.push((at, splitter.open_record()));
    }
    found.end = splitter.finish();
    if found.end.is_ok() {
        assert_eq!(at, text.len());
        open_records(&found.places, &open);
    } else {
        found.array.clear();
    }
    found
}

/// The places of all records, or of those before the first mistake.
fn places_at_once(path: &JsonPath, text: &[u8]) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let mut splitter = Splitter::of_array_at(path);
    // What is wrong with the rest is compared elsewhere.
    let _ = splitter.advance_over(text, |place| places.push(bounds(&place)));
    places
}

fn bounds(place: &Range<u64>) -> Range<usize> {
    usize::try_from(place.start).unwrap()..usize::try_from(place.end).unwrap()
}

/// Where a piece ends within a record, the splitter must have said so, and nowhere else.
fn open_records(places: &[Range<usize>], open: &[(usize, Option<u64>)]) {
    for (at, said) in open {
        match said {
            Some(start) => assert!(
                places.iter().any(|place| place.start as u64 == *start
                    && place.start < *at
                    && *at <= place.end),
                "no record is open at {at}"
            ),
            None => assert!(
                !places
                    .iter()
                    .any(|place| place.start < *at && *at < place.end),
                "a record is open at {at}"
            ),
        }
    }
}

/// Records lie one behind the other, with a comma and white space between them.
fn lie_in_order(places: &[Range<usize>], text: &[u8]) {
    for place in places {
        assert!(place.start < place.end && place.end <= text.len());
        let ends = [text[place.start], text[place.end - 1]];
        assert!(!ends.iter().any(|end| WHITE_SPACE.contains(end)));
    }
    for pair in places.windows(2) {
        let between = &text[pair[0].end..pair[1].start];
        let mut marks = between.iter().filter(|byte| !WHITE_SPACE.contains(byte));
        assert_eq!((marks.next(), marks.next()), (Some(&b','), None));
    }
}

fn compare_with_parser(path: &JsonPath, text: &[u8], cut: &Cut) {
    let sound = is_json(text);
    if cut.end.is_ok() && cut.places.iter().all(|place| is_json(&text[place.clone()])) {
        assert!(sound, "records that are JSON stand in what is none");
    }
    if !sound {
        return;
    }
    let text = std::str::from_utf8(text).unwrap();
    let trimmed = text.trim_matches([' ', '\t', '\r', '\n']);
    let found = match lookup(path, trimmed) {
        Ok(found) => found,
        Err(Astray::NoObject) => None,
        // A parser and the splitter may each mean another one.
        Err(Astray::Twice | Astray::Key) => return,
    };
    match found.and_then(|raw| Some((raw, serde_json::from_str::<Vec<&RawValue>>(raw).ok()?))) {
        Some((raw, records)) => {
            let expected: Vec<_> = records
                .iter()
                .map(|record| place(record.get(), text.as_bytes()))
                .collect();
            assert_eq!(cut.places, expected);
            let array = place(raw, text.as_bytes());
            let around = format!("{}[]{}", &text[..array.start], &text[array.end..]);
            let around = serde_json::from_str::<Value>(&around).ok();
            match &cut.end {
                Ok(value) => assert_eq!(Some(value), around.as_ref()),
                // Half a character or a number too large are JSON, but no `Value`.
                Err(error) => assert!(
                    matches!(error, SplitError::Wrapping(_)) && around.is_none(),
                    "{error}"
                ),
            }
            if cut.end.is_ok() && !path.keys().is_empty() {
                // From behind the opening bracket to the closing one.
                assert_eq!(cut.array, &raw.as_bytes()[1..raw.len() - 1]);
            }
        }
        None => assert!(cut.end.is_err(), "records where a parser sees none"),
    }
}

/// The same records come of the array's inside, and of any bytes a row that ends.
fn as_a_slice(text: &[u8], lengths: &[u8], cut: &Cut) {
    if let (Some(first), Some(last)) = (cut.places.first(), cut.places.last()) {
        let slice = &text[first.start..last.end];
        let found: Vec<_> = records(slice).collect();
        let expected: Vec<_> = cut
            .places
            .iter()
            .map(|place| Ok(&text[place.clone()]))
            .collect();
        assert_eq!(found, expected);
    }
    let found: Vec<_> = records(text).collect();
    let (last, others) = found.split_last().expect("a record or an error");
    assert!(others.iter().all(Result::is_ok), "an error ends the row");
    let mut end = 0;
    for record in found.iter().flatten() {
        let start = record.as_ptr() as usize - text.as_ptr() as usize;
        assert!(start >= end && !record.is_empty());
        end = start + record.len();
    }
    let mut splitter = Splitter::of_slice();
    let mut count = 0;
    let mut error = None;
    'all: for piece in pieces(text, lengths) {
        let mut rest = piece;
        loop {
            match splitter.advance(rest) {
                Ok((consumed, Some(_))) => {
                    count += 1;
                    rest = &rest[consumed..];
                }
                Ok((_, None)) => break,
                Err(found) => {
                    error = Some(found);
                    break 'all;
                }
            }
        }
    }
    // A bare record at the end is ended by the end alone, which only `records` knows.
    let error = error.or_else(|| {
        let bare_tail = last.is_ok() && found.len() == count + 1;
        (!bare_tail).then(|| splitter.finish().err())?
    });
    assert_eq!(last.as_ref().err(), error.as_ref());
}
