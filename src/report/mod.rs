//! Reports: who is active, from the files of a snapshot.
//!
//! [`ActivityReport::of`] counts; [`table`], [`markdown`], [`csv`] and [`json`] write what
//! was counted. [`changes`] tells what became other from run to run.

mod answers;
mod at;
mod calendar;
pub mod changes;
pub mod csv;
mod gather;
pub mod html;
pub mod json;
pub mod markdown;
mod model;
mod outline;
mod people;
pub mod table;
mod taken;
#[cfg(test)]
pub(crate) mod tests;
pub mod who;

pub use calendar::{UnknownZone, Zone};
pub use model::*;
