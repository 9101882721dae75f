//! The test server against a client that is nothing but a socket.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use super::server::{Gate, Reply, Request, Route, Server};

/// No response here takes longer, unless it is never to come.
const LIMIT: Duration = Duration::from_secs(10);

fn connect(server: &Server) -> TcpStream {
    let address = server.url().strip_prefix("http://").expect("a plain URL");
    let stream = TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(LIMIT)).expect("set a limit");
    stream
}

fn write(mut stream: &TcpStream, target: &str) {
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: test\r\nX-Trace: One\r\n\r\n"
    )
    .expect("ask");
}

fn read_to_end(mut stream: &TcpStream) -> String {
    let mut response = Vec::new();
    stream.read_to_end(&mut response).expect("read to the end");
    String::from_utf8(response).expect("text")
}

/// Reads exactly what is expected, so that the connection can go on.
fn read_response(mut stream: &TcpStream, expected: &str) {
    let mut response = vec![0; expected.len()];
    stream.read_exact(&mut response).expect("read a response");
    assert_eq!(String::from_utf8_lossy(&response), expected);
}

/// Asks once on a connection of its own, and reads until the server closes it.
fn ask(server: &Server, target: &str) -> String {
    let mut stream = connect(server);
    write!(stream, "GET {target} HTTP/1.1\r\nConnection: close\r\n\r\n").expect("ask");
    read_to_end(&stream)
}

fn serve(reply: Reply) -> Server {
    Server::start([Route::get("/x").reply(reply)])
}

/// What `finish` fails with.
fn complaint(server: Server) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| server.finish())).expect_err("it should fail");
    panic.downcast_ref::<String>().expect("a message").clone()
}

#[test]
fn responses_come_in_the_order_of_the_script() {
    let server = Server::start([
        Route::get("/users").reply(Reply::json("[]")),
        Route::get("/posts")
            .reply(Reply::status(503))
            .times(2)
            .then(Reply::json("[1]")),
    ]);
    assert!(ask(&server, "/posts").starts_with("HTTP/1.1 503 \r\n"));
    assert!(ask(&server, "/users").ends_with("\r\n\r\n[]"));
    assert!(ask(&server, "/posts").starts_with("HTTP/1.1 503 \r\n"));
    assert!(ask(&server, "/posts").ends_with("\r\n\r\n[1]"));
    server.finish();
}

#[test]
fn a_json_response_says_its_length_and_type() {
    let server = serve(Reply::json("[1]"));
    let head = "Content-Length: 3\r\nContent-Type: application/json; charset=utf-8";
    assert_eq!(
        ask(&server, "/x"),
        format!("HTTP/1.1 200 \r\n{head}\r\n\r\n[1]")
    );
    server.finish();
}

#[test]
fn a_request_is_kept_as_it_came() {
    let server = Server::start([Route::get("/posts").reply(Reply::status(204))]);
    let stream = connect(&server);
    write(&stream, "/posts?_page=2&q=a%20b");
    read_response(&stream, "HTTP/1.1 204 \r\n\r\n");
    let expected = Request {
        method: "GET".into(),
        path: "/posts".into(),
        query: "_page=2&q=a%20b".into(),
        headers: vec![
            ("host".into(), "test".into()),
            ("x-trace".into(), "One".into()),
        ],
        body: Vec::new(),
        connection: 0,
    };
    assert_eq!(server.requests(), [expected]);
    assert_eq!(server.requests()[0].header("X-TRACE"), Some("One"));
    server.finish();
}

#[test]
fn a_body_is_read_by_its_length() {
    let server = Server::start([Route::new("POST", "/x").reply(Reply::status(204))]);
    let mut stream = connect(&server);
    stream
        .write_all(b"POST /x HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody")
        .expect("ask");
    read_response(&stream, "HTTP/1.1 204 \r\n\r\n");
    assert_eq!(server.requests()[0].body, b"body");
    server.finish();
}

