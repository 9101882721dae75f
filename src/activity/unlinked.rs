//! Why it is not known which posts comments are on.

use std::fmt;

use serde::{Serialize, Serializer};

/// Why it is not known which posts comments are on, and so which posts have an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlinked {
    /// The source maps no such field.
    NoField,
    /// None of the comments has a value there.
    NoValue,
}

impl fmt::Display for Unlinked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoField => "the source maps no `post_id` of comments",
            Self::NoValue => "no comment has a `post_id`, which names its post",
        })
    }
}

impl Serialize for Unlinked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
