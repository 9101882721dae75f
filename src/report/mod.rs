//! Reports: who is active, from the files of a snapshot.

mod model;

pub use model::*;
