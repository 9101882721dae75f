//! Integration tests: one binary, so that the test server is compiled once and none of it is unused.

#[cfg(test)]
mod support;
