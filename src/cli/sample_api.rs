//! The command `sample-api`: generated data, served as an API.

use std::str::FromStr;
use std::time::Duration;

use activity_tracker::error::Error;
use activity_tracker::sample::{Moment, Sample, Server};
use clap::Args;

use crate::cli::values::{duration, number, port};
use crate::cli::{help, printing};

const EXAMPLES: &str = "\
activity-tracker sample-api
activity-tracker sample-api --users 1000 --posts 1000000
activity-tracker sample-api --at 2026-05-01 --day 1s
activity-tracker sample-api --port 0 --latency 200ms";

#[derive(Debug, Args)]
#[command(after_help = help::sections([("Examples", EXAMPLES)]))]
pub(crate) struct SampleApiArgs {
    /// Port to listen on, on 127.0.0.1; 0 picks a free one
    #[arg(long, default_value_t = 4000, value_parser = port)]
    pub(crate) port: u16,

    /// Number of users
    #[arg(long, value_name = "N", default_value_t = Sample::default().users, value_parser = number)]
    users: u64,

    /// Number of posts
    #[arg(long, value_name = "N", default_value_t = Sample::default().posts, value_parser = number)]
    posts: u64,

    /// Number of comments
    #[arg(long, value_name = "N", default_value_t = Sample::default().comments, value_parser = number)]
    comments: u64,

    /// Show the forum as it was at a date or time in UTC (2026-05-31, 2026-05-31T08:00:00Z)
    /// [default: its end, 2026-06-30]
    #[arg(long, value_name = "WHEN", value_parser = Moment::from_str)]
    at: Option<Moment>,

    /// Let time go on from then: a day of the forum takes TIME
    #[arg(long, value_name = "TIME", requires = "at", value_parser = duration)]
    day: Option<Duration>,

    /// Delay before each response
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    latency: Duration,

    /// Random seed: the same seed gives the same data
    #[arg(long, value_name = "N", default_value_t = Sample::default().seed, value_parser = number)]
    seed: u64,
}

impl SampleApiArgs {
    pub(crate) fn sample(&self) -> Sample {
        let Self {
            users,
            posts,
            comments,
            at,
            day,
            latency,
            seed,
            ..
        } = *self;
        Sample {
            users,
            posts,
            comments,
            seed,
            at,
            day,
            latency,
        }
    }
}

/// Serves until the program is stopped.
///
/// # Errors
/// When the port is not available.
pub(crate) fn run(args: &SampleApiArgs) -> Result<(), Error> {
    let port = args.port;
    let server =
        Server::start(&args.sample(), port).map_err(|cause| Error::Sample { port, cause })?;
    printing::print_sample_api(&server.base_url(), args.day.is_some());
    server.wait();
    Ok(())
}
