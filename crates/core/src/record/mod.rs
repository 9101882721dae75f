//! Any record: its id, the fields that a source names, times, and why one is rejected. A record
//! borrows its bytes from the page and is never changed.

mod fields;
mod from_raw;
mod id;
mod ids;
mod mapper;
mod mapping;
mod reject;
mod resource;
mod shape;
mod slice_reader;
mod time;
mod time_format;

pub use fields::{Field, FieldMap, FieldPath};
pub use from_raw::FromRaw;
pub use id::{CommentId, Id, PostId, UserId};
pub use ids::IdSet;
pub use ids::hash as hash_text;
pub use mapper::{Mapped, Rejected, map};
pub(crate) use mapping::Standing;
pub use mapping::{Fields, FromFields, Mapping, Mappings};
pub use reject::Reject;
pub use resource::{Record, Resource};
pub use time::Time;
pub use time_format::{InvalidFormat, TimeFormat};
