//! What a run costs besides its records: writing output files, and deciding what to fetch.
//!
//! `cargo bench --bench run_path`. The writer works in the system's folder for
//! temporary files: set `TMPDIR` to a memory disk to leave the disk out.
#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot begin has nothing to tell"
)]

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use activity_tracker_core::fetch::{Fetch, Now, Policy, Received, ResponseHead, Step};
use activity_tracker_core::record::Resource;
use activity_tracker_core::source::{EmptyEnvironment, Source, SourceFile, Vars};
use activity_tracker_core::storage::{
    Flow, Header, Journal, Layout, Pages, Readers, SegmentWriter, Stage, write_records,
};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

fn main() {
    divan::main();
}

/// Segments of a mebibyte each, joined into a file, hashed and synced.
#[divan::bench]
fn write_array(bencher: Bencher) {
    const SEGMENTS: u64 = 16;
    let folder = tempfile::tempdir().expect("a folder");
    let stop = activity_tracker_concurrency::Stop::new();
    let stage =
        Stage::open(folder.path(), (Flow::Main, Readers::Owner), None, &stop).expect("a stage");
    let source = Source::jsonplaceholder().expect("the source");
    let header = Header::new("bench", Flow::Main, jiff::Timestamp::UNIX_EPOCH, &source);
    let journal: Arc<Journal> = Arc::new(stage.begin_spool(&header).expect("a journal"));
    let record = format!("{{\"text\": \"{}\"}}", "x".repeat(300));
    let segment = || {
        let mut writer = SegmentWriter::new(Layout::ARRAY);
        while writer.bytes().len() < 1024 * 1024 {
            writer.push(&record);
        }
        writer.write(stage.folder(), "segments").expect("a segment")
    };
    let segments: Vec<_> = (0..SEGMENTS).map(|_| segment()).collect();
    let pages = Pages {
        journal: &journal,
        stay: false,
    };
    let bytes: u64 = segments.iter().map(|segment| segment.place.length).sum();
    bencher.counter(BytesCount::new(bytes)).bench(|| {
        let folders = (stage.folder(), stage.folder());
        let name = "posts.json".to_owned();
        write_records(folders, name, Layout::ARRAY, &segments, pages).expect("a file")
    });
}

/// A thousand numbered pages: requested, received, and checked against the total.
#[divan::bench]
fn decide(bencher: Bencher) {
    const PAGES: u64 = 1000;
    let text = "name = 'forum'\nbase_url = 'http://api.test'\n[posts]\npath = '/posts'\n\
        pagination = { page = 'page', size = { n = 10 } }\ntotal = { header = 'x-total' }\n\
        [posts.fields]\nuser_id = 'userId'\n";
    let file = SourceFile::parse("forum.toml", text).expect("a source file");
    let source = file
        .resolve(&Vars::new(), &EmptyEnvironment)
        .expect("a source");
    let total = HeaderValue::from(10 * PAGES);
    let headers = HeaderMap::from_iter([(HeaderName::from_static("x-total"), total)]);
    let head = ResponseHead {
        status: StatusCode::OK,
        headers,
    };
    let now = Now {
        instant: Instant::now(),
        wall: SystemTime::now(),
    };
    bencher.counter(ItemsCount::new(PAGES)).bench(|| {
        let mut fetch = Fetch::new(Policy::default(), &source, &[Resource::Posts], 1);
        let mut pages = 0;
        while let Step::Send(ask) = fetch.step(now.instant).expect("a step") {
            fetch.head(ask.id, &head, now).expect("a verdict");
            pages += 1;
            let received = Received {
                bytes: 1000,
                records: 10,
                digest: Some(pages),
                body: serde_json::Value::Null,
                overlap: false,
                first: None,
                last: None,
            };
            fetch.received(ask.id, &received).expect("a page");
        }
        assert_eq!(pages, u128::from(PAGES));
    });
}
