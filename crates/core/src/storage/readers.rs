//! Who may read the files that runs write.

use std::path::Path;

use crate::storage::StorageError;

use super::disk;

/// Who may read a snapshot. Records contain e-mail addresses, so by default only their owner may.
/// Nobody else may ever write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Readers {
    /// The user who runs the program.
    #[default]
    Owner,
    /// The user's group too.
    Group,
    /// Everyone on the machine.
    All,
}

impl Readers {
    /// The permission bits of files.
    #[must_use]
    pub fn file_mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Group => 0o640,
            Self::All => 0o644,
        }
    }

    /// The permission bits of folders.
    #[must_use]
    pub fn folder_mode(self) -> u32 {
        match self {
            Self::Owner => 0o700,
            Self::Group => 0o750,
            Self::All => 0o755,
        }
    }

    /// Lets these readers read a file, and nobody else.
    pub(crate) fn of_file(self, path: &Path) -> Result<(), StorageError> {
        disk::set_file_mode(path, self.file_mode())
    }

    /// Lets these readers list and enter a folder, and nobody else.
    pub(super) fn of_folder(self, path: &Path) -> Result<(), StorageError> {
        disk::set_folder_mode(path, self.folder_mode())
    }
}
