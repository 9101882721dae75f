//! What the history takes in: entries, and the step of a run, on any bytes.
//!
//! The first line of an input says what the rest is:
//!
//! - `entries`: bytes that a history might hold.
//! - `file`: a file in the place of a step.
//! - `step BASE`: rows of a step that was compared with the run BASE, one a line: `of NAME FIRST`
//!   a resource, `span NAME FIRST LAST`, `text NAME ID`, `block NAME NUMBER BYTES`, `added NAME ID`,
//!   `changed NAME ID`, `removed NAME ID`. What is no number is a text.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use activity_tracker::fuzzing::{StepRow, StepValue, Taken, take_bytes, take_rows};
use activity_tracker::history::{Entries, Entry, EntryWriter, Malformed};
use activity_tracker_fuzz::first_line;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (kind, rest) = first_line(input);
    match kind {
        b"entries" => entries_are_read_to_their_damage(rest),
        b"file" => {
            let taken = take_bytes(&FOLDER, rest).expect("a file that can be written");
            holds(&taken, rest.len() as u64);
        }
        _ => step(kind, rest),
    }
});

/// A folder of this process for the step.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("fuzz-history-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for steps");
    folder
});

/// Nothing comes behind what is damaged, and what was read can be written and read again.
fn entries_are_read_to_their_damage(bytes: &[u8]) {
    let read: Vec<Result<Entry, Malformed>> = Entries::new(bytes).collect();
    let damaged = read.iter().position(Result::is_err);
    assert!(damaged.is_none_or(|at| at + 1 == read.len()));
    let sound: Vec<Entry> = read.into_iter().flatten().collect();
    assert!(
        sound.len() <= bytes.len() / 10,
        "each takes ten bytes at least"
    );
    let mut writer = EntryWriter::default();
    for entry in &sound {
        writer.push(entry);
    }
    let written = writer.take();
    let again: Result<Vec<Entry>, Malformed> = Entries::new(written).collect();
    assert_eq!(again, Ok(sound));
}

/// A step is taken as a whole or not at all, and writes no more than it has room for.
fn step(kind: &[u8], rest: &[u8]) {
    let kind = String::from_utf8_lossy(kind);
    let base = kind.split_once(' ').map_or(kind.as_ref(), |(_, base)| base);
    let mut rows: Vec<StepRow> = vec![("run", run(base))];
    let text = String::from_utf8_lossy(rest);
    rows.extend(text.lines().filter_map(row));
    let of = |table| rows.iter().filter(move |row| row.0 == table);
    let bytes: usize = of("entries").map(|row| length(&row.1)).sum();
    let most = bytes + of("changes").count();
    let taken = take_rows(&FOLDER, &rows).expect("a step that can be written");
    holds(&taken, most as u64);
}

fn holds(taken: &Taken, most: u64) {
    assert!(taken.whole, "{taken:?}");
    assert!(
        taken.records <= most && taken.changes <= most,
        "{taken:?} {most}"
    );
    let runs = u64::from(taken.applied == Some(true));
    assert_eq!(taken.runs, runs, "{taken:?}");
    if runs == 0 {
        assert_eq!((taken.records, taken.changes), (0, 0), "{taken:?}");
    }
}

fn run(base: &str) -> Vec<StepValue> {
    let mut values: Vec<_> = ["r", "s", "main", "", ""].map(word).into();
    values.extend([StepValue::Number(0), word(base)]);
    values
}

/// The row that a line stands for, if it does.
fn row(line: &str) -> Option<StepRow> {
    let mut words = line.split(' ');
    let kind = words.next()?;
    let resource = word(words.next()?);
    let mut rest: Vec<StepValue> = words.map(word).collect();
    let number = StepValue::Number;
    match kind {
        "of" => {
            let first = rest.pop()?;
            let mut values = vec![resource, word("x")];
            values.extend([0, 0, 0].map(number));
            values.extend([first, number(1), number(1), number(2), number(3)]);
            Some(("collections", values))
        }
        "span" => {
            rest.insert(0, resource);
            Some(("spans", rest))
        }
        "text" => {
            let id = rest.pop()?;
            Some(("spans", vec![resource, id.clone(), id]))
        }
        "block" => {
            let bytes = match rest.pop()? {
                StepValue::Number(length) => vec![0; usize::try_from(length % 5000).ok()?],
                StepValue::Text(text) => text.into_bytes(),
                other => unreachable!("{other:?}"),
            };
            Some((
                "entries",
                vec![resource, rest.pop()?, StepValue::Bytes(bytes)],
            ))
        }
        "added" | "changed" | "removed" => {
            let mut values = vec![StepValue::Null, resource, rest.pop()?, word(kind)];
            values.resize(9, StepValue::Null);
            Some(("changes", values))
        }
        _ => None,
    }
}

fn word(text: &str) -> StepValue {
    text.parse()
        .map_or_else(|_| StepValue::Text(text.to_owned()), StepValue::Number)
}

fn length(values: &[StepValue]) -> usize {
    values.iter().fold(0, |length, value| match value {
        StepValue::Bytes(bytes) => length + bytes.len(),
        _ => length,
    })
}
