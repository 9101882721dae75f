//! Fetches users and posts on two threads, and prints each user's name.
//!
//! `cargo run --example threads` works offline: the sample API runs inside the program.

use std::{error::Error, thread};

use activity_tracker::Resource::{Posts, Users};
use activity_tracker::sample::{Sample, Server};
use activity_tracker::{Post, Source, User, fetch};

fn main() -> Result<(), Box<dyn Error>> {
    let api = Server::start(&Sample::default(), 0)?;
    let source = Source::of_shape("sample", &api.base_url())?;

    let (users, posts) = thread::scope(|scope| {
        let users = scope.spawn(|| fetch(&source, Users));
        let posts = fetch(&source, Posts);
        (users.join(), posts)
    });

    for user in users.map_err(|_| "a thread panicked")??.iter::<User>() {
        println!("{}", *user?);
    }
    println!("{} posts", posts?.iter::<Post>().count());
    Ok(())
}
