//! What is JSON and what is not, by kind, and the same from `serde_json`.

use super::*;
use proptest::prelude::*;
use serde::de::IgnoredAny;

/// Whether the reader takes all of `text` for one value with white space around it.
fn takes(text: &str) -> bool {
    let mut reader = Reader::new(text, 0);
    let value = reader.peek().and_then(|_| reader.value());
    value.is_some() && reader.peek().is_none() && reader.at() == text.len()
}

fn serde_takes(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

#[test]
fn what_is_json_is_taken() {
    let numbers = "0|-0|7|-7|10|0.5|-0.0|1.50|1e5|1E5|1e+5|1E-05|0e0|-0.0e-0|1.5e300|1e400|\
        123456789012345678901234567890|0.00000000000000000000000000001";
    let words = "true|false|null| null |\tnull\r\n";
    let strings = r#"""|"a"|"a b/c"|"\"\\\/\b\f\n\r\t"|"\u0041\u00e9\uD83D\uDE00"|"\u0000"|"\\"|"\\\""|"é😀"|"{[]},:"|"//"|"0123456789abcde\"f"|"0123456789abcdef""#;
    // Half a surrogate pair is JSON, though no text; a record that keeps it out of
    // its fields may have it.
    let halves = r#""\ud800"|"\uDC00\ud800"|"a\ud83dz""#;
    let arrays =
        "[]|[ ]|[1]|[1,2]|[ 1 , [ ] , {} ]|[[[[]]]]|[\"a\",null,true,-1.5e3]|[\n1\n,\r\n2\t]";
    let objects = r#"{}|{ }|{"a":1}|{"a":1,"b":[]}|{"":""}|{"a":1,"a":2}|{ "a" : { "b" : {} } }|{"\u0061\n":0}"#;
    let others = ["\"\u{7f}\"", "\"\u{ffff}\"", "\"\u{2028}\"", "\"\u{feff}\""];
    let kinds = [numbers, words, strings, halves, arrays, objects];
    for text in kinds.iter().flat_map(|kind| kind.split('|')).chain(others) {
        assert!(takes(text), "{text:?}");
        assert!(serde_takes(text), "{text:?}");
    }
}

#[test]
fn what_is_not_json_is_not_taken() {
    let numbers = "-|--1|+1|+|01|-01|00|1.|.5|-.5|1.e1|1..2|1e|1e+|1E-|e5|1e1.5|1e1e1|0x10|1_000|1 000|\
        NaN|nan|-NaN|Infinity|-Infinity|inf|1f|0b1|１|٣|1.5.2|- 1";
    let words = "tru|TRUE|True|truee|true false|nul|nulll|Null|fals|f|n|none|undefined|true,";
    let escapes =
        r#""\q"|"\x41"|"\'"|"\0"|"\u"|"\u12"|"\u12g4"|"\u 041"|"\u+041"|"\U0041"|"\é"|"\"|"\\\""#;
    let strings = r#"'a'|"|"a|a"|"a"b"|""""|"a" "b"|\"a\"|`a`"#;
    let control = [
        "\"\n\"",
        "\"a\tb\"",
        "\"\r\"",
        "\"\0\"",
        "\"\u{1f}\"",
        "\"\\\n\"",
        "\"0123456789abcdef\u{8}\"",
    ];
    let arrays = "[|]|[[]|[]]|[1|[1,|[1,]|[,1]|[,]|[1,,2]|[1 2]|[1;2]|[1:2]|[}|[1}|(1)|[\"a\"|[\"a|[1]x|[] []";
    let objects = r#"{|}|{]|{}}|{{}}|{"a"|{"a"}|{"a":|{"a":}|{"a":1|{"a":1,|{"a":1,}|{,"a":1}|{,}|{"a":1,,"b":2}|{"a" 1}|{"a"=1}|{a:1}|{'a':1}|{1:1}|{null:1}|{"a":1 "b":2}|{"a":1;"b":2}|{"a":1]|{"a"::1}|{"a":1:2}|{[]:1}"#;
    let comments = "//|/**/1|1/**/|[1//\n]|#1|<1>|&1";
    // White space is four characters, and no others; a mark of byte order is none.
    let space = [
        "",
        " ",
        "\n",
        "\u{feff}1",
        "1\u{feff}",
        "\u{a0}1",
        "\u{c}1",
        "\u{b}1",
        "1\0",
        "\u{85}1",
        "[\u{2003}1]",
    ];
    let kinds = [numbers, words, escapes, strings, arrays, objects, comments];
    let listed = kinds.iter().flat_map(|kind| kind.split('|'));
    for text in listed.chain(control).chain(space) {
        assert!(!takes(text), "{text:?}");
        assert!(!serde_takes(text), "{text:?}");
    }
}

#[test]
fn what_is_nested_deeper_than_any_api_does_is_left_to_serde_json() {
    for (depth, taken) in [(64, true), (65, false), (10_000, false)] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
            let times = depth / open.matches(['[', '{']).count();
            let more = depth % open.matches(['[', '{']).count();
            let text = [
                &"[".repeat(more),
                &open.repeat(times),
                "1",
                &close.repeat(times),
                &"]".repeat(more),
            ]
            .concat();
            assert_eq!(takes(&text), taken, "{depth} {open}");
        }
    }
}

