//! Who may read what runs write.

use std::path::Path;

use crate::storage::StorageError;

use super::disk;

/// Who may read a snapshot. Records hold e-mail addresses, so it is their owner alone,
/// unless a person says otherwise. Nobody else may ever write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Readers {
    /// The user who ran the program.
    #[default]
    Owner,
    /// Their group too.
    Group,
    /// Everybody on the machine.
    All,
}

impl Readers {
    /// The permissions of files, as the system counts them.
    #[must_use]
    pub fn file_mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Group => 0o640,
            Self::All => 0o644,
        }
    }

    /// The permissions of folders, as the system counts them.
    #[must_use]
    pub fn folder_mode(self) -> u32 {
        match self {
            Self::Owner => 0o700,
            Self::Group => 0o750,
            Self::All => 0o755,
        }
    }

    /// Lets them read a file, and nobody else.
    pub(crate) fn of_file(self, path: &Path) -> Result<(), StorageError> {
        disk::set_file_mode(path, self.file_mode())
    }

    /// Lets them look into a folder, and nobody else.
    pub(super) fn of_folder(self, path: &Path) -> Result<(), StorageError> {
        disk::set_folder_mode(path, self.folder_mode())
    }
}
