use super::*;
use crate::record::{FieldMap, FieldPath, Mapping, map};

const USER: &str = r#"{"id":1,"name":"Leanne Graham","username":"Bret",
    "email":"Sincere@april.biz","address":{"street":"Kulas Light","suite":"Apt. 556",
    "city":"Gwenborough","zipcode":"92998-3874","geo":{"lat":"-37.3159","lng":"81.1496"}},
    "phone":"1-770-736-8031 x56442","website":"hildegard.org","company":{
    "name":"Romaguera-Crona","catchPhrase":"Multi-layered","bs":"harness"},"extra":[1]}"#;

/// A mapping with only the id required, under their own names.
fn lenient() -> Mapping {
    let fields = [
        Field::Id,
        Field::UserId,
        Field::PostId,
        Field::Name,
        Field::Username,
        Field::Email,
        Field::Title,
        Field::Body,
        Field::CreatedAt,
        Field::UpdatedAt,
    ];
    let fields = fields.map(|field| {
        let path = field.name().parse().unwrap();
        let optional = field != Field::Id;
        (field, FieldPath::new(path, optional))
    });
    Mapping::new(fields.into_iter().collect::<FieldMap>(), TimeZone::UTC)
}

fn shown<'a, T: FromFields<'a> + fmt::Display>(json: &'a str) -> String {
    let record = map::<T>(json.as_bytes(), &lenient()).next().unwrap();
    record.unwrap().to_string()
}

#[test]
fn a_user_is_read_completely_and_borrows_text() {
    let mapping = Mapping::placeholder(Resource::Users);
    let user = map::<User<'_>>(USER.as_bytes(), &mapping).next().unwrap();
    let user = user.unwrap();
    assert_eq!(
        user.to_string(),
        "Leanne Graham (@Bret) <Sincere@april.biz>"
    );
    let geo = user.address.as_ref().and_then(|a| a.geo.as_ref()).unwrap();
    assert_eq!(geo.lat.as_ref().unwrap().as_str(), "-37.3159");
    let motto = user.company.as_ref().and_then(|c| c.catch_phrase.as_ref());
    assert!(motto.unwrap().is_borrowed());
    assert_eq!(motto.unwrap().as_str(), "Multi-layered");
}

#[test]
fn optional_fields_may_be_absent_or_null() {
    let mapping = Mapping::placeholder(Resource::Users);
    let json = r#"{"id":"u-1","name":"A","username":"a","email":"a@b","phone":null}"#;
    let user = map::<User<'_>>(json.as_bytes(), &mapping).next().unwrap();
    let user = user.unwrap();
    assert_eq!(user.id, UserId(Id::Text("u-1".into())));
    assert_eq!((&user.address, &user.phone), (&None, &None));
}

#[test]
fn a_user_has_the_name_or_else_the_username() {
    let cases = [
        (r#"{"id":1,"name":"A","username":"a"}"#, Some("A")),
        (r#"{"id":1,"name":null,"username":"a"}"#, Some("a")),
        (r#"{"id":1}"#, None),
    ];
    for (json, expected) in cases {
        let user = map::<User<'_>>(json.as_bytes(), &lenient()).next();
        let user = user.unwrap().unwrap();
        assert_eq!(user.called().map(Text::as_str), expected, "{json}");
    }
}

#[test]
fn records_display_their_fields() {
    assert_eq!(shown::<User<'_>>(r#"{"id":1}"#), "user 1");
    let user = r#"{"id":1,"username":"a","email":"a@b"}"#;
    assert_eq!(shown::<User<'_>>(user), "user 1 (@a) <a@b>");
    assert_eq!(shown::<Post<'_>>(r#"{"id":1}"#), "post 1");
    let post = r#"{"id":1,"user_id":"u","title":"t"}"#;
    assert_eq!(shown::<Post<'_>>(post), "post 1 by user u: t");
    assert_eq!(shown::<Comment<'_>>(r#"{"id":1}"#), "comment 1");
    let comment = r#"{"id":1,"post_id":2,"user_id":3,"name":"n"}"#;
    let expected = "comment 1 on post 2 by user 3: n";
    assert_eq!(shown::<Comment<'_>>(comment), expected);
}

#[test]
fn records_are_displayed_without_control_characters() {
    let json = r#"{"id":1,"post_id":2,"name":"a\u001b[2Jb","email":"x@y\r\n","body":""}"#;
    let comment = map::<Comment<'_>>(json.as_bytes(), &lenient()).next();
    let comment = comment.unwrap().unwrap();
    let shown = comment.to_string();
    assert!(!shown.contains(char::is_control), "{shown}");
    let records: [&dyn Record; 1] = [&*comment];
    assert_eq!(records[0].resource(), Resource::Comments);
}
