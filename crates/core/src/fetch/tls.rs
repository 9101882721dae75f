//! TLS for both clients: the crypto provider, and which certificates to trust.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{Failure, TransportError};

/// ring, the same for both drivers.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Makes ring the default provider, for clients that accept no other configuration.
pub(super) fn install_provider() {
    // It fails if a provider is installed already, which is fine.
    let _ = ring::default_provider().install_default();
}

/// Why the TLS handshake failed.
pub(super) fn failed(error: rustls::Error) -> TransportError {
    let failure = match &error {
        // The first bytes are not a TLS record.
        rustls::Error::InvalidMessage(_) => Failure::NotTls,
        _ => Failure::Tls,
    };
    TransportError::new(failure, error)
}

/// Certificates of trusted authorities, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorities(Arc<[CertificateDer<'static>]>);

/// Why a text is not a list of certificates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAuthorities {
    /// It contains no certificate.
    #[error("expected certificates in PEM (`-----BEGIN CERTIFICATE-----`), found none")]
    None,
    /// One is invalid. Some clients would skip it silently.
    #[error("certificate {number} cannot be read: {reason}")]
    Unreadable {
        /// The number of the certificate, from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
}

impl Authorities {
    /// Reads the certificates of a PEM file; other items are skipped.
    ///
    /// # Errors
    /// When it holds no certificate, or an invalid one.
    pub fn from_pem(text: &[u8]) -> Result<Self, InvalidAuthorities> {
        let mut trusted = RootCertStore::empty();
        let mut found = Vec::new();
        for (index, certificate) in CertificateDer::pem_slice_iter(text).enumerate() {
            let unreadable = |reason: String| InvalidAuthorities::Unreadable {
                number: index + 1,
                reason,
            };
            let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
            let added = trusted.add(certificate.clone());
            added.map_err(|error| unreadable(error.to_string()))?;
            found.push(certificate);
        }
        if found.is_empty() {
            return Err(InvalidAuthorities::None);
        }
        Ok(Self(found.into()))
    }

    /// The certificates, in DER.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate() -> String {
        let made = rcgen::generate_simple_self_signed(["api.test".to_owned()]).unwrap();
        made.cert.pem()
    }

    #[test]
    fn certificates_are_found_among_other_things() {
        let bundle = format!("# two\n{}\n\ntext\n{}", certificate(), certificate());
        let authorities = Authorities::from_pem(bundle.as_bytes()).unwrap();
        assert_eq!(authorities.iter().count(), 2);
    }

    #[test]
    fn what_cannot_be_trusted_is_told() {
        let whole = certificate();
        let none = InvalidAuthorities::None;
        let begin = "-----BEGIN CERTIFICATE-----\n";
        let end = "-----END CERTIFICATE-----\n";
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let broken = [
            format!("{begin}aGVsbG8=\n{end}"),
            format!("{begin}&&&&\n{end}"),
            whole[..whole.len() / 2].to_owned(),
        ];
        for text in ["", "hello", &key] {
            assert_eq!(Authorities::from_pem(text.as_bytes()), Err(none.clone()));
        }
        for text in broken {
            for (number, text) in [(1, text.clone()), (2, format!("{whole}\n{text}"))] {
                let found = Authorities::from_pem(text.as_bytes());
                let unreadable = matches!(
                    found,
                    Err(InvalidAuthorities::Unreadable { number: found, .. }) if found == number
                );
                assert!(unreadable, "{text}: {found:?}");
            }
        }
    }
}
