//! What source files come to.

mod schema;

use std::env::VarError;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::time::Duration;

use jiff::tz::{Offset, TimeZone};

use super::*;
use crate::record::Field;

/// Not to be seen anywhere.
const SECRET: &str = "hunter2";

/// A machine with every credential on it.
struct Machine;

impl Environment for Machine {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        match name {
            "ABSENT" => Err(VarError::NotPresent),
            "EMPTY" => Ok(String::new()),
            _ => Ok(SECRET.to_owned()),
        }
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("absent.txt") => Err(io::ErrorKind::NotFound.into()),
            _ => Ok(format!("{SECRET}\r\n")),
        }
    }

    fn is_granted(&self, _: &CredentialUse) -> bool {
        true
    }

    fn time_zone(&self, name: &str) -> Option<TimeZone> {
        match name {
            "UTC" => Some(TimeZone::UTC),
            "+02:00" => Some(TimeZone::fixed(Offset::constant(2))),
            _ => None,
        }
    }
}

fn vars(pairs: &[(&str, &str)]) -> Vars {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn read(text: &str, given: &[(&str, &str)]) -> Result<Source, InvalidSource> {
    SourceFile::parse("forum.toml", text)?.resolve(&vars(given), &Machine)
}

/// A file with posts, and these lines before them.
fn with(lines: &str) -> Source {
    let text = format!("name = \"f\"\nbase_url = \"https://h\"\n{lines}\n[posts]\npath = \"p\"");
    read(&text, &[]).unwrap()
}

/// Something for each variable that a file needs.
fn anything(file: &SourceFile) -> Vars {
    let needed = file.vars().filter(|var| var.default.is_none());
    let value = |name: &str| {
        if name == "repo" {
            "a/b"
        } else {
            "http://127.0.0.1:1/"
        }
    };
    needed
        .map(|var| (var.name.to_owned(), value(var.name).to_owned()))
        .collect()
}

/// What a source asks for, a line each.
fn outline(source: &Source) -> String {
    let mut lines = format!(
        "{} at {}, {:?}\n",
        source.name, source.base_url, source.auth
    );
    for (resource, endpoint) in &source.endpoints {
        let Endpoint {
            path,
            query,
            records,
            pagination,
            total,
            pages,
            past_end,
            ..
        } = endpoint;
        let _ = writeln!(lines, "{resource}: {path} {query:?} in {records}");
        let _ = writeln!(lines, "  {pagination:?} {total:?} {pages:?} {past_end:?}");
        let _ = writeln!(lines, "  {}", field_list(&endpoint.fields));
    }
    if let Some(Authors { within, fields }) = &source.authors {
        let _ = writeln!(lines, "authors: {within:?}\n  {}", field_list(fields));
    }
    lines
}

fn field_list(fields: &crate::record::FieldMap) -> String {
    let field = |(field, path): (Field, &crate::record::FieldPath)| {
        format!(
            "{field:?}={}{}",
            path.path,
            if path.optional { "?" } else { "" }
        )
    };
    fields.iter().map(field).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_built_in_source_is_in_order_and_says_what_it_is() {
    let mut outlines = String::new();
    for built_in in BUILT_IN {
        let file = built_in.file().unwrap();
        assert!(file.description().is_some(), "{}", built_in.name);
        let source = file.resolve(&anything(&file), &EmptyEnvironment).unwrap();
        assert_eq!(source.name, built_in.name);
        outlines += &outline(&source);
        outlines.push('\n');
    }
    insta::assert_snapshot!("built_in", outlines);
}

#[test]
fn a_copy_of_a_built_in_source_is_that_source() {
    for built_in in BUILT_IN {
        let file = built_in.file().unwrap();
        let copy = SourceFile::parse("copy.toml", built_in.text).unwrap();
        let given = anything(&file);
        let (copy, source) = (
            copy.resolve(&given, &Machine).unwrap(),
            file.resolve(&given, &Machine).unwrap(),
        );
        assert_eq!(copy.fingerprint(), source.fingerprint());
        let definition = source.definition.clone();
        assert_eq!(Source { definition, ..copy }, source);
    }
}

#[test]
fn an_api_of_jsonplaceholders_shape_and_the_sample_have_its_resources() {
    let placeholder = Source::jsonplaceholder().unwrap();
    let url = "http://127.0.0.1:4000";
    let shaped = Source::named(url).unwrap();
    let sample = Source::named(SAMPLE).unwrap();
    assert_eq!(shaped.endpoints, placeholder.endpoints);
    // The sample has times on top, and can be seen as it was at one.
    let mut like = sample.endpoints.clone();
    for endpoint in like.values_mut() {
        assert!(endpoint.fields.has(Field::CreatedAt));
        let own = endpoint.query.drain(..).map(|(name, _)| name);
        assert_eq!(own.collect::<Vec<_>>(), ["at"]);
        let fields = endpoint.fields.iter();
        let fields = fields.filter(|(field, _)| *field != Field::CreatedAt);
        let fields: Vec<_> = fields.map(|(field, path)| (field, path.clone())).collect();
        endpoint.fields = fields.into_iter().collect();
    }
    assert_eq!(like, placeholder.endpoints);
    assert_eq!(
        (shaped.name.as_str(), sample.base_url),
        (url, shaped.base_url)
    );
}

#[test]
fn every_key_is_understood() {
    let text = include_str!("everything.toml");
    let source = read(text, &[("site", "https://example.org/")]).unwrap();
    let rate = source.rate.unwrap();
    assert_eq!(
        (rate.requests.get(), rate.per, rate.burst.get()),
        (20, Duration::from_mins(1), 5)
    );
    assert_eq!(source.headers["accept"], "application/json");
    assert_eq!(source.allowed_origins.len(), 1);
    assert_eq!(source.time_zone, TimeZone::fixed(Offset::constant(2)));
    let Auth::Header { value, .. } = &source.auth else {
        panic!("{:?}", source.auth);
    };
    assert_eq!(value.expose(), "Token hunter2");
    assert_eq!(
        source.endpoints[&Resource::Comments].parent,
        Some(Resource::Posts)
    );
    insta::assert_snapshot!("everything", outline(&source));
}

#[test]
fn the_example_of_the_readme_is_in_order() {
    insta::assert_snapshot!(
        "readme",
        outline(&read(include_str!("dummyjson.toml"), &[]).unwrap())
    );
}

#[test]
fn credentials_come_from_where_the_file_says() {
    let secret = |at| Secret::new(SECRET.to_owned(), at);
    let variable = |name: &str| secret(CredentialRef::Variable(name.to_owned()));
    let cases = [
        ("", Auth::None),
        (
            "auth.bearer = \"${TOKEN}\"",
            Auth::Bearer(variable("TOKEN")),
        ),
        (
            "auth.bearer = { file = \"token.txt\" }",
            Auth::Bearer(secret(CredentialRef::File("token.txt".into()))),
        ),
        (
            "auth = { bearer = \"${ABSENT}\", optional = true }",
            Auth::Absent("the environment variable `ABSENT` is not set".to_owned()),
        ),
        (
            "auth = { bearer = \"${EMPTY}\", optional = true }",
            Auth::Absent("the environment variable `EMPTY` is empty".to_owned()),
        ),
        (
            "auth = { bearer = { file = \"absent.txt\" }, optional = true }",
            Auth::Absent("the file `absent.txt` is not there".to_owned()),
        ),
        (
            "auth = { basic = { user = \"${USER}\", password = \"${ABSENT}\" }, optional = true }",
            Auth::Absent("the environment variable `ABSENT` is not set".to_owned()),
        ),
        (
            "auth.basic = { user = \"${USER}\", password = \"${PASSWORD}\" }",
            Auth::Basic {
                user: SECRET.to_owned(),
                password: variable("PASSWORD"),
            },
        ),
        (
            "auth.query = { parameter = \"key\", value = \"${KEY}\" }",
            Auth::Query {
                parameter: "key".to_owned(),
                value: variable("KEY"),
            },
        ),
    ];
    for (lines, expected) in cases {
        let source = with(lines);
        assert!(source.auth == expected, "{lines}: {:?}", source.auth);
        let shown = format!("{source:?} {source}");
        assert!(!shown.contains(SECRET), "{shown}");
    }
}

#[test]
fn a_file_does_not_show_its_text() {
    let text = "name = \"f\"\nbase_url = \"https://h\"\n[headers]\nCookie = \"hunter2\"";
    let file = SourceFile::parse("forum.toml", text).unwrap();
    assert_eq!(format!("{file:?}"), "SourceFile(\"forum.toml\")");
    let error = file.resolve(&Vars::new(), &Machine).unwrap_err();
    assert!(!format!("{error:?} {error}").contains(SECRET), "{error:?}");
}

#[test]
fn variables_that_are_missing_or_unknown_are_named() {
    let github = BuiltIn::named("github").unwrap().file().unwrap();
    let message = |given: &[(&str, &str)]| {
        let error = github.resolve(&vars(given), &EmptyEnvironment).unwrap_err();
        error.to_string()
    };
    insta::assert_snapshot!(message(&[]), @"source `github` needs `repo` (the repository, as OWNER/NAME): add --var repo=…");
    insta::assert_snapshot!(message(&[("rep", "a/b")]), @"source `github` has no placeholder `rep`: it has `repo`; did you mean `repo`?");
    insta::assert_snapshot!(message(&[("owner", "a")]), @"source `github` has no placeholder `owner`: it has `repo`");
}

#[test]
fn a_name_that_is_no_source_brings_up_the_nearest() {
    insta::assert_snapshot!(Source::named("gihtub").unwrap_err(), @"unknown source `gihtub`: expected the name of a built-in one (`activity-tracker sources`), the path of a source file, or a base URL that begins with http:// or https://; did you mean `github`?");
    insta::assert_snapshot!(Source::named("elsewhere").unwrap_err(), @"unknown source `elsewhere`: expected the name of a built-in one (`activity-tracker sources`), the path of a source file, or a base URL that begins with http:// or https://");
}

#[test]
fn only_the_wanted_resources_are_left() {
    use Resource::{Comments, Posts, Users};
    let wordpress = |wanted: &[Resource]| {
        let file = BuiltIn::named("wordpress").unwrap().file().unwrap();
        let source = file.resolve(&anything(&file), &EmptyEnvironment).unwrap();
        let source = source.only(wanted).unwrap();
        source.endpoints.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(wordpress(&[Posts, Users]), [Users, Posts]);
    assert_eq!(wordpress(&[Comments]), [Comments]);

    let github = |wanted: &[Resource]| {
        let file = BuiltIn::named("github").unwrap().file().unwrap();
        let source = file
            .resolve(&anything(&file), &EmptyEnvironment)
            .unwrap()
            .only(wanted);
        source.map(|source| {
            let authors = source
                .authors
                .map(|authors| authors.within.into_keys().collect());
            (source.endpoints.into_keys().collect::<Vec<_>>(), authors)
        })
    };
    assert_eq!(github(&[Posts]), Ok((vec![Posts], None)));
    assert_eq!(
        github(&[Users, Posts]),
        Ok((vec![Posts], Some(vec![Posts])))
    );
    insta::assert_snapshot!(github(&[Users]).unwrap_err(), @"source `github` gives users by way of its posts: ask for posts too");

    let everything = || {
        let text = include_str!("everything.toml");
        read(text, &[("site", "https://example.org")]).unwrap()
    };
    insta::assert_snapshot!(everything().only(&[Comments]).unwrap_err(), @"source `everything` gives comments by way of its posts: ask for posts too");
    insta::assert_snapshot!(with("").only(&[Users]).unwrap_err(), @"source `f` has no users: it offers posts");
}

#[test]
fn a_resource_is_found_behind_the_base_url() {
    let cases = [
        (
            "jsonplaceholder",
            "https://jsonplaceholder.typicode.com/users",
        ),
        ("http://127.0.0.1:4002", "http://127.0.0.1:4002/users"),
        ("http://127.0.0.1:4002/", "http://127.0.0.1:4002/users"),
        ("http://host/api/v1/", "http://host/api/v1/users"),
    ];
    for (text, expected) in cases {
        let source = Source::named(text).unwrap();
        assert_eq!(source.url("/users").as_str(), expected);
    }
}

#[test]
fn what_is_no_source_is_refused_without_showing_secrets() {
    let cases = [
        ("jsonplaceholdr", "unknown source `jsonplaceholdr`"),
        ("http://", "empty host"),
        ("ftp://host", "found ftp"),
        ("http://host/?key=1", "neither a query nor a fragment"),
        ("http://me:hunter2@host", "credentials"),
        ("http://me:hunter2@host:port", "invalid port"),
        ("http://host/?key=hunter2", "`http://host/?…`"),
    ];
    for (text, expected) in cases {
        let error = Source::named(text).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(expected), "{message}");
        assert!(
            !format!("{error:?} {message}").contains(SECRET),
            "{message}"
        );
    }
}

#[test]
fn a_mistake_at_the_end_of_a_line_is_marked_within_it_on_windows_too() {
    for text in ["name = \"f\r\n", "name =\r\n", "name\r\n", "[posts\r\n"] {
        let Err(InvalidSource::Mistake(mistake)) = read(text, &[]) else {
            panic!("{text:?} is in order");
        };
        let Mistake {
            text: line, place, ..
        } = &*mistake;
        assert!(place.end <= line.len(), "{text:?}: {place:?} in {line:?}");
    }
}

#[test]
fn what_a_file_calls_things_is_not_taken_for_what_is_expected() {
    let cases = [
        (
            "\"b`, ``nme`\" = 5",
            "f.toml:1:1: unknown key `b`, ``nme``: expected `name`, ",
        ),
        (
            "\"x`, expected `y\" = 5",
            "f.toml:1:1: unknown key `x`, expected `y`: expected `name`, ",
        ),
        (
            "name = \"f\"\nbase_url = \"https://h\"\n[posts]\npath = \"p\"\nrecords = \"..expected \\u001b\"",
            "f.toml:5:11: this cannot be read: expected keys with dots between them ",
        ),
    ];
    for (text, expected) in cases {
        let error = SourceFile::parse("f.toml", text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn headers_that_frame_messages_are_not_a_files_to_set() {
    let file = |lines: &str| {
        format!("name = \"f\"\nbase_url = \"https://h\"\n{lines}\n[posts]\npath = \"p\"")
    };
    for name in [
        "Content-Length",
        "transfer-encoding",
        "HOST",
        "Connection",
        "TE",
        "Trailer",
        "Upgrade",
        "Keep-Alive",
        "Expect",
        "Range",
        "If-None-Match",
        "Proxy-Connection",
    ] {
        let header = format!("[headers]\n{name} = \"7\"");
        let auth = format!("[auth]\nheader = {{ name = \"{name}\", value = \"${{KEY}}\" }}");
        for lines in [header, auth] {
            let error = read(&file(&lines), &[]).unwrap_err().to_string();
            assert!(error.contains("is set by the program alone"), "{error}");
        }
    }
    let source = with("[headers]\nAccept-Language = \"de\"\nX-Version = \"2\"");
    assert_eq!(source.headers.len(), 2);
}

#[test]
fn what_a_file_names_has_a_bound() {
    let long = |separator: &str, count: usize| vec!["a"; count].join(separator);
    let many = [
        long(".", 65),
        format!("/{}", long("/", 65)),
        "a".repeat(1025),
    ];
    for path in many {
        for place in ["records", "fields = { title", "total = { body"] {
            let end = if place.contains('{') { " }" } else { "" };
            let text = format!(
                "name = \"f\"\nbase_url = \"https://h\"\n[posts]\npath = \"p\"\n{place} = \"{path}\"{end}\n"
            );
            let error = read(&text, &[]).unwrap_err().to_string();
            let says = "expected at most 64 keys, of at most 1024 bytes together";
            assert!(error.contains(says), "{place}: {error}");
        }
    }
    // The parser itself has a bound on keys with dots.
    for keys in [long(".", 100_000), long(".", 1000)] {
        let text = format!("name = \"f\"\nbase_url = \"https://h\"\n{keys} = 1\n");
        let error = read(&text, &[]).unwrap_err().to_string();
        assert!(error.len() < 2000, "{}", &error[..2000]);
    }
    let text = format!("name = \"f\" # {}\n", "x".repeat(300_000));
    let error = read(&text, &[]).unwrap_err().to_string();
    assert!(error.contains("a source file that is too long"), "{error}");
}
