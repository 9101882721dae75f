//! A change as a line of a table.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::history::{Change, Json, Kind};
use crate::record::Resource;
use crate::report::json::in_line;
use crate::report::outline::{Cell, Column, column, id, number};

/// Characters of a value that are shown.
const SHOWN: usize = 24;

/// Characters that stand before the first one that differs.
const BEFORE: usize = 6;

/// Fields of a change that are shown.
const FIELDS: usize = 5;

const SOURCE: &str = "source";

/// The columns of a table of changes; the fields that differ come last.
pub(super) fn columns(several_sources: bool) -> Vec<Column> {
    let mut columns = vec![
        column("found", 0),
        column("what", 0),
        number("id", 0),
        column("label", 0),
        column("whose", 72),
        column("fields", 0),
    ];
    if several_sources {
        columns.insert(1, column(SOURCE, 0));
    }
    columns
}

/// A change in these columns.
pub(super) fn row(change: &Change, columns: &[Column]) -> Vec<Cell> {
    let fields = fields(change);
    let joined = (!fields.is_empty()).then(|| fields.join("; "));
    let resource = change.resource.name();
    let one = resource.strip_suffix('s').unwrap_or(resource);
    let mut row = vec![
        Cell::Text(change.at.strftime("%Y-%m-%d %H:%M").to_string()),
        Cell::Text(format!("{} {one}", change.kind.name())),
        Cell::Text(id(&change.id)),
        text(change.label.as_deref()),
        text(whose(change).as_deref()),
        text(joined.as_deref()),
    ];
    if columns.iter().any(|column| column.head == SOURCE) {
        row.insert(1, Cell::Text(change.source.clone()));
    }
    row
}

fn text(text: Option<&str>) -> Cell {
    text.map_or(Cell::Empty, |text| Cell::Text(text.to_owned()))
}

/// A user's own address; of others the author, by id or else by address.
fn whose(change: &Change) -> Option<String> {
    let author = change.user.as_ref();
    let author = author.filter(|_| change.resource != Resource::Users);
    author
        .map(|author| format!("user {}", id(author)))
        .or_else(|| change.email.clone())
}

/// Which fields differ, and how: `name: "Ada" → "Eve"`.
pub(super) fn fields(change: &Change) -> Vec<String> {
    if change.kind != Kind::Changed {
        return Vec::new();
    }
    let (Some(before), Some(after)) = (&change.before, &change.after) else {
        return vec!["what it was is not known any more".to_owned()];
    };
    let (before, after) = (members(before), members(after));
    let mut paths: Vec<_> = before.keys().chain(after.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    let one = |path: &&String| {
        let value = |fields: &Members<'_>| fields.get(*path).map(|raw| shown(raw.get()));
        let (was, is) = (value(&before), value(&after));
        let from = was.as_ref().zip(is.as_ref());
        let from = from.map_or(0, |(was, is)| alike(&was.text, &is.text));
        let cut =
            |value: Option<Shown>| value.map_or("nothing".to_owned(), |value| value.cut(from));
        format!("{path}: {} → {}", cut(was), cut(is))
    };
    let mut told: Vec<_> = paths.iter().take(FIELDS).map(one).collect();
    if let Some(left) = paths.len().checked_sub(FIELDS).filter(|left| *left > 0) {
        told.push(format!("{left} more"));
    }
    told
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

fn members(fields: &Json) -> Members<'_> {
    serde_json::from_str(&fields.0).unwrap_or_default()
}

/// A value for people: text without its escapes.
struct Shown {
    text: String,
    quoted: bool,
}

fn shown(raw: &str) -> Shown {
    match serde_json::from_str::<String>(raw) {
        Ok(text) => Shown { text, quoted: true },
        Err(_) => Shown {
            text: in_line(raw),
            quoted: false,
        },
    }
}

/// From which character on to show two values, so that it can be seen how they differ.
fn alike(was: &str, is: &str) -> usize {
    let same = was.chars().zip(is.chars()).take_while(|(a, b)| a == b);
    let same = same.count();
    if same + BEFORE < SHOWN {
        0
    } else {
        same - BEFORE
    }
}

impl Shown {
    /// At most so many characters, from this one on.
    fn cut(&self, from: usize) -> String {
        let mut rest = self.text.chars().skip(from);
        let mut text: String = rest.by_ref().take(SHOWN).collect();
        if from > 0 {
            text.insert(0, '…');
        }
        if rest.next().is_some() {
            text.push('…');
        }
        if self.quoted {
            format!("\"{text}\"")
        } else {
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::record::Id;

    fn change(before: Option<&str>, after: Option<&str>) -> Change {
        let json = |text: Option<&str>| text.map(|text| Json(text.to_owned()));
        Change {
            run: "r".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            source: "s".to_owned(),
            resource: Resource::Users,
            id: Id::Number(1),
            kind: Kind::Changed,
            label: None,
            user: Some(Id::Number(1)),
            email: Some("a@x.org".to_owned()),
            before: json(before),
            after: json(after),
        }
    }

    #[test]
    fn fields_are_told_as_they_were_and_are() {
        let cases = [
            (r#"{"a":1}"#, r#"{"a":"1"}"#, r#"a: 1 → "1""#),
            (r#"{"a":1.10}"#, r#"{"a":1.1}"#, "a: 1.10 → 1.1"),
            (r#"{"a":1}"#, "{}", "a: 1 → nothing"),
            ("{}", r#"{"a":null}"#, "a: nothing → null"),
            (
                r#"{"a":[1, 2],"b":"\u00e9"}"#,
                r#"{"a":[1],"b":"e"}"#,
                r#"a: [1,2] → [1]; b: "é" → "e""#,
            ),
            (
                r#"{"a":"0123456789012345678901234567890 x"}"#,
                r#"{"a":"0123456789012345678901234567890 y"}"#,
                r#"a: "…67890 x" → "…67890 y""#,
            ),
            (
                r#"{"a":"0123456789012345678901234567890"}"#,
                r#"{"a":"x"}"#,
                r#"a: "012345678901234567890123…" → "x""#,
            ),
            (
                r#"{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1}"#,
                "{}",
                "a: 1 → nothing; b: 1 → nothing; c: 1 → nothing; d: 1 → nothing; e: 1 → nothing; 2 more",
            ),
        ];
        for (before, after, expected) in cases {
            let found = fields(&change(Some(before), Some(after)));
            assert_eq!(found.join("; "), expected);
        }
        let unknown = fields(&change(None, None));
        assert_eq!(unknown, ["what it was is not known any more"]);
    }

    #[test]
    fn a_record_is_its_authors() {
        let user = change(None, None);
        assert_eq!(whose(&user).as_deref(), Some("a@x.org"));
        let post = Change {
            resource: Resource::Posts,
            ..user.clone()
        };
        assert_eq!(whose(&post).as_deref(), Some("user 1"));
        let guest = Change { user: None, ..post };
        assert_eq!(whose(&guest).as_deref(), Some("a@x.org"));
    }
}
