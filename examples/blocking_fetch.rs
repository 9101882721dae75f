//! Fetches users and posts on threads and prints each user's name.
//!
//! `cargo run --example blocking_fetch` needs no network: the sample API answers.

use std::{error::Error, sync::Arc, sync::mpsc};

use activity_tracker::activity::names;
use activity_tracker::concurrency::Stop;
use activity_tracker::fetch::{Fetch, Policy, SharedFetch, Transport, blocking};
use activity_tracker::record::Resource::{Posts, Users};
use activity_tracker::record::{Mapping, map};
use activity_tracker::sample::{Sample, Server};
use activity_tracker::source::Source;
use activity_tracker::storage::{Flow, Header, Readers, Spool, Stage};
use jiff::Timestamp;

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start(&Sample::default(), 0)?;
    let source = Source::of_shape("sample", &server.base_url())?;
    let fetch = Fetch::new(Policy::default(), &source, &[Users, Posts], 1);
    let transport = Transport {
        proxy: false,
        ..Transport::default()
    };

    // Answers are kept in a folder; one that is whole is announced in slices.
    let (folder, stop) = (tempfile::tempdir()?, Stop::new());
    let stage = Stage::open(folder.path(), (Flow::Main, Readers::Owner), None, &stop)?;
    let header = Header::new("example", Flow::Main, Timestamp::now(), &source);
    let journal = Arc::new(stage.begin_spool(&header)?);
    let (whole, slices) = mpsc::channel();
    let spool = Spool::new(stage.staging(), journal, move |slice| {
        let _ = whole.send(slice); // the receiver outlives the fetch
        Ok(())
    });
    blocking::fetch(&SharedFetch::new(fetch), &transport, &spool, &stop, &())?;

    let mapping = Mapping::placeholder(Users);
    for users in slices.try_iter().filter(|slice| slice.resource == Users) {
        for name in names(map(&users.place.read(stage.folder())?, &mapping)) {
            println!("{}", name?);
        }
    }
    Ok(())
}
