//! The one TLS crypto provider, for whichever client asks.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

/// ring, the same for both drivers.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Makes ring the provider of clients that cannot be handed one.
pub(super) fn install_provider() {
    // It fails where a provider is installed already: then that one serves as well.
    let _ = ring::default_provider().install_default();
}
