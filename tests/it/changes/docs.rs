//! Checks `docs/history.md` against a real history.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::super::support::program::HISTORY;
use super::{after, stages};

#[test]
fn each_documented_query_returns_rows() {
    let doc = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/history.md");
    let doc = fs::read_to_string(doc).expect("the document");
    let place = after(&stages());
    let history = Connection::open(place.data_dir().join(HISTORY)).expect("a history");
    let blocks = doc.split("```sql\n").skip(1);
    let queries: Vec<_> = blocks
        .map(|block| block.split_once("```").expect("an end").0)
        .collect();
    assert!(queries.len() >= 4, "{queries:?}");
    for query in queries {
        let mut statement = history
            .prepare(query)
            .unwrap_or_else(|error| panic!("{query}\n{error}"));
        assert!(statement.readonly(), "{query}");
        let mut rows = statement.query([]).expect("a result");
        assert!(rows.next().expect("rows").is_some(), "no rows: {query}");
    }
}

#[test]
fn each_table_and_column_is_documented() {
    let doc = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/history.md");
    let doc = fs::read_to_string(doc).expect("the document");
    let place = after(&stages()[..1]);
    let history = Connection::open(place.data_dir().join(HISTORY)).expect("a history");
    let query = "SELECT m.name || '.' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c
                 WHERE m.type IN ('table', 'view')";
    let mut statement = history.prepare(query).expect("a query");
    let names = statement.query_map([], |row| row.get::<_, String>(0));
    for name in names.expect("names") {
        let name = name.expect("a name");
        let (table, column) = name.split_once('.').expect("a table and a column");
        let documented = |line: &str| {
            line.starts_with(&format!("| `{table}` |")) && line.contains(&format!("`{column}`"))
        };
        assert!(doc.lines().any(documented), "{name} is not documented");
    }
}
