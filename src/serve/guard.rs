//! Who may ask, and the headers that every answer has.

use std::net::IpAddr;

use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY};
use axum::http::header::{HeaderName, X_CONTENT_TYPE_OPTIONS};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use crate::report::html;

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) reason: &'static str,
}

/// What is allowed to be asked with.
pub(super) const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD");

/// Looks at a request before anything is done for it.
///
/// A page of somebody else can have its own name lead to this machine, and would then be
/// taken for this server's own by the browser (DNS rebinding). Its name is in the request all
/// the same, so a server that only this machine can reach answers to no other than its own.
pub(super) fn check(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    local: bool,
) -> Result<(), Refusal> {
    if local && !is_ours(uri, headers) {
        return Err(Refusal {
            status: StatusCode::MISDIRECTED_REQUEST,
            reason: "this server answers to localhost and to loopback addresses only",
        });
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Refusal {
            status: StatusCode::METHOD_NOT_ALLOWED,
            reason: "this server only reads: GET and HEAD",
        });
    }
    Ok(())
}

/// Whether every name that the request calls the server by is one of this machine alone.
fn is_ours(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut named = false;
    let of_headers = headers.get_all(HOST).iter().map(HeaderValue::to_str);
    let of_headers = of_headers.map(Result::unwrap_or_default);
    for name in of_headers.chain(uri.authority().map(Authority::as_str)) {
        named = true;
        if !name.parse().is_ok_and(|name| is_loopback(&name)) {
            return false;
        }
    }
    named
}

fn is_loopback(name: &Authority) -> bool {
    let host = name.host();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Adds what every answer has. Pages are allowed what their own `<meta>` allows them.
pub(super) fn add_headers(headers: &mut HeaderMap, is_page: bool) {
    let policy = if is_page {
        html::policy()
    } else {
        "default-src 'none'"
    };
    // No page of others may show this one in a frame; a `<meta>` cannot say so.
    if let Ok(policy) = HeaderValue::try_from(format!("{policy}; frame-ancestors 'none'")) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    let fixed: [(HeaderName, &str); 4] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // It is current when it is sent, and people's addresses stay out of caches.
        (CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Adds what an answer of 405 has.
pub(super) fn add_methods(headers: &mut HeaderMap) {
    headers.insert(ALLOW, METHODS);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(hosts: &[&'static str]) -> HeaderMap {
        let named = hosts
            .iter()
            .map(|host| (HOST, HeaderValue::from_static(host)));
        let mut headers = HeaderMap::new();
        for (name, value) in named {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn only_names_of_this_machine_are_answered_to() {
        let cases: [(&str, &[&'static str], bool); 15] = [
            ("/", &["127.0.0.1:8080"], true),
            ("/", &["localhost"], true),
            ("/", &["LocalHost:9"], true),
            ("/", &["[::1]:8080"], true),
            ("/", &["127.8.8.8"], true),
            ("http://localhost/", &[], true),
            ("/", &[], false),
            ("/", &[""], false),
            ("/", &["example.org"], false),
            ("/", &["localhost.example.org"], false),
            ("/", &["localhost@example.org"], false),
            ("/", &["127.0.0.1.example.org"], false),
            ("/", &["localhost", "example.org"], false),
            ("http://example.org/", &["localhost"], false),
            ("/", &["192.168.1.2"], false),
        ];
        for (uri, hosts, answered) in cases {
            let uri: Uri = uri.parse().unwrap();
            let checked = check(&Method::GET, &uri, &headers(hosts), true);
            assert_eq!(checked.is_ok(), answered, "{uri} {hosts:?}");
            assert!(check(&Method::GET, &uri, &headers(hosts), false).is_ok());
        }
    }

    #[test]
    fn nothing_can_be_sent_here() {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let refused = check(
                &method,
                &Uri::from_static("/"),
                &headers(&["localhost"]),
                true,
            );
            let status = refused.unwrap_err().status;
            assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        }
    }
}
