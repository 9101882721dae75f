//! What is cut, what is refused, and what must hold for any bytes in any pieces.

use super::*;
use proptest::prelude::*;

/// Cuts record by record and all at once, which must come to the same.
fn cut(pieces: &[&[u8]]) -> Result<Vec<Range<u64>>, SplitError> {
    let one_by_one = cut_one_by_one(pieces);
    assert_eq!(cut_at_once(pieces), one_by_one);
    one_by_one
}

fn cut_at_once(pieces: &[&[u8]]) -> Result<Vec<Range<u64>>, SplitError> {
    let mut splitter = Splitter::of_array();
    let mut places = Vec::new();
    for piece in pieces {
        splitter.advance_over(piece, |place| places.push(place))?;
    }
    splitter.finish()?;
    Ok(places)
}

fn cut_one_by_one(pieces: &[&[u8]]) -> Result<Vec<Range<u64>>, SplitError> {
    let mut splitter = Splitter::of_array();
    let mut places = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while let (consumed, Some(place)) = splitter.advance(rest)? {
            places.push(place);
            rest = &rest[consumed..];
        }
    }
    splitter.finish()?;
    Ok(places)
}

fn unwrap_text(path: &str, text: &str) -> Result<(Vec<String>, Value), SplitError> {
    let mut splitter = Splitter::of_array_at(&path.parse().unwrap());
    let mut records = Vec::new();
    // Byte by byte: every state is met at the end of a piece.
    for (index, _) in text.bytes().enumerate() {
        let mut rest = &text.as_bytes()[index..=index];
        while let (consumed, Some(place)) = splitter.advance(rest)? {
            let range = usize::try_from(place.start).unwrap()..usize::try_from(place.end).unwrap();
            records.push(text[range].to_owned());
            rest = &rest[consumed..];
        }
    }
    let around = splitter.finish()?;
    // In one piece it must come out the same.
    let mut whole = Splitter::of_array_at(&path.parse().unwrap());
    let mut rest = text.as_bytes();
    while let (consumed, Some(_)) = whole.advance(rest)? {
        rest = &rest[consumed..];
    }
    assert_eq!(whole.finish().as_ref(), Ok(&around));
    Ok((records, around))
}

