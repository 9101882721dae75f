//! The mapper against a plain reading of the same records.
//!
//! An input is a line that says what to read, and a slice of records. The line
//! is a resource (`users`) for its placeholder mapping, or the resource and
//! where its fields are: `posts id=/number title=title.raw? zone=+2`.
#![no_main]

use activity_tracker::json::{Object, Text, splitter};
use activity_tracker::record::{Field, FieldMap, FieldPath, FromFields, FromRaw, Id, Mapped, Mapping, Reject, Resource, Time, map};
use activity_tracker::activity::{Address, Comment, Company, Email, Geo, Post, User};
use activity_tracker_fuzz::{Members, first_line, is_json, lookup};
use jiff::tz::{TimeZone, offset};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// The most that a reject says of what it found: 120 characters, each escaped, and `…`.
const LONGEST_FOUND: usize = 120 * "\\u{10ffff}".len() + 1;

fuzz_target!(|input: &[u8]| {
    let (line, slice) = first_line(input);
    let Some(plan) = std::str::from_utf8(line).ok().and_then(Plan::read) else {
        return;
    };
    let mapping = Mapping::new(plan.fields.clone(), plan.zone.clone());
    match plan.resource {
        Resource::Users => check::<User>(&plan, &mapping, slice, user),
        Resource::Posts => check::<Post>(&plan, &mapping, slice, post),
        Resource::Comments => check::<Comment>(&plan, &mapping, slice, comment),
    }
});

/// What the first line says.
struct Plan {
    resource: Resource,
    fields: FieldMap,
    zone: TimeZone,
}

const FIELDS: [Field; Field::COUNT] = [
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
    Field::Address,
    Field::Phone,
    Field::Website,
    Field::Company,
    Field::Author,
];

impl Plan {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let resource = match words.next()? {
            "users" => Resource::Users,
            "posts" => Resource::Posts,
            "comments" => Resource::Comments,
            _ => return None,
        };
        let mut plan = Self {
            resource,
            fields: FieldMap::default(),
            zone: TimeZone::UTC,
        };
        for word in words {
            let (name, text) = word.split_once('=')?;
            if name == "zone" {
                let hours = text
                    .parse()
                    .ok()
                    .filter(|hours| (-23..=23).contains(hours))?;
                plan.zone = TimeZone::fixed(offset(hours));
                continue;
            }
            let field = FIELDS.into_iter().find(|field| field.name() == name)?;
            let optional = text.ends_with('?');
            let path = text.strip_suffix('?').unwrap_or(text).parse().ok()?;
            plan.fields = plan.fields.with(field, FieldPath::new(path, optional));
        }
        if plan.fields == FieldMap::default() {
            plan.fields = FieldMap::placeholder(resource);
        }
        Some(plan)
    }
}

