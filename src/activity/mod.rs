//! What records mean: users, posts and comments, the processor that filters and maps them, and the
//! tally that counts them.

mod counts;
mod email;
mod models;
mod packed;
mod processor;
mod ranking;
mod sent;
mod summary;
mod tally;
mod unlinked;

pub use email::{Email, EmailDomain, InvalidDomain};
pub use models::{Address, Comment, Company, Geo, Post, User};
pub use processor::{by_email_domain, names, total};
pub(crate) use ranking::LONGEST_NAME;
pub use ranking::{NoNames, Ranker, Ranking, UserPosts, note};
pub use summary::Summary;
pub use tally::Tally;
pub use unlinked::Unlinked;