#[test]
fn each_byte_that_a_string_may_not_hold_is_found_wherever_it_stands() {
    for byte in 0..=0x7f_u8 {
        for before in 0..40 {
            let text = format!(
                "\"{}{}{}\"",
                "a".repeat(before),
                char::from(byte),
                "n".repeat(20)
            );
            assert_eq!(takes(&text), serde_takes(&text), "{text:?}");
        }
    }
}

#[test]
fn members_are_found_whatever_stands_between_them() {
    let keys = ["a", "b", "c"];
    let raw = |text| {
        let found: [Option<Sound<'_>>; 3] = members(text, keys)?;
        Some(found.map(|sound| sound.map_or("", Sound::raw)).join("|"))
    };
    let cases = [
        (
            r#"{"b":[1, 2],"x":{"a":0},"a":"\n"}"#,
            Some(r#""\n"|[1, 2]|"#),
        ),
        (r#"{"\u0061":1,"x":2,"x":3}"#, Some("1||")),
        ("{}", Some("||")),
        (r#"{"a":1,"a":2}"#, None),
        (r#"{"a":1} "#, None),
        ("[]", None),
        (r#"{"\ud800":1}"#, None),
    ];
    for (text, expected) in cases {
        assert_eq!(raw(text).as_deref(), expected, "{text}");
    }
}

/// Any JSON, with what is awkward in strings and numbers.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
        r#""([a-zé😀 ,:{}\[\]]{0,9}|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}){0,4}""#,
    ];
    let space = || prop::sample::select(vec!["", " ", "\n  ", "\r\n", "\t"]);
    leaf.prop_recursive(4, 32, 5, move |inner| {
        let element =
            (space(), inner.clone(), space()).prop_map(|(a, value, b)| format!("{a}{value}{b}"));
        let member = (
            space(),
            "\"([a-c]|\\\\n){0,3}\"",
            space(),
            space(),
            inner,
            space(),
        )
            .prop_map(|(a, key, b, c, value, d)| format!("{a}{key}{b}:{c}{value}{d}"));
        prop_oneof![
            prop::collection::vec(element, 0..5).prop_map(|all| format!("[{}]", all.join(","))),
            prop::collection::vec(member, 0..5).prop_map(|all| format!("{{{}}}", all.join(","))),
        ]
    })
}

/// What may be written over a place in a text to break it, or not.
fn blot() -> impl Strategy<Value = &'static str> {
    let blots = vec![
        "", "\"", "\\", "\\u", "{", "}", "[", "]", ",", ":", " ", "\n", "\t", "\0", "0", "1", ".",
        "-", "+", "e", "true", "nul", "é", "\u{feff}", "/", "'", "a",
    ];
    prop::sample::select(blots)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn it_takes_what_serde_json_takes(
        text in json(),
        blots in prop::collection::vec((any::<prop::sample::Index>(), 0..2usize, blot()), 0..3),
    ) {
        prop_assert!(takes(&text), "{:?}", text);
        let mut letters: Vec<_> = text.chars().map(String::from).collect();
        for (place, over, blot) in blots {
            let at = place.index(letters.len() + 1);
            let end = (at + over).min(letters.len());
            letters.splice(at..end, [blot.to_owned()]);
        }
        let text = letters.concat();
        prop_assert_eq!(takes(&text), serde_takes(&text), "{:?}", text);
    }

    #[test]
    fn any_text_is_taken_or_not_but_never_more_than_serde_json_does(
        text in "[\\[\\]{}:,\"\\\\u0-9a-fé.eE+ntrul \n-]{0,24}"
    ) {
        prop_assert_eq!(takes(&text), serde_takes(&text), "{:?}", text);
    }
}
