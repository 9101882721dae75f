//! What is kept: pages as they arrive, segments of output, and the snapshot
//! that appears whole.

mod commit;
mod disk;
mod journal;
mod outputs;
mod segment;
mod spool;
mod stage;
mod verify;

pub use commit::STAGING;
pub use journal::{Header, Journal, Journaled, Sum};
pub use outputs::{
    Counts, Flow, Manifest, Output, Pages, StoredFile, read_json, write_json, write_records,
};
pub use segment::{Layout, Place, Segment, SegmentWriter};
pub use spool::{Slice, Spool, SpoolSink, WholePage};
pub use stage::{NewSnapshot, Snapshot, Stage, Staging};
pub use verify::{Verified, is_whole, verify};