#[test]
fn records_are_found_inside_what_is_wrapped_around_them() {
    let cases = [
        (
            "data",
            r#"{"data":[1,{"data":[2]}],"next":"a b"}"#,
            "1|{\"data\":[2]}",
            r#"{"data":[],"next":"a b"}"#,
        ),
        (
            "a.b",
            r#"{"x":{"a":[9]},"a":{"x":[8],"b":[{}]},"y":1}"#,
            "{}",
            r#"{"x":{"a":[9]},"a":{"x":[8],"b":[]},"y":1}"#,
        ),
        (
            "data",
            r#" { "s" : "data: [" , "data" : [ ] } "#,
            "",
            r#"{"s":"data: [","data":[]}"#,
        ),
        ("/d\"", r#"{"d\"":[1]}"#, "1", r#"{"d\"":[]}"#),
        ("dä", r#"{"d\u00e4":[1]}"#, "1", r#"{"dä":[]}"#),
    ];
    for (path, text, records, around) in cases {
        let (found, wrapping) = unwrap_text(path, text).unwrap();
        assert_eq!(found.join("|"), records, "{text}");
        assert_eq!(
            wrapping,
            serde_json::from_str::<Value>(around).unwrap(),
            "{text}"
        );
    }
}

#[test]
fn an_object_in_the_place_of_all_is_kept_where_it_is_allowed() {
    let cases = [
        ("{}", Some("{}")),
        (" {\"a\":[1]} ", Some(r#"{"a":[1]}"#)),
        ("\u{feff}{}", Some("{}")),
        ("[]", None),
        ("null", None),
        ("{} x", None),
        ("{", None),
        (r#"{"a":"}"#, None),
    ];
    for (text, expected) in cases {
        for piece in 1..=text.len() {
            let mut splitter = Splitter::of_array().or_an_object();
            for piece in text.as_bytes().chunks(piece) {
                splitter.advance_over(piece, |_| unreachable!()).unwrap();
                // What stands in front of it may be kept.
                let part = splitter.array_part(piece.len());
                assert!(part.is_empty() || expected.is_none() || !splitter.is_behind_array());
            }
            let expected: Option<Value> = expected.map(|text| serde_json::from_str(text).unwrap());
            assert_eq!(splitter.without_array(), expected, "{text} by {piece}");
            let ends = splitter.finish();
            assert_eq!(ends.is_ok(), matches!(text, "[]" | "null"), "{text}");
        }
    }
}

#[test]
fn a_response_without_the_array_says_where_it_was_expected() {
    let none = "expected an array of records at `data`, found none";
    let cases = [
        ("{}", none),
        (
            r#"{"data":{}}"#,
            "expected an array of records at `data`, found an object; `records = { map = \"data\" }` takes its values as records",
        ),
        (
            r#"{"data":"[1]"}"#,
            "expected an array of records at `data`, found `\"`",
        ),
        (
            r#"{"x":{"data":[1]}}"#,
            "expected an array of records at `data`, found none; there is `x`",
        ),
        (
            r#"{"date":[1], "n":2}"#,
            "expected an array of records at `data`, found none; there is `date`, `n` (did you mean `date`?)",
        ),
        ("[1]", none),
        ("null", none),
        ("7", "expected an array of records at `data`, found `7`"),
        (
            "<html>",
            "expected an array of records at `data`, found `<`, which looks like HTML",
        ),
        (
            "{} x",
            "cannot read what surrounds the records: trailing characters at line 1 column 4",
        ),
        (
            r#"{"data":[1]"#,
            "cannot read what surrounds the records: EOF while parsing an object at line 1 column 10",
        ),
        (
            r#"{"data":[1]} x"#,
            "cannot read what surrounds the records: trailing characters at line 1 column 13",
        ),
        (
            r#"{"da"#,
            "the JSON array is not closed: it ends after 4 bytes",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(
            unwrap_text("data", text).unwrap_err().to_string(),
            expected,
            "{text}"
        );
    }
}

fn cut_text(text: &str) -> Result<Vec<&str>, SplitError> {
    let index = |place: u64| usize::try_from(place).unwrap();
    let places = cut(&[text.as_bytes()])?;
    Ok(places
        .into_iter()
        .map(|r| &text[index(r.start)..index(r.end)])
        .collect())
}

#[test]
fn records_are_found_whatever_they_are() {
    let cases: [(&str, &[&str]); 7] = [
        ("[]", &[]),
        (" [ \n ] \n", &[]),
        (r#"[{"a":1},{"b":[{}]}]"#, &[r#"{"a":1}"#, r#"{"b":[{}]}"#]),
        (
            "[\n  {\n    \"a\": 1\n  },\n  {}\n]",
            &["{\n    \"a\": 1\n  }", "{}"],
        ),
        (
            r#"[{"}\"]":"\\"},"x,]",1]"#,
            &[r#"{"}\"]":"\\"}"#, "\"x,]\"", "1"],
        ),
        ("[1 , true,null]", &["1", "true", "null"]),
        ("[[1,2],[]]", &["[1,2]", "[]"]),
    ];
    for (text, expected) in cases {
        assert_eq!(cut_text(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_array_is_refused_with_the_place() {
    let cases = [
        ("", "expected a JSON array, found nothing"),
        ("[{", "the JSON array is not closed: it ends after 2 bytes"),
        ("[{}", "the JSON array is not closed: it ends after 3 bytes"),
        ("{}", "expected a JSON array, found an object (`{`)"),
        (
            "<html>",
            "expected a JSON array, found `<`, which looks like HTML",
        ),
        (
            "\u{feff}\u{feff}[]",
            "expected a JSON array, found byte 0xef",
        ),
        ("[,]", "expected a record at byte 1, found `,`"),
        ("[{},]", "expected a record at byte 4, found `]`"),
        (
            "[{}{}]",
            "expected `,` or the end of the array at byte 3, found `{`",
        ),
        (
            "[]x",
            "expected the end of the response at byte 2, found `x`",
        ),
        (
            "[] []",
            "expected the end of the response at byte 3, found `[`",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(cut_text(text).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn a_byte_order_mark_is_passed_by_wherever_the_bytes_break() {
    let bare = ("\u{feff} [{\"a\":1},2]", JsonPath::default());
    let wrapped = (
        "\u{feff}{\"data\":[{\"a\":1},2],\"n\":1}",
        "data".parse().unwrap(),
    );
    for (text, path) in [bare, wrapped] {
        for length in 1..=text.len() {
            let mut splitter = Splitter::of_array_at(&path);
            let mut found = Vec::new();
            for bytes in text.as_bytes().chunks(length) {
                splitter
                    .advance_over(bytes, |place| found.push(place))
                    .unwrap();
            }
            let texts: Vec<_> = found
                .iter()
                .map(|place| {
                    &text
                        [usize::try_from(place.start).unwrap()..usize::try_from(place.end).unwrap()]
                })
                .collect();
            assert_eq!(texts, ["{\"a\":1}", "2"], "{length}");
            let around = splitter.finish().unwrap();
            assert!(path.keys().is_empty() || around["n"] == 1, "{length}");
        }
    }
}

#[test]
fn a_slice_gives_back_its_records_and_says_where_it_breaks() {
    let of = |slice| records(slice).collect::<Vec<_>>();
    assert_eq!(of(b"{},\n  {\"a\":1}"), [Ok(&b"{}"[..]), Ok(b"{\"a\":1}")]);
    assert_eq!(of(b"1,2"), [Ok(&b"1"[..]), Ok(b"2")]);
    assert_eq!(
        of(b"{},{"),
        [Ok(&b"{}"[..]), Err(SplitError::Unfinished(4))]
    );
    assert!(of(b"{}]")[1].is_err());
    assert!(of(b"")[0].is_err());
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        "[\"\\\\\\[\\]{}, a-cé\n]{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map("[\"\\\\{}\\[\\],a]{0,4}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_array_in_any_pieces_is_cut_as_a_full_parser_reads_it(
        values in prop::collection::vec(json(), 0..6),
        pretty in any::<bool>(),
        at in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let text = if pretty {
            serde_json::to_string_pretty(&values).unwrap()
        } else {
            serde_json::to_string(&values).unwrap()
        };
        let mut ends: Vec<_> = at.iter().map(|i| i.index(text.len() + 1)).collect();
        ends.push(text.len());
        ends.sort_unstable();
        let mut start = 0;
        let mut pieces = Vec::new();
        for end in ends {
            pieces.push(&text.as_bytes()[start..end]);
            start = end;
        }
        let places = cut(&pieces).unwrap();
        let read: Vec<serde_json::Value> = places
            .iter()
            .map(|r| usize::try_from(r.start).unwrap()..usize::try_from(r.end).unwrap())
            .map(|r| serde_json::from_str(&text[r]).unwrap())
            .collect();
        prop_assert_eq!(read, values);
    }

    #[test]
    fn no_bytes_make_the_splitter_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = cut(&[&bytes]);
        records(&bytes).for_each(drop);
    }

    #[test]
    fn many_bytes_at_once_are_cut_as_one_by_one(
        parts in prop::collection::vec(
            prop_oneof![
                6 => "[a-z {}\\[\\],:\"]{0,30}",
                3 => r#""[a-z{}\[\], ]{0,90}""#,
                3 => r#""(\\\\|\\"|\\n|[a-z]{0,6}){0,20}""#,
                1 => r"\\{1,5}",
                2 => r#"\{"a": ?[0-9]{1,9}\},"#,
            ],
            0..20,
        ),
        at in any::<prop::sample::Index>(),
    ) {
        let text = ["[{\"a\":", &parts.concat(), "}]"].concat();
        let bytes: Vec<_> = text.bytes().map(|byte| [byte]).collect();
        let bytes: Vec<_> = bytes.iter().map(<[u8; 1]>::as_slice).collect();
        let one_by_one = cut(&bytes);
        prop_assert_eq!(&cut(&[text.as_bytes()]), &one_by_one, "{}", &text);
        let (front, back) = text.as_bytes().split_at(at.index(text.len()));
        prop_assert_eq!(&cut(&[front, back]), &one_by_one, "{}", &text);
    }
}

#[test]
fn null_in_place_of_the_array_is_no_records_however_it_is_cut() {
    let wrapped: JsonPath = "data.list".parse().unwrap();
    for (path, body, sound) in [
        (JsonPath::default(), "null", true),
        (JsonPath::default(), " null\n", true),
        (JsonPath::default(), "nul", false),
        (JsonPath::default(), "nall", false),
        (JsonPath::default(), "n ull", false),
        (JsonPath::default(), "null,", false),
        (
            wrapped.clone(),
            r#"{"data":{"list":null},"next":"a"}"#,
            true,
        ),
        (
            wrapped.clone(),
            r#"{"data":{"list" : null ,"x":[1]}}"#,
            true,
        ),
        (wrapped.clone(), r#"{"data":{"list":nil}}"#, false),
        (wrapped.clone(), r#"{"data":{"list":nulls}}"#, false),
        (wrapped.clone(), r#"{"data":null}"#, false),
        (wrapped, r#"{"data":{"list":null}"#, false),
    ] {
        for cut in 0..body.len() {
            let mut splitter = Splitter::of_array_at(&path);
            let mut places = 0;
            let (first, second) = body.as_bytes().split_at(cut);
            let pushed = splitter
                .advance_over(first, |_| places += 1)
                .and_then(|()| splitter.advance_over(second, |_| places += 1));
            let read = pushed.and_then(|()| splitter.finish());
            assert_eq!(read.is_ok(), sound, "{body} {cut}");
            assert_eq!(places, 0, "{body}");
        }
    }
}
