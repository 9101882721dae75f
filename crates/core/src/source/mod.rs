//! Sources: the name of an API, its base URL and its resources.

mod base_url;
mod built_in;
pub(crate) mod child;
mod credentials;
mod definition;
mod endpoint;
mod environment;
mod fields;
mod form;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod grant;
mod headers;
mod mistake;
mod pagination;
mod redact;
#[cfg(test)]
mod schema;
mod secret;
mod source_file;
mod template;
mod validate;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use url::{Origin, Url};

use crate::record::{FieldMap, Resource};
use activity_tracker_json::JsonPath;

pub use built_in::{BUILT_IN, BuiltIn};
pub use definition::Definition;
pub use endpoint::{Authors, Endpoint, ErrorInBody, Locator, More, NextAt, Pagination, RecordMap};
pub use environment::{EmptyEnvironment, Environment};
pub use grant::{CredentialRef, CredentialUse};
pub use mistake::Mistake;
pub use secret::{Auth, Rate, Secret};
pub use source_file::{SCHEMA, SourceFile, Var, Vars};

/// The validated description of one API, including its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name in the summary and the manifest.
    pub name: String,
    /// The base URL of the API.
    pub base_url: Url,
    /// Sent with every request, in addition to the default headers.
    pub headers: HeaderMap,
    /// Sent to the origin of the base URL only.
    pub auth: Auth,
    /// Its rate limit; `None` for no limit.
    pub rate: Option<Rate>,
    /// Origins that links to further pages may lead to, besides that of the base URL.
    pub allowed_origins: Vec<Origin>,
    /// Whether it may lead to this machine and to private networks although its base URL does not.
    pub allow_private: bool,
    /// The field that marks a body as an error, whatever the status.
    pub error: Option<Arc<ErrorInBody>>,
    /// The time zone of times without one.
    pub time_zone: jiff::tz::TimeZone,
    /// Its resources.
    pub endpoints: BTreeMap<Resource, Endpoint>,
    /// Where its users come from, if it has no resource for them or refuses to list them.
    pub authors: Option<Authors>,
    /// What it was made from.
    pub definition: Definition,
    /// Whether its base URL differs in each run, as that of the embedded API does.
    pub moves: bool,
}

/// Why there is no valid source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSource {
    /// Neither a built-in name, a URL nor a file.
    #[error(
        "unknown source `{name}`: expected the name of a built-in one (`activity-tracker sources`), the path of a source file, or a base URL that begins with http:// or https://{}",
        meant(nearest.as_deref())
    )]
    Unknown {
        /// The given name.
        name: String,
        /// The built-in source that may have been meant.
        nearest: Option<String>,
    },
    /// An invalid base URL.
    #[error("`{text}` is not a base URL: {reason}")]
    Url {
        /// The given text, without credentials.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A mistake in a source file.
    #[error("{0}")]
    Mistake(Box<Mistake>),
    /// A placeholder without a value.
    #[error("source `{source_name}` needs `{name}` ({description}): add --var {name}=…")]
    MissingVar {
        /// The name of the source.
        source_name: String,
        /// The placeholder.
        name: String,
        /// Its description.
        description: String,
    },
    /// A value for an unknown placeholder.
    #[error("source `{source_name}` has no placeholder `{name}`: it has {known}{}", meant(nearest.as_deref()))]
    UnknownVar {
        /// The name of the source.
        source_name: String,
        /// The given placeholder.
        name: String,
        /// The existing placeholders.
        known: String,
        /// The placeholder that may have been meant.
        nearest: Option<String>,
    },
    /// A selected resource that the source does not have.
    #[error("source `{source_name}` has no {resource}: it offers {offered}")]
    NotOffered {
        /// The name of the source.
        source_name: String,
        /// The selected resource.
        resource: Resource,
        /// The existing resources.
        offered: String,
    },
    /// A selected resource that requires another one.
    #[error("source `{source_name}` gives {resource} by way of its {parent}: ask for {parent} too")]
    WithoutParent {
        /// The name of the source.
        source_name: String,
        /// The selected resource.
        resource: Resource,
        /// The resource that it requires.
        parent: Resource,
    },
}

