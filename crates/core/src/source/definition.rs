//! The definition of a source, stored so that it can be parsed again without its file.

use std::env::VarError;
use std::io;
use std::path::Path;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::record::Resource;

use super::{Auth, CredentialUse, Environment, InvalidSource, Source, SourceFile, Vars, base_url};

/// The text and variables that a source was made from. It holds no credentials, only where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// The name of the file in messages.
    pub(super) file: String,
    /// The text of the file, verbatim.
    pub(super) text: String,
    /// The values of its placeholders.
    #[serde(default, skip_serializing_if = "Vars::is_empty")]
    pub(super) vars: Vars,
    /// Overrides the base URL of the file, and the source's name with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<(String, String)>,
    /// The chosen resources, if not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) only: Option<Vec<Resource>>,
    /// Whether its address changes each time, as the embedded sample API's does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) moves: bool,
    /// Whether it refused to list its users, so that authors took their place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) users_closed: bool,
}

impl Definition {
    /// Whether it is the same API, whichever resources are chosen.
    #[must_use]
    pub fn same_source(&self, other: &Self) -> bool {
        let elsewhere = self.moves && other.moves;
        (&self.text, &self.at) == (&other.text, &other.at) && (elsewhere || self.vars == other.vars)
    }

    /// Whether only some of its resources are chosen.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        self.only.is_some()
    }

    /// Whether its users are the authors of other records.
    #[must_use]
    pub fn is_users_closed(&self) -> bool {
        self.users_closed
    }

    /// The same, with users from the same place as in `other`: listed, or as authors.
    #[must_use]
    pub fn with_users_as(&self, other: &Self) -> Self {
        Self {
            users_closed: other.users_closed,
            ..self.clone()
        }
    }

    /// The same with all resources.
    #[must_use]
    pub fn whole(&self) -> Self {
        Self {
            only: None,
            ..self.clone()
        }
    }

    /// The environment variables that the file takes credentials from.
    #[must_use]
    pub fn credential_variables(&self) -> Vec<String> {
        // Nothing else is written like this, and an extra name is harmless.
        let mut rest = self.text.as_str();
        let mut names = Vec::new();
        while let Some((_, behind)) = rest.split_once("${") {
            let Some((name, further)) = behind.split_once('}') else {
                break;
            };
            names.push(name.trim().to_owned());
            rest = further;
        }
        // Skips names that no variable can have.
        names.retain(|name| !name.is_empty() && !name.contains(['=', '\0']));
        names
    }

    /// The credentials that the file refers to, as they are now.
    ///
    /// # Errors
    /// If one is missing or invalid.
    pub fn auth(&self, environment: &dyn Environment) -> Result<Auth, InvalidSource> {
        let file = SourceFile::parse(&self.file, &self.text)?;
        Ok(file.resolve(&self.vars, environment)?.auth)
    }

    /// Parses the source again, without credentials: it cannot be used to fetch.
    ///
    /// # Errors
    /// If this version of the program no longer accepts the file.
    pub fn source(&self) -> Result<Source, InvalidSource> {
        let file = SourceFile::parse(&self.file, &self.text)?;
        let mut source = file.resolve(&self.vars, &Offline)?;
        if let Some((name, base)) = &self.at {
            source.name.clone_from(name);
            source.base_url = base_url::read(base).map_err(|bad| InvalidSource::Url {
                text: bad.shown,
                reason: bad.reason,
            })?;
            source.definition.at.clone_from(&self.at);
        }
        if self.moves {
            source = source.moving();
        }
        if let Some(wanted) = &self.only {
            source = source.only(wanted)?;
        }
        Ok(if self.users_closed {
            source.with_users_closed()
        } else {
            source
        })
    }
}

/// An environment with a dummy for every credential.
struct Offline;

impl Environment for Offline {
    fn variable(&self, _: &str) -> Result<String, VarError> {
        Ok("-".to_owned())
    }

    fn file(&self, _: &Path) -> io::Result<String> {
        Ok("-".to_owned())
    }

    fn is_granted(&self, _: &CredentialUse) -> bool {
        true
    }

    fn time_zone(&self, name: &str) -> Option<TimeZone> {
        jiff::fmt::temporal::DateTimeParser::new()
            .parse_time_zone(name)
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{BUILT_IN, BuiltIn};

    #[test]
    fn a_source_is_made_again_from_its_definition() {
        let vars = |names: &[&str]| -> Vars {
            let pair = |name: &&str| ((*name).to_owned(), "http://a.test/b".to_owned());
            names.iter().map(pair).collect()
        };
        let mut sources: Vec<_> = BUILT_IN
            .into_iter()
            .map(|built_in: BuiltIn| {
                let file = built_in.file().unwrap();
                let needed = file.vars().filter(|var| var.default.is_none());
                let needed: Vec<_> = needed.map(|var| var.name).collect();
                file.resolve(&vars(&needed), &Offline).unwrap()
            })
            .collect();
        sources.push(Source::of_shape("mine", "http://api.test/v1").unwrap());
        let posts = Source::jsonplaceholder().unwrap();
        sources.push(posts.only(&[Resource::Posts]).unwrap());
        for source in sources {
            let wire = serde_json::to_string(&source.definition).unwrap();
            let definition: Definition = serde_json::from_str(&wire).unwrap();
            assert_eq!(definition.source().unwrap(), source);
        }
    }
}
