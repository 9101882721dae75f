//! Public access to private parsers, for the fuzz targets only.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

use super::{link, rate, retry};

/// The target of the first link whose relations include `relation`; `None` if there is none or the
/// header is malformed.
#[must_use]
pub fn link_target(headers: &HeaderMap, relation: &str) -> Option<String> {
    link::target(headers, relation).unwrap_or_default()
}

/// The delay that `Retry-After` requests.
#[must_use]
pub fn retry_after(headers: &HeaderMap, wall: SystemTime) -> Option<Duration> {
    retry::retry_after(headers, wall)
}

/// The delay that the rate limit headers request.
#[must_use]
pub fn asked_pause(headers: &HeaderMap, wall: SystemTime) -> Option<Duration> {
    rate::asked_pause(headers, false, wall)
}
