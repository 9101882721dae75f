//! Who may ask, and the headers that every answer has.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN};
use axum::http::header::{HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
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
    if is_of_another_site(headers) || has_another_origin(uri, headers) {
        return Err(Refusal {
            status: StatusCode::FORBIDDEN,
            reason: "this server does not answer requests of other sites: \
                     type its address, or open it from a bookmark",
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

/// Whether a browser says that another site asks, by a link or by a page of its own. Its page
/// could not read the response, but could have many of them made. Programs say nothing.
///
/// <https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header>
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    sites.any(|site| site != "same-origin" && site != "none")
}

/// Whether the page that asks is of another site than the one it asks. Older browsers say so
/// in this way only, and only where a page asks.
fn has_another_origin(uri: &Uri, headers: &HeaderMap) -> bool {
    let is_ours = |origin: &HeaderValue| {
        let origin = origin.to_str().ok();
        let rest = origin.and_then(|origin| origin.split_once("://"));
        rest.is_some_and(|(scheme, name)| {
            matches!(scheme, "http" | "https")
                && names(uri, headers).all(|ours| ours.eq_ignore_ascii_case(name))
        })
    };
    !headers.get_all(ORIGIN).iter().all(is_ours)
}

/// What the request calls the server by.
fn names<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> impl Iterator<Item = &'r str> {
    let of_headers = headers.get_all(HOST).iter().map(HeaderValue::to_str);
    let of_headers = of_headers.map(Result::unwrap_or_default);
    of_headers.chain(uri.authority().map(Authority::as_str))
}

/// Whether every name that the request calls the server by is one of this machine alone.
fn is_ours(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut names = names(uri, headers).peekable();
    names.peek().is_some() && names.all(is_loopback)
}

/// Whether this is a name or an address of this machine, with or without a port.
fn is_loopback(name: &str) -> bool {
    let (host, port) = match name.rsplit_once(':') {
        // A colon in brackets belongs to the address.
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (name, None),
    };
    let in_brackets = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_host = match in_brackets {
        Some(address) => address
            .parse()
            .is_ok_and(|address: Ipv6Addr| address.is_loopback()),
        None => {
            host.eq_ignore_ascii_case("localhost")
                || host
                    .parse()
                    .is_ok_and(|address: Ipv4Addr| address.is_loopback())
        }
    };
    let is_port =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    is_host && port.is_none_or(is_port)
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
    let fixed: [(HeaderName, &str); 6] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // It is current when it is sent, and people's addresses stay out of caches.
        (CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        // No window of others can reach into one that shows this.
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        // It needs nothing of the machine but the screen.
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
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
        let cases: [(&str, &[&'static str], bool); 25] = [
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
            ("/", &["[::1]"], true),
            ("/", &["[::1]evil"], false),
            ("/", &["[::1]:80evil"], false),
            ("/", &["[[::1]]"], false),
            ("/", &["[localhost]"], false),
            ("/", &["::1"], false),
            ("/", &["localhost:"], false),
            ("/", &["localhost:+80"], false),
            ("/", &["localhost:99999999"], false),
            ("/", &["localhost:80:80"], false),
        ];
        for (uri, hosts, answered) in cases {
            let uri: Uri = uri.parse().unwrap();
            let checked = check(&Method::GET, &uri, &headers(hosts), true);
            assert_eq!(checked.is_ok(), answered, "{uri} {hosts:?}");
            assert!(check(&Method::GET, &uri, &headers(hosts), false).is_ok());
        }
    }

    #[test]
    fn requests_of_other_sites_are_refused_and_those_of_programs_are_not() {
        let cases: [(&[&'static str], bool); 8] = [
            (&[], true),
            (&["none"], true),
            (&["same-origin"], true),
            (&["same-site"], false),
            (&["cross-site"], false),
            (&["Cross-Site"], false),
            (&["none", "cross-site"], false),
            (&[""], false),
        ];
        for (sites, answered) in cases {
            let mut headers = headers(&["localhost"]);
            for site in sites {
                headers.append("sec-fetch-site", HeaderValue::from_static(site));
            }
            for local in [true, false] {
                let checked = check(&Method::GET, &Uri::from_static("/"), &headers, local);
                let refused = checked.err().map(|refused| refused.status);
                let expected = (!answered).then_some(StatusCode::FORBIDDEN);
                assert_eq!(refused, expected, "{sites:?}");
            }
        }
    }

    #[test]
    fn pages_of_other_origins_are_refused_whatever_else_their_browser_says() {
        let cases: [(&[&'static str], bool); 9] = [
            (&[], true),
            (&["http://localhost:8080"], true),
            (&["https://LOCALHOST:8080"], true),
            (&["http://localhost:9"], false),
            (&["http://localhost"], false),
            (&["http://example.org"], false),
            (&["null"], false),
            (&[""], false),
            (&["http://localhost:8080", "http://example.org"], false),
        ];
        for (origins, answered) in cases {
            let mut headers = headers(&["localhost:8080"]);
            for origin in origins {
                headers.append(ORIGIN, HeaderValue::from_static(origin));
            }
            for local in [true, false] {
                let checked = check(&Method::GET, &Uri::from_static("/"), &headers, local);
                let refused = checked.err().map(|refused| refused.status);
                let expected = (!answered).then_some(StatusCode::FORBIDDEN);
                assert_eq!(refused, expected, "{origins:?}");
            }
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
