//! Name resolution for the blocking client.

use std::net::SocketAddr;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::uri::{Authority, Scheme};
use ureq::config::Config;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::unversioned::transport::time::Duration as ClientDuration;

use crate::fetch::addresses::Addresses;
use crate::fetch::proxies::Proxies;
use activity_tracker_concurrency::spawn;

/// Resolves names like the client's resolver, but reports unknown hosts as their own error.
///
/// The client resolves before each request, even on a reused connection, and starts a thread
/// for it. So results are cached for a while.
#[derive(Debug)]
pub(super) struct SystemResolver {
    addresses: Arc<Addresses>,
    proxies: Arc<Proxies>,
    last: Mutex<Option<Resolved>>,
}

impl SystemResolver {
    pub(super) fn new(addresses: Arc<Addresses>, proxies: Arc<Proxies>) -> Self {
        Self {
            addresses,
            proxies,
            last: Mutex::default(),
        }
    }

    /// Looks a name up in the system's resolver.
    fn look_up(
        uri: &http::Uri,
        config: &Config,
        timeout: &NextTimeout,
    ) -> Result<Vec<SocketAddr>, ureq::Error> {
        let found = look_up(uri, config, timeout).map_err(|error| match error {
            ureq::Error::Io(_) => ureq::Error::HostNotFound,
            other => other,
        })?;
        Ok(found.to_vec())
    }

    /// Looks a name up and keeps only the addresses that may be connected to.
    fn look_up_allowed(
        &self,
        uri: &http::Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<Vec<SocketAddr>, ureq::Error> {
        let found = Self::look_up(uri, config, &timeout)?;
        let host = uri.host().unwrap_or_default();
        // A proxy is resolved here too; the user chose it, so any address is allowed.
        if self.proxies.is_proxy(uri) {
            return Ok(found);
        }
        if self.addresses.wants_base(host, &found) {
            let base = self
                .addresses
                .base()
                .as_str()
                .parse()
                .map_err(http::Error::from)?;
            self.addresses
                .learn(&Self::look_up(&base, config, &timeout)?);
        }
        let allowed = self.addresses.admit(host, &found);
        allowed.map_err(|refused| ureq::Error::Other(refused.into()))
    }
}

/// Looks up a name in a separate thread, so that it can time out.
///
/// The client would start that thread itself, and panic if the system has none left. In that
/// case this thread waits, for as long as the system does.
fn look_up(
    uri: &http::Uri,
    config: &Config,
    timeout: &NextTimeout,
) -> Result<ResolvedSocketAddrs, ureq::Error> {
    let look = {
        let (uri, config, reason) = (uri.clone(), config.clone(), timeout.reason);
        move || {
            let patient = NextTimeout {
                after: ClientDuration::NotHappening,
                reason,
                per_read: None,
                per_write: None,
            };
            DefaultResolver::default().resolve(&uri, &config, patient)
        }
    };
    let (sender, found) = sync_channel(1);
    let looking = {
        let look = look.clone();
        spawn(move || {
            // The receiver may have timed out.
            let _ = sender.send(look());
        })
    };
    if looking.is_err() {
        return look();
    }
    let found = found.recv_timeout(*timeout.after);
    found.unwrap_or(Err(ureq::Error::Timeout(timeout.reason)))
}

/// How long a result is cached.
const RESOLVED_FOR: Duration = Duration::from_secs(10);

type Host = (Option<Scheme>, Option<Authority>);

#[derive(Debug)]
struct Resolved {
    /// The scheme too: it implies the port.
    host: Host,
    addresses: Vec<SocketAddr>,
    at: Instant,
}

impl Resolver for SystemResolver {
    fn resolve(
        &self,
        uri: &http::Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        // The proxy resolves the name.
        if self.proxies.forwards(uri).is_some() {
            return Ok(self.empty());
        }
        let host: Host = (uri.scheme().cloned(), uri.authority().cloned());
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = last().as_ref()
            && known.host == host
            && known.at.elapsed() < RESOLVED_FOR
        {
            let mut found = self.empty();
            known.addresses.iter().for_each(|known| found.push(*known));
            return Ok(found);
        }
        let addresses = self.look_up_allowed(uri, config, timeout)?;
        let mut found = self.empty();
        for address in &addresses {
            found.push(*address);
        }
        *last() = Some(Resolved {
            host,
            addresses,
            at: Instant::now(),
        });
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::blocking::{agent, classify, piece};
    use crate::fetch::happened::Phase;
    use crate::fetch::{Failure, Transport};
    use crate::source::Source;
    use ureq::Timeout;

    fn addresses(base: &str) -> Arc<Addresses> {
        Addresses::new(&Source::of_shape("test", base).unwrap())
    }

    fn look_up(resolver: &SystemResolver, url: &str) -> Result<Vec<String>, ureq::Error> {
        let agent = agent(
            &Transport::default(),
            piece(1),
            Arc::clone(&resolver.addresses),
            Arc::default(),
        );
        let timeout = NextTimeout {
            after: Duration::from_mins(1).into(),
            reason: Timeout::Resolve,
            per_read: None,
            per_write: None,
        };
        let found = resolver.resolve(&url.parse().unwrap(), agent.config(), timeout)?;
        Ok(found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_name_that_resolves_to_this_machine_is_refused_to_a_source_elsewhere() {
        for base in ["http://8.8.8.8", "http://[2606:4700::1111]"] {
            let resolver = SystemResolver::new(addresses(base), Arc::default());
            let error = classify(
                look_up(&resolver, "http://localhost:9/").unwrap_err(),
                Phase::Connect,
                Duration::ZERO,
            );
            assert_eq!(error.failure, Failure::Private, "{error:?}");
            assert!(look_up(&resolver, "http://8.8.4.4/").is_ok());
        }
        // The base URL's addresses are learned here.
        for base in ["http://localhost", "http://127.0.0.1"] {
            let resolver = SystemResolver::new(addresses(base), Arc::default());
            assert!(look_up(&resolver, "http://127.0.0.2:9/").is_ok(), "{base}");
        }
    }

    #[test]
    fn what_was_resolved_is_good_for_the_same_host_and_port_only() {
        let resolver = SystemResolver::new(addresses("http://127.0.0.1"), Arc::default());
        let urls = [
            ("http://127.0.0.1/a", "127.0.0.1:80"),
            ("http://127.0.0.1/b", "127.0.0.1:80"),
            ("https://127.0.0.1/b", "127.0.0.1:443"),
            ("https://127.0.0.1:8080/", "127.0.0.1:8080"),
            ("https://127.0.0.2:8080/", "127.0.0.2:8080"),
            ("http://127.0.0.1/a", "127.0.0.1:80"),
        ];
        for (url, expected) in urls {
            assert_eq!(look_up(&resolver, url).unwrap(), [expected], "{url}");
        }
    }
}
