//! The journal of a run's pages, on any bytes: it is read as far as it is whole, and so is a
//! spool folder that it is in.
//!
//! An input is a journal, as a crash may have left it. Behind a line `===` the page of its first
//! line may follow, behind another one that of its second line, and so on: the journal's line is
//! given the page's length and checksum then, for nobody finds those by trying.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use activity_tracker::fetch::{Event, Observer};
use activity_tracker::concurrency::Stop;
use activity_tracker::storage::{Choice, Flow, Journal, Journaled, Readers, Slice, Spool, Stage};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|input: &[u8]| {
    let parts = parts(input);
    let Some(whole) = Journaled::parse(parts[0]) else {
        return;
    };
    let lines = parts[0].iter().filter(|byte| **byte == b'\n').count();
    assert!(
        (whole.pages() as usize) < lines,
        "the first line is the run, each further one a page at most"
    );
    a_torn_tail_changes_nothing(parts[0], &whole);
    less_was_written_means_fewer_pages(parts[0], &whole);
    if parts.len() > 1 {
        play(parts[0], &parts[1..]);
    }
});

/// The journal and the pages. The journal's last line keeps its end.
fn parts(input: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = input;
    while let Some(at) = rest.windows(5).position(|bytes| bytes == b"\n===\n") {
        parts.push(&rest[..at + usize::from(parts.is_empty())]);
        rest = &rest[at + 5..];
    }
    parts.push(rest);
    parts
}

/// What a crash left half-written is no line.
fn a_torn_tail_changes_nothing(input: &[u8], whole: &Journaled) {
    if input.ends_with(b"\n") {
        let torn = [input, b"{\"page\":{\"resource\":\"posts\",\"posi"].concat();
        assert_eq!(Journaled::parse(&torn).as_ref(), Some(whole));
    }
}

/// A journal that was cut off anywhere says nothing that the whole one does not.
fn less_was_written_means_fewer_pages(input: &[u8], whole: &Journaled) {
    let cuts = [input.len() / 2, input.len() - 1];
    for cut in cuts {
        if let Some(part) = Journaled::parse(&input[..cut]) {
            assert_eq!(part.header, whole.header);
            assert!(part.pages() <= whole.pages() && part.planned() <= whole.planned());
            assert!(whole.complete || !part.complete);
        }
    }
}

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let name = format!("activity-tracker-fuzz-journal-{}", std::process::id());
    std::env::temp_dir().join(name)
});

/// Plays a spool folder: each record of each page comes out in a slice, once, or it is an error.
fn play(journal: &[u8], pages: &[&[u8]]) {
    let kept = FOLDER.join("raw");
    fs::create_dir_all(&kept).expect("make a folder");
    let Some(journaled) = Journaled::parse(&with_sums(journal, pages, &kept)) else {
        return;
    };
    let stop = Stop::new();
    let data_dir = FOLDER.join("data");
    let stage = Stage::open(&data_dir, (Flow::Main, Readers::Owner), None, &stop);
    let stage = stage.expect("a stage");
    let journal = Arc::new(Journal::read_only(&kept, journaled));
    let slices = Arc::new(Mutex::new(Vec::<Slice>::new()));
    let spool = Spool::new(stage.staging(), journal, {
        let slices = Arc::clone(&slices);
        move |slice| {
            slices.lock().expect("the slices").push(slice);
            Ok(())
        }
    });
    let told = Told::default();
    if spool.replay(&All, &told).is_ok() {
        let slices = slices.lock().expect("the slices");
        let cut: u64 = slices.iter().map(|slice| slice.records).sum();
        assert_eq!(cut, told.0.load(Ordering::SeqCst));
        for slice in slices.iter() {
            let bytes = slice
                .place
                .read(stage.folder())
                .expect("the bytes of a slice");
            assert_eq!(bytes.len() as u64, slice.place.length);
        }
    }
    drop(stage);
    fs::remove_dir_all(&kept).expect("remove the folder");
}

/// Every page, with every record.
struct All;

impl Choice for All {}

/// How many records were told of.
#[derive(Default)]
struct Told(AtomicU64);

impl Observer for Told {
    fn on(&self, event: Event) {
        if let Event::Fetched { records, .. } = event {
            self.0.fetch_add(records, Ordering::SeqCst);
        }
    }
}

/// Writes the pages of a journal's lines, and gives the journal their lengths and checksums.
fn with_sums(journal: &[u8], pages: &[&[u8]], folder: &Path) -> Vec<u8> {
    let mut pages = pages.iter();
    let mut mended = Vec::new();
    for line in journal.split_inclusive(|byte| *byte == b'\n') {
        let mut value: Value = serde_json::from_slice(line).unwrap_or_default();
        let name = value.get("page").and_then(name);
        let Some((name, page)) = name.and_then(|name| Some((name, pages.next()?))) else {
            mended.extend_from_slice(line);
            continue;
        };
        fs::write(folder.join(name), page).expect("write a page");
        value["page"]["bytes"] = json!(page.len());
        // The name of the field in journals of earlier versions, which some seeds are.
        value["page"].as_object_mut().map(|page| page.remove("blake3"));
        value["page"]["checksum"] = json!(blake3::hash(page).to_hex().to_string());
        mended.extend_from_slice(value.to_string().as_bytes());
        mended.push(b'\n');
    }
    mended
}

/// What the file of a page is called; none where that cannot be its name.
fn name(page: &Value) -> Option<String> {
    let resource = page["resource"].as_str()?;
    if !["users", "posts", "comments"].contains(&resource) {
        return None;
    }
    let numbers = page["position"].as_array()?.iter().take(8);
    let numbers = numbers.map(|number| number.as_u64().map(|number| number.to_string()));
    let numbers = numbers.collect::<Option<Vec<_>>>()?;
    Some(format!("{resource}-{}.page", numbers.join("-")))
}
