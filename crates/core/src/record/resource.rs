//! Which collection a record is of, and what all records have.

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
    /// What people reply to posts.
    Comments,
}

impl Resource {
    /// The name as it stands in paths, files and messages.
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

/// What every record has: an id and the resource it belongs to, and a form for people.
pub trait Record: fmt::Display {
    /// The id, unique within the resource.
    fn id(&self) -> &Id;
    /// The resource it belongs to.
    fn resource(&self) -> Resource;
}
