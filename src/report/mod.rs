//! Reports: who is active, from the files of a snapshot.

pub mod html;
mod model;

pub use model::*;
