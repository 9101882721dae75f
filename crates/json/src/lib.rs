//! From bytes to values: where records begin and end in a response, and what stands in one of them.
//! Knows nothing else of the program.

mod path;
pub mod reader;
pub mod splitter;
pub mod stops;
pub mod value;

pub use path::{InvalidPath, JsonPath, MissingKey};
pub use value::{Mismatch, Object, Sound, Text};
