//! One file of a snapshot, as described by its manifest.

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

/// One file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Its name in the data directory.
    pub name: String,
    /// How many records it holds; `None` if it holds something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its BLAKE3 checksum in hex, as `b3sum` prints it.
    pub blake3: String,
}

/// Whether a name is that of a file in the same folder.
pub(super) fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let is_one = matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    );
    is_one && !name.ends_with('/')
}
