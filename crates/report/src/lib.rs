//! Who is active, from stored files and offline: [`report`] builds the report and writes it in
//! every format, [`serve`] shows it as live web pages.
//!
//! This crate is a part of the program and of the library `activity_tracker`, which defines the
//! stable API. Use that one.

pub mod report;
pub mod serve;
