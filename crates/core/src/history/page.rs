//! Pages of changes for HTTP responses, with limits on their number and length.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};
use serde::Serialize;

use super::HistoryError;

use super::query::{Change, ChangeFilter, Log, change};

/// The maximum length of a value, in bytes. Longer ones are omitted and listed as such.
const LONGEST_VALUE: u64 = 64 * 1024;

/// The maximum length of the changes of a page, in bytes. The first change may exceed it.
const LONGEST_PAGE: u64 = 1024 * 1024;

/// The length of a change without its record's id and the values that may be long, in bytes.
const BESIDES: u64 = 256;

/// The values that can be omitted, in the order of their columns.
const VALUES: [&str; 5] = ["label", "user", "email", "before", "after"];

/// Some changes, newest run first.
#[derive(Clone, Debug, Default)]
pub struct ChangePage {
    /// The requested number of changes, or as many as fit.
    pub changes: Vec<ListedChange>,
    /// The change after which the next page begins; `None` on the last page.
    pub next: Option<Cursor>,
}

/// A change, without values that are too long.
#[derive(Clone, Debug, Serialize)]
pub struct ListedChange {
    /// The change; its omitted values are `None`.
    #[serde(flatten)]
    pub change: Change,
    /// The omitted values, and their lengths in bytes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub omitted: BTreeMap<&'static str, u64>,
}

/// The position of a change in a listing, formatted as `RUN-CHANGE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    run: i64,
    change: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.run, self.change)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (run, change) = text.split_once('-').ok_or(())?;
        let number = |text: &str| text.parse().ok().filter(|number| *number >= 0).ok_or(());
        Ok(Self {
            run: number(run)?,
            change: number(change)?,
        })
    }
}

/// A change that was found but not read yet.
struct Seen {
    cursor: Cursor,
    /// The values that are omitted.
    omitted: BTreeMap<&'static str, u64>,
    /// The length of the others, in bytes.
    length: u64,
}

impl Log {
    /// The requested changes in the order of [`Log::changes`], after `from` if it is given. Values
    /// that are too long are not read.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn page(
        &self,
        wanted: &ChangeFilter,
        from: Option<Cursor>,
    ) -> Result<ChangePage, HistoryError> {
        let failed = HistoryError::sqlite("read", &self.path);
        self.read_page(wanted, from).map_err(failed)
    }

    fn read_page(
        &self,
        wanted: &ChangeFilter,
        from: Option<Cursor>,
    ) -> rusqlite::Result<ChangePage> {
        let mut page = ChangePage::default();
        let (mut length, mut last) = (0_u64, None);
        for seen in self.look(wanted, from)? {
            length = length.saturating_add(seen.length);
            let full = wanted
                .limit
                .is_some_and(|limit| page.changes.len() as u64 >= limit);
            if full || (last.is_some() && length > LONGEST_PAGE) {
                page.next = last;
                break;
            }
            last = Some(seen.cursor);
            page.changes.push(ListedChange {
                change: self.read_change(seen.cursor.change)?,
                omitted: seen.omitted,
            });
        }
        Ok(page)
    }

    /// The next changes and their lengths: one more than requested. Without the texts, because
    /// SQLite would sort them, too.
    fn look(&self, wanted: &ChangeFilter, from: Option<Cursor>) -> rusqlite::Result<Vec<Seen>> {
        let (mut condition, mut values) = wanted.condition();
        if let Some(Cursor { run, change }) = from {
            let at = values.len() + 1;
            values.extend([Value::from(run), Value::from(change)]);
            let behind = format!(
                " AND (x.run < ?{at} OR (x.run = ?{at} AND x.id > ?{}))",
                at + 1
            );
            condition.push_str(&behind);
        }
        let lengths = VALUES
            .map(|name| format!("octet_length(x.{name})"))
            .join(", ");
        let limit = wanted.limit.map(|limit| limit.saturating_add(1));
        let text = format!(
            "SELECT x.run, x.id, octet_length(x.record), {lengths}
             FROM changes x JOIN runs r ON r.id = x.run JOIN collections c ON c.id = x.collection
             WHERE {condition} ORDER BY x.run DESC, x.id LIMIT {}",
            limit.map_or(-1, u64::cast_signed)
        );
        let mut statement = self.connection.prepare(&text)?;
        let rows = statement.query_map(params_from_iter(values), seen)?;
        rows.collect()
    }

    fn read_change(&self, id: i64) -> rusqlite::Result<Change> {
        let [label, user, email, before, after] = VALUES.map(|name| {
            format!("CASE WHEN octet_length(x.{name}) <= {LONGEST_VALUE} THEN x.{name} END")
        });
        let text = format!(
            "SELECT r.run, r.finished_at, c.source, c.resource, x.record, x.kind, {label}, {user},
                    {email}, {before}, {after}
             FROM changes x JOIN runs r ON r.id = x.run JOIN collections c ON c.id = x.collection
             WHERE x.id = ?1"
        );
        self.connection
            .prepare_cached(&text)?
            .query_row([id], change)
    }
}

