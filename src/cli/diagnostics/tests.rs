//! How mistakes in source files are shown.
//!
//! The source files are in `*.txt` beside this one, each below a line that names its mistake; `…`
//! stands for a valid head, `␛` for the control character.

use std::env::VarError;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use activity_tracker::source::{CredentialUse, Environment, InvalidSource, SourceFile, Vars};
use annotate_snippets::Renderer;
use jiff::tz::TimeZone;

/// No mistake may show this.
const SECRET: &str = "hunter2";

const HEAD: &str = "name = \"forum\"\nbase_url = \"https://forum.example.org\"\n";

/// A machine on which some credentials are unusable.
struct Machine;

impl Environment for Machine {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        match name {
            "EMPTY" => Ok(String::new()),
            "LINES" => Ok(format!("{SECRET}\n{SECRET}")),
            "COLON" => Ok(format!("a:{SECRET}")),
            "BYTES" => Err(VarError::NotUnicode(SECRET.into())),
            "SET" => Ok(SECRET.to_owned()),
            _ => Err(VarError::NotPresent),
        }
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("closed.txt") => Err(io::ErrorKind::PermissionDenied.into()),
            Some("empty.txt") => Ok("\n".to_owned()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn is_granted(&self, _: &CredentialUse) -> bool {
        true
    }

    fn time_zone(&self, name: &str) -> Option<TimeZone> {
        (name == "UTC").then_some(TimeZone::UTC)
    }
}

fn trouble(text: &str) -> Option<InvalidSource> {
    let known = [("repo", "a/b"), ("site", "example.org")];
    SourceFile::parse("forum.toml", text)
        .and_then(|file| {
            let declared = |name: &str| file.vars().any(|var| var.name == name);
            let given = known.into_iter().filter(|(name, _)| declared(name));
            let given: Vars = given.map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            file.resolve(&given, &Machine)
        })
        .err()
}

fn shown(text: &str) -> String {
    match trouble(text) {
        Some(InvalidSource::Mistake(mistake)) => {
            let shown = format!("{mistake} {mistake:?}");
            assert!(!shown.contains(SECRET), "{shown}");
            super::render(&mistake, &Renderer::plain())
        }
        other => format!("{other:?}"),
    }
}

/// Shows the mistake of each file, below what is wrong with it.
fn gallery(cases: &str) -> String {
    let mut all = String::new();
    for case in cases.strip_prefix("## ").unwrap().split("\n## ") {
        let (what, text) = case.split_once('\n').unwrap();
        let text = text.trim_end_matches('\n');
        let shown = shown(&text.replace("…\n", HEAD).replace('␛', "\u{1b}"));
        assert!(!shown.contains(SECRET), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown}");
        let _ = write!(all, "## {what}\n{shown}\n\n");
    }
    all
}

#[test]
fn mistakes_of_writing_are_shown_in_their_line() {
    insta::assert_snapshot!("writing", gallery(include_str!("writing.txt")));
}

#[test]
fn mistakes_of_meaning_are_shown_in_their_line() {
    insta::assert_snapshot!("meaning", gallery(include_str!("meaning.txt")));
}

#[test]
fn credentials_are_refused_where_they_do_not_belong_and_never_shown() {
    insta::assert_snapshot!("credentials", gallery(include_str!("credentials.txt")));
}

#[test]
fn the_log_gets_a_mistake_in_one_line() {
    let text = format!("{HEAD}[posts]\npath = \"p\"\nrecord = \"data\"");
    insta::assert_snapshot!(trouble(&text).unwrap(), @"forum.toml:5:1: unknown key `record`: expected `path`, `query`, `records`, `pagination`, `total`, `pages`, `total_counts_hidden`, `truncated`, `past_end`, `ignore` or `fields`; did you mean `records`?");
}

#[test]
fn a_mistake_in_any_prefix_of_a_file_can_be_shown() {
    for (length, _) in include_str!("../../../crates/core/sources/github.toml").char_indices() {
        let text = &include_str!("../../../crates/core/sources/github.toml")[..length];
        if let Some(InvalidSource::Mistake(mistake)) = trouble(text) {
            assert!(super::render(&mistake, &Renderer::styled()).contains("forum.toml:"));
        }
    }
}

#[test]
fn a_file_whose_name_has_control_characters_does_not_steer_the_terminal() {
    let Err(InvalidSource::Mistake(mistake)) = SourceFile::parse("a\u{1b}[2Jb.toml", "") else {
        panic!("an empty file is in order");
    };
    let shown = super::render(&mistake, &Renderer::plain());
    assert!(shown.contains("a\\u{1b}[2Jb.toml:1:1"), "{shown}");
}

#[test]
fn no_control_character_of_a_file_reaches_the_terminal() {
    for control in (0..=0x9f)
        .filter_map(char::from_u32)
        .filter(|c| c.is_control() && *c != '\n')
    {
        for text in [
            format!("é{control}[31m = 5"),
            format!("name = 5 # {control}[31m"),
            format!("\"\\u{:04x}[31m\" = 5", u32::from(control)),
        ] {
            if let Some(InvalidSource::Mistake(mistake)) = trouble(&text) {
                let shown = super::render(&mistake, &Renderer::plain());
                let controls = shown.contains(|c: char| c.is_control() && c != '\n');
                assert!(!controls, "{shown:?}");
            }
        }
    }
}
