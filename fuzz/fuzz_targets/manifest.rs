//! The manifest of a snapshot, on any bytes: whatever it says, only the data directory is looked
//! at, and nothing in it is changed.
//!
//! An input is a manifest, as somebody may have put it beside some files.
#![no_main]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use activity_tracker::report::ActivityReport;
use activity_tracker::storage::{Manifest, StoredFile, StoredSnapshot, verify};
use libfuzzer_sys::fuzz_target;

/// The files that a manifest may be of.
const FILES: [(&str, &str); 3] = [
    (
        "users.json",
        r#"[{"id": 1, "name": "A", "username": "a", "email": "a@x.biz"}]"#,
    ),
    (
        "posts.json",
        r#"[{"id": 1, "userId": 1, "title": "t", "body": "b"}]"#,
    ),
    ("summary.json", "{}\n"),
];

static DATA_DIR: LazyLock<PathBuf> = LazyLock::new(|| {
    let name = format!("activity-tracker-fuzz-manifest-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).expect("make a folder");
    for (name, text) in FILES {
        fs::write(folder.join(name), text).expect("write a file");
    }
    folder
});

fuzz_target!(|input: &[u8]| {
    let data_dir = DATA_DIR.as_path();
    fs::write(data_dir.join("manifest.json"), input).expect("write the manifest");
    let before = files(data_dir);
    let is_manifest = serde_json::from_slice::<Manifest>(input).is_ok();
    assert_eq!(StoredSnapshot::all(data_dir).is_ok(), is_manifest);
    match verify(data_dir) {
        Ok(found) => {
            assert!(is_manifest);
            for snapshot in found {
                only_sound_files_are_whole(&snapshot.snapshot.manifest, &snapshot.damaged, data_dir);
            }
        }
        Err(error) => assert!(!is_manifest, "{error}"),
    }
    let reported = ActivityReport::of(data_dir, 3);
    assert!(is_manifest || reported.is_err());
    assert_eq!(files(data_dir), before);
});

/// What a manifest names is damaged, unless it is one of the files and has that length and checksum.
/// So is what it names elsewhere, whatever is there.
fn only_sound_files_are_whole(manifest: &Manifest, damaged: &[PathBuf], data_dir: &Path) {
    // The manifest lies beside them, and no manifest holds its own checksum.
    let is_sound = |file: &StoredFile| {
        FILES.iter().any(|(name, text)| {
            *name == file.name
                && text.len() as u64 == file.bytes
                && blake3::hash(text.as_bytes()).to_hex().as_str() == file.blake3
        })
    };
    let expected = manifest.files.iter().filter(|file| !is_sound(file));
    let expected: Vec<_> = expected.map(|file| data_dir.join(&file.name)).collect();
    assert_eq!(damaged, expected);
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("list the folder");
    let file = |path: PathBuf| (path.clone(), fs::read(path).expect("read a file"));
    entries
        .map(|entry| file(entry.expect("an entry").path()))
        .collect()
}
