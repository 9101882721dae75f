//! Proxies: which one is asked, and how.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::support::fault::FLOWS;
use crate::support::program::{Outcome, Running, Workplace};

/// A proxy that gives what is asked for itself, and makes no tunnels, as many do for port 80.
struct Proxy {
    address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind a free port");
        let address = listener.local_addr().expect("the port that was bound");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        // It ends with the process of the test.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                thread::spawn(move || response(stream, &seen));
            }
        });
        Self {
            address: address.to_string(),
            heads,
        }
    }

    /// The first lines of what was asked, without those that came again.
    fn asked(&self) -> Vec<String> {
        let heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = heads.iter().filter_map(|head| head.lines().next());
        let mut lines: Vec<_> = lines.map(str::to_owned).collect();
        lines.sort_unstable();
        lines.dedup();
        lines
    }

    fn heads(&self) -> String {
        let heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        heads.concat().to_ascii_lowercase()
    }
}

fn response(mut stream: TcpStream, seen: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(length) => head.extend_from_slice(&piece[..length]),
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let tunnel = head.starts_with("CONNECT ");
    seen.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(head);
    let reply = if tunnel {
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    } else {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]"
    };
    // The client is free to leave.
    let _ = stream.write_all(reply.as_bytes());
}

fn run(url: &str, flow: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let place = Workplace::new();
    let args = [
        "run",
        url,
        "--retries",
        "0",
        "--timeout",
        "5s",
        "--resources",
        "posts",
    ];
    let mut command = place.command(&[&args, flow].concat());
    command.envs(variables.iter().copied());
    Running::start(&mut command).wait()
}

#[test]
fn a_proxy_is_asked_for_the_urls_of_its_scheme_as_proxies_want_it() {
    let plain = "http://api.example.test";
    let secure = "https://api.example.test";
    let whole = "GET http://api.example.test/posts HTTP/1.1";
    let tunnel = "CONNECT api.example.test:443 HTTP/1.1";
    let cases: [(&str, &[&str], Option<&str>); 10] = [
        (plain, &["http_proxy"], Some(whole)),
        (plain, &["HTTP_PROXY"], Some(whole)),
        (plain, &["all_proxy"], Some(whole)),
        (plain, &["ALL_PROXY"], Some(whole)),
        (plain, &["https_proxy", "HTTPS_PROXY"], None),
        (secure, &["https_proxy"], Some(tunnel)),
        (secure, &["HTTPS_PROXY"], Some(tunnel)),
        (secure, &["all_proxy"], Some(tunnel)),
        (secure, &["ALL_PROXY"], Some(tunnel)),
        (secure, &["http_proxy", "HTTP_PROXY"], None),
    ];
    for (url, variables, expected) in cases {
        for flow in FLOWS {
            let proxy = Proxy::start();
            let value = format!("http://{}", proxy.address);
            let variables: Vec<_> = variables.iter().map(|name| (*name, &*value)).collect();
            let outcome = run(url, flow, &variables);
            let expected: Vec<_> = expected.into_iter().collect();
            assert_eq!(
                proxy.asked(),
                expected,
                "{variables:?} {flow:?} {outcome:#?}"
            );
            let code = if expected == [whole] { 0 } else { 3 };
            outcome.assert_code(code);
        }
    }
}

#[test]
fn a_host_in_no_proxy_is_not_asked_for_by_way_of_the_proxy() {
    let cases = [
        ("example.test", true),
        (".example.test", true),
        ("*.example.test", true),
        ("a.test, api.example.test:80", true),
        ("a.test  example.test", true),
        ("*", true),
        ("api.example.test:8080", false),
        ("example.te", false),
        ("10.0.0.0/8", false),
    ];
    for (list, direct) in cases {
        for flow in FLOWS {
            let proxy = Proxy::start();
            let variables = [("http_proxy", &*proxy.address), ("NO_PROXY", list)];
            run("http://api.example.test", flow, &variables);
            assert_eq!(proxy.asked().is_empty(), direct, "{list} {flow:?}");
        }
    }
}

#[test]
fn a_proxy_gets_its_user_and_nobody_else_does() {
    for flow in FLOWS {
        let proxy = Proxy::start();
        let value = format!("http://user:p%40ss@{}", proxy.address);
        run("http://api.example.test", flow, &[("http_proxy", &*value)]);
        run(
            "https://api.example.test",
            flow,
            &[("https_proxy", &*value)],
        );
        let heads = proxy.heads();
        let sent = heads
            .matches("proxy-authorization: basic dxnlcjpwqhnz")
            .count();
        assert_eq!(sent, 2, "{flow:?} {heads}");
    }
}

#[test]
fn a_proxy_that_cannot_be_used_is_told() {
    for flow in FLOWS {
        let kind = "error: cannot fetch posts from http://api.example.test/posts: the proxy in all_proxy is of the kind `socks5`, which is not supported: expected `http://` or `https://` (1 attempt)";
        let socks = [("all_proxy", "socks5://127.0.0.1:1")];
        let outcome = run("http://api.example.test", flow, &socks);
        assert_eq!(outcome.first_line(), kind, "{flow:?}");
        outcome.assert_code(3);
        let proxy = Proxy::start();
        let outcome = run(
            "https://api.example.test",
            flow,
            &[("https_proxy", &*proxy.address)],
        );
        let says = "/posts: the proxy did not connect to the server (1 attempt)";
        assert!(
            outcome.first_line().ends_with(says),
            "{flow:?} {outcome:#?}"
        );
    }
}
