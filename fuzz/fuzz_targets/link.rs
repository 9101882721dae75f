//! The parser of `Link` headers, on any values and on well-formed ones.
//!
//! An input is a line with the relation that is looked for, and further lines:
//! once as values of headers as they stand, and once as the parts of links,
//! `target|title|relations`, from which headers are built by the book.
#![no_main]

use activity_tracker::fuzzing::link_target;
use activity_tracker_fuzz::first_line;
use http::header::LINK;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

/// Each relation is looked for in each line, which takes its time where there are many.
const MOST_LINES: usize = 12;

fuzz_target!(|input: &[u8]| {
    let (relation, rest) = first_line(input);
    let Ok(relation) = std::str::from_utf8(relation) else {
        return;
    };
    let lines = rest.split(|byte| *byte == b'\n');
    let lines: Vec<_> = lines.take(MOST_LINES).collect();
    any_values(relation, &lines);
    built_values(&lines);
});

fn any_values(relation: &str, lines: &[&[u8]]) {
    let values: Vec<_> = lines
        .iter()
        .filter_map(|line| HeaderValue::from_bytes(line).ok())
        .collect();
    let all = headers(values.iter().cloned());
    let found = link_target(&all, relation);
    let mut alone = None;
    for value in &values {
        let one = headers([value.clone()]);
        let target = link_target(&one, relation);
        if let Some(target) = &target {
            stands_between_brackets(target, value);
        }
        behind_another_link(relation, value, target.as_deref());
        alone = alone.or(target);
    }
    assert_eq!(found, alone, "the first of several headers counts");
}

fn headers(values: impl IntoIterator<Item = HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(LINK, value);
    }
    headers
}

/// A target is a part of the header to the letter, but for bytes that are not ASCII.
fn stands_between_brackets(target: &str, value: &HeaderValue) {
    assert!(target.is_ascii() && !target.contains('>'));
    if let Ok(text) = value.to_str() {
        assert!(text.contains(&format!("<{target}>")));
    }
}

/// A link of another relation in front changes nothing.
fn behind_another_link(relation: &str, value: &HeaderValue, target: Option<&str>) {
    if "prev".eq_ignore_ascii_case(relation) {
        return;
    }
    let text = [
        b"<x,y>; title=\"a, \\\" <b>; c\"; rel=prev, ",
        value.as_bytes(),
    ]
    .concat();
    let longer = headers(HeaderValue::from_bytes(&text));
    assert_eq!(link_target(&longer, relation).as_deref(), target);
}

/// One link as it is meant.
struct Meant {
    target: String,
    title: String,
    relations: Vec<String>,
}

impl Meant {
    /// What of a line can stand in a link.
    fn of(line: &[u8]) -> Self {
        let mut parts = line.splitn(3, |byte| *byte == b'|');
        let mut printable = || {
            let bytes = parts.next().unwrap_or_default().iter();
            let bytes = bytes.filter(|byte| (b' '..=b'~').contains(*byte));
            bytes.map(|byte| char::from(*byte)).collect::<String>()
        };
        let target = printable().replace('>', "");
        let title = printable();
        let relations = printable()
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect();
        Self {
            target,
            title,
            relations,
        }
    }

    /// One of the forms that RFC 8288 allows, chosen by the length of the title.
    fn written(&self) -> String {
        let Self {
            target,
            title,
            relations,
        } = self;
        let title = title.replace('\\', "\\\\").replace('"', "\\\"");
        let title = format!("; title=\"{title}\"");
        let relation = match (&relations[..], title.len() % 2) {
            ([only], 0) => format!(" ; REL={only}"),
            _ => format!(";rel = \"{}\"", relations.join(" ")),
        };
        match title.len() % 3 {
            0 => format!("<{target}>{title}{relation}"),
            1 => format!("<{target}>{relation}{title};rel=no-such"),
            _ => format!("<{target}>{relation}"),
        }
    }
}

/// Links that are written by the book are found, in one header and in several.
fn built_values(lines: &[&[u8]]) {
    let meant: Vec<_> = lines.iter().map(|line| Meant::of(line)).collect();
    let written: Vec<_> = meant.iter().map(Meant::written).collect();
    let several = headers(
        written
            .iter()
            .map(|text| HeaderValue::from_str(text).unwrap()),
    );
    let one = headers([HeaderValue::from_str(&written.join(" , ")).unwrap()]);
    for relation in meant.iter().flat_map(|link| &link.relations) {
        let first = meant.iter().find(|link| {
            let mut relations = link.relations.iter();
            relations.any(|known| known.eq_ignore_ascii_case(relation))
        });
        let expected = first.map(|link| link.target.as_str());
        assert_eq!(link_target(&several, relation).as_deref(), expected);
        assert_eq!(link_target(&one, relation).as_deref(), expected);
    }
    assert_eq!(link_target(&one, "no such"), None);
}
