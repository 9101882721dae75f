//! Fetches users, posts and comments as tasks on one thread, and says how many there are.
//!
//! `cargo run --example tasks` works offline: the sample API runs inside the program.

use std::error::Error;

use activity_tracker::Resource::{Comments, Posts, Users};
use activity_tracker::sample::{Sample, Server};
use activity_tracker::{Comment, Post, Source, User, fetch_async};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let api = Server::start(&Sample::default(), 0)?;
    let source = Source::of_shape("sample", &api.base_url())?;

    let (users, posts, comments) = tokio::try_join!(
        fetch_async(&source, Users),
        fetch_async(&source, Posts),
        fetch_async(&source, Comments),
    )?;

    println!("{} users", users.iter::<User>().count());
    println!("{} posts", posts.iter::<Post>().count());
    println!("{} comments", comments.iter::<Comment>().count());
    Ok(())
}
