//! The layout of the sources: no file imports in a circle, and no room imports one above it.
//!
//! A room is a module of the program, of `crates/core` or of `crates/report`, or a crate of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The rooms, from the ground up. A room may use those before it.
const ROOMS: [&str; 19] = [
    "text",
    "json",
    "record",
    "activity",
    "source",
    "regular_file",
    "concurrency",
    "http_server",
    "fetch",
    "system_limits",
    "storage",
    "sample",
    "history",
    "error",
    "settings",
    "pipeline",
    "report",
    "serve",
    "cli",
];

/// Where sources are, and the room that they are in, where they are all in one.
const SOURCES: [(&str, Option<&str>); 8] = [
    ("src", None),
    ("crates/core/src", None),
    ("crates/report/src", None),
    ("crates/text/src", Some("text")),
    ("crates/json/src", Some("json")),
    ("crates/concurrency/src", Some("concurrency")),
    ("crates/http_server/src", Some("http_server")),
    ("crates/sample/src", Some("sample")),
];

/// A file's path from its room on and what it imports, as paths of modules:
/// `fetch::paging::PageInfo`.
struct File {
    name: String,
    module: Vec<String>,
    imports: Vec<Vec<String>>,
    /// What it hands on under another path: the name, and where that comes from.
    hands_on: BTreeMap<String, Vec<String>>,
}

fn files() -> Vec<File> {
    let mut files = Vec::new();
    for (sources, room) in SOURCES {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(sources);
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder of sources") {
                let path = entry.expect("an entry").path();
                let name = path.strip_prefix(&root).expect("below its root");
                let name = name.to_str().expect("UTF-8");
                if path.is_dir() {
                    folders.push(path);
                } else if let Some(stem) = name.strip_suffix(".rs")
                    && !stem
                        .split('/')
                        .any(|part| matches!(part, "tests" | "fuzzing"))
                {
                    let text = fs::read_to_string(&path).expect("a source file");
                    files.push(File::read(room, stem, &text));
                }
            }
        }
    }
    files
}

impl File {
    fn read(room: Option<&str>, stem: &str, text: &str) -> Self {
        let parts = room.into_iter().chain(stem.split('/'));
        let mut module: Vec<_> = parts.map(str::to_owned).collect();
        let name = module.join("/");
        module.pop_if(|last| matches!(last.as_str(), "mod" | "lib" | "main"));
        // Tests may use whatever they like.
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let lines = code
            .lines()
            .map(|line| line.split("//").next().unwrap_or_default());
        let code = lines.collect::<Vec<_>>().join(" ");
        let (mut imports, mut hands_on) = (Vec::new(), BTreeMap::new());
        for statement in code.split(';') {
            let Some((before, tree)) = statement.rsplit_once("use ") else {
                continue;
            };
            let public = before.trim_end().ends_with("pub") || before.trim_end().ends_with(')');
            for path in leaves(tree) {
                let Some(path) = absolute(room, &module, &path) else {
                    continue;
                };
                match path.last().filter(|_| public) {
                    Some(last) => drop(hands_on.insert(last.clone(), path)),
                    None => imports.push(path),
                }
            }
        }
        Self {
            name,
            module,
            imports,
            hands_on,
        }
    }
}

/// The paths of a `use` tree: `a::{b, c::d}` has `a::b` and `a::c::d`.
fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((stem, rest)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        return vec![path.trim().to_owned()];
    };
    let inner = rest.trim_end().strip_suffix('}').unwrap_or(rest);
    let (mut paths, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let below = leaves(&inner[start..at]);
                let named = below.into_iter().filter(|path| !path.is_empty());
                paths.extend(named.map(|path| format!("{stem}{path}")));
                start = at + 1;
            }
            _ => {}
        }
    }
    paths
}

/// A path from its room on; none for a crate of others.
fn absolute(room: Option<&str>, module: &[String], path: &str) -> Option<Vec<String>> {
    let mut parts = path.split("::").filter(|part| *part != "self");
    let rest: Vec<_> = parts.clone().skip(1).map(str::to_owned).collect();
    let within = |room: Option<&str>| {
        let room = room.map(str::to_owned);
        room.into_iter().chain(rest.clone()).collect()
    };
    match parts.next()? {
        "crate" => Some(within(room)),
        // The library hands on all rooms, and these crates have several.
        "activity_tracker" | "activity_tracker_core" | "activity_tracker_report" => Some(rest),
        "super" => {
            let ups = 1 + rest.iter().take_while(|part| *part == "super").count();
            let above = module.get(..module.len().checked_sub(ups)?)?;
            Some([above, &rest[ups - 1..]].concat())
        }
        first => match first.strip_prefix("activity_tracker_") {
            Some(room) => Some(within(Some(room))),
            // A child of this module, or another crate: only the former is a file below it.
            None => Some([module, &[first.to_owned()], &rest].concat()),
        },
    }
}

/// The file that a path leads to, with what is only handed on followed to where it comes from.
fn find<'a>(by_module: &BTreeMap<&[String], &'a File>, path: &[String]) -> Option<&'a File> {
    let mut path = path.to_vec();
    // As often as something can be handed on from room to room.
    for _ in 0..8 {
        let file = (0..=path.len())
            .rev()
            .find_map(|end| by_module.get(&path[..end]))?;
        let rest = &path[file.module.len()..];
        match rest.first().and_then(|name| file.hands_on.get(name)) {
            Some(origin) if *origin != path => path = [origin, &rest[1..]].concat(),
            _ => return Some(file),
        }
    }
    None
}

/// Which files each file imports.
fn arrows(files: &[File]) -> BTreeMap<&str, BTreeSet<&str>> {
    let by_module: BTreeMap<_, _> = files.iter().map(|file| (&file.module[..], file)).collect();
    let arrows = files.iter().map(|file| {
        let found = file
            .imports
            .iter()
            .filter_map(|path| find(&by_module, path));
        let others = found.filter(|other| other.name != file.name && !other.module.is_empty());
        (&*file.name, others.map(|other| &*other.name).collect())
    });
    arrows.collect()
}

fn room(name: &str) -> &str {
    name.split('/').next().unwrap_or_default()
}

#[test]
fn no_file_imports_in_a_circle() {
    let files = files();
    let mut left = arrows(&files);
    assert!(left.len() > 200, "files were found");
    assert!(
        left.values().map(BTreeSet::len).sum::<usize>() > 600,
        "and arrows"
    );
    // Takes away whatever imports nothing that is left, or is not imported: circles remain.
    loop {
        let imported: BTreeSet<_> = left.values().flatten().copied().collect();
        let done: BTreeSet<_> = left
            .iter()
            .filter(|(name, targets)| targets.is_empty() || !imported.contains(*name))
            .map(|(name, _)| *name)
            .collect();
        if done.is_empty() {
            break;
        }
        left.retain(|name, _| !done.contains(name));
        for targets in left.values_mut() {
            targets.retain(|target| !done.contains(target));
        }
    }
    assert!(left.is_empty(), "in a circle, or between two: {left:#?}");
}

#[test]
fn no_room_imports_one_above_it() {
    let floor = |room: &str| ROOMS.iter().position(|known| *known == room);
    let files = files();
    for (name, targets) in arrows(&files) {
        let from = room(name);
        if matches!(from, "main" | "lib") {
            continue;
        }
        let own = floor(from).unwrap_or_else(|| panic!("{name} is in no room of ROOMS"));
        for target in targets {
            let to = room(target);
            let above = floor(to).is_some_and(|other| other > own);
            assert!(!above, "{name} imports {target}");
        }
    }
}
