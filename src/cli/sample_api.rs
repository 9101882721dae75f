//! `activity-tracker sample-api`: the sample data, served as an API.

use std::time::Duration;

use activity_tracker::error::Error;
use activity_tracker::sample::{Sample, Server};
use clap::Args;

use crate::cli::printing;
use crate::cli::values::duration;

#[derive(Debug, Args)]
pub(crate) struct SampleApiArgs {
    /// The port to listen on, on 127.0.0.1; 0 picks a free one
    #[arg(long, default_value_t = 4000)]
    pub(crate) port: u16,

    /// Number of users
    #[arg(long, value_name = "N", default_value_t = Sample::default().users)]
    users: u64,

    /// Number of posts
    #[arg(long, value_name = "N", default_value_t = Sample::default().posts)]
    posts: u64,

    /// Number of comments
    #[arg(long, value_name = "N", default_value_t = Sample::default().comments)]
    comments: u64,

    /// Delay before each response
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    latency: Duration,

    /// Random seed: the same seed gives the same data
    #[arg(long, value_name = "N", default_value_t = Sample::default().seed)]
    seed: u64,
}

impl SampleApiArgs {
    pub(crate) fn sample(&self) -> Sample {
        let Self {
            users,
            posts,
            comments,
            latency,
            seed,
            ..
        } = *self;
        Sample {
            users,
            posts,
            comments,
            seed,
            latency,
        }
    }
}

/// Serves until the program is stopped.
///
/// # Errors
/// When the port cannot be had.
pub(crate) fn run(args: &SampleApiArgs) -> Result<(), Error> {
    let port = args.port;
    let server =
        Server::start(&args.sample(), port).map_err(|cause| Error::Sample { port, cause })?;
    printing::print_sample_api(&server.base_url());
    server.wait();
    Ok(())
}
