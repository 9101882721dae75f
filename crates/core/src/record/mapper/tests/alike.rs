//! The two ways to read a record come to the same, whatever the record.

use super::super::*;
use crate::activity::{Comment, Post, User};
use crate::record::{Field, FieldMap, FieldPath};
use activity_tracker_json::splitter;
use jiff::tz::TimeZone;
use proptest::prelude::*;

type Read<'a, T> = Vec<Result<Mapped<'a, T>, Rejected<'a>>>;

/// Each record cut out first and then read by `serde_json`.
fn thorough<'a, T: FromFields<'a>>(slice: &'a [u8], mapping: &Mapping) -> Read<'a, T> {
    let records = (0..).zip(splitter::records(slice));
    records
        .map(|(index, bytes)| {
            let all = bytes.as_ref().map_or(slice, |bytes| *bytes);
            let rejected = |reject| Rejected { reject, raw: all };
            let raw = text(index, bytes).map_err(rejected)?;
            let record = Fields::read(mapping, index, raw).map_err(|reject| rejected(*reject))?;
            Ok(Mapped::new(record, raw, slice))
        })
        .collect()
}

fn mapping() -> Mapping {
    let fields = [
        (Field::Id, "id", false),
        (Field::Username, "title", true),
        (Field::UserId, "by.account.id", true),
        (Field::PostId, "post", true),
        (Field::Name, "by.name", true),
        (Field::Title, "title", true),
        (Field::Email, "title", true),
        (Field::Body, "b", true),
        (Field::CreatedAt, "at", true),
        (Field::Address, "by", true),
        (Field::Company, "c", true),
        (Field::Author, "by.account", true),
    ];
    let place = |(field, path, optional): (Field, &str, bool)| {
        let path = path.parse().unwrap();
        (field, FieldPath::new(path, optional))
    };
    Mapping::new(
        fields.map(place).into_iter().collect::<FieldMap>(),
        TimeZone::UTC,
    )
}

/// A value in the place of a member.
fn value() -> impl Strategy<Value = String> {
    let values = r#"1|"1"|-7|1.50|null|null|"a"|"a\nb"|"\u00e9"|"\ud800"|"2024-05-01"|true|{}|[]|{"name":"n"}|{"id":5}|{"id":5,"x":[1,{"id":6}]}|{"lat":"1","geo":{"lat":"2","lng":null}}|[1,"a",{"b":2}]|99999999999999999999|{"street":"s","street":"t"}"#;
    let values: Vec<_> = values.split('|').map(str::to_owned).collect();
    let account = r#"{"account":{"id":3},"name":"n","city":"c"}|{"account":null,"name":null}|{"account":{"id":null}}|{"account":{"id":"x\n"},"geo":{"lat":"1"}}|{"account":[1]}"#;
    let account: Vec<_> = account.split('|').map(str::to_owned).collect();
    prop_oneof![
        3 => prop::sample::select(values),
        2 => prop::sample::select(account),
        1 => "[0-9]{1,3}",
        1 => "\"[a-z ]{0,20}\"",
    ]
}

/// Records of few shapes, with any values in them; and what stands between records.
fn slice() -> impl Strategy<Value = String> {
    let keys = prop::sample::subsequence(
        vec!["id", "by", "post", "title", "b", "at", "c", "x", "i\\u0064"],
        1..9,
    );
    let shape = (keys.prop_shuffle(), any::<bool>());
    let shapes = prop::collection::vec(shape, 1..3);
    let records = prop::collection::vec(
        (
            any::<prop::sample::Index>(),
            prop::collection::vec(value(), 9),
        ),
        1..7,
    );
    let between = prop::sample::select(vec![",", ",\n  ", " , "]);
    (shapes, records, between).prop_map(|(shapes, records, between)| {
        let records = records.iter().map(|(shape, values)| {
            let (keys, spaced) = shape.get(&shapes);
            let (colon, comma) = if *spaced {
                (": ", ",\n    ")
            } else {
                (":", ",")
            };
            let members = keys.iter().zip(values);
            let members = members.map(|(key, value)| format!("\"{key}\"{colon}{value}"));
            format!("{{{}}}", members.collect::<Vec<_>>().join(comma))
        });
        records.collect::<Vec<_>>().join(between)
    })
}

fn blot() -> impl Strategy<Value = Vec<u8>> {
    let blots: [&[u8]; 22] = [
        b"",
        b"\"",
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b" ",
        b"\n",
        b"\0",
        b"0",
        b".",
        b"-",
        b"e",
        b"null",
        b"\xff",
        b"\xc3",
        "é".as_bytes(),
        b"{}",
        b"a",
    ];
    prop::sample::select(blots.map(<[u8]>::to_vec).to_vec())
}

#[test]
fn each_record_says_where_it_stands_in_its_slice() {
    let slice = b"{\"id\":1},\n  {\"id\":2},\n  {\"i\\u0064\":3} , {\"id\":4}";
    let mapping = mapping();
    let mut end = 0;
    let between = map::<User<'_>>(slice, &mapping).map(|user| {
        let user = user.unwrap();
        let gap = &slice[end..user.at()];
        end = user.at() + user.raw().len();
        assert_eq!(&slice[user.at()..end], user.raw().as_bytes());
        gap
    });
    let expected: [&[u8]; 4] = [b"", b",\n  ", b",\n  ", b" , "];
    assert_eq!(between.collect::<Vec<_>>(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn both_ways_read_the_same_fields_and_refuse_in_the_same_words(
        slice in slice(),
        blots in prop::collection::vec((any::<prop::sample::Index>(), 0..2usize, blot()), 0..3),
    ) {
        let mut bytes = slice.into_bytes();
        for (place, over, blot) in blots {
            let at = place.index(bytes.len() + 1);
            let end = (at + over).min(bytes.len());
            bytes.splice(at..end, blot);
        }
        let mapping = mapping();
        let shown = String::from_utf8_lossy(&bytes);
        let users: Read<'_, User<'_>> = map(&bytes, &mapping).collect();
        prop_assert_eq!(users, thorough(&bytes, &mapping), "{}", shown);
        let posts: Read<'_, Post<'_>> = map(&bytes, &mapping).collect();
        prop_assert_eq!(posts, thorough(&bytes, &mapping), "{}", shown);
        let comments: Read<'_, Comment<'_>> = map(&bytes, &mapping).collect();
        prop_assert_eq!(comments, thorough(&bytes, &mapping), "{}", shown);
    }
}
