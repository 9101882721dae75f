//! A connection with a write timeout.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::slots::Slot;

/// A stream whose writes fail with a timeout if the client does not read.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    write_timeout: Option<Duration>,
    /// Runs while the client does not read.
    timer: Option<Pin<Box<Sleep>>>,
    /// Records the transferred bytes.
    slot: Option<Arc<Slot>>,
}

impl Connection {
    /// Without a timeout, writes wait as long as the client.
    pub(super) fn new(
        stream: TcpStream,
        write_timeout: Option<Duration>,
        slot: Option<Arc<Slot>>,
    ) -> Self {
        Self {
            stream,
            write_timeout,
            timer: None,
            slot,
        }
    }

    fn transferred(&self, bytes: usize) {
        if let Some(slot) = self.slot.as_ref().filter(|_| bytes > 0) {
            slot.transferred(bytes);
        }
    }

    fn with_timeout(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = written {
            self.transferred(bytes);
        }
        let (Poll::Pending, Some(write_timeout)) = (&written, self.write_timeout) else {
            self.timer = None;
            return written;
        };
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep(write_timeout)));
        let elapsed = timer.as_mut().poll(context);
        elapsed.map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.with_timeout(context, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, buffers);
        this.with_timeout(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        let bytes = buffer.filled().len().saturating_sub(before);
        if let Some(slot) = this.slot.as_ref().filter(|_| bytes > 0) {
            slot.received(bytes);
        }
        read
    }
}
