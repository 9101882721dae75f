//! The SOURCE that a person names: a built-in one, a file, or a URL.

use std::collections::BTreeSet;
use std::env::{self, VarError};
use std::io;
use std::path::{Path, PathBuf};

use activity_tracker::error::Error;
use activity_tracker::record::Resource;
use activity_tracker::regular_file;
use activity_tracker::sample::{Sample, Server};
use activity_tracker::source::{
    Auth, BuiltIn, CredentialRef, CredentialUse, Environment, SAMPLE, Secret, Source, SourceFile,
    Vars,
};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::TimeZone;
use tracing::warn;

use crate::cli::consent::{self, TrustArgs};

/// The longest file of a credential, in bytes.
const LONGEST_CREDENTIAL: u64 = 64 << 10;

#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// A built-in source (`activity-tracker sources` lists them), the path of a
    /// source file (`./forum.toml`), or the base URL of an API of JSONPlaceholder's
    /// shape [default: jsonplaceholder]
    #[arg(value_name = "SOURCE")]
    name: Option<String>,

    /// Set a variable of the source: `repo=owner/name`; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = var)]
    vars: Vec<(String, String)>,

    /// Fetch only these resources: `users,posts`; the others stay as the last run left them
    /// [default: all that the source offers]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = resource_names())]
    resources: Option<Vec<Resource>>,

    #[command(flatten)]
    trust: TrustArgs,
}

impl SourceArgs {
    /// Whether a source was named.
    pub(crate) fn is_given(&self) -> bool {
        self.name.is_some()
    }

    /// The source, and the sample API where that is it; it serves until dropped.
    ///
    /// # Errors
    /// When there is no such source, its file has a mistake, or something that it needs is
    /// missing; when nobody granted that it sends a credential; when it does not offer what was
    /// asked for.
    pub(crate) fn load(&self) -> Result<(Source, Option<Server>), Error> {
        let vars = self.vars.iter().cloned().collect();
        let name = self.name.as_deref().unwrap_or("jsonplaceholder");
        let (source, server) = load(name, vars, &self.trust)?;
        let source = match &self.resources {
            Some(wanted) => source.only(wanted)?,
            None => source,
        };
        Ok((source, server))
    }
}

impl SourceArgs {
    /// Reads the credentials again that the source has from files, which may have been replaced
    /// meanwhile. Where that fails, it keeps those that it has.
    pub(crate) fn renew(&self, source: &mut Source) {
        if !matches!(
            source.auth.secret().map(Secret::at),
            Some(CredentialRef::File(_))
        ) {
            return;
        }
        let name = self.name.as_deref().unwrap_or_default();
        // What it may send was granted when it was loaded.
        let machine = Machine {
            folder: Kind::of(name).folder(),
            granted: None,
        };
        match source.definition.auth(&machine) {
            Ok(auth @ Auth::Absent(_)) => warn!(?auth, "the credential is not there any more"),
            Ok(auth) => source.auth = auth,
            Err(error) => warn!(%error, "the credential cannot be read again"),
        }
    }
}

fn load(name: &str, mut vars: Vars, trust: &TrustArgs) -> Result<(Source, Option<Server>), Error> {
    let mut granted = None;
    let kind = Kind::of(name);
    let folder = kind.folder();
    let file = match kind {
        Kind::Url if !vars.is_empty() => {
            let reason = "--var fills placeholders of a source file; a URL has none";
            return Err(Error::Usage(reason.to_owned()));
        }
        Kind::Url => return Ok((Source::named(name)?, None)),
        Kind::File(path) => {
            let text =
                regular_file::read_to_string(&path, SourceFile::LONGEST).map_err(|error| {
                    Error::Usage(format!("cannot read the source file {name}: {error}"))
                })?;
            let file = SourceFile::parse(name, &text)?;
            let uses = file.credential_uses(&vars)?;
            granted = Some(consent::obtain(name, &folder, uses, trust)?);
            file
        }
        Kind::Name => BuiltIn::named(name)?.file()?,
    };
    let mut server = None;
    if name == SAMPLE && !vars.contains_key("base") {
        let started = Server::start(&Sample::default(), 0)
            .map_err(|cause| Error::Sample { port: 0, cause })?;
        vars.insert("base".to_owned(), started.base_url());
        server = Some(started);
    }
    let mut source = file.resolve(&vars, &Machine { folder, granted })?;
    if server.is_some() {
        source = source.moving();
    }
    Ok((source, server))
}

