//! Why comments cannot be matched to posts.

use std::fmt;

use serde::{Serialize, Serializer};

/// Why comments cannot be matched to posts, so that it is unknown which posts have replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlinked {
    /// The source does not map `post_id`.
    NoField,
    /// No comment has a `post_id`.
    NoValue,
}

impl fmt::Display for Unlinked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoField => "the source does not map `post_id` of comments",
            Self::NoValue => "no comment has a `post_id`",
        })
    }
}

impl Serialize for Unlinked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
