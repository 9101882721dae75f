//! The files of a snapshot: their names and layouts.

use serde::{Deserialize, Serialize};

use crate::record::Resource;

use super::segment::Layout;

/// The two flows, which have separate files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flow {
    /// Uses threads and worker processes.
    Main,
    /// Uses async tasks.
    Async,
}

impl Flow {
    /// Both flows.
    pub const BOTH: [Self; 2] = [Self::Main, Self::Async];

    /// The name as used in files and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Async => "async",
        }
    }

    /// The name of one of this flow's files: `users.json` or `users_async.json`.
    #[must_use]
    pub fn file_name(self, stem: &str) -> String {
        self.file_name_with(stem, "json")
    }

    fn file_name_with(self, stem: &str, extension: &str) -> String {
        match self {
            Self::Main => format!("{stem}.{extension}"),
            Self::Async => format!("{stem}_async.{extension}"),
        }
    }
}

/// Whether a snapshot may contain a file of this name. Other names are ignored, even if a manifest
/// lists them.
pub(super) fn is_public(name: &str) -> bool {
    let stems = ["manifest", "summary"].into_iter();
    let stems = stems.chain(Output::ALL.map(Output::stem));
    let ends = [".json", ".ndjson", "_async.json", "_async.ndjson"];
    stems
        .filter_map(|stem| name.strip_prefix(stem))
        .any(|end| ends.contains(&end))
}

/// The files that hold records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// All users.
    Users,
    /// All posts.
    Posts,
    /// All comments.
    Comments,
    /// The users that match the e-mail filter.
    FilteredUsers,
    /// The names of all users.
    UserNames,
    /// Users as embedded in the posts and comments they wrote, with duplicates. Not stored: the
    /// user list is built from them if an API does not list users.
    Authors,
    /// The display name of each user. Not stored: input for the summary.
    Called,
    /// The rejected records, each with its location and the reason.
    Rejected,
}

impl Output {
    /// All outputs.
    pub(super) const ALL: [Self; 8] = [
        Self::Users,
        Self::Posts,
        Self::Comments,
        Self::FilteredUsers,
        Self::UserNames,
        Self::Authors,
        Self::Called,
        Self::Rejected,
    ];

    /// The output that holds all records of a resource.
    #[must_use]
    pub fn all_of(resource: Resource) -> Self {
        match resource {
            Resource::Users => Self::Users,
            Resource::Posts => Self::Posts,
            Resource::Comments => Self::Comments,
        }
    }

    /// The file's name without its flow and extension.
    #[must_use]
    pub fn stem(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Posts => "posts",
            Self::Comments => "comments",
            Self::FilteredUsers => "filtered_users",
            Self::UserNames => "user_names",
            Self::Authors => "authors",
            Self::Called => "called",
            Self::Rejected => "rejected",
        }
    }

    /// The file's name in a flow: `users.json`, `rejected_async.ndjson`.
    #[must_use]
    pub fn file_name(self, flow: Flow) -> String {
        match self {
            Self::Rejected => flow.file_name_with(self.stem(), "ndjson"),
            _ => flow.file_name(self.stem()),
        }
    }

    /// How its records are laid out in the file.
    #[must_use]
    pub fn layout(self) -> Layout {
        match self {
            Self::Rejected => Layout::LINES,
            Self::Called => Layout::NOTHING_BETWEEN,
            _ => Layout::ARRAY,
        }
    }

    /// The resource that it is made from; `None` if it is made from all of them.
    #[must_use]
    pub fn resource(self) -> Option<Resource> {
        match self {
            Self::Users | Self::FilteredUsers | Self::UserNames | Self::Authors | Self::Called => {
                Some(Resource::Users)
            }
            Self::Posts => Some(Resource::Posts),
            Self::Comments => Some(Resource::Comments),
            Self::Rejected => None,
        }
    }
}
