//! Requests: headers, credentials and allowed redirects.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, LOCATION, PRAGMA, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::{Origin, Url};

use crate::source::{Auth, CredentialRef, Source};
use activity_tracker_text::excerpt;

use super::paging::remove_parameter;
use super::secrets::Secrets;
use super::{Request, ResponseHead, Validators};

/// The headers of a source that may be sent to other origins: any other may identify the client.
const HARMLESS: [HeaderName; 6] = [
    ACCEPT,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    CACHE_CONTROL,
    PRAGMA,
    USER_AGENT,
];

/// Makes the requests of one source.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    headers: HeaderMap,
    /// The headers sent to other origins.
    elsewhere: HeaderMap,
    /// Credentials go to the origin of the base URL and nowhere else.
    home: Origin,
    credentials: Option<Credentials>,
    /// Where the credentials were configured.
    found_at: Option<CredentialRef>,
    pub(super) secrets: Secrets,
}

#[derive(Clone, Debug)]
enum Credentials {
    Header(HeaderName, HeaderValue),
    Query(String, crate::source::Secret),
}

impl Requests {
    pub(super) fn new(source: &Source) -> Self {
        let mut headers = HeaderMap::from_iter([
            (ACCEPT, HeaderValue::from_static("application/json")),
            (ACCEPT_ENCODING, HeaderValue::from_static("gzip")),
            (USER_AGENT, HeaderValue::from_static(super::USER_AGENT)),
        ]);
        headers.extend(source.headers.clone());
        let mut elsewhere = headers.clone();
        for name in headers.keys().filter(|name| !HARMLESS.contains(name)) {
            elsewhere.remove(name);
        }
        Self {
            headers,
            elsewhere,
            home: source.base_url.origin(),
            credentials: credentials(&source.auth),
            found_at: source.auth.secret().map(|secret| secret.at().clone()),
            secrets: Secrets::new(&source.auth),
        }
    }

    /// The target of a redirect, if it may be followed. Errors do not reveal credentials.
    pub(super) fn redirect(&self, from: &Url, head: &ResponseHead) -> Result<Url, String> {
        let target = redirect_target(from, head);
        let url = target.map_err(|reason| self.secrets.hidden_in(&reason))?;
        // Host names are sent to DNS servers and shown in messages.
        if self.secrets.are_in(url.host_str().unwrap_or_default()) {
            let reason = "the server redirects to a host with the credential in its name";
            return Err(format!("{reason}, which is not followed"));
        }
        Ok(url)
    }

    /// A redirect's target without credentials that the server copied into it.
    pub(super) fn stripped(&self, mut url: Url) -> Url {
        if let Some(Credentials::Query(name, _)) = &self.credentials {
            remove_parameter(&mut url, name);
        }
        url
    }

    /// Where the credential sent to `url` was configured, if one is sent.
    pub(super) fn credential(&self, url: &Url) -> Option<&CredentialRef> {
        let home = url.origin() == self.home;
        self.found_at.as_ref().filter(|_| home)
    }

    /// The request for the page at `url`.
    pub(super) fn to(&self, url: &Url) -> Request {
        if url.origin() != self.home {
            return Request {
                url: url.clone(),
                headers: self.elsewhere.clone(),
            };
        }
        let mut request = Request {
            url: url.clone(),
            headers: self.headers.clone(),
        };
        match &self.credentials {
            None => {}
            Some(Credentials::Header(name, value)) => {
                request.headers.insert(name.clone(), value.clone());
            }
            Some(Credentials::Query(name, secret)) => {
                request
                    .url
                    .query_pairs_mut()
                    .append_pair(name, secret.expose());
            }
        }
        request
    }
}

fn credentials(auth: &Auth) -> Option<Credentials> {
    let header = |name: HeaderName, text: &str| {
        // Values that are invalid in a header were rejected when the source was read.
        let mut value = HeaderValue::from_str(text).ok()?;
        value.set_sensitive(true);
        Some(Credentials::Header(name, value))
    };
    match auth {
        Auth::None | Auth::Absent(_) => None,
        Auth::Bearer(token) => header(AUTHORIZATION, &format!("Bearer {}", token.expose())),
        Auth::Basic { user, password } => {
            use base64::prelude::{BASE64_STANDARD, Engine};
            let pair = BASE64_STANDARD.encode(format!("{user}:{}", password.expose()));
            header(AUTHORIZATION, &format!("Basic {pair}"))
        }
        Auth::Header { name, value } => header(name.clone(), value.expose()),
        Auth::Query { parameter, value } => {
            Some(Credentials::Query(parameter.clone(), value.clone()))
        }
    }
}

/// Makes a request conditional: a full response only if something changed.
pub(super) fn add_conditions(headers: &mut HeaderMap, stored: &Validators) {
    let conditions = [
        (IF_NONE_MATCH, &stored.etag),
        (IF_MODIFIED_SINCE, &stored.last_modified),
    ];
    for (name, value) in conditions {
        // Values from a header are valid in one; those of a modified manifest may not be.
        if let Some(value) = value
            .as_ref()
            .and_then(|value| HeaderValue::from_str(value).ok())
        {
            headers.insert(name, value);
        }
    }
}

/// The target of a redirect, if it may be followed.
pub(super) fn redirect_target(from: &Url, head: &ResponseHead) -> Result<Url, String> {
    let status = head.status;
    // Servers also send raw UTF-8; parsing the URL encodes it.
    let location = head
        .headers
        .get(LOCATION)
        .and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
    let location = location
        .ok_or_else(|| format!("the server responded with {status} without a place to go to"))?;
    let mut url = from.join(location).map_err(|error| {
        let shown = excerpt(location.split('?').next().unwrap_or_default(), 200);
        format!("the server redirects to `{shown}`, which is no URL: {error}")
    })?;
    let allowed = match url.scheme() {
        "https" => true,
        "http" => from.scheme() == "http",
        _ => false,
    };
    if !allowed {
        let target = if url.has_host() {
            url.origin().ascii_serialization()
        } else {
            format!("{}:", url.scheme())
        };
        let from = from.scheme();
        return Err(format!(
            "the server redirects from {from} to {target}, which is not followed"
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "the server redirects to a URL with credentials, which is not followed".to_owned(),
        );
    }
    url.set_fragment(None);
    Ok(url)
}
