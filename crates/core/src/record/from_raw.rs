//! Converts raw JSON values to types.

use jiff::tz::TimeZone;

use activity_tracker_json::{Mismatch, Object, Sound, Text};

use crate::record::TimeFormat;

/// A type that is read from one JSON value.
///
/// `raw` is a valid JSON value, verbatim and without white space around it. Times without a zone
/// are in `zone`.
pub trait FromRaw<'a>: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// When the value is not of the expected type.
    fn from_raw(raw: &'a str, zone: &TimeZone) -> Result<Self, Mismatch>;

    /// Reads a value that was already scanned, with what the scan found.
    ///
    /// # Errors
    /// As [`from_raw`](Self::from_raw).
    fn from_sound(sound: Sound<'a>, zone: &TimeZone) -> Result<Self, Mismatch> {
        Self::from_raw(sound.raw, zone)
    }

    /// Reads a value for which the source names formats; the standard ones if `formats` is empty.
    ///
    /// # Errors
    /// As [`from_raw`](Self::from_raw).
    #[inline]
    fn from_formats(
        sound: Sound<'a>,
        zone: &TimeZone,
        _formats: &[TimeFormat],
    ) -> Result<Self, Mismatch> {
        Self::from_sound(sound, zone)
    }

    /// Whether a raw value counts as absent if the field is optional.
    #[inline]
    #[must_use]
    fn is_blank(_raw: &str) -> bool {
        false
    }

    /// Whether a value that was read counts as absent.
    #[inline]
    #[must_use]
    fn means_nothing(&self) -> bool {
        false
    }
}

impl<'a> FromRaw<'a> for Object<'a> {
    fn from_raw(raw: &'a str, _: &TimeZone) -> Result<Self, Mismatch> {
        Self::read(raw)
    }
}

impl<'a> FromRaw<'a> for Text<'a> {
    fn from_raw(raw: &'a str, zone: &TimeZone) -> Result<Self, Mismatch> {
        Self::from_sound(Sound::new(raw), zone)
    }

    #[inline]
    fn from_sound(sound: Sound<'a>, _: &TimeZone) -> Result<Self, Mismatch> {
        Self::read(sound)
    }
}
