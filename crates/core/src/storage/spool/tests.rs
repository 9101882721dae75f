//! Pages in and out of the spool.

use super::*;
use crate::fetch::Position;
use crate::record::Resource;
use crate::source::Source;
use crate::storage::{Flow, Header, Journaled, Readers, Stage};
use activity_tracker_concurrency::Stop;
use std::fs;
use std::sync::mpsc::{Receiver, channel};
use url::Url;

/// A spool in a folder of its own, and the slices that come out of it.
struct Place {
    spool: Spool,
    slices: Receiver<Slice>,
    stage: Stage,
    folder: tempfile::TempDir,
}

fn header() -> Header {
    let source = Source::jsonplaceholder().unwrap();
    Header::new("1", Flow::Main, jiff::Timestamp::UNIX_EPOCH, &source)
}

impl Place {
    fn new() -> Self {
        Self::resumed(tempfile::tempdir().unwrap(), |stage| {
            stage.begin_spool(&header()).unwrap()
        })
    }

    fn resumed(folder: tempfile::TempDir, journal: impl Fn(&Stage) -> Journal) -> Self {
        let (sender, slices) = channel();
        let stage = Stage::open(
            folder.path(),
            (Flow::Main, Readers::Owner),
            None,
            &Stop::new(),
        )
        .unwrap();
        let journal = Arc::new(journal(&stage));
        let spool = Spool::new(stage.staging(), journal, move |slice| {
            sender.send(slice).unwrap();
            Ok(())
        });
        Self {
            spool,
            slices,
            stage,
            folder,
        }
    }

    /// The run ends, and another one goes on with its pages.
    fn cut_off(self) -> Self {
        let Self {
            spool,
            stage,
            folder,
            ..
        } = self;
        drop((spool, stage));
        Self::resumed(folder, |stage| {
            let left = stage.unfinished().unwrap().unwrap();
            assert_eq!(left.header.misfit(&header()), None);
            stage.resume_spool(left).unwrap()
        })
    }

    fn file(&self, number: u64) -> std::path::PathBuf {
        self.stage
            .folder()
            .join(format!("spool/posts-{number}.page"))
    }
}

/// Page `number` of the posts, whose records are at `path`.
fn page(number: u64, path: &str) -> Page {
    let url = Url::parse(&format!("http://api.test/posts?_page={number}")).unwrap();
    Page {
        records_at: Arc::new(path.parse().unwrap()),
        one_of_many: true,
        ..Page::of_records(Resource::Posts, &url, Position::default().then(number))
    }
}

fn receive_at(place: &Place, path: &str, pieces: &[&[u8]]) -> Result<Received, ReceiveError> {
    let mut sink = place.spool.open(page(3, path))?;
    pieces.iter().try_for_each(|piece| sink.write(piece))?;
    let (received, whole) = sink.finish()?;
    whole.keep(&PageInfo::default())?;
    Ok(received)
}

fn receive(place: &Place, pieces: &[&[u8]]) -> Result<Received, ReceiveError> {
    receive_at(place, "", pieces)
}

#[test]
fn a_long_page_is_cut_at_records_and_nothing_is_lost() {
    let place = Place::new();
    let record = format!("{{\"text\":\"{}\"}}", "x".repeat(300_000));
    let text = format!("[\n  {}\n]", [record.as_str(); 10].join(",\n  "));
    let pieces: Vec<_> = text.as_bytes().chunks(65_536).collect();
    let received = receive(&place, &pieces).unwrap();
    assert_eq!((received.bytes, received.records), (text.len() as u64, 10));
    assert_eq!(fs::read_to_string(place.file(3)).unwrap(), text);
    let slices: Vec<_> = place.slices.try_iter().collect();
    let counts: Vec<_> = slices
        .iter()
        .map(|s| (s.position.to_string(), s.first, s.records))
        .collect();
    let expected = [("3-0", 0, 4), ("3-1", 4, 4), ("3-2", 8, 2)];
    assert_eq!(
        counts,
        expected.map(|(at, first, records)| (at.to_owned(), first, records))
    );
    for slice in &slices {
        let bytes = slice.place.read(place.stage.folder()).unwrap();
        let expected = vec![record.as_str(); usize::try_from(slice.records).unwrap()].join(",\n  ");
        assert!(bytes == expected.as_bytes());
    }
}

