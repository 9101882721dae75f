//! Encrypted connections, and those who only claim to have one. Where a redirect leads.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use crate::support::fault::FLOWS;
use crate::support::program::{Running, Workplace};
use crate::support::server::{Reply, Route, Server};
use crate::support::tls::{Front, Identity};

const HOST: &str = "127.0.0.1";
const SECRET: &str = "s3cret-0f-the-users";

/// A source of users alone, with credentials.
fn save_source(place: &Workplace, url: &str) {
    let text = format!(
        "name = 'api'\nbase_url = '{url}'\nauth = {{ bearer = '${{USERS_KEY}}' }}\n\
         [users]\npath = '/users'\n[users.fields]\nname = 'name'\nusername = 'username'\nemail = 'email'\n"
    );
    fs::write(place.path().join("api.toml"), text).expect("write a source file");
}

fn run(place: &Workplace, args: &[&str]) -> crate::support::program::Outcome {
    let mut command = place.command(args);
    Running::start(command.env("USERS_KEY", SECRET)).wait()
}

fn users() -> Reply {
    Reply::json("[]").header("Connection", "close")
}

/// The `Authorization` of each request.
fn credentials(server: &Server) -> Vec<Option<String>> {
    let requests = server.requests();
    let header = |header: Option<&str>| header.map(str::to_owned);
    requests
        .iter()
        .map(|request| header(request.header("authorization")))
        .collect()
}

#[test]
fn a_certificate_that_does_not_vouch_for_the_server_ends_the_run() {
    let (good, stranger) = (Identity::of(HOST), Identity::of(HOST));
    let expired = Identity::expired(HOST);
    let elsewhere = Identity::of("api.example");
    let cases = [
        ("nobody's word but its own", &good, None),
        ("another one's word", &good, Some(&stranger)),
        ("expired", &expired, Some(&expired)),
        ("for another host", &elsewhere, Some(&elsewhere)),
    ];
    for (name, identity, trusted) in cases {
        for flow in FLOWS {
            let server = Server::start([]);
            let front = Front::start(identity, server.url());
            let place = Workplace::with_old_snapshot();
            let before = place.data();
            save_source(&place, &front.url());
            let mut args = ["run", "api.toml"].to_vec();
            if let Some(trusted) = trusted {
                trusted.save(&place.path().join("ca.pem"));
                args.extend(["--ca-file", "ca.pem"]);
            }
            let outcome = run(&place, &[&args, flow].concat());
            let url = front.url();
            let expected =
                format!("error: cannot fetch users from {url}/users: the TLS connection failed: ");
            assert!(
                outcome.first_line().starts_with(&expected),
                "{name}: {outcome:#?}"
            );
            outcome.assert_code(3);
            place.assert_unchanged(&before);
            drop(front);
            server.finish();
        }
    }
}

#[test]
fn an_authority_of_ones_own_vouches_for_its_servers() {
    let identity = Identity::of(HOST);
    for flow in [&["run"][..], &["run", "--async"], &["check"]] {
        let server = Server::start([Route::get("/users").reply(users())]);
        let front = Front::start(&identity, server.url());
        let place = Workplace::new();
        save_source(&place, &front.url());
        identity.save(&place.path().join("ca.pem"));
        let args = [flow, &["api.toml", "--ca-file", "ca.pem"]].concat();
        run(&place, &args).assert_code(0);
        let bearer = format!("Bearer {SECRET}");
        assert_eq!(credentials(&server), [Some(bearer)], "{flow:?}");
        server.finish();
    }
}

#[test]
fn a_server_that_speaks_no_tls_gets_no_credentials() {
    for flow in FLOWS {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind a free port");
        let address = listener.local_addr().expect("the port that was bound");
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let response = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(response).expect("a response");
            let mut came = Vec::new();
            // The client is free to reset the connection.
            let _ = stream.read_to_end(&mut came);
            came
        });
        let place = Workplace::with_old_snapshot();
        let before = place.data();
        save_source(&place, &format!("https://{address}"));
        let outcome = run(&place, &[&["run", "api.toml"], flow].concat());
        let expected = "/users: the server does not speak TLS on this port (1 attempt)";
        assert!(outcome.first_line().ends_with(expected), "{outcome:#?}");
        outcome.assert_code(3);
        place.assert_unchanged(&before);
        let came = server.join().expect("the server's end");
        let secret = |bytes: &[u8]| bytes == SECRET.as_bytes();
        assert!(!came.windows(SECRET.len()).any(secret), "{flow:?}");
    }
}

#[test]
fn a_redirect_never_leads_out_of_encryption() {
    let identity = Identity::of(HOST);
    for flow in FLOWS {
        let plain = Server::start([]);
        let location = format!("{}/users", plain.url());
        let redirect = Reply::status(302).header("Location", &location);
        let redirect = redirect.header("Connection", "close");
        let server = Server::start([Route::get("/users").reply(redirect)]);
        let front = Front::start(&identity, server.url());
        let place = Workplace::with_old_snapshot();
        let before = place.data();
        save_source(&place, &front.url());
        identity.save(&place.path().join("ca.pem"));
        let args = ["run", "api.toml", "--ca-file", "ca.pem"];
        let outcome = run(&place, &[&args, flow].concat());
        outcome.assert_code(3);
        let told = outcome.first_line();
        assert!(
            told.contains("the server redirects from https to http://"),
            "{told}"
        );
        assert!(told.ends_with("which is not followed"), "{told}");
        place.assert_unchanged(&before);
        server.finish();
        plain.finish();
    }
}

#[test]
fn a_file_without_authorities_is_wrong_usage() {
    let none = "expected certificates in PEM (`-----BEGIN CERTIFICATE-----`), found none";
    let missing = "No such file or directory (os error 2)";
    let broken = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    let cases = [
        (None, missing),
        (Some(""), none),
        (Some("{}"), none),
        (Some(broken), "certificate 1 cannot be read: "),
    ];
    for (text, says) in cases {
        for command in ["run", "check"] {
            let place = Workplace::with_old_snapshot();
            let before = place.data();
            if let Some(text) = text {
                fs::write(place.path().join("ca.pem"), text).expect("write a file");
            }
            let server = Server::start([]);
            let outcome = run(&place, &[command, server.url(), "--ca-file", "ca.pem"]);
            outcome.assert_code(2);
            let expected = format!("error: cannot use the CA file ca.pem: {says}");
            assert!(outcome.first_line().starts_with(&expected), "{outcome:#?}");
            place.assert_unchanged(&before);
            server.finish();
        }
    }
}
