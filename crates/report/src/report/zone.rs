//! The time zone in which a report counts days and shows times.

use std::fmt;
use std::str::FromStr;

use jiff::fmt::temporal;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned, civil};
use serde::{Serialize, Serializer};

/// The time zone of all days, hours and times that people see in a report: UTC by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// The text does not name a time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown time zone: expected a name such as `Europe/Berlin`, or an offset such as `+02:00` (names come from this system's time zone database, the package tzdata)"
)]
pub struct UnknownZone;

impl Zone {
    /// A time in this zone.
    pub(super) fn local(&self, at: Timestamp) -> Zoned {
        at.to_zoned(self.zone.clone())
    }

    /// The day of a time in this zone.
    pub(super) fn day(&self, at: Timestamp) -> civil::Date {
        self.local(at).date()
    }

    /// How far this zone is ahead of UTC at a time, in seconds.
    pub(super) fn offset(&self, at: Timestamp) -> i32 {
        self.zone.to_offset(at).seconds()
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self {
            name: "UTC".to_owned(),
            zone: TimeZone::UTC,
        }
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(text: &str) -> Result<Self, UnknownZone> {
        let parser = temporal::DateTimeParser::new();
        let zone = parser.parse_time_zone(text).map_err(|_| UnknownZone)?;
        // The spelling of the time zone database.
        let name = zone.iana_name().unwrap_or(text).to_owned();
        Ok(Self { name, zone })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}
