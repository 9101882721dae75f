//! Storage: raw pages, segments of output, and atomically committed snapshots.

mod commit;
mod disk;
mod error;
mod journal;
mod manifest;
mod names;
mod output;
mod outputs;
mod readers;
mod room;
mod segment;
mod slice;
mod snapshots;
mod spool;
mod stage;
mod stored;
mod stored_file;
mod take_over;
mod verify;
mod version_0;
mod workspace;

pub use disk::replace;
pub(crate) use disk::{
    create_private, folder_of, reader as read, remove_file as remove, rename, sync_file as sync,
    sync_folder,
};
pub use error::{NotRecords, ReceiveError, StageError, StorageError};
pub use journal::{Header, Journal, Journaled, Sum};
pub use manifest::{CarriedFrom, Counts, Manifest, read_json};
pub use output::{Flow, Output};
pub use outputs::{Pages, write_json, write_records};
pub use readers::Readers;
pub use segment::{Layout, Place, Segment, SegmentWriter};
pub use slice::Slice;
pub use snapshots::{StoredSnapshot, folder_of as snapshot_folder};
pub(crate) use spool::PageHasher;
pub use spool::{Choice, Spool, SpoolSink, WholePage};
pub use stage::{NewSnapshot, Snapshot, Stage, Staging};
pub(crate) use stage::{lock, settle};
pub use stored::{Chunk, Chunks};
pub use stored_file::StoredFile;
pub use verify::{Verified, VerifiedEarlier, is_whole, names_stand, verify, verify_earlier};
pub use workspace::STAGING;

/// A file of the data directory with the changes of a run that are not yet in the history.
pub(crate) const NEXT_CHANGES_FILE: &str = ".history-next.db";