/// Maps a slice, and holds each outcome against a plain reading of the record.
fn check<'a, T: FromFields<'a>>(
    plan: &Plan,
    mapping: &Mapping,
    slice: &'a [u8],
    expected: impl Fn(&Seen<'a>, &T) -> Option<()>,
) {
    let mut outcomes = map::<T>(slice, mapping);
    for (index, bytes) in (0..).zip(splitter::records(slice)) {
        let outcome = outcomes.next().expect("an outcome for each record");
        if let Err(reject) = &outcome {
            legible(reject, index);
        }
        let Ok(bytes) = bytes else {
            assert!(outcome.is_err(), "an error of the splitter's is a reject");
            continue;
        };
        let seen = std::str::from_utf8(bytes)
            .ok()
            .and_then(|raw| Seen::of(plan, raw));
        match (outcome, seen) {
            (Ok(mapped), seen) => {
                assert!(is_json(bytes), "what maps is JSON");
                same_bytes(&mapped, bytes);
                let seen = seen.expect("a plain reading finds the fields, too");
                expected(&seen, &mapped).expect("all fields are as they were read plainly");
            }
            (Err(reject), Some(seen)) => {
                let sound = match plan.resource {
                    Resource::Users => seen.is_user(),
                    Resource::Posts => seen.is_post(),
                    Resource::Comments => seen.is_comment(),
                };
                assert!(!sound, "a sound record: {reject}");
            }
            (Err(_), None) => {}
        }
    }
    assert!(outcomes.next().is_none(), "no more outcomes than records");
}

fn same_bytes<T>(mapped: &Mapped<'_, T>, bytes: &[u8]) {
    assert_eq!(mapped.raw().as_bytes(), bytes);
    assert!(std::ptr::eq(mapped.raw().as_ptr(), bytes.as_ptr()));
}

/// Whatever a server sent, a reject is one printable line of bounded length.
fn legible(reject: &Reject, index: u64) {
    assert_eq!(reject.index, index);
    assert!(!reject.expected.is_empty());
    let found = reject.found.chars();
    assert!(found.count() <= LONGEST_FOUND, "{}", reject.found);
    let shown = reject.to_string();
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
}

/// A record as a plain reading finds it: what stands in the place of each field.
struct Seen<'a> {
    values: Vec<(Field, bool, Option<&'a str>)>,
    zone: TimeZone,
}

impl<'a> Seen<'a> {
    /// Nothing where the record as a whole has to be a reject.
    fn of(plan: &Plan, raw: &'a str) -> Option<Self> {
        if !is_json(raw.as_bytes()) || !raw.starts_with('{') {
            return None;
        }
        let value = serde_json::from_str::<Value>(raw).ok();
        let mut values: Vec<(Field, bool, Option<&str>)> = Vec::new();
        // An empty map looks at nothing but whether keys are whole characters.
        Members::of(raw)?;
        for (field, place) in plan.fields.iter() {
            if values.iter().any(|(known, ..)| *known == field) {
                continue;
            }
            let found = lookup(&place.path, raw).ok()?;
            if let Some(value) = &value {
                let read = found.map(|raw| serde_json::from_str::<Value>(raw).unwrap());
                assert_eq!(place.path.find(value), read.as_ref());
            }
            values.push((field, place.optional, found));
        }
        let zone = plan.zone.clone();
        Some(Self { values, zone })
    }

    /// What a field holds; `Err` where the record has to be a reject because of it.
    fn field<T>(&self, field: Field, read: impl Fn(&'a str) -> Option<T>) -> Result<Option<T>, ()> {
        let found = self.values.iter().find(|(known, ..)| *known == field);
        match found {
            None | Some((_, true, None | Some("null"))) => Ok(None),
            Some((_, _, Some(raw))) => read(raw).map(Some).ok_or(()),
            Some((_, false, None)) => Err(()),
        }
    }

    fn text(&self, field: Field) -> Result<Option<String>, ()> {
        self.field(field, text)
    }

    fn id(&self, field: Field) -> Result<Option<Id>, ()> {
        self.field(field, |raw| match number_or_text(raw)? {
            Value::Number(number) => number.as_i64().map(Id::Number),
            Value::String(text) => Some(Id::Text(text.into())),
            _ => None,
        })
    }

    fn time(&self, field: Field) -> Result<Option<Time<'a>>, ()> {
        let read = |raw| Time::from_raw(raw, &self.zone).ok();
        self.field(field, read)
    }

    fn author(&self) -> Result<Option<&'a str>, ()> {
        self.field(Field::Author, |raw| raw.starts_with('{').then_some(raw))
    }

    fn is_user(&self) -> bool {
        let texts = [
            Field::Name,
            Field::Username,
            Field::Email,
            Field::Phone,
            Field::Website,
        ];
        matches!(self.id(Field::Id), Ok(Some(_)))
            && texts.into_iter().all(|field| self.text(field).is_ok())
            && self.times()
            && self.field(Field::Address, address).is_ok()
            && self.field(Field::Company, company).is_ok()
    }

    fn is_post(&self) -> bool {
        matches!(self.id(Field::Id), Ok(Some(_)))
            && self.id(Field::UserId).is_ok()
            && self.text(Field::Title).is_ok()
            && self.text(Field::Body).is_ok()
            && self.times()
            && self.author().is_ok()
    }

    fn is_comment(&self) -> bool {
        let texts = [Field::Name, Field::Email, Field::Body];
        matches!(self.id(Field::Id), Ok(Some(_)))
            && self.id(Field::PostId).is_ok()
            && self.id(Field::UserId).is_ok()
            && texts.into_iter().all(|field| self.text(field).is_ok())
            && self.times()
            && self.author().is_ok()
    }

    fn times(&self) -> bool {
        self.time(Field::CreatedAt).is_ok() && self.time(Field::UpdatedAt).is_ok()
    }
}

