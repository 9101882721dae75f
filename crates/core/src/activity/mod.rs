//! The meaning of records: users, posts and comments, how they are filtered and mapped, and how
//! activity is counted and ranked.

mod activity_counts;
mod counts_codec;
mod email;
mod id_counts;
mod models;
mod packed;
mod processor;
mod ranking;
mod summary;
mod unlinked;

pub use activity_counts::ActivityCounts;
pub use email::{Email, EmailDomain, InvalidDomain};
pub use models::{Address, Comment, Company, Geo, Post, User};
pub use processor::{by_email_domain, names, total};
pub use ranking::MAX_NAME;
pub use ranking::{InvalidUsers, Ranker, Ranking, UserPosts, encode_user};
pub use summary::Summary;
pub use unlinked::Unlinked;
