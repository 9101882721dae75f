//! The sources that come with the program: data files that anyone can read and copy.

use super::mistake::nearest;
use super::{InvalidSource, SourceFile};

/// A source that comes with the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// Its name on the command line.
    pub name: &'static str,
    /// The text of its file, verbatim.
    pub text: &'static str,
}

/// All of them, in display order.
pub const BUILT_IN: [BuiltIn; 5] = [
    BuiltIn {
        name: "jsonplaceholder",
        text: include_str!("../../sources/jsonplaceholder.toml"),
    },
    BuiltIn {
        name: super::SAMPLE,
        text: include_str!("../../sources/sample.toml"),
    },
    BuiltIn {
        name: "wordpress",
        text: include_str!("../../sources/wordpress.toml"),
    },
    BuiltIn {
        name: "github",
        text: include_str!("../../sources/github.toml"),
    },
    BuiltIn {
        name: "json-server-v1",
        text: include_str!("../../sources/json-server-v1.toml"),
    },
];

impl BuiltIn {
    /// The built-in source of that name.
    ///
    /// # Errors
    /// If there is none; the error suggests the nearest name.
    pub fn named(name: &str) -> Result<Self, InvalidSource> {
        let found = BUILT_IN.into_iter().find(|source| source.name == name);
        found.ok_or_else(|| InvalidSource::Unknown {
            name: name.to_owned(),
            nearest: nearest(name, BUILT_IN.map(|source| source.name)).map(str::to_owned),
        })
    }

    /// Parses its file.
    ///
    /// # Errors
    /// Never in practice: a test reads all of them.
    pub fn file(self) -> Result<SourceFile, InvalidSource> {
        SourceFile::parse(&format!("sources/{}.toml (built in)", self.name), self.text)
    }
}
