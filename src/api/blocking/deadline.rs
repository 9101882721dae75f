//! A deadline for one call into the client, whatever it does in there.
//!
//! The client limits each read from a socket. That is no limit for a call that
//! reads on and on without anything for its caller: one byte of a TLS record at
//! a time, or trailers behind the last chunk that do not end.

use std::cell::Cell;
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport,
};

thread_local! {
    /// The client works on the thread that calls it, so this needs no way through it.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Does something with the client, in which it waits for bytes for so long at most, all in all.
pub(super) fn within<T>(limit: Duration, work: impl FnOnce() -> T) -> T {
    DEADLINE.set(Instant::now().checked_add(limit));
    let done = work();
    DEADLINE.set(None);
    done
}

/// Connects as the client does, to connections that heed [`within`].
#[derive(Debug, Default)]
pub(super) struct Heedful(DefaultConnector);

impl Connector for Heedful {
    type Out = Connection;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<()>,
    ) -> Result<Option<Connection>, Error> {
        Ok(self.0.connect(details, chained)?.map(Connection))
    }
}

/// A connection, TLS and all.
#[derive(Debug)]
pub(super) struct Connection(Box<dyn Transport>);

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, mut timeout: NextTimeout) -> Result<bool, Error> {
        if let Some(deadline) = DEADLINE.get() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Timeout(timeout.reason));
            }
            timeout.after = timeout.after.min(left.into());
        }
        self.0.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}