fn seen(row: &Row<'_>) -> rusqlite::Result<Seen> {
    let length = |column: usize| -> rusqlite::Result<u64> {
        let length: Option<i64> = row.get(column)?;
        Ok(length.map_or(0, i64::cast_unsigned))
    };
    let mut seen = Seen {
        cursor: Cursor {
            run: row.get(0)?,
            change: row.get(1)?,
        },
        omitted: BTreeMap::new(),
        length: length(2)?.saturating_add(BESIDES),
    };
    for (name, column) in VALUES.into_iter().zip(3..) {
        let length = length(column)?;
        if length > LONGEST_VALUE {
            seen.omitted.insert(name, length);
        } else {
            seen.length = seen.length.saturating_add(length);
        }
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::history::FILE;

    /// A history with two runs; the second one has changes with an `after` of these lengths.
    fn history(lengths: &[usize]) -> (tempfile::TempDir, Log) {
        let folder = tempfile::tempdir().unwrap();
        let file = Connection::open(folder.path().join(FILE)).unwrap();
        file.execute_batch(include_str!("schema/1.sql")).unwrap();
        file.execute_batch(
            "PRAGMA application_id = 0x4154726b; PRAGMA user_version = 1;
             INSERT INTO runs VALUES (1, 'one', 's', 'main', '2026-11-01T00:00:00Z', '2026-11-01T00:00:01Z', 0, 0),
                                     (2, 'two', 's', 'main', '2026-11-02T00:00:00Z', '2026-11-02T00:00:01Z', 0, 0);
             INSERT INTO collections VALUES (1, 's', 'posts', 2, '');
             INSERT INTO changes VALUES (1, 1, 1, 7, 'added', 'first', NULL, NULL, NULL, '{}');",
        )
        .unwrap();
        for (length, id) in lengths.iter().zip(2_i64..) {
            let after = format!("{{\"a\":\"{}\"}}", "x".repeat(*length));
            file.execute(
                "INSERT INTO changes VALUES (?1, 2, 1, ?1, 'added', 'l', NULL, NULL, NULL, ?2)",
                (id, after),
            )
            .unwrap();
        }
        let log = Log::open(folder.path()).unwrap().unwrap();
        (folder, log)
    }

    fn ids(page: &ChangePage) -> Vec<String> {
        let changes = page.changes.iter();
        changes.map(|one| one.change.id.to_string()).collect()
    }

    #[test]
    fn pages_follow_each_other_and_hold_each_change_once() {
        let (_folder, log) = history(&[1, 1, 1, 1]);
        for limit in 1..=6 {
            let wanted = ChangeFilter {
                limit: Some(limit),
                ..ChangeFilter::default()
            };
            let (mut found, mut from) = (Vec::new(), None);
            loop {
                let page = log.page(&wanted, from).unwrap();
                assert!(page.changes.len() as u64 <= limit);
                found.extend(ids(&page));
                let Some(next) = page.next else { break };
                from = Some(next.to_string().parse().unwrap());
            }
            assert_eq!(found, ["2", "3", "4", "5", "7"], "{limit}");
        }
    }

    #[test]
    fn a_page_ends_before_it_is_too_long_and_holds_one_change_at_least() {
        let longest = usize::try_from(LONGEST_VALUE).unwrap();
        let (_folder, log) = history(&[longest - 8; 40]);
        let page = log.page(&ChangeFilter::default(), None).unwrap();
        assert_eq!(page.changes.len(), 15);
        assert!(page.changes.iter().all(|one| one.omitted.is_empty()));
        let next = log.page(&ChangeFilter::default(), page.next).unwrap();
        assert_eq!(ids(&next)[0], "17");
    }

    #[test]
    fn a_value_that_is_too_long_is_left_out_and_said_to_be() {
        let longest = usize::try_from(LONGEST_VALUE).unwrap();
        let (_folder, log) = history(&[longest, 1]);
        let page = log.page(&ChangeFilter::default(), None).unwrap();
        assert_eq!(ids(&page), ["2", "3", "7"]);
        let shown = serde_json::to_value(&page.changes[0]).unwrap();
        assert_eq!(shown["after"], serde_json::Value::Null);
        assert_eq!(shown["omitted"], serde_json::json!({"after": longest + 8}));
        let whole = serde_json::to_value(&page.changes[1]).unwrap();
        assert_eq!(whole["after"], serde_json::json!({"a": "x"}));
        assert_eq!(whole.get("omitted"), None);
    }

    #[test]
    fn a_cursor_is_two_numbers() {
        let cases = [
            ("2-17", true),
            ("0-0", true),
            ("", false),
            ("2", false),
            ("2-", false),
            ("-2-17", false),
            ("2--17", false),
            ("a-b", false),
            ("9223372036854775808-1", false),
        ];
        for (text, read) in cases {
            let cursor: Result<Cursor, ()> = text.parse();
            assert_eq!(cursor.is_ok(), read, "{text}");
            if let Ok(cursor) = cursor {
                assert_eq!(cursor.to_string(), text);
            }
        }
    }
}
