//! What a source takes from the machine, handed in by the program: this module
//! reads neither the environment nor the disk.

use std::env::VarError;
use std::io;
use std::path::Path;

use jiff::tz::TimeZone;

use super::CredentialUse;

/// Where credentials and time zones come from.
pub trait Environment {
    /// The value of an environment variable.
    ///
    /// # Errors
    /// When it is not set, or is not Unicode.
    fn variable(&self, name: &str) -> Result<String, VarError>;

    /// The text of a file, whose path is taken from the folder of the source file.
    ///
    /// # Errors
    /// When it cannot be read.
    fn file(&self, path: &Path) -> io::Result<String>;

    /// Whether this credential may be sent to this origin. Where not, there is no source to
    /// fetch with.
    fn is_granted(&self, wanted: &CredentialUse) -> bool;

    /// The time zone of an IANA name or an offset, if there is one.
    fn time_zone(&self, name: &str) -> Option<TimeZone>;
}

/// Surroundings with nothing in them, for sources that take nothing.
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
