//! Guards against filling the disk: a run fails while there is still space for other programs.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::storage::StorageError;

use super::disk::{self, Space};

/// How many bytes may be written between two checks of the disk.
const STRIDE: u64 = 8 << 20;

/// Reserved free space in bytes, except on small disks.
const RESERVE: u64 = 64 << 20;

/// On a small disk, only this fraction (1/20) is reserved.
const PART: u64 = 20;

/// The disk space available to a spool.
#[derive(Debug)]
pub(super) struct Room {
    folder: PathBuf,
    /// Bytes written since the last check.
    since: AtomicU64,
    /// Bytes that a commit will write a second time when it joins pages to a file.
    joined: AtomicU64,
}

impl Room {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            since: AtomicU64::new(0),
            joined: AtomicU64::new(0),
        }
    }

    /// Registers bytes of the spool that the commit will write a second time.
    pub(super) fn joins(&self, bytes: u64) {
        self.joined.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Registers bytes that are about to be written.
    ///
    /// # Errors
    /// If the disk is nearly full: [`StorageError::NoRoom`].
    pub(super) fn take(&self, bytes: u64) -> Result<(), StorageError> {
        let since = self.since.fetch_add(bytes, Ordering::Relaxed);
        if since.saturating_add(bytes) < STRIDE {
            return Ok(());
        }
        self.check()
    }

    /// Checks the free space.
    ///
    /// # Errors
    /// If the disk is nearly full: [`StorageError::NoRoom`].
    pub(super) fn check(&self) -> Result<(), StorageError> {
        self.since.store(0, Ordering::Relaxed);
        let Some(Space { free, total }) = disk::space(&self.folder) else {
            return Ok(());
        };
        let needed = needed(total, self.joined.load(Ordering::Relaxed));
        if free >= needed {
            return Ok(());
        }
        Err(StorageError::NoRoom {
            path: self.folder.clone(),
            free,
            needed,
        })
    }
}

/// How many bytes of a disk of this size must stay free.
fn needed(total: u64, joined: u64) -> u64 {
    RESERVE.min(total / PART).max(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_much_stays_free_that_a_commit_has_room_and_others_as_well() {
        let cases = [
            ("a large disk", 1 << 40, 0, 64 << 20),
            ("a small one", 64 << 10, 0, 3276),
            ("pages that are joined", 1 << 40, 1 << 30, 1 << 30),
            ("as many as can be counted", u64::MAX, u64::MAX, u64::MAX),
            ("none", 0, 0, 0),
        ];
        for (name, total, joined, expected) in cases {
            assert_eq!(needed(total, joined), expected, "{name}");
        }
    }

    #[test]
    fn a_disk_with_room_takes_what_comes() {
        let folder = tempfile::tempdir().unwrap();
        let room = Room::new(folder.path());
        assert!(room.check().is_ok());
        // The space of a missing folder is unknown; writing to it fails anyway.
        let room = Room::new(&folder.path().join("gone"));
        room.take(1 << 60).unwrap();
    }
}
