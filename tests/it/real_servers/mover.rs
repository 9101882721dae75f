//! A proxy in front of a server, during whose work something happens between two pages.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What is done once, before a request is passed on, while all others wait.
type Event = Box<dyn FnOnce() + Send>;

/// Passes requests on, one on each connection, until its process ends.
pub(super) struct Mover {
    address: SocketAddr,
    event: Arc<Mutex<Option<Event>>>,
}

impl Mover {
    /// Before the server at `url`, in whose first lines of requests this stands for the first page.
    pub(super) fn start(url: &str, first_page: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind a free port");
        let address = listener.local_addr().expect("the port that was bound");
        let event: Arc<Mutex<Option<Event>>> = Arc::default();
        let upstream = url.trim_start_matches("http://").to_owned();
        let shared = Arc::clone(&event);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (upstream, shared) = (upstream.clone(), Arc::clone(&shared));
                thread::spawn(move || {
                    // A client that leaves is none of ours.
                    drop(pass_on(client, &upstream, |line| {
                        let mut event = shared.lock().unwrap_or_else(PoisonError::into_inner);
                        if !line.contains(first_page)
                            && let Some(event) = event.take()
                        {
                            event();
                        }
                    }));
                });
            }
        });
        Self { address, event }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Has an event come after the first page of the next run, and before any other page, whichever of them is
    /// asked for first.
    pub(super) fn arm(&self, event: impl FnOnce() + Send + 'static) {
        let mut next = self.event.lock().unwrap_or_else(PoisonError::into_inner);
        *next = Some(Box::new(event));
    }

    /// Whether the event has come.
    pub(super) fn moved(&self) -> bool {
        let event = self.event.lock().unwrap_or_else(PoisonError::into_inner);
        event.is_none()
    }
}

fn pass_on(mut client: TcpStream, upstream: &str, before: impl FnOnce(&str)) -> io::Result<()> {
    let mut head = String::new();
    let mut lines = BufReader::new(client.try_clone()?);
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line == "\r\n" {
            break;
        }
        if !line.to_ascii_lowercase().starts_with("connection:") {
            head.push_str(&line);
        }
    }
    before(head.lines().next().unwrap_or_default());
    let mut server = TcpStream::connect(upstream)?;
    write!(server, "{head}Connection: close\r\n\r\n")?;
    io::copy(&mut server, &mut client)?;
    Ok(())
}
