//! Remembered consent: one JSON line for each pair of credential and origin, in the user's state
//! directory. Deleting a line makes the program ask again.

use std::collections::BTreeSet;
use std::env;
use std::fs::{DirBuilder, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use activity_tracker::regular_file;
use activity_tracker::text::count;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::cli::printing;

/// The maximum size of the file in bytes.
const LONGEST: u64 = 1024 * 1024;

/// A credential, and the origin that it may be sent to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Grant {
    /// `env:NAME`, or `file:` and the absolute path.
    pub(super) credential: String,
    /// `https://api.example.org`.
    pub(super) origin: String,
}

/// The remembered grants, and their file.
pub(super) struct Remembered {
    /// `None` if neither `XDG_STATE_HOME` nor `HOME` is set.
    path: Option<PathBuf>,
    grants: BTreeSet<Grant>,
    /// Whether the last line lacks its newline, as after a crash.
    torn: bool,
    /// Whether the file exists and cannot be used.
    unusable: bool,
}

impl Remembered {
    /// Reads the remembered grants. A file that cannot be read grants nothing.
    pub(super) fn load() -> Self {
        Self::at(state_file(&|name| env::var_os(name).map(PathBuf::from)))
    }

    pub(super) fn at(path: Option<PathBuf>) -> Self {
        let text = path.as_deref().map_or(Ok(Vec::new()), read);
        let unusable = text.is_err();
        let text = text.unwrap_or_else(|error| {
            let path = path.as_deref().unwrap_or(Path::new("")).display();
            warn!(%path, %error, "cannot read the remembered credential grants");
            printing::print_note(&format!(
                "warning: cannot read {path}, where allowed credentials are remembered: {error}"
            ));
            Vec::new()
        });
        let mut grants = BTreeSet::new();
        let mut damaged = 0;
        // Lines of bytes: one that is not UTF-8 does not affect the others.
        for line in text.split(|&byte| byte == b'\n') {
            match serde_json::from_slice(line) {
                Ok(grant) => {
                    grants.insert(grant);
                }
                Err(_) if line.trim_ascii().is_empty() => {}
                Err(_) => damaged += 1,
            }
        }
        if damaged > 0 {
            let (path, lines) = (
                path.as_deref().unwrap_or(Path::new("")).display(),
                count(damaged, "damaged line"),
            );
            warn!(%path, damaged, "ignored damaged lines of remembered credential grants");
            printing::print_note(&format!(
                "warning: ignored {lines} in {path}, where allowed credentials are remembered; remove them with an editor"
            ));
        }
        Self {
            grants,
            torn: text.last().is_some_and(|&byte| byte != b'\n'),
            unusable,
            path,
        }
    }

    pub(super) fn has(&self, grant: &Grant) -> bool {
        self.grants.contains(grant)
    }

    /// Remembers more grants. If that fails, they apply to this run only, with a warning.
    pub(super) fn add<'a>(&mut self, grants: impl Iterator<Item = &'a Grant>) {
        let new: BTreeSet<_> = grants.filter(|grant| !self.has(grant)).cloned().collect();
        if new.is_empty() {
            return;
        }
        let written = match &self.path {
            Some(_) if self.unusable => Err(io::Error::other("it cannot be read")),
            Some(path) => append(path, &new, self.torn),
            None => Err(io::Error::other("neither XDG_STATE_HOME nor HOME is set")),
        };
        if let Err(error) = written {
            warn!(%error, "cannot remember which credentials are allowed");
            printing::print_note(&format!(
                "warning: allowed for this run only, because it cannot be remembered{}: {error}",
                self.path
                    .as_deref()
                    .map_or(String::new(), |path| format!(" in {}", path.display()))
            ));
        }
        self.grants.extend(new);
    }
}

/// The file of grants, by the XDG Base Directory Specification.
fn state_file(variable: &dyn Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |path: PathBuf| Some(path).filter(|path| path.is_absolute());
    let state = variable("XDG_STATE_HOME").and_then(absolute).or_else(|| {
        let home = variable("HOME").and_then(absolute)?;
        Some(home.join(".local/state"))
    })?;
    Some(state.join("activity-tracker/trusted.ndjson"))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = match regular_file::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    expect_own(&file.metadata()?, "it", "600")?;
    if let Some(folder) = path.parent() {
        // Users who can write to the folder could replace the file.
        expect_own(&folder.metadata()?, "its folder", "700")?;
    }
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(io::Error::other("it is longer than 1 MiB; delete it"));
    }
    Ok(bytes)
}

/// Fails if another user, except root, can write to a file: they could grant in this user's name.
fn expect_own(about: &Metadata, what: &str, mode: &str) -> io::Result<()> {
    let (user, owner) = (rustix::process::geteuid().as_raw(), about.uid());
    if owner != user && owner != 0 {
        return Err(io::Error::other(format!(
            "{what} belongs to another user (number {owner})"
        )));
    }
    if about.mode() & 0o022 != 0 {
        return Err(io::Error::other(format!(
            "other users can write to {what}; check the lines, then `chmod {mode}` {what}"
        )));
    }
    Ok(())
}

