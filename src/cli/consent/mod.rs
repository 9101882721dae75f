//! Consent: a source file sends a credential only after the user has allowed it.
//!
//! A source file may come from somebody else, and can name any variable, file and server. So the
//! program shows which credential would be sent where, and asks for consent: on the terminal, with
//! `--trust`, or with `ACTIVITY_TRACKER_TRUST=1`. What is remembered is the pair of credential and
//! origin, not the file: editing other parts of the file does not ask again, and neither does a
//! scheduled run.

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

/// Allows everything `--trust` does, for containers and CI.
const TRUST_VARIABLE: &str = "ACTIVITY_TRACKER_TRUST";

/// Consent on the command line.
#[derive(Debug, Default, Args)]
pub(crate) struct TrustArgs {
    /// Allow the source file to send the credentials it names to its server, and remember that;
    /// `ACTIVITY_TRACKER_TRUST=1` allows it without remembering
    #[arg(long)]
    trust: bool,

    /// Also allow it to send the credential in this file, which is outside the source file's
    /// folder; may be repeated
    #[arg(long, value_name = "PATH")]
    trust_file: Vec<PathBuf>,
}

/// An existing credential that a source file would send.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CredentialRequest {
    used: CredentialUse,
    grant: Grant,
    /// For a file: the absolute path, with symbolic links resolved.
    path: Option<PathBuf>,
    /// Whether it is a file outside the source file's folder.
    outside: bool,
}

/// What the command line and the environment allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct TrustFlags {
    trust: bool,
    paths: BTreeSet<PathBuf>,
}

impl TrustFlags {
    fn allow(&self, request: &CredentialRequest) -> bool {
        let path = request.path.as_ref();
        path.is_some_and(|path| self.paths.contains(path)) || (self.trust && !request.outside)
    }
}

/// Determines which of these credentials the source file may send.
///
/// A credential that does not exist needs no consent; it is reported later if it is required.
///
/// # Errors
/// When a credential is not allowed yet, and there is no terminal to ask on or the reply is no.
pub(crate) fn obtain(
    file: &str,
    folder: &Path,
    uses: Vec<CredentialUse>,
    args: &TrustArgs,
) -> Result<BTreeSet<CredentialUse>, Error> {
    let requests: Vec<_> = uses
        .into_iter()
        .filter_map(|used| CredentialRequest::find(used, folder))
        .collect();
    if requests.is_empty() {
        return Ok(BTreeSet::new());
    }
    let by_variable = env::var_os(TRUST_VARIABLE).is_some_and(|value| value == "1");
    let mut flags = args.flags();
    let mut remembered = Remembered::load();
    let to_remember: Vec<_> = requests.iter().filter(|it| flags.allow(it)).collect();
    remembered.add(to_remember.into_iter().map(|request| &request.grant));
    flags.trust |= by_variable;
    let open: Vec<_> = requests
        .iter()
        .filter(|it| !flags.allow(it) && !remembered.has(&it.grant))
        .collect();
    if !open.is_empty() {
        let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
        if !terminal || !ask(file, &open, &mut io::stdin().lock())? {
            return Err(Error::Usage(refusal(file, &open, env::args_os())));
        }
        remembered.add(open.into_iter().map(|request| &request.grant));
    }
    for path in requests.iter().filter_map(|it| it.path.as_deref()) {
        warn_if_others_can_read(path);
    }
    Ok(requests.into_iter().map(|request| request.used).collect())
}

impl TrustArgs {
    fn flags(&self) -> TrustFlags {
        let paths = self.trust_file.iter();
        TrustFlags {
            trust: self.trust,
            paths: paths
                .filter_map(|path| fs::canonicalize(path).ok())
                .collect(),
        }
    }
}

impl CredentialRequest {
    /// The credential as found on this machine; `None` if it does not exist.
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

    /// The description in the question and in the refusal.
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

/// Asks on the terminal. Anything but yes is no.
fn ask(file: &str, open: &[&CredentialRequest], replies: &mut impl BufRead) -> Result<bool, Error> {
    printing::print_note(&format!("{file} wants to send"));
    for request in open {
        printing::print_line(&format_args!("  {}", request.shown()));
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

/// Why nothing was sent, and the command that allows it.
fn refusal(
    file: &str,
    open: &[&CredentialRequest],
    command: impl Iterator<Item = OsString>,
) -> String {
    let shown: Vec<_> = open.iter().map(|request| request.shown()).collect();
    let mut command: Vec<_> = command.map(|word| quoted(&word)).collect();
    if let Some(program) = command.first_mut() {
        "activity-tracker".clone_into(program);
    }
    let mut flags = Vec::new();
    if open.iter().any(|request| !request.outside) {
        flags.push("--trust".to_owned());
    }
    for path in open.iter().filter(|request| request.outside) {
        let path = path.path.as_deref().unwrap_or(Path::new(""));
        flags.push("--trust-file".to_owned());
        flags.push(quoted(path.as_os_str()));
    }
    // After `--` they would not be options.
    let end = command.iter().position(|word| word == "--");
    let end = end.unwrap_or(command.len());
    command.splice(end..end, flags);
    let (shown, command) = (shown.join(" and "), command.join(" "));
    format!(
        "{file} would send {shown}, which is not allowed yet; nothing was sent. If you trust this file, allow it once: {command}"
    )
}

/// A word, quoted for a shell.
fn quoted(word: &OsStr) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c);
    match word.to_str() {
        Some(word) if !word.is_empty() && word.chars().all(plain) => word.to_owned(),
        Some(word) if !word.contains(char::is_control) => {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
        // Bytes that are not text, or not printable, are escaped.
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

/// A byte in a `$'…'` string: three digits, so that a digit after it stays separate.
fn octal(byte: u8) -> [char; 4] {
    let digit = |shift: u8| char::from(b'0' + (byte >> shift & 7));
    ['\\', digit(6), digit(3), digit(0)]
}

fn warn_if_others_can_read(path: &Path) {
    let Ok(metadata) = fs::metadata(path) else {
        return;
    };
    // Only the owner can change the mode of a file.
    let own = metadata.uid() == rustix::process::geteuid().as_raw();
    if own && metadata.is_file() && metadata.mode() & 0o077 != 0 {
        let shown = path.display();
        warn!(path = %shown, "other users can read this credential file");
        printing::print_note(&format!(
            "warning: other users of this machine can read the credential file {shown}; `chmod 600 {shown}` prevents that"
        ));
    }
}

#[cfg(test)]
mod tests;
