//! From bytes to values: where records begin and end in a response, and what they contain.
//! Independent of the rest of the program.

mod path;
pub mod reader;
pub mod splitter;
pub mod stops;
pub mod value;

pub use path::{InvalidPath, JsonPath, MissingKey};
pub use value::{Mismatch, Object, Sound, Text};
