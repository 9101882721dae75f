//! Filter, map and reduce over the records of a run.
//!
//! `cargo run --example functional` works offline: the sample API runs inside the program.

use std::error::Error;

use activity_tracker::Resource::{Posts, Users};
use activity_tracker::sample::{Sample, Server};
use activity_tracker::{EmailDomain, Post, Settings, Snapshot, Source, User, run};

fn main() -> Result<(), Box<dyn Error>> {
    let api = Server::start(&Sample::default(), 0)?;
    let source = Source::of_shape("sample", &api.base_url())?;
    let folder = tempfile::tempdir()?;
    run(&Settings::new(source, folder.path()))?;

    let snapshot = Snapshot::open(folder.path())?;
    let (users, posts) = (snapshot.records(Users)?, snapshot.records(Posts)?);

    // Nothing is read before somebody asks: iterators are lazy, like Python's generators.
    let biz = EmailDomain::default();
    let names = users
        .iter::<User>()
        .filter_map(Result::ok)
        .filter(|user| user.email.as_ref().is_some_and(|email| biz.contains(email)))
        .map(|user| user.to_string());
    for name in names.take(3) {
        println!("{name}");
    }

    let longest = posts
        .iter::<Post>()
        .filter_map(Result::ok)
        .map(|post| post.raw().len())
        .fold(0, usize::max);
    println!("the longest post has {longest} bytes");
    Ok(())
}
