//! The JSON Schema: it must allow what the program reads, and know its keys.

use serde_json::Value;

use crate::source::schema::generate;
use crate::source::{BUILT_IN, SCHEMA};

/// What is wrong with `value`, by the keywords that our schema uses. Any other is a failure.
fn wrong(value: &Value, schema: &Value, root: &Value, at: &str) -> Option<String> {
    let Value::Object(rules) = schema else {
        return (schema != true).then(|| format!("{at}: nothing is allowed here"));
    };
    let check = |rule: &Value| wrong(value, rule, root, at);
    rules
        .iter()
        .find_map(|(keyword, rule)| match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" | "format" => None,
            "minimum" | "maximum" | "required" | "additionalProperties" => {
                limits(value, keyword, rule, rules.get("properties"), root, at)
            }
            "type" => {
                let kinds = rule
                    .as_array()
                    .map_or(std::slice::from_ref(rule), Vec::as_slice);
                let fits = kinds
                    .iter()
                    .any(|kind| is_kind(value, kind.as_str().unwrap()));
                (!fits).then(|| format!("{at}: no {rule}"))
            }
            "$ref" => {
                let pointer = rule
                    .as_str()
                    .unwrap()
                    .strip_prefix('#')
                    .unwrap()
                    .replace("%20", " ");
                check(
                    root.pointer(&pointer)
                        .unwrap_or_else(|| panic!("no {pointer}")),
                )
            }
            "enum" => {
                (!rule.as_array().unwrap().contains(value)).then(|| format!("{at}: no {rule}"))
            }
            "const" => (rule != value).then(|| format!("{at}: not {rule}")),
            "anyOf" | "oneOf" => {
                let all: Vec<_> = rule.as_array().unwrap().iter().map(check).collect();
                all.iter().all(Option::is_some).then(|| format!("{all:?}"))
            }
            "properties" => {
                rule.as_object().unwrap().iter().find_map(|(key, rule)| {
                    wrong(value.get(key)?, rule, root, &format!("{at}.{key}"))
                })
            }
            "items" => value
                .as_array()?
                .iter()
                .find_map(|item| wrong(item, rule, root, at)),
            other => Some(format!("{at}: this test does not know `{other}`")),
        })
}

fn limits(
    value: &Value,
    keyword: &str,
    rule: &Value,
    properties: Option<&Value>,
    root: &Value,
    at: &str,
) -> Option<String> {
    match keyword {
        "minimum" => (value.as_i64()? < rule.as_i64()?).then(|| format!("{at}: too small")),
        "maximum" => (value.as_i64()? > rule.as_i64()?).then(|| format!("{at}: too large")),
        "required" => {
            let mut keys = rule.as_array().unwrap().iter().filter_map(Value::as_str);
            let missing = keys.find(|key| value.get(key).is_none())?;
            Some(format!("{at}: no `{missing}`"))
        }
        _ => value.as_object()?.iter().find_map(|(key, value)| {
            let known = properties.is_some_and(|known| known.get(key).is_some());
            let at = format!("{at}.{key}");
            (!known).then(|| wrong(value, rule, root, &at)).flatten()
        }),
    }
}

fn is_kind(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    }
}

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn trouble(text: &str) -> Option<String> {
    let file: Value = toml::from_str(text).unwrap();
    let schema = schema();
    wrong(&file, &schema, &schema, "")
}

#[test]
fn the_schema_is_in_step_with_the_program() {
    let generated = generate();
    // As snapshots are: `INSTA_UPDATE=always cargo test` brings the file up to date.
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/sources/schema.json");
        std::fs::write(path, &generated).unwrap();
    }
    assert!(SCHEMA == generated, "INSTA_UPDATE=always cargo test schema");
}

#[test]
fn the_schema_allows_every_file_that_the_program_reads() {
    let ours = BUILT_IN.map(|source| source.text);
    let others = [
        include_str!("everything.toml"),
        include_str!("dummyjson.toml"),
    ];
    for text in ours.into_iter().chain(others) {
        assert_eq!(trouble(text), None);
    }
}

#[test]
fn the_schema_knows_what_the_program_refuses() {
    let head = "name = \"f\"\nbase_url = \"https://h\"\n";
    let cases = [
        ("[post]\npath = \"p\"", ".post: nothing is allowed"),
        ("[posts]\nrecords = \"data\"", "no `path`"),
        ("[posts]\npath = 1", ".posts.path"),
        ("[posts]\npath = \"p\"\npagination = \"lnik\"", "pagination"),
        (
            "[posts]\npath = \"p\"\nfields = { email = \"mail\" }",
            "nothing is allowed",
        ),
        ("[rate]\nrequests = 0", "too small"),
        ("[auth]\nbearer = 1", "bearer"),
    ];
    for (text, expected) in cases {
        let found = trouble(&format!("{head}{text}")).unwrap_or_default();
        assert!(found.contains(expected), "{text}: {found}");
    }
}

#[test]
fn every_key_is_explained_to_editors() {
    fn unexplained(value: &Value, at: &str, found: &mut Vec<String>) {
        let Some(object) = value.as_object() else {
            return;
        };
        for (key, value) in object {
            let at = format!("{at}/{key}");
            if key == "properties" {
                for (name, property) in value.as_object().unwrap() {
                    if property.get("description").is_none() {
                        found.push(format!("{at}/{name}"));
                    }
                }
            }
            unexplained(value, &at, found);
        }
    }
    let mut found = Vec::new();
    unexplained(&schema(), "", &mut found);
    assert_eq!(found, Vec::<String>::new());
}
