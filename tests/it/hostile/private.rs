//! Servers that lead to this machine, on behalf of a source that is elsewhere.
//!
//! All servers here are on this machine. In builds for development a variable has the base
//! URL's address pass for a public one.

use std::fs;

use crate::support::fault::FLOWS;
use crate::support::program::{Outcome, Running, Workplace};
use crate::support::records::{stored, users};
use crate::support::server::{Reply, Route, Server};

fn run(place: &Workplace, source: &str, flow: &[&str], public: bool) -> Outcome {
    fs::write(place.path().join("api.toml"), source).expect("write a source file");
    let mut command = place.command(&[&["run", "./api.toml"], flow].concat());
    if public {
        command.env("ACTIVITY_TRACKER_PUBLIC_BASE", "1");
    }
    Running::start(&mut command).wait()
}

fn source(url: &str, rest: &str) -> String {
    format!(
        "name = 'api'\nbase_url = '{url}'\n{rest}\n[users]\npath = '/users'\n[users.fields]\nname = 'name'\n"
    )
}

fn redirect(to: &str) -> Reply {
    let reply = Reply::status(302).header("Location", to);
    reply.header("Connection", "close")
}

#[test]
fn a_redirect_to_this_machine_is_not_followed_for_a_source_elsewhere() {
    for flow in FLOWS {
        let other = Server::start([]);
        let port = other.url().rsplit(':').next().expect("a port").to_owned();
        let cases = [
            ("localhost", "localhost is "),
            ("127.0.0.2", "127.0.0.2 is 127.0.0.2, "),
            ("0x7f.2", "127.0.0.2 is 127.0.0.2, "),
            ("2130706434", "127.0.0.2 is 127.0.0.2, "),
            (
                "[::ffff:127.0.0.1]",
                "[::ffff:7f00:1] is ::ffff:127.0.0.1, ",
            ),
            ("[::1]", "[::1] is ::1, "),
        ];
        for (host, says) in cases {
            let target = format!("http://{host}:{port}/users");
            let server = Server::start([Route::get("/users").reply(redirect(&target))]);
            let place = Workplace::with_old_snapshot();
            let before = place.data();
            let outcome = run(&place, &source(server.url(), ""), flow, true);
            outcome.assert_code(3);
            let told = outcome.first_line();
            assert!(
                told.contains("a private address is not connected to"),
                "{host}: {told}"
            );
            assert!(told.contains(says), "{host}: {told}");
            assert!(
                outcome.stderr.contains("allow_private = true"),
                "{}",
                outcome.stderr
            );
            place.assert_unchanged(&before);
            server.finish();
        }
        other.finish();
    }
}

#[test]
fn a_next_link_to_this_machine_is_not_followed_for_a_source_elsewhere() {
    for flow in FLOWS {
        let other = Server::start([]);
        let elsewhere = other.url().replace("127.0.0.1", "localhost");
        let link = format!("<{elsewhere}/users>; rel=\"next\"");
        let page = Reply::json(format!("[{}]", users().join(","))).header("Link", &link);
        let server = Server::start([Route::get("/users").reply(page)]);
        let place = Workplace::with_old_snapshot();
        let before = place.data();
        let allowed = format!("allowed_origins = ['{elsewhere}']");
        let text = source(server.url(), &allowed)
            .replace("path = '/users'", "path = '/users'\npagination = 'link'");
        let outcome = run(&place, &text, flow, true);
        outcome.assert_code(3);
        let told = outcome.first_line();
        assert!(
            told.contains("a private address is not connected to"),
            "{told}"
        );
        assert_eq!(
            place.file("summary.json").as_bytes(),
            before["summary.json"]
        );
        server.finish();
        other.finish();
    }
}

#[test]
fn a_redirect_to_this_machine_is_followed_where_the_source_is_here_or_says_so() {
    for (rest, public) in [("", false), ("allow_private = true", true)] {
        for flow in FLOWS {
            let body = format!("[{}]", users().join(","));
            let other = Server::start([Route::get("/users").reply(Reply::json(body))]);
            let target = format!("{}/users", other.url().replace("127.0.0.1", "localhost"));
            let server = Server::start([Route::get("/users").reply(redirect(&target))]);
            let place = Workplace::new();
            let outcome = run(&place, &source(server.url(), rest), flow, public);
            outcome.assert_code(0);
            let suffix = if flow.is_empty() { "" } else { "_async" };
            assert_eq!(place.file(&format!("users{suffix}.json")), stored(&users()));
            server.finish();
            other.finish();
        }
    }
}

#[test]
fn only_harmless_headers_of_a_source_go_to_another_origin() {
    let headers = "[headers]\nX-Tenant = 'acme'\nAccept-Language = 'de'\nUser-Agent = 'mine'\n";
    for flow in FLOWS {
        let other = Server::start([Route::get("/users").reply(Reply::json("[]"))]);
        let target = format!("{}/users", other.url());
        let server = Server::start([Route::get("/users").reply(redirect(&target))]);
        let place = Workplace::new();
        run(&place, &source(server.url(), headers), flow, false).assert_code(0);
        let sent = |server: &Server, name: &str| {
            let requests = server.requests();
            requests[0].header(name).map(str::to_owned)
        };
        assert_eq!(sent(&server, "x-tenant").as_deref(), Some("acme"));
        assert_eq!(sent(&other, "x-tenant"), None);
        assert_eq!(sent(&other, "accept-language").as_deref(), Some("de"));
        assert_eq!(sent(&other, "user-agent").as_deref(), Some("mine"));
        server.finish();
        other.finish();
    }
}
