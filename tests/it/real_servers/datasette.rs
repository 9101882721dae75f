//! Datasette: keyset tokens that are awkward in a URL, and a word that rows were left out.

use std::fs;

use super::{FLOWS, assert_records, environment, fetched_by_script, resources, told};
use crate::support::program::Workplace;

/// The folder of `.ci/datasette`.
const DATASETTE: &str = "ACTIVITY_TRACKER_TEST_DATASETTE";

#[test]
fn the_tables_of_a_datasette_are_stored_row_for_row_by_both_flows() {
    let Some([folder]) = environment([DATASETTE]) else {
        return;
    };
    let url = told(&folder, "url");
    let file = format!("{folder}/forum.db");
    let expected = [
        ("users", "select * from users order by id"),
        ("posts", "select * from posts order by score, id"),
        ("comments", "select * from comments order by id"),
    ]
    .map(|(resource, query)| (resource, fetched_by_script(&["table", &file, query])));
    let place = Workplace::new();
    let source = place.path().join("datasette.toml");
    fs::write(source, include_str!("datasette.toml")).expect("write a source");
    let var = format!("url={url}");
    for (flow, suffix) in FLOWS {
        place.run_well(&[&["datasette.toml", "--var", &var], flow].concat());
        for (resource, expected) in expected.iter().take(resources(suffix).len()) {
            let name = format!("{resource}{suffix}.json");
            assert_records(&place.json(&name), expected, &name);
        }
        let summary = place.json(&format!("summary{suffix}.json"));
        let counts = ["users", "posts", "rejected"].map(|name| &summary[name]);
        assert_eq!(counts, [40, 2_500, 0], "{suffix}");
    }
    assert_eq!(place.json("summary_async.json")["comments"], 1_200);
}

/// A source whose posts are the rows of a query, of which Datasette gives a thousand at most.
fn query(url: &str, sql: &str) -> String {
    format!(
        "name = \"query\"\nbase_url = \"{url}\"\n[posts]\npath = \"/forum.json\"\n\
         query = {{ _shape = \"objects\", sql = \"{sql}\" }}\nrecords = \"rows\"\ntruncated = \"truncated\"\n\
         [posts.fields]\nuser_id = \"author\"\ntitle = \"title\"\n[users]\npath = \"/forum/users.json\"\n\
         query = {{ _shape = \"objects\" }}\nrecords = \"rows\"\n[users.fields]\nname = \"name\"\n"
    )
}

#[test]
fn rows_that_datasette_left_out_are_an_error_and_those_of_a_whole_response_are_stored() {
    let Some([folder]) = environment([DATASETTE]) else {
        return;
    };
    let url = told(&folder, "url");
    let sql = "select id, author, title from posts";
    for (flow, suffix) in FLOWS {
        let place = Workplace::new();
        let source = place.path().join("query.toml");
        fs::write(&source, query(&url, sql)).expect("write a source");
        let args = [&["query.toml", "--resources", "posts"], flow].concat();
        let outcome = place.run(&args);
        outcome.assert_code(3);
        assert!(outcome.first_line().contains("truncated"), "{outcome:#?}");
        assert!(
            !place
                .data_dir()
                .join(format!("posts{suffix}.json"))
                .exists()
        );

        let sql = format!("{sql} order by id limit 900");
        fs::write(&source, query(&url, &sql)).expect("write a source");
        place.run_well(&args);
        let expected = fetched_by_script(&["table", &format!("{folder}/forum.db"), &sql]);
        let name = format!("posts{suffix}.json");
        assert_records(&place.json(&name), &expected, &name);
    }
}