#[test]
fn a_route_with_the_query_comes_before_one_without() {
    let server = Server::start([
        Route::get("/x").reply(Reply::raw("any")),
        Route::get("/x?page=2").reply(Reply::raw("second")),
    ]);
    assert_eq!(ask(&server, "/x?page=2"), "second");
    assert_eq!(ask(&server, "/x?page=1"), "any");
    server.finish();
}

#[test]
fn responses_can_name_the_servers_own_url() {
    let server = Server::start_with(|url| {
        [Route::get("/x").reply(Reply::status(200).header("Link", format!("<{url}/y>")))]
    });
    let link = format!("Link: <{}/y>", server.url());
    assert!(ask(&server, "/x").contains(&link));
    server.finish();
}

#[test]
fn a_connection_is_kept_until_either_side_says_close() {
    let server = Server::start([
        Route::get("/x").reply(Reply::status(204)).times(2),
        Route::get("/last").reply(Reply::status(204).header("Connection", "close")),
    ]);
    let stream = connect(&server);
    for _ in 0..2 {
        write(&stream, "/x");
        read_response(&stream, "HTTP/1.1 204 \r\n\r\n");
    }
    write(&stream, "/last");
    assert_eq!(
        read_to_end(&stream),
        "HTTP/1.1 204 \r\nConnection: close\r\n\r\n"
    );
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.connection == 0)
    );
    server.finish();
}

#[test]
fn a_response_goes_wrong_in_the_way_it_was_told_to() {
    let head = "HTTP/1.1 200 \r\n";
    let body = || Reply::status(200).body("abcdefg");
    let cases = [
        (
            "chunked",
            body().chunked(4),
            format!("{head}Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n3\r\nefg\r\n0\r\n\r\n"),
        ),
        (
            "cut",
            body().cut_short(2),
            format!("{head}Content-Length: 7\r\n\r\nab"),
        ),
        (
            "cut in a chunk",
            body().chunked(4).cut_short(5),
            format!("{head}Transfer-Encoding: chunked\r\n\r\n4\r\nab"),
        ),
        (
            "no length",
            body().until_close(),
            format!("{head}\r\nabcdefg"),
        ),
        (
            "another length",
            body().header("content-length", "9").then_close(),
            format!("{head}content-length: 9\r\n\r\nabcdefg"),
        ),
        (
            "another status",
            body().with_status(500),
            "HTTP/1.1 500 \r\nContent-Length: 7\r\n\r\nabcdefg".into(),
        ),
        (
            "drip",
            body().drip(3, Duration::from_millis(1)),
            format!("{head}Content-Length: 7\r\n\r\nabcdefg"),
        ),
        (
            "delayed",
            Reply::raw("x").delayed(Duration::from_millis(1)),
            "x".into(),
        ),
        ("raw", Reply::raw("HTTP/9 what\n"), "HTTP/9 what\n".into()),
        ("close", Reply::close(), String::new()),
    ];
    for (name, reply, expected) in cases {
        let server = serve(reply);
        assert_eq!(ask(&server, "/x"), expected, "{name}");
        server.finish();
    }
}

#[test]
fn compressed_bytes_are_named_and_sent_as_given() {
    let server = serve(Reply::gzip([0x1f, 0x8b, 0xff]).then_close());
    let mut stream = connect(&server);
    write(&stream, "/x");
    let mut response = Vec::new();
    stream.read_to_end(&mut response).expect("read to the end");
    assert!(String::from_utf8_lossy(&response).contains("\r\nContent-Encoding: gzip\r\n"));
    assert!(response.ends_with(b"\r\n\r\n\x1f\x8b\xff"));
    server.finish();
}

#[test]
fn a_reset_is_an_error_and_not_an_end() {
    let server = serve(Reply::reset());
    let mut stream = connect(&server);
    write(&stream, "/x");
    let error = stream.read(&mut [0]).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    server.finish();
}

