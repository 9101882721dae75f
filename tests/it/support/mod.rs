//! What the integration tests share.

pub(crate) mod fault;
pub(crate) mod full_queue;
pub(crate) mod processes;
pub(crate) mod program;
pub(crate) mod records;
pub(crate) mod served;
pub(crate) mod server;
mod server_test;
pub(crate) mod tls;
