//! The resource of a record, and what all records have in common.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::record::Id;

/// One named collection of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resource {
    /// People.
    Users,
    /// What people publish.
    Posts,
    /// Replies to posts.
    Comments,
}

impl Resource {
    /// The name in paths, files and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Posts => "posts",
            Self::Comments => "comments",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What every record has: an id, the resource that it belongs to, and a display form.
pub trait Record: fmt::Display {
    /// The id, unique within the resource.
    fn id(&self) -> &Id;
    /// The resource it belongs to.
    fn resource(&self) -> Resource;
}
