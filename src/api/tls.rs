//! The one TLS crypto provider, for whichever client asks.

use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;

/// ring, the same for both drivers.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider())))
}
