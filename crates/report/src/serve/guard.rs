//! Request checks, and the security headers of every response.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN};
use axum::http::header::{HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use crate::report::html;

/// Why a request is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rejection {
    pub(super) status: StatusCode,
    pub(super) reason: &'static str,
}

/// The allowed methods.
pub(super) const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD");

/// Checks a request before it is processed.
///
/// A foreign web page can resolve its own host name to this machine, so that the browser treats it
/// and this server as the same origin (DNS rebinding). The request still has the foreign name, so
/// a server on a loopback address accepts only loopback names.
pub(super) fn check(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    local: bool,
) -> Result<(), Rejection> {
    if local && !is_for_loopback(uri, headers) {
        return Err(Rejection {
            status: StatusCode::MISDIRECTED_REQUEST,
            reason: "only localhost and loopback addresses are accepted as the host",
        });
    }
    if is_of_another_site(headers) || has_another_origin(uri, headers) {
        return Err(Rejection {
            status: StatusCode::FORBIDDEN,
            reason: "requests from other sites are rejected: \
                     type the address, or use a bookmark",
        });
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Rejection {
            status: StatusCode::METHOD_NOT_ALLOWED,
            reason: "only GET and HEAD are allowed",
        });
    }
    Ok(())
}

/// Whether the request comes from another site, through a link or a script. Such a page could not
/// read the response, but could cause load. Only browsers send this header.
///
/// <https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header>
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    sites.any(|site| site != "same-origin" && site != "none")
}

/// Whether a script of another origin sent the request. Older browsers send only this header.
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

/// All host names in a request.
fn names<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> impl Iterator<Item = &'r str> {
    let of_headers = headers.get_all(HOST).iter().map(HeaderValue::to_str);
    let of_headers = of_headers.map(Result::unwrap_or_default);
    of_headers.chain(uri.authority().map(Authority::as_str))
}

/// Whether all host names in a request are loopback names.
fn is_for_loopback(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut names = names(uri, headers).peekable();
    names.peek().is_some() && names.all(is_loopback)
}

/// Whether this is a loopback name or address, with or without a port.
fn is_loopback(name: &str) -> bool {
    let (host, port) = match name.rsplit_once(':') {
        // A colon in brackets is part of an IPv6 address.
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

/// Adds the headers of every response. Pages have the same policy as in their `<meta>`.
pub(super) fn add_headers(headers: &mut HeaderMap, is_page: bool) {
    let policy = if is_page {
        html::policy()
    } else {
        "default-src 'none'"
    };
    // Forbids frames on other sites, which a `<meta>` cannot.
    if let Ok(policy) = HeaderValue::try_from(format!("{policy}; frame-ancestors 'none'")) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    let fixed: [(HeaderName, &str); 6] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // Responses change with each run, and contain personal data.
        (CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        // Isolates the page from windows of other sites.
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        // The pages need none of these.
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Adds the header of a 405 response.
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
    fn only_loopback_names_are_accepted() {
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
        for (uri, hosts, accepted) in cases {
            let uri: Uri = uri.parse().unwrap();
            let checked = check(&Method::GET, &uri, &headers(hosts), true);
            assert_eq!(checked.is_ok(), accepted, "{uri} {hosts:?}");
            assert!(check(&Method::GET, &uri, &headers(hosts), false).is_ok());
        }
    }

    #[test]
    fn requests_from_other_sites_are_rejected_and_those_of_programs_are_not() {
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
        for (sites, accepted) in cases {
            let mut headers = headers(&["localhost"]);
            for site in sites {
                headers.append("sec-fetch-site", HeaderValue::from_static(site));
            }
            for local in [true, false] {
                let checked = check(&Method::GET, &Uri::from_static("/"), &headers, local);
                let rejection = checked.err().map(|rejection| rejection.status);
                let expected = (!accepted).then_some(StatusCode::FORBIDDEN);
                assert_eq!(rejection, expected, "{sites:?}");
            }
        }
    }

    #[test]
    fn scripts_of_other_origins_are_rejected() {
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
        for (origins, accepted) in cases {
            let mut headers = headers(&["localhost:8080"]);
            for origin in origins {
                headers.append(ORIGIN, HeaderValue::from_static(origin));
            }
            for local in [true, false] {
                let checked = check(&Method::GET, &Uri::from_static("/"), &headers, local);
                let rejection = checked.err().map(|rejection| rejection.status);
                let expected = (!accepted).then_some(StatusCode::FORBIDDEN);
                assert_eq!(rejection, expected, "{origins:?}");
            }
        }
    }

    #[test]
    fn other_methods_are_rejected() {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let rejection = check(
                &method,
                &Uri::from_static("/"),
                &headers(&["localhost"]),
                true,
            );
            let status = rejection.unwrap_err().status;
            assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        }
    }
}
