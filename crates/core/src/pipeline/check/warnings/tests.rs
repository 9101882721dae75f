use super::*;
use crate::record::{Field, FieldMap, FieldPath};

use jiff::tz::TimeZone;
use serde_json::json;

fn path(text: &str) -> JsonPath {
    text.parse().unwrap()
}

#[test]
fn what_may_be_meant_is_a_name_that_is_like_it_or_the_same_one_a_level_below() {
    let example = json!({
        "id": 1, "user_name": "a", "user": {"login": "b", "e-mail": "x"}, "owner": {"login": null},
        "createdAt": "2024-05-01T10:00:00Z", "meta": [1],
    });
    let cases = [
        ("created_at", Some("createdAt")),
        ("username", Some("user_name")),
        ("user.logn", Some("user.login")),
        ("user.email", Some("user.e-mail")),
        ("login", Some("user.login")),
        ("author.login", Some("user.login")),
        ("title", None),
        ("0", None),
    ];
    for (at, expected) in cases {
        assert_eq!(meant(&path(at), &example).as_deref(), expected, "{at}");
    }
}

#[test]
fn only_what_no_record_has_and_nothing_else_maps_is_doubted() {
    let optional = |at| FieldPath::new(path(at), true);
    let fields: FieldMap = [
        (Field::Id, FieldPath::new(path("id"), false)),
        (Field::Title, optional("titel")),
        (Field::Name, optional("nam")),
        (Field::Username, optional("name")),
    ]
    .into_iter()
    .collect();
    let mapping = Mapping::new(fields, TimeZone::UTC);
    let mut seen = RecordSample {
        objects: 2,
        example: Some(json!({"id": 1, "title": "t", "name": "n"})),
        ..RecordSample::default()
    };
    let absent = |seen: &mut RecordSample, field: Field, absent| {
        seen.lacking[field as usize].absent = absent;
    };
    absent(&mut seen, Field::Title, 2);
    absent(&mut seen, Field::Name, 2);
    let warnings = of_fields(&[&seen], &mapping);
    // `name` is mapped already, so it is not what `nam` means.
    let expected = Warning::Absent {
        path: "titel".to_owned(),
        meant: "title".to_owned(),
    };
    assert_eq!(warnings, [expected]);
    absent(&mut seen, Field::Title, 1);
    assert_eq!(of_fields(&[&seen], &mapping), []);
    assert_eq!(of_fields(&[&RecordSample::default()], &mapping), []);
}

fn page(ids: impl IntoIterator<Item = u64>) -> RecordSample {
    let ids: Vec<_> = ids.into_iter().collect();
    RecordSample {
        records: ids.len() as u64,
        ids: ids.into_iter().collect(),
        ..RecordSample::default()
    }
}

#[test]
fn totals_that_do_not_fit_the_pages_are_doubted() {
    let mut endpoint = crate::source::Source::of_shape("api", "http://api.test")
        .unwrap()
        .endpoints
        .remove(&crate::record::Resource::Posts)
        .unwrap();
    endpoint.pagination = Pagination::Page {
        parameter: "page".to_owned(),
        first: 1,
        size: Some(("per_page".to_owned(), 4)),
    };
    let estimate = |first_total, total, pages, more| PageEstimate {
        total,
        first_total,
        pages,
        asked: 2,
        more,
    };
    let changed = Warning::TotalChanged { first: 9, last: 8 };
    let disagree = Warning::PagesDisagree {
        pages: 5,
        total: 41,
        size: 4,
    };
    let of_page = Warning::TotalOfPage { total: 4 };
    let cases = [
        (estimate(Some(41), Some(41), Some(11), true), vec![]),
        (estimate(Some(9), Some(8), Some(2), true), vec![changed]),
        (estimate(Some(41), Some(41), Some(5), true), vec![disagree]),
        (estimate(Some(4), Some(4), Some(1), false), vec![of_page]),
        (estimate(Some(8), Some(8), Some(2), false), vec![]),
        (estimate(None, None, Some(5), true), vec![]),
    ];
    for (estimate, expected) in cases {
        let warnings = of_totals(&endpoint, &[&page(0..4), &page(4..8)], &estimate);
        assert_eq!(warnings, expected, "{estimate:?}");
    }
    let sizes = [
        (4, true, None),
        (2, true, Some(2)),
        (2, false, None),
        (0, true, None),
        (9, false, Some(9)),
    ];
    for (came, more, doubted) in sizes {
        let seen = page(0..came);
        let warning = of_size(&endpoint, &[&seen], &estimate(None, None, None, more));
        let came = warning.map(|warning| match warning {
            Warning::Size { came, .. } => came,
            other => panic!("{other}"),
        });
        assert_eq!(came, doubted);
    }
}

#[test]
fn records_that_come_twice_are_counted() {
    let cases = [
        (page(0..3), page(3..6), None),
        (page(0..3), page(2..5), Some((1, 3))),
        (page(0..3), page([2, 0, 9, 8]), Some((2, 4))),
        (page(0..3), page([]), None),
        (page([]), page(0..3), None),
    ];
    for (first, second, expected) in cases {
        let warning = overlap(&[&first, &second]);
        let expected = expected.map(|(twice, of)| Warning::Overlap { twice, of });
        assert_eq!(warning, expected);
    }
    let mapping = Mapping::placeholder(crate::record::Resource::Posts);
    let mut same = page(0..3);
    assert_eq!(same_id(&[&same], &mapping), None);
    same.records = 7;
    same.rejects = 2;
    let expected = Warning::SameId {
        path: "id".to_owned(),
        twice: 2,
        of: 7,
    };
    assert_eq!(same_id(&[&same], &mapping), Some(expected));
}
