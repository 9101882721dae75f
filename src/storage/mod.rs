//! What is kept: pages as they arrive, segments of output, and the snapshot
//! that appears whole.

mod commit;
mod outputs;
mod segment;
mod spool;

pub use commit::{Snapshot, Stage, Staging};
pub use outputs::{Counts, Flow, Manifest, Output, StoredFile, write_json, write_records};
pub use segment::{Layout, Place, Segment, SegmentWriter};
pub use spool::{Slice, Spool, SpoolSink};
