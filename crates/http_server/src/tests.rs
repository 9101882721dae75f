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

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(30);

/// Long enough to send a request, and short enough to wait for.
const SHORT: Duration = Duration::from_secs(1);

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

fn start<F, R>(limits: Limits, respond: F) -> HttpServer
where
    F: Fn(Uri) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Body> + Send + 'static,
{
    let config = ServerConfig {
        thread: "test-server",
        grace: Duration::ZERO,
        limits: Some(limits),
    };
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    HttpServer::start(address, config, |_| Router::new().fallback(respond)).unwrap()
}

/// Connects and sends a part of a request.
fn send(server: &HttpServer, text: &str) -> TcpStream {
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.set_read_timeout(Some(LONG / 2)).unwrap();
    client.write_all(text.as_bytes()).unwrap();
    client
}

fn read_all(mut client: TcpStream) -> String {
    let mut response = String::new();
    client.read_to_string(&mut response).unwrap();
    response
}

fn is_served(client: TcpStream) -> bool {
    read_all(client).starts_with("HTTP/1.1 200 OK\r\n")
}

#[test]
fn all_clients_are_served_up_to_the_limit_at_once() {
    let limits = Limits {
        connections: 2,
        headers: LONG,
        stall: LONG,
        patience: LONG,
    };
    let (now, max) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    // Only two can pass it together.
    let pair = Arc::new(Barrier::new(2));
    let counted = Arc::clone(&max);
    let server = start(limits, move |_| {
        let (now, max, pair) = (Arc::clone(&now), Arc::clone(&max), Arc::clone(&pair));
        async move {
            let here = now.fetch_add(1, Ordering::SeqCst) + 1;
            max.fetch_max(here, Ordering::SeqCst);
            pair.wait().await;
            now.fetch_sub(1, Ordering::SeqCst);
            Body::empty()
        }
    });
    let clients: Vec<_> = (0..8).map(|_| send(&server, REQUEST)).collect();
    assert!(clients.into_iter().all(is_served));
    assert_eq!(counted.load(Ordering::SeqCst), 2);
}

#[test]
fn a_waiting_client_is_served_when_another_disconnects() {
    let limits = Limits {
        connections: 2,
        headers: LONG,
        stall: LONG,
        patience: LONG,
    };
    let server = start(limits, |_| future::ready(Body::empty()));
    let idle = [send(&server, ""), send(&server, "GET / HT")];
    let waiting = send(&server, REQUEST);
    drop(idle);
    assert!(is_served(waiting));
}

#[test]
fn idle_clients_time_out() {
    let limits = Limits {
        connections: 3,
        headers: SHORT,
        stall: LONG,
        patience: LONG,
    };
    let server = start(limits, |_| future::ready(Body::empty()));
    let idle = send(&server, "");
    let half = send(&server, "GET / HTTP/1.1\r\nHost: local");
    let kept = send(&server, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(is_served(send(&server, REQUEST)));
    assert_eq!((read_all(idle), read_all(half)), Default::default());
    assert!(is_served(kept), "and closed then");
}

#[test]
fn clients_that_do_not_read_time_out() {
    let limits = Limits {
        connections: 1,
        headers: LONG,
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
    assert!(is_served(send(&server, REQUEST)));
}

#[test]
fn a_slow_response_does_not_time_out() {
    let limits = Limits {
        connections: 2,
        headers: SHORT,
        stall: SHORT,
        patience: LONG,
    };
    let ready = Arc::new(Notify::new());
    let wait = Arc::clone(&ready);
    let server = start(limits, move |_| {
        let wait = Arc::clone(&wait);
        async move {
            wait.notified().await;
            Body::empty()
        }
    });
    let patient = send(&server, REQUEST);
    // Closed by its timeout, so the other one has waited for longer.
    assert_eq!(read_all(send(&server, "")), "");
    ready.notify_one();
    assert!(is_served(patient));
}

/// Evicts clients as soon as they are behind.
const NO_PATIENCE: Limits = Limits {
    connections: 64,
    headers: LONG,
    stall: LONG,
    patience: Duration::ZERO,
};

#[test]
fn idle_clients_do_not_block_a_new_one() {
    let server = start(NO_PATIENCE, |_| future::ready(Body::empty()));
    let idle: Vec<_> = (0..NO_PATIENCE.connections)
        .map(|_| send(&server, ""))
        .collect();
    assert!(is_served(send(&server, REQUEST)));
    // The one that was idle for longest is closed.
    let first = idle.into_iter().next().unwrap();
    assert_eq!(read_all(first), "");
}

#[test]
fn slow_readers_do_not_block_a_new_one() {
    let server = start(NO_PATIENCE, |uri| {
        let endless = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[0; 1 << 14])));
        future::ready(match uri.path() {
            "/endless" => Body::from_stream(endless),
            _ => Body::empty(),
        })
    });
    let request = "GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let slow: Vec<_> = (0..NO_PATIENCE.connections)
        .map(|_| {
            let mut client = send(&server, request);
            client.read_exact(&mut [0; 100]).unwrap();
            client
        })
        .collect();
    assert!(is_served(send(&server, REQUEST)));
    drop(slow);
}
