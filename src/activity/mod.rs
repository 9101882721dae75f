//! What records mean: models, the mapper that reads them, the processor that
//! filters and maps them, and the tally that counts them.

mod email;
mod fields;
mod id;
mod mapper;
mod models;
mod processor;
mod summary;
mod tally;

pub use email::{Email, EmailDomain, InvalidDomain};
pub use fields::{Field, FieldMap, FieldPath, InvalidPath, JsonPath};
pub use id::{CommentId, Id, PostId, UserId};
pub use mapper::{Mapped, Reject, map};
pub use models::{Address, Comment, Company, Geo, Post, Record, Resource, Text, User};
pub use processor::{by_email_domain, names, total};
pub use summary::{Summary, UserPosts};
pub use tally::Tally;
