//! Source files: read, checked, and every mistake shown as people see it.
//!
//! An input is the text of a source file.
#![no_main]

// The program's own way to show mistakes, which the library does not have.
#[rustfmt::skip]
#[path = "../../src/cli/diagnostics/mod.rs"]
mod diagnostics;

use std::env::VarError;
use std::io;
use std::path::Path;

use activity_tracker::record::{Mappings, Resource};
use activity_tracker::source::{
    Auth, CredentialUse, InvalidSource, Mistake, Source, SourceFile, Environment, Vars,
};
use annotate_snippets::Renderer;
use jiff::tz::{TimeZone, offset};
use libfuzzer_sys::fuzz_target;

/// What messages call the file; with a character that must not reach a terminal.
const FILE: &str = "a\u{1b}b.toml";
/// Two credentials that no input holds by chance.
const SECRETS: [&str; 2] = ["dC0mZbXq1-first", "yT7wKpLs9-second"];

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let file = match SourceFile::parse(FILE, text) {
        Ok(file) => file,
        Err(error) => {
            legible(&error, text);
            return;
        }
    };
    for value in ["a/b", "http://localhost:1/x/", "", "ü?{x}\n"] {
        let needed = file.vars().filter(|var| var.default.is_none());
        let vars: Vars = needed
            .map(|var| (var.name.to_owned(), value.to_owned()))
            .collect();
        resolve(&file, text, &vars);
        if vars.is_empty() {
            break;
        }
        let missing = file.resolve(&Vars::new(), &Machine(SECRETS[0]));
        assert!(missing.is_err(), "a placeholder was not filled in");
    }
    let stray = Vars::from([("no such name".to_owned(), String::new())]);
    assert!(file.resolve(&stray, &Machine(SECRETS[0])).is_err());
});

/// A machine that has every credential, and each is the same.
struct Machine(&'static str);

impl Environment for Machine {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        match name {
            "ABSENT" => Err(VarError::NotPresent),
            _ => Ok(self.0.to_owned()),
        }
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("absent") => Err(io::ErrorKind::NotFound.into()),
            _ => Ok(format!("{}\r\n", self.0)),
        }
    }

    fn is_granted(&self, _: &CredentialUse) -> bool {
        true
    }

    fn time_zone(&self, name: &str) -> Option<TimeZone> {
        let hours = name.parse().ok().filter(|hours| (-23..=23).contains(hours));
        match name {
            "UTC" => Some(TimeZone::UTC),
            _ => hours.map(|hours| TimeZone::fixed(offset(hours))),
        }
    }
}

/// Resolves a file, and checks what comes of it.
fn resolve(file: &SourceFile, text: &str, vars: &Vars) {
    let [first, second] = SECRETS.map(|secret| file.resolve(vars, &Machine(secret)));
    match (first, second) {
        (Ok(first), Ok(second)) => {
            let again = SourceFile::parse(FILE, text)
                .and_then(|file| file.resolve(vars, &Machine(SECRETS[0])));
            assert_eq!(
                again.as_ref(),
                Ok(&first),
                "a file means the same each time"
            );
            let prints = [&first, &second].map(Source::fingerprint);
            assert_eq!(prints[0], again.unwrap().fingerprint());
            assert_eq!(
                prints[0], prints[1],
                "a secret is no part of the definition"
            );
            in_order(&first);
        }
        (Err(first), Err(second)) => {
            assert_eq!(first, second, "the message hangs on the secret");
            legible(&first, text);
        }
        _ => panic!("whether a file is in order hangs on the secret"),
    }
}

/// What the rest of the program takes for granted.
fn in_order(source: &Source) {
    assert!(
        !format!("{source:?}").contains(SECRETS[0]),
        "a secret shows"
    );
    let url = &source.base_url;
    assert!(matches!(url.scheme(), "http" | "https") && url.has_host());
    assert!(url.username().is_empty() && url.password().is_none());
    assert!(url.query().is_none() && url.fragment().is_none());
    assert!(!source.name.trim().is_empty() && !source.name.contains(char::is_control));
    assert!(!source.endpoints.is_empty());
    for (resource, endpoint) in &source.endpoints {
        assert!(source.offers(*resource));
        let asked = source.url(&endpoint.path);
        assert_eq!(asked.origin(), source.base_url.origin());
        assert!(asked.query().is_none() && asked.fragment().is_none());
        if let Some(parent) = endpoint.parent {
            assert!(parent != *resource && source.endpoints.contains_key(&parent));
        }
    }
    if let Auth::Query { parameter, .. } = &source.auth {
        assert!(!parameter.is_empty());
    }
    for resource in [Resource::Users, Resource::Posts, Resource::Comments] {
        if let Ok(only) = source.clone().only(&[resource]) {
            assert!(only.offers(resource));
        }
    }
    survives_the_way_between_processes(source);
}

fn survives_the_way_between_processes(source: &Source) {
    let fields = |resource| {
        let endpoint = source.endpoints.get(&resource);
        endpoint
            .map(|endpoint| endpoint.fields.clone())
            .unwrap_or_default()
    };
    let mappings = Mappings::new(&source.time_zone, fields);
    let wire = serde_json::to_string(&mappings).unwrap();
    let read: Mappings = serde_json::from_str(&wire).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), wire);
}

/// A message is one printable line, tells no secret, and points into the file.
fn legible(error: &InvalidSource, text: &str) {
    let line = error.to_string();
    assert!(!line.contains(char::is_control), "{line:?}");
    assert!(!SECRETS.iter().any(|secret| line.contains(secret)));
    if let InvalidSource::Mistake(mistake) = error {
        points_into(mistake, text);
    }
}

fn points_into(mistake: &Mistake, text: &str) {
    let Mistake {
        line,
        text: shown,
        place,
        title,
        expected,
        ..
    } = mistake;
    let lines: Vec<_> = text.split('\n').collect();
    assert!((1..=lines.len()).contains(line), "no line {line}");
    let meant = lines[line - 1].trim_end_matches('\r');
    assert_eq!(
        shown.trim_end_matches('\r').len(),
        meant.len(),
        "another line is shown"
    );
    assert!(place.start <= place.end && place.end <= shown.len());
    assert!(shown.is_char_boundary(place.start) && shown.is_char_boundary(place.end));
    assert!(mistake.column() <= shown.chars().count() + 1);
    assert!(!title.is_empty() && !expected.is_empty());
    let report = diagnostics::render(mistake, &Renderer::plain());
    assert!(report.contains(&format!(":{line}:")), "{report}");
    let controls = report.contains(|c: char| c.is_control() && c != '\n');
    assert!(!controls, "{report:?}");
}