#[test]
fn what_is_wrapped_around_the_records_is_not_kept() {
    let cases: [(&[u8], &[u8]); 3] = [
        (
            br#"{"data": [ {"id":1}, {"id":2} ], "next": "/posts?key=secret"}"#,
            br#"[ {"id":1}, {"id":2} ]"#,
        ),
        (br#"{"next": "secret", "data":[]}"#, b"[]"),
        (br#"{"next": "secret", "data":[1 ]}"#, b"[1 ]"),
    ];
    for (text, stored) in cases {
        for size in [1, 7, 100] {
            let place = Place::new();
            let pieces: Vec<_> = text.chunks(size).collect();
            let received = receive_at(&place, "data", &pieces).unwrap();
            assert!(received.body["next"].as_str().unwrap().contains("secret"));
            assert_eq!(received.bytes, text.len() as u64);
            assert_eq!(fs::read(place.file(3)).unwrap(), stored);
            for slice in place.slices.try_iter() {
                let bytes = slice.place.read(place.stage.folder()).unwrap();
                assert_eq!(bytes, stored[1..stored.len() - 1].trim_ascii());
            }
        }
    }
}

#[test]
fn a_page_that_is_not_whole_leaves_no_slices() {
    let place = Place::new();
    let message = receive(&place, &[b"[{\"id\":1},{"])
        .unwrap_err()
        .to_string();
    assert_eq!(
        message,
        "cannot read posts from http://api.test/posts?_page=3: the JSON array is not closed: it ends after 11 bytes"
    );
    assert_eq!(place.slices.try_iter().count(), 0);
}

#[test]
fn an_empty_array_is_a_page_without_slices() {
    let place = Place::new();
    assert_eq!(receive(&place, &[b"[", b"]"]).unwrap().records, 0);
    assert_eq!(place.slices.try_iter().count(), 0);
}

#[test]
fn a_page_that_was_kept_comes_out_as_it_went_in() {
    for (path, text) in [
        ("", "[ {\"id\":1},\n{\"id\":2}] "),
        ("data", "{\"data\":[1,2]}"),
    ] {
        let place = Place::new();
        let received = receive_at(&place, path, &[text.as_bytes()]).unwrap();
        let slices: Vec<_> = place.slices.try_iter().collect();
        let place = place.cut_off();
        let recalled = place.spool.recall(&page(3, path)).unwrap().unwrap();
        let again = &recalled.received;
        assert_eq!(
            (again.records, again.digest),
            (received.records, received.digest)
        );
        recalled.whole.keep(&recalled.info).unwrap();
        assert_eq!(place.slices.try_iter().collect::<Vec<_>>(), slices);
        // It stands in the journal once.
        let journaled = Journaled::read(&place.stage.folder().join("spool")).unwrap();
        assert_eq!(journaled.unwrap().pages(), 1);
    }
}

/// All that there is.
struct Everything;

impl Choice for Everything {}

#[test]
fn a_page_that_is_torn_or_another_is_not_recalled() {
    type Spoil = fn(&std::path::Path);
    let spoils: [Spoil; 4] = [
        |file| fs::remove_file(file).unwrap(),
        |file| fs::write(file, "[{\"id\":1}").unwrap(),
        |file| fs::write(file, "[{\"id\":3}]").unwrap(),
        |file| fs::write(file, "").unwrap(),
    ];
    for spoil in spoils {
        let place = Place::new();
        receive(&place, &[b"[{\"id\":1}]"]).unwrap();
        spoil(&place.file(3));
        let place = place.cut_off();
        assert!(place.spool.recall(&page(3, "")).unwrap().is_none());
        assert!(place.spool.replay(&Everything, &()).is_err());
    }
    let place = Place::new();
    receive(&place, &[b"[{\"id\":1}]"]).unwrap();
    let place = place.cut_off();
    assert!(place.spool.recall(&page(4, "")).unwrap().is_none());
    let moved = Page {
        subject: page(5, "").subject,
        ..page(3, "")
    };
    assert!(place.spool.recall(&moved).unwrap().is_none());
}

#[test]
fn a_journal_is_read_as_far_as_it_is_whole() {
    let place = Place::new();
    receive(&place, &[b"[{\"id\":1}]"]).unwrap();
    let path = place.stage.folder().join("spool/journal.ndjson");
    let whole = fs::read(&path).unwrap();
    let journaled = Journaled::parse(&whole).unwrap();
    assert_eq!((journaled.pages(), journaled.complete), (1, false));
    for length in 0..whole.len() {
        let cut = Journaled::parse(&whole[..length]);
        assert_eq!(cut.map_or(0, |cut| cut.pages()), 0, "{length}");
    }
    // What a crash left half-written is cut off before the journal goes on.
    let torn = [&whole[..], b"{\"page\":{\"reso"].concat();
    fs::write(&path, torn).unwrap();
    let place = place.cut_off();
    receive(&place, &[b"[{\"id\":2}]"]).unwrap();
    let journaled = Journaled::parse(&fs::read(&path).unwrap()).unwrap();
    assert_eq!((journaled.pages(), journaled.entries.len()), (1, 2));
}

#[test]
fn a_slice_of_the_shortest_records_is_bounded_too() {
    let place = Place::new();
    let text = format!("[{}]", vec!["0"; 40_000].join(","));
    receive(&place, &[text.as_bytes()]).unwrap();
    let records: Vec<_> = place.slices.try_iter().map(|slice| slice.records).collect();
    assert_eq!(records, [16_384, 16_384, 7_232]);
}

#[test]
fn slices_of_an_answer_that_breaks_off_are_known_for_such_before_it_comes_again() {
    let place = Place::new();
    let Place { spool, slices, .. } = place;
    let spool = spool.streaming();
    let single = || Page {
        one_of_many: false,
        ..page(0, "")
    };
    let record = format!("\"{}\"", "x".repeat(700_000));
    let begin = || {
        let mut sink = spool.open(single()).unwrap();
        sink.write(format!("[{record},{record},").as_bytes())
            .unwrap();
        (sink, slices.try_recv().unwrap().response.unwrap())
    };
    let (broken, first) = begin();
    assert!(!spool.journal.broke_off(first) && !spool.journal.is_whole(first));
    drop(broken);
    assert!(spool.journal.broke_off(first));
    let (mut whole, second) = begin();
    whole.write(b"1]").unwrap();
    whole
        .finish()
        .unwrap()
        .1
        .keep(&PageInfo::default())
        .unwrap();
    assert!(spool.journal.is_whole(second) && !spool.journal.broke_off(second));
    assert!(!spool.journal.is_whole(first));
}