fn text(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

fn number_or_text(raw: &str) -> Option<Value> {
    // `-0` is a float to serde_json, and a whole number to people.
    if raw == "-0" {
        return Some(0.into());
    }
    serde_json::from_str(raw).ok()
}

type Texts<const N: usize> = [Option<String>; N];

/// The texts of an object whose other members may be anything.
fn texts<const N: usize>(raw: &str, keys: [&str; N]) -> Option<Texts<N>> {
    let members = Members::of(raw)?;
    let mut found = [const { None }; N];
    for (key, found) in keys.into_iter().zip(&mut found) {
        *found = match members.all(key)[..] {
            [] | ["null"] => None,
            [only] => Some(text(only)?),
            _ => return None,
        };
    }
    Some(found)
}

type Place = (Texts<4>, Option<Texts<2>>);

fn address(raw: &str) -> Option<Place> {
    let around = texts(raw, ["street", "suite", "city", "zipcode"])?;
    let geo = match Members::of(raw)?.all("geo")[..] {
        [] | ["null"] => None,
        [only] => Some(texts(only, ["lat", "lng"])?),
        _ => return None,
    };
    Some((around, geo))
}

fn company(raw: &str) -> Option<Texts<3>> {
    texts(raw, ["name", "catchPhrase", "bs"])
}

fn owned(text: Option<&Text<'_>>) -> Option<String> {
    text.map(|text| text.as_str().to_owned())
}

fn address_of(address: &Address<'_>) -> Place {
    let Address {
        street,
        suite,
        city,
        zipcode,
        geo,
    } = address;
    let around = [street, suite, city, zipcode].map(|text| owned(text.as_ref()));
    let geo = geo
        .as_ref()
        .map(|Geo { lat, lng }| [lat, lng].map(|text| owned(text.as_ref())));
    (around, geo)
}

fn company_of(company: &Company<'_>) -> Texts<3> {
    let Company {
        name,
        catch_phrase,
        bs,
    } = company;
    [name, catch_phrase, bs].map(|text| owned(text.as_ref()))
}

fn email(email: Option<&Email<'_>>) -> Option<String> {
    email.map(|email| email.as_str().to_owned())
}

fn user<'a>(seen: &Seen<'a>, user: &User<'a>) -> Option<()> {
    let text = |field| seen.text(field).ok();
    let same = seen.id(Field::Id).ok()?.as_ref() == Some(&user.id.0)
        && text(Field::Name)? == owned(user.name.as_ref())
        && text(Field::Username)? == owned(user.username.as_ref())
        && text(Field::Email)? == email(user.email.as_ref())
        && text(Field::Phone)? == owned(user.phone.as_ref())
        && text(Field::Website)? == owned(user.website.as_ref())
        && seen.time(Field::CreatedAt).ok()? == user.created_at
        && seen.time(Field::UpdatedAt).ok()? == user.updated_at
        && seen.field(Field::Address, address).ok()? == user.address.as_ref().map(address_of)
        && seen.field(Field::Company, company).ok()? == user.company.as_ref().map(company_of);
    legible_line(&user.to_string());
    same.then_some(())
}

fn post<'a>(seen: &Seen<'a>, post: &Post<'a>) -> Option<()> {
    let same = seen.id(Field::Id).ok()?.as_ref() == Some(&post.id.0)
        && seen.id(Field::UserId).ok()? == post.user_id.as_ref().map(|id| id.0.clone())
        && seen.text(Field::Title).ok()? == owned(post.title.as_ref())
        && seen.text(Field::Body).ok()? == owned(post.body.as_ref())
        && seen.time(Field::CreatedAt).ok()? == post.created_at
        && seen.time(Field::UpdatedAt).ok()? == post.updated_at
        && seen.author().ok()? == post.author.map(Object::raw);
    legible_line(&post.to_string());
    same.then_some(())
}

fn comment<'a>(seen: &Seen<'a>, comment: &Comment<'a>) -> Option<()> {
    let same = seen.id(Field::Id).ok()?.as_ref() == Some(&comment.id.0)
        && seen.id(Field::PostId).ok()? == comment.post_id.as_ref().map(|id| id.0.clone())
        && seen.id(Field::UserId).ok()? == comment.user_id.as_ref().map(|id| id.0.clone())
        && seen.text(Field::Name).ok()? == owned(comment.name.as_ref())
        && seen.text(Field::Email).ok()? == email(comment.email.as_ref())
        && seen.text(Field::Body).ok()? == owned(comment.body.as_ref())
        && seen.time(Field::CreatedAt).ok()? == comment.created_at
        && seen.time(Field::UpdatedAt).ok()? == comment.updated_at
        && seen.author().ok()? == comment.author.map(Object::raw);
    legible_line(&comment.to_string());
    same.then_some(())
}

fn legible_line(line: &str) {
    assert!(!line.chars().any(char::is_control), "{line:?}");
}
