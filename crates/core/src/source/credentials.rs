//! Credentials: where a source file refers to them, and which parts of it must not contain any.

use std::env::VarError;
use std::io;
use std::ops::Range;
use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::form::{AuthForm, BasicForm, Credential, HeaderForm, QueryForm};
use super::headers::settable;
use super::mistake::{Flaw, listed};
use super::values::{Either, Marked, Pairs};
use super::{Auth, CredentialRef, CredentialUse, Environment, Secret};

const WHY: &str =
    "source files are shared and committed, and a credential in one is given away with it";

/// The authentication that a file describes, with its credentials fetched.
pub(super) fn auth(
    form: &Marked<AuthForm>,
    base_url: &Url,
    environment: &dyn Environment,
) -> Result<Auth, Flaw> {
    let place = &form.place;
    let form = &form.value;
    let fetch = Fetch {
        origin: origin(base_url),
        environment,
    };
    let found = match form {
        AuthForm {
            bearer: Some(token),
            basic: None,
            header: None,
            query: None,
            ..
        } => fetch.for_header(token, "").map(Auth::Bearer),
        AuthForm {
            bearer: None,
            basic: Some(basic),
            header: None,
            query: None,
            ..
        } => fetch.basic(basic),
        AuthForm {
            bearer: None,
            basic: None,
            header: Some(header),
            query: None,
            ..
        } => fetch.header(header),
        AuthForm {
            bearer: None,
            basic: None,
            header: None,
            query: Some(query),
            ..
        } => fetch.query(query),
        _ => {
            let ways = listed(&["bearer", "basic", "header", "query"]);
            let title = "no single way to authorise requests";
            return Err(Flaw::new(place, title, format!("expected one of {ways}")));
        }
    };
    match found {
        Err(Trouble::Absent(flaw)) if form.optional => Ok(Auth::Absent(flaw.title)),
        Err(Trouble::Absent(flaw) | Trouble::Wrong(flaw)) => Err(flaw),
        Ok(auth) => Ok(auth),
    }
}

/// Why there is no credential.
enum Trouble {
    /// It is missing; if it is optional, requests are sent without it.
    Absent(Flaw),
    /// It exists and cannot be used, or the reference is wrong.
    Wrong(Flaw),
}

impl From<Flaw> for Trouble {
    fn from(flaw: Flaw) -> Self {
        Self::Wrong(flaw)
    }
}

/// The origin that credentials are sent to, as it is displayed and stored.
pub(super) fn origin(base_url: &Url) -> String {
    base_url.origin().ascii_serialization()
}

/// Fetches credentials.
struct Fetch<'a> {
    origin: String,
    environment: &'a dyn Environment,
}

impl Fetch<'_> {
    fn basic(&self, form: &BasicForm) -> Result<Auth, Trouble> {
        let (user, password) = (self.secret(&form.user), self.secret(&form.password));
        let (user, password) = match (user, password) {
            // An invalid credential is reported even if the other one is absent.
            (Err(Trouble::Absent(_)), Err(wrong @ Trouble::Wrong(_))) => return Err(wrong),
            (user, password) => (user?, password?),
        };
        if user.expose().contains(':') {
            let title = "this user name has a colon in it";
            let expected = "expected a name without `:`, which Basic cannot carry";
            return Err(Flaw::new(&form.user.place, title, expected).into());
        }
        let user = user.expose().to_owned();
        Ok(Auth::Basic { user, password })
    }

    fn header(&self, form: &HeaderForm) -> Result<Auth, Trouble> {
        let name = form.name.0.clone();
        settable(&name, &form.value.place)?;
        let prefix = match &form.prefix {
            Some(prefix) => self::prefix(prefix)?,
            None => "",
        };
        let value = self.for_header(&form.value, prefix)?;
        Ok(Auth::Header { name, value })
    }

    fn query(&self, form: &QueryForm) -> Result<Auth, Trouble> {
        if form.parameter.value.is_empty() {
            let title = "a parameter without a name";
            let expected = "expected a name such as `api_key`";
            return Err(Flaw::new(&form.parameter.place, title, expected).into());
        }
        let parameter = form.parameter.value.clone();
        let value = self.secret(&form.value)?;
        Ok(Auth::Query { parameter, value })
    }

    fn for_header(
        &self,
        form: &Marked<Either<Credential>>,
        prefix: &str,
    ) -> Result<Secret, Trouble> {
        let secret = self.secret(form)?;
        let whole = format!("{prefix}{}", secret.expose());
        match HeaderValue::from_str(&whole) {
            Ok(_) => Ok(Secret::new(whole, secret.at().clone())),
            Err(_) => Err(Flaw::new(
                &form.place,
                "this credential cannot be sent in a header",
                "expected one line without control characters",
            )
            .into()),
        }
    }

    fn secret(&self, form: &Marked<Either<Credential>>) -> Result<Secret, Trouble> {
        let at = match &form.value.0 {
            Credential::Literal => return Err(literal(&form.place).into()),
            Credential::At(at) => at,
        };
        let found = match at {
            CredentialRef::Variable(name) => self.variable(name, &form.place),
            CredentialRef::File(path) => self.file(path, &form.place),
        }?;
        let wanted = CredentialUse {
            credential: at.clone(),
            origin: self.origin.clone(),
        };
        if self.environment.is_granted(&wanted) {
            return Ok(Secret::new(found, wanted.credential));
        }
        Err(Flaw::new(
            &form.place,
            format!("not yet allowed: sending {wanted}"),
            "sent only after a yes",
        )
        .into())
    }

    fn variable(&self, name: &str, place: &Range<usize>) -> Result<String, Trouble> {
        let what = format!("the environment variable `{name}`");
        let help = format!("set {name}, or write `optional = true` under [auth]");
        let absent = |why: &str| {
            let title = format!("{what} is {why}");
            Trouble::Absent(Flaw::new(place, title, EXPECTED_THERE).help(&help))
        };
        match self.environment.variable(name) {
            Ok(value) if value.is_empty() => Err(absent("empty")),
            Ok(value) => Ok(value),
            Err(VarError::NotPresent) => Err(absent("not set")),
            // It is set on purpose: to continue without it would hide a mistake.
            Err(VarError::NotUnicode(_)) => {
                let title = format!("{what} is not Unicode");
                Err(Flaw::new(place, title, EXPECTED_THERE).into())
            }
        }
    }

    fn file(&self, path: &Path, place: &Range<usize>) -> Result<String, Trouble> {
        let what = format!("the file `{}`", path.display());
        let flaw = |why: &str| Flaw::new(place, format!("{what} {why}"), EXPECTED_THERE);
        let text = match self.environment.file(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let help = "a path begins at the folder of the source file; with `optional = true` under [auth], the file may be absent";
                return Err(Trouble::Absent(flaw("is not there").help(help)));
            }
            Err(error) => return Err(flaw(&format!("cannot be read: {error}")).into()),
        };
        // Editors and `echo` end a file with a newline, which is not part of the credential.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(Trouble::Absent(flaw("is empty")));
        }
        // A credential is one line. Anything longer is some other file, and is not sent.
        if text.contains(['\r', '\n']) {
            let help = "a credential file holds the credential alone, in one line";
            return Err(flaw("has more than one line").help(help).into());
        }
        Ok(text.to_owned())
    }
}

