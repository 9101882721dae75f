//! Sources: what an API is called, where it lives and what it offers.

mod endpoint;
mod secret;

use std::collections::BTreeMap;
use std::fmt;

use http::HeaderMap;
use url::{Origin, Url};

use crate::activity::{Field, FieldMap, FieldPath, JsonPath, Resource};

pub use endpoint::{Endpoint, Locator, Pagination};
pub use secret::{Auth, Rate, Secret};

/// The description of one API, validated and with its secrets in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What it is called in the summary and the manifest.
    pub name: String,
    /// Where it lives.
    pub base_url: Url,
    /// Sent with every request, besides those that every source gets.
    pub headers: HeaderMap,
    /// Sent to the origin of the base URL only.
    pub auth: Auth,
    /// How often it may be asked; none for as often as it answers.
    pub rate: Option<Rate>,
    /// Where links to further pages may lead, besides the origin of the base URL.
    pub allowed_origins: Vec<Origin>,
    /// The zone of times that come without one.
    pub time_zone: jiff::tz::TimeZone,
    /// What it offers.
    pub endpoints: BTreeMap<Resource, Endpoint>,
}

/// Why a text does not name a source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSource {
    /// Neither a built-in name nor a URL.
    #[error(
        "unknown source `{0}`: expected `jsonplaceholder`, `sample` or a base URL that begins with http:// or https://"
    )]
    Unknown(String),
    /// A URL that is not one.
    #[error("`{text}` is not a base URL: {reason}")]
    Url {
        /// What was given, without credentials.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The name of the embedded sample API.
pub const SAMPLE: &str = "sample";

impl Source {
    /// JSONPlaceholder, the default.
    ///
    /// # Errors
    /// Never in practice: the built-in URL is well-formed.
    pub fn jsonplaceholder() -> Result<Self, InvalidSource> {
        Self::of_shape("jsonplaceholder", "https://jsonplaceholder.typicode.com")
    }

    /// An API of JSONPlaceholder's shape under a name of its own.
    ///
    /// # Errors
    /// When `base` is not an http(s) URL, or carries credentials, a query or a fragment.
    pub fn of_shape(name: &str, base: &str) -> Result<Self, InvalidSource> {
        let invalid = |shown: &str, reason: &str| InvalidSource::Url {
            text: shown.to_owned(),
            reason: reason.to_owned(),
        };
        let url = Url::parse(base).map_err(|error| invalid(base, &error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            // Not shown back: what was typed has a secret in it.
            return Err(invalid(
                "http://…@…",
                "credentials in a URL end up in logs and are not taken",
            ));
        }
        match url.scheme() {
            "http" | "https" => {}
            other => {
                return Err(invalid(
                    base,
                    &format!("expected http or https, found {other}"),
                ));
            }
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid(
                base,
                "a base URL has neither a query nor a fragment",
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            base_url: url,
            headers: HeaderMap::new(),
            auth: Auth::None,
            rate: None,
            allowed_origins: Vec::new(),
            time_zone: jiff::tz::TimeZone::UTC,
            endpoints: placeholder_endpoints(),
        })
    }

    /// The source that a person named: a built-in one or a base URL.
    ///
    /// # Errors
    /// When it is neither. `sample` is for the caller to start and describe.
    pub fn named(text: &str) -> Result<Self, InvalidSource> {
        match text {
            "jsonplaceholder" => Self::jsonplaceholder(),
            url if url.contains("://") => Self::of_shape(url.trim_end_matches('/'), url),
            other => Err(InvalidSource::Unknown(other.to_owned())),
        }
    }

    /// Tells this definition from others, secrets apart. Another version of the
    /// program may read the same records in another way, so it counts as another one.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let Self {
            base_url,
            headers,
            endpoints,
            time_zone,
            ..
        } = self;
        let version = env!("CARGO_PKG_VERSION");
        let text = format!("{version} {base_url} {headers:?} {time_zone:?} {endpoints:?}");
        blake3::hash(text.as_bytes()).to_hex().to_string()
    }

    /// Where a path behind the base URL leads.
    #[must_use]
    pub fn url(&self, path: &str) -> Url {
        let mut url = self.base_url.clone();
        let base = url.path().trim_end_matches('/');
        let path = format!("{base}/{}", path.trim_start_matches('/'));
        url.set_path(&path);
        url
    }
}

/// The resources of JSONPlaceholder's shape.
fn placeholder_endpoints() -> BTreeMap<Resource, Endpoint> {
    use Field::{
        Address, Body, Company, Email, Id, Name, Phone, PostId, Title, UserId, Username, Website,
    };
    let endpoint = |resource: Resource, required: &[Field], optional: &[Field]| {
        let path = |field: &Field| field_name(*field).parse::<JsonPath>().unwrap_or_default();
        let required = required.iter().map(|field| {
            (
                *field,
                FieldPath {
                    path: path(field),
                    optional: false,
                },
            )
        });
        let optional = optional.iter().map(|field| {
            (
                *field,
                FieldPath {
                    path: path(field),
                    optional: true,
                },
            )
        });
        let endpoint = Endpoint {
            path: format!("/{resource}"),
            query: Vec::new(),
            records: JsonPath::default(),
            pagination: Pagination::None,
            total: None,
            pages: None,
            past_end: Vec::new(),
            parent: None,
            fields: required.chain(optional).collect::<FieldMap>(),
        };
        (resource, endpoint)
    };
    BTreeMap::from([
        endpoint(
            Resource::Users,
            &[Id, Name, Username, Email],
            &[Address, Phone, Website, Company],
        ),
        endpoint(Resource::Posts, &[Id, UserId, Title, Body], &[]),
        endpoint(Resource::Comments, &[Id, PostId, Name, Email, Body], &[]),
    ])
}

fn field_name(field: Field) -> &'static str {
    match field {
        Field::Id => "id",
        Field::UserId => "userId",
        Field::PostId => "postId",
        Field::Name => "name",
        Field::Username => "username",
        Field::Email => "email",
        Field::Title => "title",
        Field::Body => "body",
        Field::CreatedAt => "createdAt",
        Field::UpdatedAt => "updatedAt",
        Field::Address => "address",
        Field::Phone => "phone",
        Field::Website => "website",
        Field::Company => "company",
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_found_behind_the_base_url() {
        let cases = [
            (
                "jsonplaceholder",
                "https://jsonplaceholder.typicode.com/users",
            ),
            ("http://127.0.0.1:4002", "http://127.0.0.1:4002/users"),
            ("http://127.0.0.1:4002/", "http://127.0.0.1:4002/users"),
            ("http://host/api/v1/", "http://host/api/v1/users"),
        ];
        for (text, expected) in cases {
            let source = Source::named(text).unwrap();
            assert_eq!(source.url("/users").as_str(), expected);
        }
    }

    #[test]
    fn what_is_no_source_is_refused_without_showing_secrets() {
        let cases = [
            ("jsonplaceholdr", "unknown source `jsonplaceholdr`"),
            ("http://", "empty host"),
            ("ftp://host", "found ftp"),
            ("http://host/?key=1", "neither a query nor a fragment"),
            ("http://me:secret@host", "credentials"),
        ];
        for (text, expected) in cases {
            let message = Source::named(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