#[test]
fn a_server_that_hangs_ends_with_the_test() {
    let server = Server::start([
        Route::get("/mute").reply(Reply::hang()),
        Route::get("/half").reply(Reply::status(200).body("abc").cut_short(1).then_hang()),
        Route::get("/shut").reply(Reply::status(200).after(&Gate::new())),
        Route::get("/late").reply(Reply::status(200).delayed(Duration::from_hours(1))),
        Route::get("/drip").reply(
            Reply::status(200)
                .body("abc")
                .drip(1, Duration::from_hours(1)),
        ),
    ]);
    let targets = ["/mute", "/half", "/shut", "/late", "/drip"];
    let streams: Vec<_> = targets.iter().map(|_| connect(&server)).collect();
    for (stream, target) in streams.iter().zip(targets) {
        write(stream, target);
    }
    read_response(&streams[1], "HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\na");
    server.wait_for_requests(targets.len());
    server.finish();
    for stream in &streams {
        assert!(read_to_end(stream).len() <= "HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\na".len());
    }
}

#[test]
fn a_response_waits_until_the_test_opens_its_gate() {
    let gate = Gate::new();
    let server = Server::start([
        Route::get("/slow").reply(Reply::raw("slow").after(&gate)),
        Route::get("/fast").reply(Reply::raw("fast")),
    ]);
    let slow = connect(&server);
    write(&slow, "/slow");
    server.wait_for_requests(1);
    assert_eq!(ask(&server, "/fast"), "fast");
    gate.open();
    assert_eq!(read_to_end(&slow), "slow");
    assert_eq!(server.most_at_once(), 2);
    server.finish();
}

#[test]
fn a_gate_can_open_once_enough_have_come() {
    let gate = Gate::opening_at(3);
    let server = Server::start([Route::get("/x")
        .reply(Reply::raw("x").after(&gate))
        .times(3)]);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(ask(&server, "/x"), "x"));
        }
    });
    assert_eq!(server.most_at_once(), 3);
    server.finish();
}

#[test]
fn an_unexpected_request_fails_the_test() {
    let server = Server::start([
        Route::get("/once").reply(Reply::raw("")),
        Route::get("/never"),
        Route::get("/free").reply(Reply::raw("")).any_times(),
    ]);
    for target in ["/once", "/once", "/never", "/other?a=1", "/free", "/free"] {
        ask(&server, target);
    }
    assert!(ask(&server, "/other").starts_with("HTTP/1.1 418 "));
    let complaint = complaint(server);
    for expected in [
        "unexpected: GET /once (expected 1 of it)",
        "unexpected: GET /never (expected 0 of it)",
        "unexpected: GET /other?a=1 (expected 0 of it)",
    ] {
        assert!(complaint.contains(expected), "{complaint}");
    }
    assert!(!complaint.contains("unexpected: GET /free"), "{complaint}");
}

#[test]
fn a_request_that_never_came_fails_the_test() {
    let server = Server::start([Route::get("/x?a=1").reply(Reply::raw("")).times(3)]);
    ask(&server, "/x?a=1");
    let complaint = complaint(server);
    assert!(
        complaint.contains("never came: GET /x?a=1, 2 more after 1"),
        "{complaint}"
    );
}

#[test]
fn what_is_no_request_fails_the_test() {
    let server = Server::start([]);
    let mut stream = connect(&server);
    stream.write_all(b"hello\r\n\r\n").expect("write");
    assert_eq!(read_to_end(&stream), "");
    assert!(complaint(server).contains("not understood: hello"));
}

#[test]
fn dropping_the_server_judges_too() {
    let server = serve(Reply::raw(""));
    catch_unwind(AssertUnwindSafe(|| drop(server))).expect_err("it should fail");
}

#[test]
fn a_test_that_fails_already_is_not_failed_twice() {
    let panic = catch_unwind(|| {
        let _server = serve(Reply::raw(""));
        panic!("the test's own reason");
    });
    let panic = panic.expect_err("it should fail");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"the test's own reason"));
}
