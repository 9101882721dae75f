use std::future::{self, Future};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::Uri;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::{Barrier, Notify};

use super::*;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// Long enough to send what a test sends, and short enough to wait for.
const SHORT: Duration = Duration::from_secs(1);

const ASK: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

fn start<F, R>(limits: Limits, respond: F) -> HttpServer
where
    F: Fn(Uri) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Body> + Send + 'static,
{
    let manner = Manner {
        thread: "test-server",
        grace: Duration::ZERO,
        limits: Some(limits),
    };
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    HttpServer::start(address, manner, |_| Router::new().fallback(respond)).unwrap()
}

/// Connects and sends this much of a request.
fn send(server: &HttpServer, text: &str) -> TcpStream {
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.set_read_timeout(Some(LONG / 2)).unwrap();
    client.write_all(text.as_bytes()).unwrap();
    client
}

fn read_all(mut client: TcpStream) -> String {
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

fn is_answered(client: TcpStream) -> bool {
    read_all(client).starts_with("HTTP/1.1 200 OK\r\n")
}

#[test]
fn no_more_clients_than_the_limit_are_served_at_once_and_all_of_them_in_the_end() {
    let limits = Limits {
        connections: 2,
        head: LONG,
        stall: LONG,
        patience: LONG,
    };
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    // Nobody passes it alone, so there are two at once whenever there is one.
    let pair = Arc::new(Barrier::new(2));
    let counted = Arc::clone(&most);
    let server = start(limits, move |_| {
        let (now, most, pair) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&pair));
        async move {
            let here = now.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(here, Ordering::SeqCst);
            pair.wait().await;
            now.fetch_sub(1, Ordering::SeqCst);
            Body::empty()
        }
    });
    let clients: Vec<_> = (0..8).map(|_| send(&server, ASK)).collect();
    assert!(clients.into_iter().all(is_answered));
    assert_eq!(counted.load(Ordering::SeqCst), 2);
}

#[test]
fn who_waits_is_answered_as_soon_as_somebody_goes() {
    let limits = Limits {
        connections: 2,
        head: LONG,
        stall: LONG,
        patience: LONG,
    };
    let server = start(limits, |_| future::ready(Body::empty()));
    let silent = [send(&server, ""), send(&server, "GET / HT")];
    let waiting = send(&server, ASK);
    drop(silent);
    assert!(is_answered(waiting));
}

#[test]
fn clients_with_nothing_to_say_make_room_for_others() {
    let limits = Limits {
        connections: 3,
        head: SHORT,
        stall: LONG,
        patience: LONG,
    };
    let server = start(limits, |_| future::ready(Body::empty()));
    let silent = send(&server, "");
    let half = send(&server, "GET / HTTP/1.1\r\nHost: local");
    let kept = send(&server, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(is_answered(send(&server, ASK)));
    assert_eq!((read_all(silent), read_all(half)), Default::default());
    assert!(is_answered(kept), "and closed then");
}

#[test]
fn clients_that_take_nothing_of_their_answer_make_room_for_others() {
    let limits = Limits {
        connections: 1,
        head: LONG,
        stall: SHORT,
        patience: LONG,
    };
    let server = start(limits, |uri| {
        let endless = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[0; 1 << 14])));
        future::ready(match uri.path() {
            "/endless" => Body::from_stream(endless),
            _ => Body::empty(),
        })
    });
    let _greedy = send(&server, "GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(is_answered(send(&server, ASK)));
}

#[test]
fn an_answer_that_takes_its_time_is_waited_for() {
    let limits = Limits {
        connections: 2,
        head: SHORT,
        stall: SHORT,
        patience: LONG,
    };
    let ready = Arc::new(Notify::new());
    let made = Arc::clone(&ready);
    let server = start(limits, move |_| {
        let made = Arc::clone(&made);
        async move {
            made.notified().await;
            Body::empty()
        }
    });
    let patient = send(&server, ASK);
    // Closed when its own time is over, so the other one has waited for longer.
    assert_eq!(read_all(send(&server, "")), "");
    ready.notify_one();
    assert!(is_answered(patient));
}

/// Places that are given up as soon as their clients are behind.
const SOON: Limits = Limits {
    connections: 64,
    head: LONG,
    stall: LONG,
    patience: Duration::ZERO,
};

#[test]
fn clients_that_say_nothing_do_not_keep_out_a_new_one() {
    let server = start(SOON, |_| future::ready(Body::empty()));
    let silent: Vec<_> = (0..SOON.connections).map(|_| send(&server, "")).collect();
    assert!(is_answered(send(&server, ASK)));
    // The one that was silent for longest has gone.
    let first = silent.into_iter().next().unwrap();
    assert_eq!(read_all(first), "");
}

#[test]
fn clients_that_read_slowly_do_not_keep_out_a_new_one() {
    let server = start(SOON, |uri| {
        let endless = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[0; 1 << 14])));
        future::ready(match uri.path() {
            "/endless" => Body::from_stream(endless),
            _ => Body::empty(),
        })
    });
    let ask = "GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let slow: Vec<_> = (0..SOON.connections)
        .map(|_| {
            let mut client = send(&server, ask);
            client.read_exact(&mut [0; 100]).unwrap();
            client
        })
        .collect();
    assert!(is_answered(send(&server, ASK)));
    drop(slow);
}
