//! A change as a row of a table.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::report::json::in_line;
use crate::report::text_report::{Cell, Column, column, id, number};
use activity_tracker_core::history::{Change, Json, Kind};
use activity_tracker_core::record::Resource;
use activity_tracker_text::count;

/// The maximum number of characters of a value.
const MAX_VALUE: usize = 24;

/// The characters before the first difference that are shown.
const CONTEXT: usize = 6;

/// The maximum number of fields.
const MAX_FIELDS: usize = 5;

const SOURCE: &str = "source";

/// The columns of a table of changes; the changed fields are the last one.
pub(super) fn columns(several_sources: bool) -> Vec<Column> {
    let mut columns = vec![
        column("time (UTC)", 0),
        column("change", 0),
        number("id", 0),
        column("label", 0),
        column("user", 72),
        column("fields", 0),
    ];
    if several_sources {
        columns.insert(1, column(SOURCE, 0));
    }
    columns
}

/// The cells of a change.
pub(super) fn row(change: &Change, columns: &[Column]) -> Vec<Cell> {
    let fields = fields(change);
    let joined = (!fields.is_empty()).then(|| fields.join("; "));
    let resource = change.resource.name();
    let singular = resource.strip_suffix('s').unwrap_or(resource);
    let mut row = vec![
        Cell::Text(change.at.strftime("%Y-%m-%d %H:%M").to_string()),
        Cell::Text(format!("{} {singular}", change.kind.name())),
        Cell::Text(id(&change.id)),
        text(change.label.as_deref()),
        text(user(change).as_deref()),
        text(joined.as_deref()),
    ];
    if columns.iter().any(|column| column.header == SOURCE) {
        row.insert(1, Cell::Text(change.source.clone()));
    }
    row
}

fn text(text: Option<&str>) -> Cell {
    text.map_or(Cell::Empty, |text| Cell::Text(text.to_owned()))
}

/// The address of a user, or the author of a post or comment by id or address.
fn user(change: &Change) -> Option<String> {
    let author = change.user.as_ref();
    let author = author.filter(|_| change.resource != Resource::Users);
    author
        .map(|author| format!("user {}", id(author)))
        .or_else(|| change.email.clone())
}

/// The changed fields: `name: "Ada" → "Eve"`.
pub(super) fn fields(change: &Change) -> Vec<String> {
    if change.kind != Kind::Changed {
        return Vec::new();
    }
    let (Some(before), Some(after)) = (&change.before, &change.after) else {
        return vec!["previous values unknown".to_owned()];
    };
    let (before, after) = (members(before), members(after));
    let mut paths: Vec<_> = before.keys().chain(after.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    let field = |path: &&String| {
        let value = |fields: &Members<'_>| fields.get(*path).map(|raw| Value::read(raw.get()));
        let (was, is) = (value(&before), value(&after));
        let from = was.as_ref().zip(is.as_ref());
        let from = from.map_or(0, |(was, is)| start(&was.text, &is.text));
        let cut =
            |value: Option<Value>| value.map_or("(none)".to_owned(), |value| value.excerpt(from));
        format!("{path}: {} → {}", cut(was), cut(is))
    };
    let mut lines: Vec<_> = paths.iter().take(MAX_FIELDS).map(field).collect();
    if let Some(left) = paths.len().checked_sub(MAX_FIELDS).filter(|left| *left > 0) {
        lines.push(count(left as u64, "more field"));
    }
    lines
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

fn members(fields: &Json) -> Members<'_> {
    serde_json::from_str(&fields.0).unwrap_or_default()
}

/// A JSON value for people: strings without JSON escapes.
struct Value {
    text: String,
    quoted: bool,
}

/// The first character of two values to show, so that the difference is visible.
fn start(was: &str, is: &str) -> usize {
    let same = was.chars().zip(is.chars()).take_while(|(a, b)| a == b);
    let same = same.count();
    if same + CONTEXT < MAX_VALUE {
        0
    } else {
        same - CONTEXT
    }
}

impl Value {
    fn read(raw: &str) -> Self {
        match serde_json::from_str::<String>(raw) {
            Ok(text) => Self { text, quoted: true },
            Err(_) => Self {
                text: in_line(raw),
                quoted: false,
            },
        }
    }

    /// The value from a character on, truncated.
    fn excerpt(&self, from: usize) -> String {
        let mut rest = self.text.chars().skip(from);
        let mut text: String = rest.by_ref().take(MAX_VALUE).collect();
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
    use activity_tracker_core::record::Id;

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
    fn changed_fields_are_shown_before_and_after() {
        let cases = [
            (r#"{"a":1}"#, r#"{"a":"1"}"#, r#"a: 1 → "1""#),
            (r#"{"a":1.10}"#, r#"{"a":1.1}"#, "a: 1.10 → 1.1"),
            (r#"{"a":1}"#, "{}", "a: 1 → (none)"),
            ("{}", r#"{"a":null}"#, "a: (none) → null"),
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
                "a: 1 → (none); b: 1 → (none); c: 1 → (none); d: 1 → (none); e: 1 → (none); 2 more fields",
            ),
        ];
        for (before, after, expected) in cases {
            let found = fields(&change(Some(before), Some(after)));
            assert_eq!(found.join("; "), expected);
        }
        let unknown = fields(&change(None, None));
        assert_eq!(unknown, ["previous values unknown"]);
    }

    #[test]
    fn a_change_has_the_user_or_author() {
        let of_user = change(None, None);
        assert_eq!(user(&of_user).as_deref(), Some("a@x.org"));
        let post = Change {
            resource: Resource::Posts,
            ..of_user.clone()
        };
        assert_eq!(user(&post).as_deref(), Some("user 1"));
        let guest = Change { user: None, ..post };
        assert_eq!(user(&guest).as_deref(), Some("a@x.org"));
    }
}
