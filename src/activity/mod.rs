//! What records mean: models, the mapper that reads them, the processor that
//! filters and maps them, and the tally that counts them.

mod counts;
mod email;
mod fields;
mod id;
mod ids;
mod mapper;
mod mapping;
mod models;
mod packed;
mod processor;
mod ranking;
mod reader;
mod rows;
mod sent;
mod shape;
mod stops;
mod summary;
mod tally;
mod time;
mod unlinked;
mod value;

pub use email::{Email, EmailDomain, InvalidDomain};
pub use fields::{Field, FieldMap, FieldPath, InvalidPath, JsonPath, MissingKey};
pub use id::{CommentId, Id, PostId, UserId};
pub use ids::IdSet;
pub(crate) use ids::hash as hash_text;
pub use mapper::{FromFields, Mapped, Reject, Rejected, map};
pub(crate) use mapping::Standing;
pub use mapping::{Fields, Mapping, Mappings};
pub use models::{Address, Comment, Company, Geo, Post, Record, Resource, User};
pub use processor::{by_email_domain, names, total};
pub(crate) use ranking::LONGEST_NAME;
pub use ranking::{NoNames, Ranker, Ranking, UserPosts, note};
pub use summary::Summary;
pub use tally::Tally;
pub use time::{InvalidFormat, Time, TimeFormat};
pub use unlinked::Unlinked;
pub use value::{FromRaw, Mismatch, Object, Sound, Text};