/// In which way a source is named.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Url,
    File(PathBuf),
    Name,
}

impl Kind {
    fn of(name: &str) -> Self {
        let path = Path::new(name);
        let like_a_path =
            name.contains(['/', '\\']) || path.extension().is_some_and(|end| end == "toml");
        if name.contains("://") {
            Self::Url
        } else if like_a_path || (BuiltIn::named(name).is_err() && path.is_file()) {
            Self::File(path.to_owned())
        } else {
            Self::Name
        }
    }

    /// Where the paths in it are taken from: the folder of a file.
    fn folder(&self) -> PathBuf {
        let folder = match self {
            Self::File(path) => path.parent(),
            Self::Url | Self::Name => None,
        };
        folder.map(Path::to_owned).unwrap_or_default()
    }
}

/// The machine that the program runs on.
struct Machine {
    /// Where the source file is.
    folder: PathBuf,
    /// What the source may send; without a list anything that it names, since it came with
    /// the program.
    granted: Option<BTreeSet<CredentialUse>>,
}

impl Environment for Machine {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        env::var(name)
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        regular_file::read_to_string(&self.folder.join(path), LONGEST_CREDENTIAL)
    }

    fn is_granted(&self, wanted: &CredentialUse) -> bool {
        let granted = self.granted.as_ref();
        granted.is_none_or(|granted| granted.contains(wanted))
    }

    fn time_zone(&self, name: &str) -> Option<TimeZone> {
        DateTimeParser::new().parse_time_zone(name).ok()
    }
}

/// Reads `NAME=VALUE` for `--var`.
fn var(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, such as repo=owner/name".to_owned()),
    }
}

/// Takes the names of resources, and names them to whoever gives another.
pub(crate) fn resource_names() -> impl TypedValueParser<Value = Resource> {
    let all = [Resource::Users, Resource::Posts, Resource::Comments];
    PossibleValuesParser::new(all.map(Resource::name)).try_map(move |name| {
        let named = all.into_iter().find(|resource| resource.name() == name);
        named.ok_or("unknown resource")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_url_a_file_or_a_name() {
        let file = |path: &str| Kind::File(path.into());
        let cases = [
            ("https://host/forum.toml", Kind::Url),
            ("forum.toml", file("forum.toml")),
            ("./forum", file("./forum")),
            ("forum/x", file("forum/x")),
            // An existing file: tests run in the folder of the package.
            ("LICENSE", file("LICENSE")),
            ("github", Kind::Name),
            ("forum", Kind::Name),
        ];
        for (name, expected) in cases {
            assert_eq!(Kind::of(name), expected, "{name}");
        }
    }

    #[test]
    fn zones_are_found_by_name_and_by_offset() {
        let machine = Machine {
            folder: PathBuf::new(),
            granted: None,
        };
        for name in ["UTC", "Europe/Berlin", "+02:00", "-05:30"] {
            assert!(machine.time_zone(name).is_some(), "{name}");
        }
        assert!(machine.time_zone("Europe/Atlantis").is_none());
    }

    #[test]
    fn the_sample_runs_with_no_more_than_its_name() {
        let (source, server) = load(SAMPLE, Vars::new(), &TrustArgs::default()).unwrap();
        let base = format!("{}/", server.unwrap().base_url());
        assert_eq!(
            (source.name.as_str(), source.base_url.as_str()),
            (SAMPLE, base.as_str())
        );
    }

    #[test]
    fn a_variable_is_a_name_and_a_value_that_may_hold_anything() {
        let pair = |name: &str, value: &str| Ok((name.to_owned(), value.to_owned()));
        assert_eq!(var("repo=a/b"), pair("repo", "a/b"));
        assert_eq!(var("q=a=b"), pair("q", "a=b"));
        assert_eq!(var("q="), pair("q", ""));
        assert!(var("repo").is_err());
        assert!(var("=x").is_err());
    }
}