fn meant(name: Option<&str>) -> String {
    name.map(|name| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}

/// The name of the embedded sample API.
pub const SAMPLE: &str = "sample";

impl Source {
    /// JSONPlaceholder, the default.
    ///
    /// # Errors
    /// Never in practice: a test reads the built-in file.
    pub fn jsonplaceholder() -> Result<Self, InvalidSource> {
        let file = BuiltIn::named("jsonplaceholder")?.file()?;
        file.resolve(&Vars::new(), &EmptyEnvironment)
    }

    /// An API with the shape of JSONPlaceholder under another name.
    ///
    /// # Errors
    /// If `base` is not an http(s) URL, or contains credentials, a query or a fragment.
    pub fn of_shape(name: &str, base: &str) -> Result<Self, InvalidSource> {
        let base_url = base_url::read(base).map_err(|bad| InvalidSource::Url {
            text: bad.shown,
            reason: bad.reason,
        })?;
        let mut source = Self::jsonplaceholder()?;
        source.definition.at = Some((name.to_owned(), base_url.to_string()));
        Ok(Self {
            name: name.to_owned(),
            base_url,
            ..source
        })
    }

    /// The source that needs only a name: `jsonplaceholder`, or the base URL of an API of its
    /// shape.
    ///
    /// # Errors
    /// If it is neither. Other built-in sources, and files, need more than a name: see
    /// [`BuiltIn::named`] and [`SourceFile::parse`].
    pub fn named(text: &str) -> Result<Self, InvalidSource> {
        if text.contains("://") {
            return Self::of_shape(text.trim_end_matches('/'), text);
        }
        BuiltIn::named(text)?
            .file()?
            .resolve(&Vars::new(), &EmptyEnvironment)
    }

    /// Whether a resource is available: listed, or embedded in other resources.
    #[must_use]
    pub fn offers(&self, resource: Resource) -> bool {
        self.endpoints.contains_key(&resource)
            || (resource == Resource::Users && self.authors.is_some())
    }

    /// Marks the source as one whose base URL differs in each run, and which is still the same
    /// source.
    #[must_use]
    pub fn moving(mut self) -> Self {
        self.moves = true;
        self.definition.moves = true;
        self
    }

    /// The source with only these resources.
    ///
    /// # Errors
    /// If one of them does not exist, or requires one that is not selected.
    pub fn only(mut self, wanted: &[Resource]) -> Result<Self, InvalidSource> {
        let source_name = || self.name.clone();
        if let Some(resource) = wanted.iter().copied().find(|wanted| !self.offers(*wanted)) {
            let offered: Vec<_> = [Resource::Users, Resource::Posts, Resource::Comments]
                .into_iter()
                .filter(|resource| self.offers(*resource))
                .map(Resource::name)
                .collect();
            return Err(InvalidSource::NotOffered {
                source_name: source_name(),
                resource,
                offered: offered.join(", "),
            });
        }
        let parents = self.endpoints.iter().filter_map(|(resource, endpoint)| {
            let parent = endpoint.parent?;
            (wanted.contains(resource) && !wanted.contains(&parent)).then_some((*resource, parent))
        });
        if let Some((resource, parent)) = parents.into_iter().next() {
            return Err(InvalidSource::WithoutParent {
                source_name: source_name(),
                resource,
                parent,
            });
        }
        self.without_authors_of_others(wanted)?;
        self.endpoints
            .retain(|resource, _| wanted.contains(resource));
        self.definition.only = Some(wanted.to_vec());
        Ok(self)
    }

    /// The source after it refused to list its users: its authors are the users.
    #[must_use]
    pub fn with_users_closed(mut self) -> Self {
        if self.authors.is_some() {
            self.endpoints.remove(&Resource::Users);
            self.definition.users_closed = true;
        }
        self
    }

    /// Restricts the authors to the selected resources, and removes them if users are not selected.
    fn without_authors_of_others(&mut self, wanted: &[Resource]) -> Result<(), InvalidSource> {
        if !wanted.contains(&Resource::Users) {
            self.authors = None;
        }
        let listed = self.endpoints.contains_key(&Resource::Users);
        let Some(authors) = &mut self.authors else {
            return Ok(());
        };
        let any = authors.within.keys().next().copied();
        authors
            .within
            .retain(|resource, _| wanted.contains(resource));
        match any {
            Some(_) if authors.within.is_empty() && listed => {
                self.authors = None;
                Ok(())
            }
            Some(parent) if authors.within.is_empty() => Err(InvalidSource::WithoutParent {
                source_name: self.name.clone(),
                resource: Resource::Users,
                parent,
            }),
            _ => Ok(()),
        }
    }

    /// Identifies this definition, without secrets. Another version of the program may read the
    /// same records differently, so it has another fingerprint.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let Self {
            base_url,
            headers,
            endpoints,
            time_zone,
            authors,
            ..
        } = self;
        let version = env!("CARGO_PKG_VERSION");
        let base_url = Some(base_url).filter(|_| !self.moves);
        let text =
            format!("{version} {base_url:?} {headers:?} {time_zone:?} {endpoints:?} {authors:?}");
        blake3::hash(text.as_bytes()).to_hex().to_string()
    }

    /// Identifies the requests: like [`Source::fingerprint`], but without how the records are found
    /// and mapped.
    #[must_use]
    pub fn request_fingerprint(&self) -> String {
        let mut asked = self.clone();
        asked.time_zone = jiff::tz::TimeZone::UTC;
        asked.authors = None;
        for endpoint in asked.endpoints.values_mut() {
            endpoint.records = JsonPath::default();
            endpoint.map = None;
            endpoint.fields = FieldMap::default();
        }
        asked.fingerprint()
    }

    /// The URL of a path that is appended to the base URL.
    #[must_use]
    pub fn url(&self, path: &str) -> Url {
        let mut url = self.base_url.clone();
        let base = url.path().trim_end_matches('/');
        let path = format!("{base}/{}", path.trim_start_matches('/'));
        url.set_path(&path);
        url
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests;
