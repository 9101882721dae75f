//! Secrets, which are never displayed.

use std::fmt;

use super::CredentialRef;

/// A value that must never be seen: not in a log, an error, a manifest or a spool.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    value: String,
    at: CredentialRef,
}

impl Secret {
    /// A secret value, and where it was found.
    #[must_use]
    pub fn new(value: String, at: CredentialRef) -> Self {
        Self { value, at }
    }

    /// Where it was found, which may be shown.
    #[must_use]
    pub fn at(&self) -> &CredentialRef {
        &self.at
    }

    /// The value itself, only for sending it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.value
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// How requests to the source's own origin are authenticated.
#[derive(Clone, PartialEq, Eq)]
pub enum Auth {
    /// Not at all.
    None,
    /// Not at all, because an optional credential is absent. The text gives the reason: "the
    /// environment variable `TOKEN` is not set".
    Absent(String),
    /// `Authorization: Bearer …`.
    Bearer(Secret),
    /// `Authorization: Basic …`.
    Basic {
        /// The user's name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A custom header.
    Header {
        /// Its name.
        name: http::HeaderName,
        /// Its value.
        value: Secret,
    },
    /// A query parameter.
    Query {
        /// Its name.
        parameter: String,
        /// Its value.
        value: Secret,
    },
}

impl Auth {
    /// The secret value, if there is one.
    #[must_use]
    pub fn secret(&self) -> Option<&Secret> {
        match self {
            Self::None | Self::Absent(_) => None,
            Self::Bearer(value)
            | Self::Basic {
                password: value, ..
            }
            | Self::Header { value, .. }
            | Self::Query { value, .. } => Some(value),
        }
    }
}

impl fmt::Debug for Auth {
    /// Only the method: some APIs use their key as the user name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Absent(why) => write!(f, "Absent({why})"),
            Self::Bearer(_) => f.write_str("Bearer([redacted])"),
            Self::Basic { .. } => f.write_str("Basic([redacted])"),
            Self::Header { name, .. } => write!(f, "Header({name}: [redacted])"),
            Self::Query { parameter, .. } => write!(f, "Query({parameter}=[redacted])"),
        }
    }
}

/// The rate limit of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// This many requests …
    pub requests: std::num::NonZeroU32,
    /// … in this much time, evenly spread.
    pub per: std::time::Duration,
    /// Burst size after a pause.
    pub burst: std::num::NonZeroU32,
}
