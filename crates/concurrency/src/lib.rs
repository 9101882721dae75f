//! Concurrency: threads for I/O-bound work, processes for CPU-bound work, and one way to stop them
//! all.

mod processes;
mod start;
mod stop;
mod tasks;
mod threads;

pub use processes::{Failed, Pool, serve};
pub use stop::{Registration, Stop, StopReason, Stopped};
pub use tasks::off_runtime;
pub use tasks::rethrow;
pub use threads::STACK;
pub use threads::{available, fan_out, first_error, spawn, spawn_scoped};
