//! E-mail addresses and the domain filter.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::record::FromRaw;
use activity_tracker_json::{Mismatch, Sound, Text};

/// An e-mail address as the API sent it; only checked to be a string.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Email<'a>(Text<'a>);

impl Email<'_> {
    /// The address, verbatim.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The part after the last `@`, if there is one.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.as_str().rsplit_once('@').map(|(_, domain)| domain)
    }
}

impl<'a> FromRaw<'a> for Email<'a> {
    fn from_raw(raw: &'a str, zone: &TimeZone) -> Result<Self, Mismatch> {
        Text::from_raw(raw, zone).map(Self)
    }

    fn from_sound(sound: Sound<'a>, zone: &TimeZone) -> Result<Self, Mismatch> {
        Text::from_sound(sound, zone).map(Self)
    }
}

/// A domain to filter users by: whole labels, case-insensitive.
///
/// ```
/// use activity_tracker_core::activity::EmailDomain;
///
/// let biz: EmailDomain = "biz".parse()?;
/// assert!(biz.covers("april.BIZ"));
/// assert!(!biz.covers("nobiz"));
/// # Ok::<(), activity_tracker_core::activity::InvalidDomain>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EmailDomain(String);

/// `biz`, as in the Python program that this one grew out of.
impl Default for EmailDomain {
    fn default() -> Self {
        Self("biz".to_owned())
    }
}

/// The text is not a domain.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the labels of a domain such as `biz` or `april.biz`, found `{0}`")]
pub struct InvalidDomain(String);

impl EmailDomain {
    /// The domain in lower case, without a leading dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `domain` is this domain or a subdomain.
    #[must_use]
    pub fn covers(&self, domain: &str) -> bool {
        let (domain, wanted) = (domain.as_bytes(), self.0.as_bytes());
        let Some(cut) = domain.len().checked_sub(wanted.len()) else {
            return false;
        };
        domain[cut..].eq_ignore_ascii_case(wanted) && (cut == 0 || domain[cut - 1] == b'.')
    }

    /// Whether `email` is in this domain or a subdomain.
    #[must_use]
    pub fn contains(&self, email: &Email<'_>) -> bool {
        email.domain().is_some_and(|domain| self.covers(domain))
    }
}

impl FromStr for EmailDomain {
    type Err = InvalidDomain;

    /// Accepts `biz`, `.biz`, `@april.biz` and `April.Biz`.
    fn from_str(text: &str) -> Result<Self, InvalidDomain> {
        let domain = text.trim_start_matches('@').trim_start_matches('.');
        let valid = !domain.is_empty()
            && domain.split('.').all(|label| {
                !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            });
        if valid {
            Ok(Self(domain.to_ascii_lowercase()))
        } else {
            Err(InvalidDomain(text.to_owned()))
        }
    }
}

impl fmt::Display for EmailDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_covers_whole_labels_case_insensitively() {
        let cases = [
            ("biz", "april.biz", true),
            ("biz", "APRIL.BIZ", true),
            ("BIZ", "april.biz", true),
            ("biz", "biz", true),
            ("biz", "nobiz", false),
            ("biz", "biz.com", false),
            ("april.biz", "april.biz", true),
            ("april.biz", "mail.april.biz", true),
            ("april.biz", "notapril.biz", false),
            (".biz", "april.biz", true),
            ("@april.biz", "april.biz", true),
            ("münchen.de", "mail.münchen.de", true),
            ("biz", "é.biz", true),
            ("biz", "", false),
        ];
        for (wanted, domain, expected) in cases {
            let wanted: EmailDomain = wanted.parse().unwrap();
            assert_eq!(wanted.covers(domain), expected, "{wanted} covers {domain}");
        }
    }

    #[test]
    fn invalid_domains_are_errors() {
        for text in ["", ".", "@", "a..b", "biz.", "a b", "a@b", "a/b"] {
            assert!(text.parse::<EmailDomain>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_domain_is_after_the_last_at_sign() {
        let cases = [
            ("Sincere@april.biz", Some("april.biz")),
            ("\"a@b\"@c.biz", Some("c.biz")),
            ("nobody", None),
            ("a@", Some("")),
        ];
        for (address, expected) in cases {
            let json = serde_json::to_string(address).unwrap();
            let email = Email::from_raw(&json, &TimeZone::UTC).unwrap();
            assert_eq!(email.domain(), expected, "{address}");
        }
    }
}
