//! Consent: a source file sends no credential that nobody granted.
//!
//! A source file may be a stranger's, and it can name any variable, any file and any
//! server. So the program shows which credential would go where, and wants a yes: on the
//! terminal, by `--trust`, or by `ACTIVITY_TRACKER_TRUST=1`. What was granted is
//! remembered as that pair of credential and origin, not as the file: editing the rest
//! of it asks nothing, and a scheduled run never asks twice.

use std::collections::BTreeSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, BufRead, IsTerminal, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use activity_tracker::error::Error;
use activity_tracker::source::{CredentialRef, CredentialUse};
use activity_tracker::text::Printable;
use clap::Args;
use tracing::warn;

use crate::cli::printing;

mod remembered;

use remembered::{Grant, Remembered};

/// Grants everything that needs no path of its own, for containers and CI.
const TRUST_VARIABLE: &str = "ACTIVITY_TRACKER_TRUST";

/// What a person may grant on the command line.
#[derive(Debug, Default, Args)]
pub(crate) struct TrustArgs {
    /// Allow the source file to send the credentials it names to its server, and remember that;
    /// `ACTIVITY_TRACKER_TRUST=1` allows it without remembering
    #[arg(long)]
    trust: bool,

    /// Allow it to send the credential in this file too, which is outside the source file's
    /// folder; repeat for more files
    #[arg(long, value_name = "PATH")]
    trust_file: Vec<PathBuf>,
}

/// A credential that is there, and that a source file would send.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    used: CredentialUse,
    grant: Grant,
    /// For a file: the whole path, links resolved.
    path: Option<PathBuf>,
    /// Whether it is a file outside the source file's folder.
    outside: bool,
}

/// What a person said on the command line or in the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Said {
    trust: bool,
    paths: BTreeSet<PathBuf>,
}

impl Said {
    fn grants(&self, wanted: &Wanted) -> bool {
        let named = wanted.path.as_ref();
        named.is_some_and(|path| self.paths.contains(path)) || (self.trust && !wanted.outside)
    }
}

/// Finds out which of these credentials the source file may send.
///
/// A credential that is not there needs no consent; what is missing is told later.
///
/// # Errors
/// When a credential is there that nobody granted, and nobody can be asked or the reply is no.
pub(crate) fn obtain(
    file: &str,
    folder: &Path,
    uses: Vec<CredentialUse>,
    args: &TrustArgs,
) -> Result<BTreeSet<CredentialUse>, Error> {
    let wanted: Vec<_> = uses
        .into_iter()
        .filter_map(|used| Wanted::find(used, folder))
        .collect();
    if wanted.is_empty() {
        return Ok(BTreeSet::new());
    }
    let by_variable = env::var_os(TRUST_VARIABLE).is_some_and(|value| value == "1");
    let mut said = args.said();
    let mut remembered = Remembered::load();
    let to_remember: Vec<_> = wanted.iter().filter(|it| said.grants(it)).collect();
    remembered.add(to_remember.into_iter().map(|wanted| &wanted.grant));
    said.trust |= by_variable;
    let open: Vec<_> = wanted
        .iter()
        .filter(|it| !said.grants(it) && !remembered.has(&it.grant))
        .collect();
    if !open.is_empty() {
        let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
        if !terminal || !ask(file, &open, &mut io::stdin().lock())? {
            return Err(Error::Usage(refusal(file, &open, env::args_os())));
        }
        remembered.add(open.into_iter().map(|wanted| &wanted.grant));
    }
    for path in wanted.iter().filter_map(|wanted| wanted.path.as_deref()) {
        warn_if_others_can_read(path);
    }
    Ok(wanted.into_iter().map(|wanted| wanted.used).collect())
}

impl TrustArgs {
    fn said(&self) -> Said {
        let paths = self.trust_file.iter();
        Said {
            trust: self.trust,
            paths: paths
                .filter_map(|path| fs::canonicalize(path).ok())
                .collect(),
        }
    }
}

impl Wanted {
    /// The credential as it is found on this machine; none if it is not there.
    fn find(used: CredentialUse, folder: &Path) -> Option<Self> {
        let origin = used.origin.clone();
        match &used.credential {
            CredentialRef::Variable(name) => {
                env::var_os(name).filter(|value| !value.is_empty())?;
                let credential = format!("env:{name}");
                Some(Self {
                    grant: Grant { credential, origin },
                    used,
                    path: None,
                    outside: false,
                })
            }
            CredentialRef::File(path) => {
                let path = fs::canonicalize(folder.join(path)).ok()?;
                let here = Some(folder).filter(|folder| !folder.as_os_str().is_empty());
                let folder = fs::canonicalize(here.unwrap_or(Path::new("."))).ok();
                let outside = folder.is_none_or(|folder| !path.starts_with(folder));
                let credential = format!("file:{}", path.display());
                Some(Self {
                    grant: Grant { credential, origin },
                    used,
                    path: Some(path),
                    outside,
                })
            }
        }
    }

