//! Secrets, which do not show themselves.

use std::fmt;

use super::CredentialRef;

/// A value that must never be seen: not in a log, an error, a manifest or a spool.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    value: String,
    at: CredentialRef,
}

impl Secret {
    /// Takes a value in, and where it was found.
    #[must_use]
    pub fn new(value: String, at: CredentialRef) -> Self {
        Self { value, at }
    }

    /// Where it was found, which may be shown.
    #[must_use]
    pub fn at(&self) -> &CredentialRef {
        &self.at
    }

    /// The value itself, for the one place that sends it.
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

/// How requests to the source's own origin are authorised.
#[derive(Clone, PartialEq, Eq)]
pub enum Auth {
    /// Not at all.
    None,
    /// Not at all, since an optional credential is absent. Says which one and how:
    /// "the environment variable `TOKEN` is not set".
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
    /// A header of its own.
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
    /// The value that must not be seen, where there is one.
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
    /// The way alone: some APIs take their key for the user's name.
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

/// How often a source may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// This many requests …
    pub requests: std::num::NonZeroU32,
    /// … in this much time, evenly spread.
    pub per: std::time::Duration,
    /// How many may come at once after a pause.
    pub burst: std::num::NonZeroU32,
}
