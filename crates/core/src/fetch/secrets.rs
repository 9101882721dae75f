//! Redacts a source's credentials, in any form in which a server may echo them.

use base64::prelude::{BASE64_STANDARD, Engine};
use percent_encoding::percent_decode_str;

use crate::source::{Auth, Secret};

/// Replaces a credential.
const HIDDEN: &str = "[redacted]";

/// The texts that would reveal a source's credentials.
#[derive(Clone, Debug, Default)]
pub(super) struct Secrets(Vec<Secret>);

impl Secrets {
    pub(super) fn new(auth: &Auth) -> Self {
        let Some(secret) = auth.secret() else {
            return Self::default();
        };
        let mut texts = vec![secret.expose().to_owned()];
        match auth {
            Auth::Basic { user, password } => {
                texts.push(BASE64_STANDARD.encode(format!("{user}:{}", password.expose())));
            }
            // A scheme (`Bearer`) may precede the credential.
            Auth::Header { value, .. } => {
                let behind = value.expose().split_once(' ');
                texts.extend(behind.map(|(_, credential)| credential.to_owned()));
            }
            Auth::None | Auth::Absent(_) | Auth::Bearer(_) | Auth::Query { .. } => {}
        }
        texts.retain(|text| !text.is_empty());
        let hidden = |text| Secret::new(text, secret.at().clone());
        Self(texts.into_iter().map(hidden).collect())
    }

    /// Whether a text contains one of them, percent-encoded or not.
    pub(super) fn are_in(&self, text: &str) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let decoded = percent_decode_str(text).decode_utf8_lossy();
        let plus = decoded.replace('+', " ");
        self.0.iter().any(|secret| {
            let secret = secret.expose();
            [text, &decoded, &plus]
                .iter()
                .any(|text| text.contains(secret))
        })
    }

    /// The text with credentials replaced; all of it is replaced if it contains an encoded one.
    pub(super) fn hidden_in(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for secret in &self.0 {
            shown = shown.replace(secret.expose(), HIDDEN);
        }
        if self.are_in(&shown) {
            HIDDEN.clone_into(&mut shown);
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::CredentialRef;

    #[test]
    fn a_secret_is_hidden_in_every_form_that_it_comes_back_in() {
        let secret = |text: &str| {
            let at = CredentialRef::Variable("KEY".to_owned());
            Secret::new(text.to_owned(), at)
        };
        let basic = Auth::Basic {
            user: "ada".to_owned(),
            password: secret("p+ss/w rd"),
        };
        let header = Auth::Header {
            name: http::header::AUTHORIZATION,
            value: secret("Token s3cret"),
        };
        let cases = [
            (&basic, "/a/p+ss/w rd/b", "/a/[redacted]/b"),
            (&basic, "/a/p%2Bss%2Fw%20rd/b", HIDDEN),
            (&basic, "/a/%70+ss/w%20rd", HIDDEN),
            (&basic, "/a/YWRhOnArc3MvdyByZA==", "/a/[redacted]"),
            (&basic, "/a/p+ss", "/a/p+ss"),
            (&header, "/x/s3cret", "/x/[redacted]"),
            (&header, "/x/Token%20s3cret", "/x/Token%20[redacted]"),
            (&Auth::None, "/x/s3cret", "/x/s3cret"),
        ];
        for (auth, text, expected) in cases {
            let secrets = Secrets::new(auth);
            assert_eq!(secrets.hidden_in(text), expected, "{text}");
            assert_eq!(secrets.are_in(text), text != expected, "{text}");
        }
    }
}