    /// What is shown to whoever has to decide.
    fn shown(&self) -> String {
        let origin = &self.used.origin;
        let shown = match &self.path {
            Some(path) if self.outside => format!(
                "the file `{}`, which is outside its folder, to {origin}",
                path.display()
            ),
            Some(path) => format!("the file `{}` to {origin}", path.display()),
            None => self.used.to_string(),
        };
        Printable(&shown).to_string()
    }
}

/// Asks on the terminal. Anything but a yes is a no.
fn ask(file: &str, open: &[&Wanted], replies: &mut impl BufRead) -> Result<bool, Error> {
    printing::print_note(&format!("{file} wants to send"));
    for wanted in open {
        printing::print_line(&format_args!("  {}", wanted.shown()));
    }
    printing::print_prompt("Allow this, now and in later runs? [y/N] ");
    let mut reply = String::new();
    let read = replies.take(100).read_line(&mut reply);
    read.map_err(|error| Error::Usage(format!("cannot read the reply: {error}")))?;
    Ok(is_yes(&reply))
}

fn is_yes(reply: &str) -> bool {
    matches!(reply.trim().to_lowercase().as_str(), "y" | "yes")
}

/// Why nothing is sent, and the command to type.
fn refusal(file: &str, open: &[&Wanted], command: impl Iterator<Item = OsString>) -> String {
    let shown: Vec<_> = open.iter().map(|wanted| wanted.shown()).collect();
    let mut command: Vec<_> = command.map(|word| quoted(&word)).collect();
    if let Some(program) = command.first_mut() {
        "activity-tracker".clone_into(program);
    }
    let mut flags = Vec::new();
    if open.iter().any(|wanted| !wanted.outside) {
        flags.push("--trust".to_owned());
    }
    for path in open.iter().filter(|wanted| wanted.outside) {
        let path = path.path.as_deref().unwrap_or(Path::new(""));
        flags.push("--trust-file".to_owned());
        flags.push(quoted(path.as_os_str()));
    }
    // After `--` they would be no options.
    let end = command.iter().position(|word| word == "--");
    let end = end.unwrap_or(command.len());
    command.splice(end..end, flags);
    let (shown, command) = (shown.join(" and "), command.join(" "));
    format!(
        "{file} would send {shown}, and nobody has allowed that yet; nothing was sent. If you trust this file, allow it once: {command}"
    )
}

/// A word as a shell takes it.
fn quoted(word: &OsStr) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c);
    match word.to_str() {
        Some(word) if !word.is_empty() && word.chars().all(plain) => word.to_owned(),
        Some(word) if !word.contains(char::is_control) => {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
        // What is not text, or not to be shown as it is, is spelled in bytes.
        _ => {
            let mut spelled = "$'".to_owned();
            for &byte in word.as_bytes() {
                match byte {
                    b'\'' | b'\\' => spelled.extend(['\\', byte.into()]),
                    b' '..=b'~' => spelled.push(byte.into()),
                    _ => spelled.extend(octal(byte)),
                }
            }
            spelled + "'"
        }
    }
}

/// A byte as `$'…'` takes it, in three digits, so that a digit after it is not part of it.
fn octal(byte: u8) -> [char; 4] {
    let digit = |shift: u8| char::from(b'0' + (byte >> shift & 7));
    ['\\', digit(6), digit(3), digit(0)]
}

fn warn_if_others_can_read(path: &Path) {
    let Ok(metadata) = fs::metadata(path) else {
        return;
    };
    // What belongs to another user, as /etc/passwd does, is not this one's to close.
    let own = metadata.uid() == rustix::process::geteuid().as_raw();
    if own && metadata.is_file() && metadata.mode() & 0o077 != 0 {
        let shown = path.display();
        warn!(path = %shown, "other users can open this credential file");
        printing::print_note(&format!(
            "warning: other users of this machine can open the credential file {shown}; `chmod 600` closes it"
        ));
    }
}

#[cfg(test)]
mod tests;
