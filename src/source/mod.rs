//! Sources: what an API is called, where it lives and what it offers.

use std::fmt;

use url::Url;

use crate::activity::Resource;

/// The description of one API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    name: String,
    base: Url,
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
            base: url,
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

    /// The name, as it stands in the summary and the manifest.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the records of a resource are.
    #[must_use]
    pub fn url(&self, resource: Resource) -> Url {
        let mut url = self.base.clone();
        let path = format!("{}/{resource}", url.path().trim_end_matches('/'));
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
            assert_eq!(source.url(Resource::Users).as_str(), expected);
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
