//! Selects the proxy for a request, by the environment variables that curl established. Both flows
//! use this code instead of their clients' own rules.
//!
//! `http_proxy` is for `http:` URLs and `https_proxy` for `https:` URLs; `all_proxy` is the
//! fallback for both. Each may be in upper case. `NO_PROXY` lists hosts that are contacted
//! directly.

use std::env;
use std::net::IpAddr;

use url::{Host, Url};

/// The proxies of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Proxies {
    http: Option<Result<Url, InvalidProxy>>,
    https: Option<Result<Url, InvalidProxy>>,
    direct: Vec<Direct>,
}

/// An unusable proxy. Its value is not shown: it may contain a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the proxy in {variable} {reason}")]
pub(super) struct InvalidProxy {
    variable: String,
    reason: String,
}

/// Hosts that are contacted without a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Direct {
    All,
    /// A domain and its subdomains, on one port or any.
    Domain(String, Option<u16>),
    Address(IpAddr, Option<u16>),
    /// A network: an address and the length of its prefix in bits.
    Network(IpAddr, u32),
}

impl Proxies {
    /// Reads the environment.
    pub(super) fn from_env() -> Self {
        // In a CGI program, this variable is a client's `Proxy` header.
        let is_cgi = env::var_os("REQUEST_METHOD").is_some();
        Self::new(|name| {
            let trusted = !(is_cgi && name == "HTTP_PROXY");
            env::var(name).ok().filter(|_| trusted)
        })
    }

    fn new(variable: impl Fn(&str) -> Option<String>) -> Self {
        let find = |name: &str| {
            let names = [name.to_owned(), name.to_ascii_uppercase()];
            names.into_iter().find_map(|name| {
                let value = variable(&name)?.trim().to_owned();
                (!value.is_empty()).then_some((name, value))
            })
        };
        let proxy = |name| {
            let (variable, value) = find(name).or_else(|| find("all_proxy"))?;
            Some(proxy(&value).map_err(|reason| InvalidProxy { variable, reason }))
        };
        let direct = find("no_proxy").map_or_else(Vec::new, |(_, list)| {
            let entries = list.split(|c: char| c == ',' || c.is_whitespace());
            entries.filter_map(direct).collect()
        });
        Self {
            http: proxy("http_proxy"),
            https: proxy("https_proxy"),
            direct,
        }
    }

    /// The proxy for a URL; `None` if it is contacted directly.
    pub(super) fn of(&self, url: &Url) -> Result<Option<&Url>, InvalidProxy> {
        let proxy = match url.scheme() {
            "http" => &self.http,
            "https" => &self.https,
            _ => return Ok(None),
        };
        match proxy {
            None => Ok(None),
            Some(_) if self.is_direct(url) => Ok(None),
            Some(Ok(proxy)) => Ok(Some(proxy)),
            Some(Err(invalid)) => Err(invalid.clone()),
        }
    }

    /// The proxy that gets this URL in absolute form, without a tunnel. `None` for the URL of a
    /// proxy itself.
    pub(super) fn forwards(&self, uri: &http::Uri) -> Option<&Url> {
        let plain = uri.scheme() == Some(&http::uri::Scheme::HTTP) && !self.is_proxy(uri);
        let url = plain.then(|| Url::parse(&uri.to_string()).ok())??;
        self.of(&url).ok()?
    }

    /// Whether a URI belongs to one of the proxies, whose addresses the user chose.
    pub(super) fn is_proxy(&self, uri: &http::Uri) -> bool {
        let host = uri.host().unwrap_or_default();
        let all = [&self.http, &self.https].into_iter().flatten();
        let mut all = all.filter_map(|proxy| proxy.as_ref().ok());
        all.any(|proxy| {
            let port = uri.port_u16().or(match uri.scheme_str() {
                Some("https") => Some(443),
                _ => Some(80),
            });
            proxy.port_or_known_default() == port
                && proxy
                    .host_str()
                    .is_some_and(|name| name.eq_ignore_ascii_case(host))
        })
    }

