//! Messages for network failures, shared by both flows.

use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

use activity_tracker_text::grouped;

use super::{Failure, TransportError};

/// The phase in which a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Making the connection.
    Connect,
    /// Waiting for the response's headers.
    ResponseHead,
    /// Reading its body.
    Body {
        /// Bytes received, as sent.
        received: u64,
        /// Bytes declared, if any.
        declared: Option<u64>,
    },
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Connect => f.write_str("while connecting"),
            Self::ResponseHead => f.write_str("while waiting for the response"),
            Self::Body { received, declared } => {
                f.write_str("while reading the body after ")?;
                let received = grouped(received);
                match declared {
                    Some(declared) => write!(f, "{received} of {} bytes", grouped(declared)),
                    None if received == "1" => f.write_str("1 byte"),
                    None => write!(f, "{received} bytes"),
                }
            }
        }
    }
}

impl Phase {
    /// The server sent nothing for this long.
    pub(super) fn timed_out(self, limit: Duration) -> TransportError {
        TransportError::new(
            Failure::Timeout,
            format!("timed out after {} {self}", seconds(limit)),
        )
    }

    /// The connection closed before the end.
    pub(super) fn closed(self) -> TransportError {
        self.lost("connection closed")
    }

    /// The chunked encoding is malformed.
    pub(super) fn malformed(self, cause: impl fmt::Display) -> TransportError {
        match self {
            Self::Body { .. } => {
                TransportError::new(Failure::Body, format!("malformed chunks {self}"))
            }
            _ => TransportError::new(Failure::NotHttp, cause.to_string()),
        }
    }

    /// An error of the operating system.
    pub(super) fn failed(self, error: &io::Error, limit: Duration) -> TransportError {
        match error.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => self.timed_out(limit),
            ErrorKind::UnexpectedEof => self.closed(),
            // Which of them it is depends on timing.
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
                self.lost("connection reset")
            }
            kind => match unreachable(kind) {
                Some(why) => TransportError::new(Failure::Connect, why),
                None => self.lost(&error.to_string()),
            },
        }
    }

    fn lost(self, what: &str) -> TransportError {
        let failure = match self {
            Self::Connect => Failure::Connect,
            Self::ResponseHead => Failure::Lost,
            Self::Body { .. } => Failure::Body,
        };
        TransportError::new(failure, format!("{what} {self}"))
    }
}

/// The headers are too long or too many.
pub(super) fn head_too_long() -> TransportError {
    TransportError::new(Failure::TooLarge, "its headers")
}

/// Why connecting failed, if the system knows.
fn unreachable(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::ConnectionRefused => "connection refused",
        ErrorKind::HostUnreachable => "host unreachable",
        ErrorKind::NetworkUnreachable => "network unreachable",
        ErrorKind::NetworkDown => "the network is down",
        ErrorKind::AddrNotAvailable => "the address is not available",
        _ => return None,
    })
}

/// `30 s`, `0.5 s`.
fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_told_with_when() {
        let body = |received, declared| Phase::Body { received, declared };
        let limit = Duration::from_secs(30);
        let of = |phase: Phase, kind: ErrorKind| phase.failed(&kind.into(), limit);
        let cases = [
            (
                of(body(1204, Some(9999)), ErrorKind::ConnectionReset),
                Failure::Body,
                "connection reset while reading the body after 1,204 of 9,999 bytes",
            ),
            (
                of(body(1, None), ErrorKind::BrokenPipe),
                Failure::Body,
                "connection reset while reading the body after 1 byte",
            ),
            (
                body(1_234_567, None).closed(),
                Failure::Body,
                "connection closed while reading the body after 1,234,567 bytes",
            ),
            (
                of(Phase::Connect, ErrorKind::ConnectionRefused),
                Failure::Connect,
                "connection refused",
            ),
            (
                of(Phase::ResponseHead, ErrorKind::HostUnreachable),
                Failure::Connect,
                "host unreachable",
            ),
            (
                of(Phase::Connect, ErrorKind::ConnectionReset),
                Failure::Connect,
                "connection reset while connecting",
            ),
            (
                of(Phase::ResponseHead, ErrorKind::TimedOut),
                Failure::Timeout,
                "timed out after 30 s while waiting for the response",
            ),
            (
                Phase::Connect.timed_out(Duration::from_millis(500)),
                Failure::Timeout,
                "timed out after 0.5 s while connecting",
            ),
            (
                of(Phase::ResponseHead, ErrorKind::UnexpectedEof),
                Failure::Lost,
                "connection closed while waiting for the response",
            ),
            (
                Phase::ResponseHead.malformed("invalid version"),
                Failure::NotHttp,
                "the response is not valid HTTP/1.1",
            ),
            (
                body(7, None).malformed("bad chunk"),
                Failure::Body,
                "malformed chunks while reading the body after 7 bytes",
            ),
        ];
        for (error, failure, words) in cases {
            assert_eq!((error.failure, &*error.to_string()), (failure, words));
        }
    }
}
