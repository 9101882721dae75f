//! Fetches users, posts and comments as tasks and prints what came.
//!
//! `cargo run --example async_fetch` needs no network: the sample API answers.

use std::error::Error;
use std::sync::{Arc, mpsc};

use activity_tracker::concurrency::Stop;
use activity_tracker::fetch::{Fetch, Policy, SharedFetch, Transport, tasks};
use activity_tracker::record::Resource::{Comments, Posts, Users};
use activity_tracker::sample::{Sample, Server};
use activity_tracker::source::Source;
use activity_tracker::storage::{Flow, Header, Readers, Spool, Stage};
use jiff::Timestamp;

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start(&Sample::default(), 0)?;
    fetch_all(&Source::of_shape("sample", &server.base_url())?)
}

#[tokio::main(flavor = "current_thread")]
async fn fetch_all(source: &Source) -> Result<(), Box<dyn Error>> {
    let fetch = Fetch::new(Policy::default(), source, &[Users, Posts, Comments], 1);
    let transport = Transport {
        proxy: false,
        ..Transport::default()
    };
    let (folder, stop) = (tempfile::tempdir()?, Stop::new());
    let stage = Stage::open(folder.path(), (Flow::Async, Readers::Owner), None, &stop)?;
    let header = Header::new("example", Flow::Async, Timestamp::now(), source);
    let journal = Arc::new(stage.begin_spool(&header)?);
    let (whole, slices) = mpsc::channel();
    // Shared, for tasks may not borrow from whoever starts them.
    let spool = Arc::new(Spool::new(stage.staging(), journal, move |slice| {
        let _ = whole.send(slice); // the receiver outlives the fetch
        Ok(())
    }));
    tasks::fetch(&SharedFetch::new(fetch), &transport, spool, &stop, ()).await?;
    for slice in slices.try_iter() {
        println!("{slice}");
    }
    Ok(())
}
