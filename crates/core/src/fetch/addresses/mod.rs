//! Restricts which addresses may be connected to: a remote server must not be able to direct the
//! program to a service on this machine or its network, whose response would become the snapshot.
//!
//! The state machine checks addresses in URLs, and the drivers' resolvers check what names resolve
//! to. So every connection is covered: redirects, links and names that change their address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use url::{Host, Url};

use crate::source::Source;

/// Whether an address belongs to the public internet, according to the registries of
/// special-purpose addresses (RFC 6890 and later).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        // This network, private, loopback; multicast, reserved and broadcast.
        [0 | 10 | 127 | 224..=255, ..]
            // Shared (carriers' NAT), private.
            | [100, 64..=127, ..]
            | [172, 16..=31, ..]
            | [192, 168, ..]
            // Link-local, where cloud metadata services return credentials.
            | [169, 254, ..]
            // Protocol assignments, documentation, 6to4 relays, benchmarks.
            | [192, 0, 0 | 2, _]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            | [192, 88, 99, _]
            | [198, 18 | 19, ..]
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // IPv4 addresses inside IPv6 ones: mapped, or translated by the network (RFC 6052), which
        // is how IPv4 hosts are reached from networks without IPv4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Protocol assignments with Teredo, 6to4, documentation.
        [0x2001, ..=0x01ff | 0x0db8, ..] | [0x2002, ..] | [0x3fff, ..=0x0fff, ..] => false,
        // No other block is global unicast.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// A refused connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{host} is {address}, on this machine or a private network, which the source's base URL is not"
)]
pub(super) struct PrivateAddress {
    host: String,
    address: IpAddr,
}

/// The addresses that one source's requests may go to.
#[derive(Debug)]
pub(super) struct Addresses {
    base: Url,
    /// Whether private addresses are allowed. Unknown until the base URL's host is resolved, then
    /// fixed, whatever the name resolves to later.
    private: OnceLock<bool>,
}

impl Addresses {
    pub(super) fn new(source: &Source) -> Arc<Self> {
        let base = &source.base_url;
        let known = if source.allow_private {
            Some(true)
        } else if base_passes_for_public() {
            Some(false)
        } else {
            address_in(base).map(|address| !is_public(address))
        };
        let private = known.map(OnceLock::from).unwrap_or_default();
        let base = base.clone();
        Arc::new(Self { base, private })
    }

    /// The base URL, for resolvers that have to look up its host.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// Checks a URL whose host is an address: clients do not resolve those.
    pub(super) fn check(&self, url: &Url) -> Result<(), PrivateAddress> {
        match address_in(url) {
            Some(address) if !self.may_reach(url.host_str().unwrap_or_default(), address) => {
                Err(PrivateAddress {
                    host: url.host_str().unwrap_or_default().to_owned(),
                    address,
                })
            }
            _ => Ok(()),
        }
    }

    /// Whether the base URL's host has to be resolved and [learnt](Self::learn) before these
    /// addresses of another host can be judged.
    pub(super) fn wants_base(&self, host: &str, found: &[SocketAddr]) -> bool {
        let private = |found: &SocketAddr| !is_public(found.ip());
        !self.is_base(host) && self.private.get().is_none() && found.iter().any(private)
    }

    /// Records the addresses of the base URL's host. Only the first call counts.
    pub(super) fn learn(&self, found: &[SocketAddr]) {
        let private = |found: &SocketAddr| !is_public(found.ip());
        self.private.get_or_init(|| found.iter().any(private));
    }

    /// The addresses of a host that may be connected to.
    pub(super) fn admit(
        &self,
        host: &str,
        found: &[SocketAddr],
    ) -> Result<Vec<SocketAddr>, PrivateAddress> {
        if self.is_base(host) && !found.is_empty() {
            self.learn(found);
        }
        let reachable = found.iter().copied();
        let reachable: Vec<_> = reachable
            .filter(|found| self.may_reach(host, found.ip()))
            .collect();
        match found.first() {
            Some(first) if reachable.is_empty() => Err(PrivateAddress {
                host: host.to_owned(),
                address: first.ip(),
            }),
            _ => Ok(reachable),
        }
    }

    fn may_reach(&self, host: &str, address: IpAddr) -> bool {
        // The user chose the base URL: if its host is an address, that cannot change.
        let chosen = self.is_base(host) && address_in(&self.base).is_some();
        chosen || self.private.get() == Some(&true) || is_public(address)
    }

    fn is_base(&self, host: &str) -> bool {
        let base = self.base.host_str().unwrap_or_default();
        base.eq_ignore_ascii_case(host)
    }
}

/// The address in a URL whose host is not a name. Unusual notations, such as `0x7f.1`, were
/// normalized when the URL was parsed.
fn address_in(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// For tests, which only have local addresses: in debug builds, the base URL's address can pass for
/// a public one.
fn base_passes_for_public() -> bool {
    cfg!(debug_assertions) && std::env::var_os("ACTIVITY_TRACKER_PUBLIC_BASE").is_some()
}

#[cfg(test)]
mod tests;
