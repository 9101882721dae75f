//! Who is active, from stored files and offline: [`report`] builds it and writes it in every
//! format, [`serve`] shows it as a live page.
//!
//! This crate is a part of the program and of the library `activity_tracker`, which names what is
//! kept stable. Use that one.

pub mod report;
pub mod serve;