/// Appends all lines in one write, so that those of two processes do not mix.
fn append(path: &Path, grants: &BTreeSet<Grant>, torn: bool) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut lines = if torn { "\n".to_owned() } else { String::new() };
    for grant in grants {
        lines.push_str(&serde_json::to_string(grant)?);
        lines.push('\n');
    }
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(lines.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(name: &str, origin: &str) -> Grant {
        Grant {
            credential: format!("env:{name}"),
            origin: origin.to_owned(),
        }
    }

    #[test]
    fn grants_are_remembered_until_their_line_is_deleted() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("state/trusted.ndjson");
        let (one, two) = (
            grant("ONE", "https://a.test"),
            grant("TWO", "https://a.test"),
        );
        let mut remembered = Remembered::at(Some(path.clone()));
        assert!(!remembered.has(&one));
        remembered.add([&one, &two].into_iter());

        let again = Remembered::at(Some(path.clone()));
        assert!(again.has(&one) && again.has(&two));
        assert!(!again.has(&grant("ONE", "https://b.test")));

        let text = std::fs::read_to_string(&path).unwrap();
        let rest: String = text.lines().skip(1).collect();
        // The end of the line is missing too, as after a crash.
        std::fs::write(&path, rest).unwrap();
        let mut again = Remembered::at(Some(path.clone()));
        assert!(!again.has(&one) && again.has(&two));
        again.add([&one].into_iter());
        let again = Remembered::at(Some(path));
        assert!(again.has(&one) && again.has(&two));
    }

    #[test]
    fn what_cannot_be_read_or_written_grants_nothing_and_ends_nothing() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        std::fs::write(&file, "not json\n{\"credential\":1}\n\u{0}").unwrap();
        for path in [
            None,
            Some(file.clone()),
            Some(place.path().to_owned()),
            Some(file.join("x")),
        ] {
            let mut remembered = Remembered::at(path);
            let one = grant("ONE", "https://a.test");
            assert!(!remembered.has(&one));
            remembered.add([&one].into_iter());
            assert!(remembered.has(&one));
        }
    }

    #[test]
    fn a_damaged_line_takes_no_other_with_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("trusted.ndjson");
        let one = grant("ONE", "https://a.test");
        let line = serde_json::to_vec(&one).unwrap();
        let text = [b"\xff\xfe\n", line.as_slice(), b"\n{\"credential\":\n"].concat();
        std::fs::write(&path, text).unwrap();
        set_mode(&path, 0o600);
        assert!(Remembered::at(Some(path)).has(&one));
    }

    #[test]
    fn a_file_that_others_can_write_to_or_that_is_too_long_grants_nothing_and_does_not_grow() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("trusted.ndjson");
        let (one, two) = (
            grant("ONE", "https://a.test"),
            grant("TWO", "https://a.test"),
        );
        let line = serde_json::to_string(&one).unwrap() + "\n";
        let long = line.clone() + &"\n".repeat(1024 * 1024);
        for (text, mode, has) in [
            (&line, 0o600, true),
            (&line, 0o644, true),
            (&line, 0o620, false),
            (&line, 0o602, false),
            (&long, 0o600, false),
        ] {
            std::fs::write(&path, text).unwrap();
            set_mode(&path, mode);
            let mut remembered = Remembered::at(Some(path.clone()));
            assert_eq!(remembered.has(&one), has, "{mode:o}");
            remembered.add([&two].into_iter());
            let grown = path.metadata().unwrap().len() > text.len() as u64;
            assert_eq!(grown, has, "{mode:o}");
        }
    }

    fn set_mode(path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn only_the_user_can_open_what_is_remembered() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("state/trusted.ndjson");
        Remembered::at(Some(path.clone())).add([&grant("ONE", "https://a.test")].into_iter());
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        let folder = path.parent().unwrap();
        assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn the_state_directory_is_where_xdg_has_it() {
        let cases = [
            (
                Some("/state"),
                Some("/home/a"),
                Some("/state/activity-tracker/trusted.ndjson"),
            ),
            (
                Some("relative"),
                Some("/home/a"),
                Some("/home/a/.local/state/activity-tracker/trusted.ndjson"),
            ),
            (
                None,
                Some("/home/a"),
                Some("/home/a/.local/state/activity-tracker/trusted.ndjson"),
            ),
            (None, None, None),
        ];
        for (state, home, expected) in cases {
            let variable = |name: &str| match name {
                "HOME" => home.map(PathBuf::from),
                _ => state.map(PathBuf::from),
            };
            assert_eq!(state_file(&variable), expected.map(PathBuf::from));
        }
    }

    #[test]
    fn a_folder_that_others_can_write_to_or_a_file_of_theirs_grants_nothing() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("state");
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("trusted.ndjson");
        let one = grant("ONE", "https://a.test");
        std::fs::write(&path, serde_json::to_string(&one).unwrap()).unwrap();
        set_mode(&path, 0o600);
        for (mode, has) in [(0o700, true), (0o755, true), (0o770, false), (0o777, false)] {
            set_mode(&folder, mode);
            assert_eq!(
                Remembered::at(Some(path.clone())).has(&one),
                has,
                "{mode:o}"
            );
        }
        set_mode(&folder, 0o700);
        // Only root can give a file away.
        if std::os::unix::fs::chown(&path, Some(12345), None).is_ok() {
            let own = rustix::process::geteuid().as_raw() == 12345;
            assert_eq!(Remembered::at(Some(path)).has(&one), own);
        }
    }
}
