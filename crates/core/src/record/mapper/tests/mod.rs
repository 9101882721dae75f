mod alike;

use super::*;
use crate::activity::{Comment, Post, User};
use crate::record::{Field, FieldMap, FieldPath, Resource, Time};
use jiff::tz::TimeZone;

fn rejected<'a, T: FromFields<'a>>(slice: &'a [u8], mapping: &Mapping) -> String {
    let reject = map::<T>(slice, mapping).find_map(Result::err);
    reject.unwrap().to_string()
}

/// Fields by the paths that they have, optional behind a `?`.
fn mapping(fields: &[(Field, &str)]) -> Mapping {
    let fields = fields.iter().map(|(field, path)| {
        let optional = path.ends_with('?');
        let path = path.trim_end_matches('?').parse().unwrap();
        (*field, FieldPath::new(path, optional))
    });
    Mapping::new(fields.collect::<FieldMap>(), TimeZone::UTC)
}

#[test]
fn a_reject_names_the_record_the_field_and_what_was_found() {
    let user = |rest: &str| format!(r#"{{"name":"n","username":"u","email":"e",{rest}}}"#);
    let id = "a whole number of at most 64 bits or a string";
    let cases = [
        (
            user(r#""x":1"#),
            "required field `id` is missing".to_owned(),
        ),
        (
            user(r#""id":{"a":1}"#),
            format!("field `id`: expected {id}, found {{\"a\":1}}"),
        ),
        (
            user(r#""id": 18446744073709551616 "#),
            format!("field `id`: expected {id}, found 18446744073709551616"),
        ),
        (
            user(r#""id":null"#),
            format!("field `id`: expected {id}, found null"),
        ),
        (
            user(r#""id":1,"phone":5"#),
            "field `phone`: expected a string, found 5".to_owned(),
        ),
        (
            user(r#""id":1,"address":{"geo":{"lat":5.00}}"#),
            "field `address.geo.lat`: expected a string, found 5.00".to_owned(),
        ),
        (
            user(r#""id":1,"address":{"geo":{"lat":"1","lat":"2"}}"#),
            "field `address.geo.lat`: expected one value, found several".to_owned(),
        ),
        (
            user(r#""id":1,"company":["a"]"#),
            "field `company`: expected an object, found [\"a\"]".to_owned(),
        ),
        (
            user(r#""id":1,"phone":"\ud800""#),
            "field `phone`: expected a string of whole characters, found \"\\ud800\"".to_owned(),
        ),
        (
            user(r#""id":1,"\u0069d":2"#),
            "field `id`: expected one value, found several".to_owned(),
        ),
        (
            user(&format!(r#""id":1,"phone":[{}1]"#, "10, ".repeat(30))),
            format!(
                "field `phone`: expected a string, found [{}10,…",
                "10, ".repeat(14)
            ),
        ),
    ];
    let mapping = Mapping::placeholder(Resource::Users);
    for (json, expected) in cases {
        let found = rejected::<User<'_>>(json.as_bytes(), &mapping);
        assert_eq!(found, format!("record 0: {expected}"), "{json}");
    }
}

#[test]
fn a_record_that_is_no_object_is_a_reject() {
    let mapping = Mapping::placeholder(Resource::Posts);
    for bare in ["7", "1e400", "null", "true", r#""{}""#, r#"[{"id":1}]"#] {
        let expected = format!("record 0: field `.`: expected an object, found {bare}");
        assert_eq!(rejected::<Post<'_>>(bare.as_bytes(), &mapping), expected);
    }
}

#[test]
fn what_is_not_json_or_not_utf8_is_a_reject_of_that_record_alone() {
    let mapping = Mapping::placeholder(Resource::Posts);
    let good = br#"{"id":1,"userId":1,"title":"","body":""}"#;
    for bad in [
        &b"{\"id\":1,}"[..],
        b"{\"id\":\"\xff\"}",
        b"{]",
        b"tru",
        b"nul",
        b"{\"id\":01}",
        b"{\"id\":1,\"userId\":1,\"title\":\"\",\"body\":\"\",\"x\":[1,]}",
        b"{\"id\":1,\"userId\":1,\"title\":\"\",\"body\":\"a\nb\"}",
        b"{\"id\":1,\"userId\":1,\"title\":\"\",\"body\":\"\\q\"}",
        b"{\"id\":1,\"userId\":1,\"title\":\"\",\"body\":\"\"]",
        b"{\"id\":1,\"id\":1,}",
    ] {
        let slice = [good, &b","[..], bad, b",", good].concat();
        let found: Vec<_> = map::<Post<'_>>(&slice, &mapping).collect();
        let shown = String::from_utf8_lossy(bad);
        assert!(found[0].is_ok() && found[2].is_ok(), "{shown}");
        let reject = found[1].as_ref().unwrap_err();
        let whole = matches!(&*reject.expected, "JSON" | "UTF-8") && reject.path == ".";
        assert!(reject.index == 1 && whole, "{shown}: {reject}");
    }
    assert_eq!(
        rejected::<Post<'_>>(b"{\"id\":\"\xff\"}", &mapping),
        "record 0: field `.`: expected UTF-8, found byte 0xff at byte 7"
    );
    assert_eq!(
        rejected::<Post<'_>>(b"{\"id\":1,}", &mapping),
        "record 0: field `.`: expected JSON, found trailing comma"
    );
}

#[test]
fn invalid_utf8_is_noticed_in_fields_that_nobody_reads() {
    let slice = b"{\"id\":1,\"userId\":1,\"title\":\"\",\"body\":\"\",\"extra\":\"\xc0\"}";
    let mapping = Mapping::placeholder(Resource::Posts);
    assert!(rejected::<Post<'_>>(slice, &mapping).contains("expected UTF-8"));
}

#[test]
fn fields_are_found_along_their_paths_whatever_stands_around_them() {
    let mapping = mapping(&[
        (Field::Id, "meta.number"),
        (Field::UserId, "user.login?"),
        (Field::Title, "title.rendered?"),
        (Field::Body, "/content.html?"),
        (Field::CreatedAt, "meta.created?"),
    ]);
    let post = r#"{"user":{"login":"ann","id":[{}],"login2":{}},"a":{"title":{"rendered":1}},
        "title":{"raw":"r","\u0072endered":"a\tb"},"content.html":"text",
        "meta":{"created":"2024-05-01","number":7}}"#;
    let found = map::<Post<'_>>(post.as_bytes(), &mapping).next().unwrap();
    let found = found.unwrap();
    assert_eq!(found.raw(), post);
    assert_eq!(found.to_string(), "post 7 by user ann: a\\u{9}b");
    assert_eq!(found.body.as_ref().unwrap().as_str(), "text");
    let created = found.created_at.as_ref().map(Time::instant).unwrap();
    assert_eq!(created.to_string(), "2024-05-01T00:00:00Z");
    assert_eq!(found.updated_at, None);
}

#[test]
fn what_is_missing_on_the_way_to_a_field_makes_it_absent_and_what_is_no_object_a_reject() {
    let mapping = mapping(&[
        (Field::Id, "id"),
        (Field::UserId, "user.account.id?"),
        (Field::PostId, "post.id"),
    ]);
    let whole = |user: &str, post: &str| format!(r#"{{"id":1{user}{post}}}"#);
    let post = r#","post":{"id":2}"#;
    for user in [
        "",
        r#","user":null"#,
        r#","user":{}"#,
        r#","user":{"account":null}"#,
        r#","user":{"account":{"id":null}}"#,
    ] {
        let json = whole(user, post);
        let comment = map::<Comment<'_>>(json.as_bytes(), &mapping).next();
        assert_eq!(comment.unwrap().unwrap().user_id, None, "{json}");
    }
    let cases = [
        (
            r#","user":5.0"#,
            post,
            "field `user`: expected an object, found 5.0",
        ),
        (
            r#","user":{"account":[1, 2]}"#,
            post,
            "field `user.account`: expected an object, found [1, 2]",
        ),
        (
            r#","user":{"account":{"id":true}}"#,
            post,
            "field `user.account.id`: expected a whole number of at most 64 bits or a string, found true",
        ),
        (
            r#","user":{},"user":{}"#,
            post,
            "field `user`: expected one value, found several",
        ),
        ("", "", "required field `post.id` is missing"),
        ("", r#","post":null"#, "required field `post.id` is missing"),
    ];
    for (user, post, expected) in cases {
        let json = whole(user, post);
        let found = rejected::<Comment<'_>>(json.as_bytes(), &mapping);
        assert_eq!(found, format!("record 0: {expected}"), "{json}");
    }
}

#[test]
fn one_place_can_hold_several_fields_and_have_others_below_it() {
    let mapping = mapping(&[
        (Field::Id, "login"),
        (Field::Username, "login"),
        (Field::Address, "home?"),
        (Field::Phone, "home.phone?"),
    ]);
    let json = r#"{"login":"ann","home":{"city":"Bonn","phone":"1"}}"#;
    let user = map::<User<'_>>(json.as_bytes(), &mapping).next().unwrap();
    let user = user.unwrap();
    assert_eq!(user.to_string(), "user ann (@ann)");
    let city = user.address.as_ref().and_then(|home| home.city.as_ref());
    assert_eq!(city.unwrap().as_str(), "Bonn");
    assert_eq!(user.phone.as_ref().unwrap().as_str(), "1");
    let gone = r#"{"login":"ann","home":null}"#;
    let user = map::<User<'_>>(gone.as_bytes(), &mapping).next().unwrap();
    assert!(user.is_ok_and(|user| user.phone.is_none() && user.address.is_none()));
    assert_eq!(
        rejected::<User<'_>>(br#"{"login":"ann","home":{"phone":1,"phone":2}}"#, &mapping),
        "record 0: field `home.phone`: expected one value, found several"
    );
    assert_eq!(
        rejected::<User<'_>>(br#"{"login":"ann","home":7}"#, &mapping),
        "record 0: field `home`: expected an object, found 7"
    );
}

#[test]
fn an_id_that_no_path_leads_to_is_missing() {
    let mapping = mapping(&[(Field::Title, "title")]);
    assert_eq!(
        rejected::<Post<'_>>(br#"{"id":1,"title":"t"}"#, &mapping),
        "record 0: required field `id` is missing"
    );
}

#[test]
fn a_path_with_control_characters_does_not_steer_the_terminal() {
    let mapping = mapping(&[(Field::Id, "/\u{1b}[31m")]);
    assert_eq!(
        rejected::<Post<'_>>(b"{}", &mapping),
        "record 0: required field `\\u{1b}[31m` is missing"
    );
}

#[test]
fn a_place_on_the_globe_is_an_object_and_no_array() {
    let mapping = Mapping::placeholder(Resource::Users);
    let json =
        br#"{"id":1,"name":"n","username":"u","email":"e","address":{"geo":["-37.3","81.1"]}}"#;
    assert_eq!(
        rejected::<User<'_>>(json, &mapping),
        "record 0: field `address.geo`: expected an object, found [\"-37.3\",\"81.1\"]"
    );
}

#[test]
fn a_reject_is_short_where_what_was_found_cannot_be_looked_up() {
    let mapping = Mapping::placeholder(Resource::Users);
    // Half a character as a key is why: no key can be looked up beside it.
    let json = format!(
        r#"{{"id":1,"name":"n","username":"u","email":"e","address":{{"geo":"{}","\ud800":1}}}}"#,
        "x".repeat(1000)
    );
    let found = rejected::<User<'_>>(json.as_bytes(), &mapping);
    assert!(found.len() < 200, "{found}");
}

#[test]
fn the_whole_record_can_be_a_field() {
    let fields = [
        (Field::Id, "login"),
        (Field::Address, "?"),
        (Field::Phone, "home.phone?"),
    ];
    let record = br#"{"login":"ann","city":"Ulm","home":{"phone":"1"}}"#;
    let mapping = mapping(&fields);
    let user = map::<User<'_>>(record, &mapping).next().unwrap().unwrap();
    let city = user
        .address
        .as_ref()
        .and_then(|address| address.city.as_ref());
    assert_eq!(
        city.map(|city| city.as_str().to_owned()),
        Some("Ulm".to_owned())
    );
    assert_eq!(
        user.phone.as_ref().map(|phone| phone.as_str().to_owned()),
        Some("1".to_owned())
    );
}
