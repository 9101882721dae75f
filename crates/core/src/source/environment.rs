//! What a source needs from the machine, provided by the caller: this module reads neither the
//! environment nor the disk.

use std::env::VarError;
use std::io;
use std::path::Path;

use jiff::tz::TimeZone;

use super::CredentialUse;

/// Provides credentials and time zones.
pub trait Environment {
    /// The value of an environment variable.
    ///
    /// # Errors
    /// If it is not set, or is not Unicode.
    fn variable(&self, name: &str) -> Result<String, VarError>;

    /// The text of a file; relative paths start at the folder of the source file.
    ///
    /// # Errors
    /// If it cannot be read.
    fn file(&self, path: &Path) -> io::Result<String>;

    /// Whether this credential may be sent to this origin. If not, the source is invalid.
    fn is_granted(&self, wanted: &CredentialUse) -> bool;

    /// The time zone of an IANA name or an offset, if there is one.
    fn time_zone(&self, name: &str) -> Option<TimeZone>;
}

/// An empty environment, for sources that need nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyEnvironment;

impl Environment for EmptyEnvironment {
    fn variable(&self, _: &str) -> Result<String, VarError> {
        Err(VarError::NotPresent)
    }

    fn file(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn is_granted(&self, _: &CredentialUse) -> bool {
        false
    }

    fn time_zone(&self, name: &str) -> Option<TimeZone> {
        (name == "UTC").then_some(TimeZone::UTC)
    }
}
