//! Reports: who is active, computed from the files of a snapshot.
//!
//! [`ActivityReport::of`] counts stored records; [`terminal`], [`markdown`], [`csv`], [`json`]
//! and [`html`] format the result. [`changes`] lists what changed between runs.

mod at;
mod build;
mod calendar;
pub mod changes;
pub mod csv;
mod data_sources;
mod format;
pub mod html;
pub mod json;
pub mod markdown;
mod model;
mod people;
mod replies;
pub mod terminal;
#[cfg(test)]
pub(crate) mod tests;
mod text_report;
pub mod user_lookup;
mod zone;

pub use model::*;
pub use zone::{UnknownZone, Zone};