    /// The hosts of the proxies. The user chose them, so they may be connected to.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &str> {
        let all = [&self.http, &self.https].into_iter().flatten();
        all.filter_map(|proxy| proxy.as_ref().ok()?.host_str())
    }

    fn is_direct(&self, url: &Url) -> bool {
        let port = url.port_or_known_default();
        let on = |wanted: &Option<u16>| wanted.is_none() || *wanted == port;
        self.direct.iter().any(|direct| match (direct, url.host()) {
            (Direct::All, _) => true,
            (Direct::Domain(domain, wanted), Some(Host::Domain(host))) => {
                let host = host.trim_end_matches('.');
                let below = host.strip_suffix(domain.as_str());
                on(wanted) && below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            (Direct::Address(address, wanted), Some(host)) => {
                on(wanted) && address_of(&host) == Some(*address)
            }
            (Direct::Network(network, bits), Some(host)) => {
                address_of(&host).is_some_and(|address| is_in(address, *network, *bits))
            }
            _ => false,
        })
    }
}

/// Parses a proxy, given as a URL or as `host:port`.
fn proxy(value: &str) -> Result<Url, String> {
    let url = if value.contains("://") {
        Url::parse(value)
    } else {
        Url::parse(&format!("http://{value}"))
    };
    let url = url.map_err(|error| format!("is no URL: {error}"))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        scheme => Err(format!(
            "is of the kind `{scheme}`, which is not supported: expected `http://` or `https://`"
        )),
    }
}

fn direct(entry: &str) -> Option<Direct> {
    if entry.is_empty() {
        return None;
    }
    if entry == "*" {
        return Some(Direct::All);
    }
    if let Some((network, bits)) = entry.split_once('/') {
        return Some(Direct::Network(address(network)?, bits.parse().ok()?));
    }
    if let Some(address) = address(entry) {
        return Some(Direct::Address(address, None));
    }
    let (host, port) = match entry.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (entry, None),
    };
    if let Some(address) = address(host) {
        return Some(Direct::Address(address, port));
    }
    let host = host.strip_prefix('*').unwrap_or(host);
    let host = host.trim_matches('.');
    // Normalized as in URLs: lowercase and ASCII.
    let url = Url::parse(&format!("http://{host}/")).ok()?;
    Some(Direct::Domain(url.host_str()?.to_owned(), port))
}

/// An address, with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    bare.unwrap_or(text).parse().ok()
}

fn address_of(host: &Host<&str>) -> Option<IpAddr> {
    match host {
        Host::Ipv4(address) => Some((*address).into()),
        Host::Ipv6(address) => Some((*address).into()),
        Host::Domain(_) => None,
    }
}

