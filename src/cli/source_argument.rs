//! The SOURCE argument: a built-in source, a file, or a URL.

use std::collections::BTreeSet;
use std::env::{self, VarError};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use activity_tracker::error::Error;
use activity_tracker::record::Resource;
use activity_tracker::regular_file;
use activity_tracker::sample::{Moment, Sample, Server};
use activity_tracker::source::{
    Auth, BuiltIn, CredentialRef, CredentialUse, Environment, SAMPLE, Secret, Source, SourceFile,
    Vars,
};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Args, Command};
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::TimeZone;
use tracing::warn;

use crate::cli::consent::{self, TrustArgs};

/// The maximum size of a credential file, in bytes.
const LONGEST_CREDENTIAL: u64 = 64 << 10;

#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// A built-in source (`activity-tracker sources` lists them), the path of a source file
    /// (`./forum.toml`), or the base URL of an API like JSONPlaceholder [default: jsonplaceholder]
    #[arg(value_name = "SOURCE")]
    name: Option<String>,

    /// Set a variable of the source: `repo=owner/name`; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = var)]
    vars: Vec<(String, String)>,

    /// Fetch only these resources, separated by commas; the others stay as the last run left them
    /// [default: all that the source offers]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = ResourceParser)]
    resources: Option<Vec<Resource>>,

    #[command(flatten)]
    trust: TrustArgs,
}

impl SourceArgs {
    /// Whether a source was given.
    pub(crate) fn is_given(&self) -> bool {
        self.name.is_some()
    }

    /// The source, and the server of the sample API if that is the source; it runs until dropped.
    ///
    /// # Errors
    /// When there is no such source, its file has a mistake, a variable is missing, the use of a
    /// credential was not allowed, or the source lacks a requested resource.
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
    /// Reads the credential of the source again if it comes from a file, which may have been
    /// replaced. If that fails, the source keeps the one it has.
    pub(crate) fn renew(&self, source: &mut Source) {
        if !matches!(
            source.auth.secret().map(Secret::at),
            Some(CredentialRef::File(_))
        ) {
            return;
        }
        let name = self.name.as_deref().unwrap_or_default();
        // Its use was allowed when the source was loaded.
        let machine = Machine {
            folder: Kind::of(name).folder(),
            granted: None,
        };
        match source.definition.auth(&machine) {
            Ok(auth @ Auth::Absent(_)) => warn!(?auth, "the credential is gone"),
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
            let reason = "--var sets a variable of a source file; a URL has none";
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
    if name == SAMPLE
        && let Some(at) = vars.get("at")
    {
        Moment::requested(at)
            .map_err(|error| Error::Usage(format!("invalid value '{at}' for 'at': {error}")))?;
    }
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

/// How a source is given.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Url,
    File(PathBuf),
    Name,
}

impl Kind {
    fn of(name: &str) -> Self {
        let path = Path::new(name);
        let is_path =
            name.contains(['/', '\\']) || path.extension().is_some_and(|end| end == "toml");
        if name.contains("://") {
            Self::Url
        } else if is_path || (BuiltIn::named(name).is_err() && path.is_file()) {
            Self::File(path.to_owned())
        } else {
            Self::Name
        }
    }

    /// The folder that relative paths in a source file start from.
    fn folder(&self) -> PathBuf {
        let folder = match self {
            Self::File(path) => path.parent(),
            Self::Url | Self::Name => None,
        };
        folder.map(Path::to_owned).unwrap_or_default()
    }
}

/// The environment of this process.
struct Machine {
    /// The folder of the source file.
    folder: PathBuf,
    /// The credentials that the source may send; `None` for a built-in source, which may send all
    /// it names.
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

/// Parses `NAME=VALUE`.
fn var(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, such as repo=owner/name".to_owned()),
    }
}

/// Parses the name of a resource, with blanks around it, as in `users, posts`.
#[derive(Clone)]
pub(crate) struct ResourceParser;

impl ResourceParser {
    const ALL: [Resource; 3] = [Resource::Users, Resource::Posts, Resource::Comments];

    fn names() -> PossibleValuesParser {
        PossibleValuesParser::new(Self::ALL.map(Resource::name))
    }
}

impl TypedValueParser for ResourceParser {
    type Value = Resource;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Resource, clap::Error> {
        let value = value.to_str().map_or(value, |text| text.trim().as_ref());
        let names = Self::names().try_map(|name| {
            let mut all = Self::ALL.into_iter();
            all.find(|it| it.name() == name).ok_or("unknown resource")
        });
        names.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = Self::ALL.map(|it| PossibleValue::new(it.name()));
        Some(Box::new(names.into_iter()))
    }
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
