//! Source files: TOML that describes one API, parsed with serde and validated.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::form::Form;
use super::mistake::{Flaw, listed, nearest};
use super::validate::{Check, declarable};
use super::{
    CredentialUse, Definition, EmptyEnvironment, Environment, InvalidSource, Source, credentials,
};

/// The values of a source file's placeholders, by name.
pub type Vars = BTreeMap<String, String>;

/// A placeholder that a source file declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Var<'a> {
    /// What it is called: `repo` for `{repo}`.
    pub name: &'a str,
    /// What it is, for whoever has to fill it in.
    pub description: &'a str,
    /// What stands there when nothing is given.
    pub default: Option<&'a str>,
}

/// A source file that is well-formed. What it needs from outside is not there yet.
pub struct SourceFile {
    file: String,
    text: String,
    form: Form,
}

impl fmt::Debug for SourceFile {
    /// Without the text: it may contain a misplaced credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SourceFile").field(&self.file).finish()
    }
}

impl SourceFile {
    /// The maximum size of a source file, in bytes. The largest built-in one has a few thousand.
    pub const LONGEST: u64 = 256 * 1024;

    /// Parses the text of a file; `file` is its name in messages.
    ///
    /// # Errors
    /// If it is not TOML, has an unknown key, lacks one, or contains a value of the wrong type.
    pub fn parse(file: &str, text: &str) -> Result<Self, InvalidSource> {
        let mistake = |flaw: Flaw| InvalidSource::Mistake(Box::new(flaw.in_file(file, text)));
        if text.len() as u64 > Self::LONGEST {
            let expected = format!("expected at most {} bytes", Self::LONGEST);
            let title = "a source file that is too long";
            return Err(InvalidSource::Mistake(Box::new(
                Flaw::new(&(0..0), title, expected).in_file(file, ""),
            )));
        }
        let form: Form = toml::from_str(text).map_err(|error| mistake(Flaw::from_toml(&error)))?;
        for (name, _) in &form.vars.0 {
            declarable(name).map_err(mistake)?;
        }
        Ok(Self {
            file: file.to_owned(),
            text: text.to_owned(),
            form,
        })
    }

    /// The one-line description of the source, if the file has one.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.form.description.as_deref()
    }

    /// The placeholders that it declares, by name.
    pub fn vars(&self) -> impl Iterator<Item = Var<'_>> {
        self.form.vars.0.iter().map(|(name, form)| Var {
            name: &name.value,
            description: &form.0.description,
            default: form.0.default.as_deref(),
        })
    }

    /// The source, with its placeholders filled in and its credentials fetched.
    ///
    /// # Errors
    /// If a placeholder is missing or unknown, a credential is absent or written into the file, or
    /// values in the file contradict each other.
    pub fn resolve(
        &self,
        given: &Vars,
        environment: &dyn Environment,
    ) -> Result<Source, InvalidSource> {
        let check = Check {
            form: &self.form,
            text: &self.text,
            vars: &self.fill(given)?,
            environment,
        };
        let source = check.source().map_err(|flaw| self.mistake(flaw))?;
        let definition = Definition {
            file: self.file.clone(),
            text: self.text.clone(),
            vars: given.clone(),
            ..Definition::default()
        };
        Ok(Source {
            definition,
            ..source
        })
    }

    /// The credentials that the source refers to, and the origin that each would be sent to,
    /// without duplicates. No credential is read.
    ///
    /// # Errors
    /// If a placeholder is missing or unknown, or the base URL is invalid.
    pub fn credential_uses(&self, given: &Vars) -> Result<Vec<CredentialUse>, InvalidSource> {
        let Some(auth) = &self.form.auth else {
            return Ok(Vec::new());
        };
        let check = Check {
            form: &self.form,
            text: &self.text,
            vars: &self.fill(given)?,
            environment: &EmptyEnvironment,
        };
        let base_url = check.base_url().map_err(|flaw| self.mistake(flaw))?;
        let origin = credentials::origin(&base_url);
        let uses = auth.value.credentials().map(|credential| CredentialUse {
            credential: credential.clone(),
            origin: origin.clone(),
        });
        Ok(uses.collect::<BTreeSet<_>>().into_iter().collect())
    }

    fn mistake(&self, flaw: Flaw) -> InvalidSource {
        InvalidSource::Mistake(Box::new(flaw.in_file(&self.file, &self.text)))
    }

    /// The given values, and the defaults of the others.
    fn fill(&self, given: &Vars) -> Result<Vars, InvalidSource> {
        let source = || self.form.name.value.clone();
        if let Some(name) = given
            .keys()
            .find(|name| self.vars().all(|var| var.name != **name))
        {
            return Err(InvalidSource::UnknownVar {
                source_name: source(),
                name: name.clone(),
                known: listed(&self.vars().map(|var| var.name).collect::<Vec<_>>()),
                nearest: nearest(name, self.vars().map(|var| var.name)).map(str::to_owned),
            });
        }
        let mut vars = Vars::new();
        for Var {
            name,
            description,
            default,
        } in self.vars()
        {
            let value = given.get(name).map(String::as_str).or(default);
            let value = value.ok_or_else(|| InvalidSource::MissingVar {
                source_name: source(),
                name: name.to_owned(),
                description: description.to_owned(),
            })?;
            vars.insert(name.to_owned(), value.to_owned());
        }
        Ok(vars)
    }
}

/// The JSON Schema of source files, from which editors complete and check them.
pub const SCHEMA: &str = include_str!("../../sources/schema.json");
