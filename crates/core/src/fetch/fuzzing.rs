//! Doors for the fuzz targets, to parsers that are nobody's business otherwise.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

use super::{link, rate, retry};

/// The target of the first link whose relations include `relation`; none where nothing can be read.
#[must_use]
pub fn link_target(headers: &HeaderMap, relation: &str) -> Option<String> {
    link::target(headers, relation).unwrap_or_default()
}

/// The wait that `Retry-After` asks for.
#[must_use]
pub fn retry_after(headers: &HeaderMap, wall: SystemTime) -> Option<Duration> {
    retry::retry_after(headers, wall)
}

/// The wait that the headers on rate limits ask for.
#[must_use]
pub fn asked_pause(headers: &HeaderMap, wall: SystemTime) -> Option<Duration> {
    rate::asked_pause(headers, false, wall)
}
