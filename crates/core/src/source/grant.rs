//! Which credentials a source file refers to, and the origin each would be sent to.
//!
//! A source file may come from a stranger. It can name any environment variable, any file and any
//! server. So no credential is sent before the user has granted exactly that pair of credential and
//! origin; see [`Environment::is_granted`].
//!
//! [`Environment::is_granted`]: super::Environment::is_granted

use std::fmt;
use std::path::PathBuf;

/// Where a credential is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CredentialRef {
    /// In an environment variable of this name.
    Variable(String),
    /// In a file at this path, as written in the source file.
    File(PathBuf),
}

impl fmt::Display for CredentialRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "the environment variable `{name}`"),
            Self::File(path) => write!(f, "the file `{}`", path.display()),
        }
    }
}

/// A credential that a source sends, and its destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CredentialUse {
    /// Where the credential is.
    pub credential: CredentialRef,
    /// The only origin that it is sent to: `https://api.example.org`, with the port if that is not
    /// the default of the scheme.
    pub origin: String,
}

impl fmt::Display for CredentialUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.credential, self.origin)
    }
}
