//! Records that are the values of an object, in both flows.

use super::support::records::{post, stored};
use super::support::server::{Reply, Route, Server};
use super::values::{FLOWS, run_with_source, workplace};

/// What a server sends, how the source says where the records are, and what is stored: an exit code,
/// and the file.
struct Case {
    records: &'static str,
    body: &'static str,
    code: i32,
    stored: Option<String>,
}

fn case(records: &'static str, body: &'static str, code: i32, stored: Option<String>) -> Case {
    Case {
        records,
        body,
        code,
        stored,
    }
}

fn lines(records: &str) -> String {
    format!("[posts]\npath = '/posts'\nrecords = {records}\n")
}

#[test]
fn the_values_of_an_object_are_records_verbatim() {
    let two = || {
        Some(stored(&[
            r#"{"id": 17, "t":"}"}"#.to_owned(),
            r#"{"id":"18"}"#.to_owned(),
        ]))
    };
    let keyed = || {
        Some(stored(&[
            r#"{"id":"-Mx","t":1}"#.to_owned(),
            r#"{"id":"-My"}"#.to_owned(),
        ]))
    };
    let none = || Some("[]".to_owned());
    let cases = [
        case(
            "{ map = 'posts' }",
            r#"{"posts": {"17": {"id": 17, "t":"}"}, "18": {"id":"18"}}, "n": {"posts": {}}}"#,
            0,
            two(),
        ),
        case(
            "{ map = '' }",
            r#"{"17": {"id": 17, "t":"}"}, "18": {"id":"18"}}"#,
            0,
            two(),
        ),
        case(
            "{ map = 'query.pages' }",
            r#"{"query": {"x": 1, "pages": {"17": {"id": 17, "t":"}"}, "18": {"id":"18"}}}}"#,
            0,
            two(),
        ),
        // PHP writes an object with the keys 0, 1, 2 as a list, and an empty one as an empty list.
        case(
            "{ map = 'posts' }",
            r#"{"posts": [{"id": 17, "t":"}"}, {"id":"18"}]}"#,
            0,
            two(),
        ),
        case("{ map = 'posts' }", r#"{"posts": {}}"#, 0, none()),
        case("{ map = 'posts' }", r#"{"posts": []}"#, 0, none()),
        case("{ map = 'posts' }", r#"{"posts": null}"#, 0, none()),
        // As realtime databases do: the ids are in the keys alone.
        case(
            "{ map = '', key_as = 'id' }",
            r#"{"-Mx": {"t":1}, "-My": {}}"#,
            0,
            keyed(),
        ),
        case("{ map = '', key_as = 'id' }", "null", 0, none()),
        // One that is no record, and one without an id.
        case(
            "{ map = 'posts' }",
            r#"{"posts": {"17": {"id": 17, "t":"}"}, "18": {"id":"18"}, "count": 2, "19": {}}}"#,
            4,
            two(),
        ),
        case("{ map = 'posts' }", r#"{"items": {}}"#, 4, None),
        case("{ map = 'posts' }", r#"{"posts": "17"}"#, 4, None),
        case("{ map = 'posts' }", r#"{"posts": {"17" {}}}"#, 4, None),
        case("'posts'", r#"{"posts": {"17": {"id": 17}}}"#, 4, None),
    ];
    for (flow, suffix) in FLOWS {
        for case in &cases {
            for chunk in [1, 7, 1000] {
                let reply = Reply::json(case.body).chunked(chunk);
                let server = Server::start([Route::get("/posts").reply(reply)]);
                let (place, outcome) = run_with_source(&server, &lines(case.records), flow);
                let what = format!("{} {}: {}", case.records, case.body, outcome.stderr);
                assert_eq!(outcome.status.code(), Some(case.code), "{what}");
                let name = format!("posts{suffix}.json");
                let found = place.data_dir().join(&name).exists();
                let found = found.then(|| place.file(&name));
                assert_eq!(found, case.stored, "{what}");
                let advised = outcome
                    .stderr
                    .contains("`records = { map = \"posts\" }` takes");
                assert_eq!(advised, case.records == "'posts'", "{what}");
            }
        }
    }
}

#[test]
fn pages_of_objects_are_turned_until_an_empty_one_and_resumed() {
    for (flow, suffix) in FLOWS {
        let page = |ids: [u32; 2]| {
            let records = ids.map(|id| format!("\"{id}\":{}", post(&id.to_string(), "1")));
            Reply::json(format!("{{\"data\":{{{}}}}}", records.join(",")))
        };
        let server = Server::start([
            Route::get("/posts?page=1").reply(page([1, 2])),
            Route::get("/posts?page=2")
                .reply(Reply::status(500))
                .then(page([3, 4])),
            Route::get("/posts?page=3").reply(Reply::json(r#"{"data":[]}"#)),
        ]);
        let text = lines("{ map = 'data' }") + "pagination = { page = 'page' }\n";
        let place = workplace(&server, &text);
        let args = ["./real.toml", "--retries", "0"];
        place.run(&[&args, flow].concat()).assert_code(3);
        place.run_well(&[&args, flow, &["--resume", "--keep-raw"]].concat());
        let posts = [1, 2, 3, 4].map(|id: u32| post(&id.to_string(), "1"));
        assert_eq!(place.file(&format!("posts{suffix}.json")), stored(&posts));
        server.finish();
    }
}

#[test]
fn check_looks_at_the_values() {
    let body = r#"{"posts": {"17": {"id": 17}, "18": {"id": 18}}}"#;
    let server = Server::start([Route::get("/posts").reply(Reply::json(body))]);
    let place = workplace(&server, &lines("{ map = 'posts' }"));
    let outcome = super::values::command(&place, &["check", "./real.toml"]);
    outcome.assert_code(0);
    assert!(outcome.stdout.contains("2 records"), "{outcome:#?}");
}