const EXPECTED_THERE: &str = "the credential is expected there";

fn literal(place: &Range<usize>) -> Flaw {
    let expected =
        "expected `\"${NAME}\"`, the environment variable that holds it, or `{ file = \"PATH\" }`";
    Flaw::new(place, "a credential in a source file", expected)
        .help(WHY)
        .secret()
}

/// Accepts words like `Token `; anything with digits may be the credential itself.
fn prefix(prefix: &Marked<String>) -> Result<&str, Flaw> {
    let plain = |c: char| c.is_ascii_alphabetic() || matches!(c, ' ' | '-' | '=');
    if prefix.value.len() <= 30 && prefix.value.chars().all(plain) {
        return Ok(&prefix.value);
    }
    let expected = "expected a word or two, as in `\"Token \"`";
    Err(Flaw::new(&prefix.place, "not a prefix", expected)
        .help("the credential itself is in `value`, by reference")
        .secret())
}

/// Headers that are sent to every origin of the source, and so must not contain credentials.
pub(super) fn headers(form: &Pairs<Marked<String>>) -> Result<HeaderMap, Flaw> {
    let mut headers = HeaderMap::new();
    for (name, value) in &form.0 {
        let place = &name.place;
        let name = HeaderName::try_from(&name.value).map_err(|_| {
            Flaw::new(
                place,
                "not the name of a header",
                "expected letters, digits and `-`",
            )
        })?;
        settable(&name, place)?;
        if sounds_secret(name.as_str()) {
            let auth = match name.as_str() {
                "authorization" => "bearer = \"${NAME}\"".to_owned(),
                other => format!("header = {{ name = \"{other}\", value = \"${{NAME}}\" }}"),
            };
            return Err(misplaced(&value.place, &auth));
        }
        if value.value.contains("${") {
            let title = "a header is sent as written here, `${` and all";
            return Err(Flaw::new(&value.place, title, "expected no reference")
                .help("environment variables are for credentials, in [auth]"));
        }
        let header = HeaderValue::from_str(&value.value).map_err(|_| {
            let expected = "expected one line without control characters";
            Flaw::new(&value.place, "not the value of a header", expected)
        })?;
        headers.insert(name, header);
    }
    Ok(headers)
}

/// Rejects a query parameter whose name suggests a credential: queries are shown in messages.
pub(super) fn plain_parameter(name: &str, place: &Range<usize>) -> Result<(), Flaw> {
    let sounds_secret = match name.to_lowercase().replace(['-', '_'], "").as_str() {
        // Names that only end with one of these are cursors or sort keys, such as `page_token`.
        "key" | "token" | "auth" => true,
        name => ["apikey", "accesstoken", "authtoken", "secret", "passw"]
            .iter()
            .any(|word| name.contains(word)),
    };
    if sounds_secret {
        let auth = format!("query = {{ parameter = \"{name}\", value = \"${{NAME}}\" }}");
        return Err(misplaced(place, &auth));
    }
    Ok(())
}

fn sounds_secret(header: &str) -> bool {
    let header = header.replace(['-', '_'], "");
    [
        "authorization",
        "cookie",
        "token",
        "apikey",
        "secret",
        "passw",
        "xauth",
    ]
    .iter()
    .any(|word| header.contains(word))
}

fn misplaced(place: &Range<usize>, auth: &str) -> Flaw {
    let expected = format!("expected under [auth]: `{auth}`");
    Flaw::new(place, "a credential outside of [auth]", expected)
        .help(WHY)
        .secret()
}