fn is_in(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    // Shifting by the full width is out of range: the prefix of 0 bits always matches.
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) if bits <= 32 => {
            let differ = address.to_bits() ^ network.to_bits();
            differ.checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(address), IpAddr::V6(network)) if bits <= 128 => {
            let differ = address.to_bits() ^ network.to_bits();
            differ.checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::new(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn of(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let proxies = proxies(variables);
        let url = Url::parse(url).unwrap();
        proxies.of(&url).unwrap().map(ToString::to_string)
    }

    #[test]
    fn each_scheme_has_its_proxy() {
        let (http, https) = ("http://api.test/a", "https://api.test/a");
        let p = Some("http://p.test:3128/");
        let cases: [(&[(&str, &str)], _, _); 12] = [
            (&[("http_proxy", "http://p.test:3128")], p, None),
            (&[("HTTP_PROXY", "http://p.test:3128")], p, None),
            (&[("https_proxy", "http://p.test:3128")], None, p),
            (&[("HTTPS_PROXY", "p.test:3128")], None, p),
            (&[("all_proxy", "p.test:3128")], p, p),
            (&[("ALL_PROXY", "p.test:3128")], p, p),
            (
                &[
                    ("ALL_PROXY", "p.test:3128"),
                    ("http_proxy", "http://q.test:1"),
                ],
                Some("http://q.test:1/"),
                p,
            ),
            (
                &[("http_proxy", "p.test:3128"), ("HTTP_PROXY", "q.test:1")],
                p,
                None,
            ),
            (
                &[("http_proxy", ""), ("HTTP_PROXY", "p.test:3128")],
                p,
                None,
            ),
            (&[("http_proxy", " ")], None, None),
            (
                &[("http_proxy", "https://u:p%40@p.test")],
                Some("https://u:p%40@p.test/"),
                None,
            ),
            (&[], None, None),
        ];
        for (variables, plain, secure) in cases {
            assert_eq!(of(variables, http).as_deref(), plain, "{variables:?}");
            assert_eq!(of(variables, https).as_deref(), secure, "{variables:?}");
        }
    }

    #[test]
    fn no_proxy_names_hosts_in_all_its_forms() {
        let cases = [
            ("api.test", "http://api.test/", true),
            ("api.test", "http://v1.api.test/", true),
            ("api.test", "http://myapi.test/", false),
            (".api.test", "http://api.test/", true),
            (".api.test", "http://v1.api.test/", true),
            ("*.api.test", "http://v1.api.test/", true),
            ("API.Test.", "http://api.test/", true),
            ("api.test", "http://api.test./", true),
            ("b.test, api.test", "http://api.test/", true),
            ("b.test api.test", "http://api.test/", true),
            (" , ,api.test ,", "http://api.test/", true),
            ("api.test:8080", "http://api.test:8080/", true),
            ("api.test:8080", "http://api.test/", false),
            ("api.test:80", "http://api.test/", true),
            ("api.test:443", "https://api.test/", true),
            ("*", "http://api.test/", true),
            ("*", "http://10.1.2.3/", true),
            ("10.0.0.0/8", "http://10.1.2.3/", true),
            ("10.0.0.0/8", "http://11.1.2.3/", false),
            ("0.0.0.0/0", "http://11.1.2.3/", true),
            ("10.1.2.3/32", "http://10.1.2.3/", true),
            ("10.1.2.3/33", "http://10.1.2.3/", false),
            ("10.1.2.3", "http://10.1.2.3:8080/", true),
            ("10.1.2.3:80", "http://10.1.2.3:8080/", false),
            ("10.1.2.3:8080", "http://10.1.2.3:8080/", true),
            ("fd00::/8", "http://[fd12::1]/", true),
            ("fd00::/8", "http://[2001:db8::1]/", false),
            ("::1", "http://[::1]:8080/", true),
            ("[::1]:8080", "http://[::1]:8080/", true),
            ("[::1]:8080", "http://[::1]:81/", false),
            ("müller.test", "http://www.xn--mller-kva.test/", true),
            ("10.0.0.0/8", "http://api.test/", false),
            ("api.test:port", "http://api.test/", false),
            ("", "http://api.test/", false),
        ];
        for (list, url, direct) in cases {
            for name in ["no_proxy", "NO_PROXY"] {
                let found = of(&[("all_proxy", "p.test:1"), (name, list)], url);
                assert_eq!(found.is_none(), direct, "{list:?} {url}");
            }
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_told_without_its_password() {
        let kind = |kind| {
            format!(
                "the proxy in ALL_PROXY is of the kind `{kind}`, which is not supported: expected `http://` or `https://`"
            )
        };
        let cases = [
            ("socks5://u:secret@p.test:1080", kind("socks5")),
            ("socks5h://p.test", kind("socks5h")),
            ("socks4://p.test", kind("socks4")),
            ("file:///secret", kind("file")),
            (
                "http://u:secret@",
                "the proxy in ALL_PROXY is no URL: empty host".to_owned(),
            ),
        ];
        for (value, expected) in cases {
            let proxies = proxies(&[("ALL_PROXY", value), ("NO_PROXY", "b.test")]);
            let url = |text| Url::parse(text).unwrap();
            let error = proxies.of(&url("http://api.test/")).unwrap_err();
            assert_eq!(error.to_string(), expected);
            assert_eq!(proxies.of(&url("http://b.test/")), Ok(None));
        }
    }
}
