//! The command `serve`: the report as a live page, until Ctrl-C.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use activity_tracker::error::Error;
use activity_tracker::serve::Server;
use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cli::args::DataDir;
use crate::cli::values::port;
use crate::cli::{help, printing};

const EXAMPLES: &str = "\
activity-tracker serve
activity-tracker serve --port 9090 --data-dir /var/lib/activity-tracker/data
activity-tracker serve --listen localhost";

#[derive(Debug, Args)]
#[command(after_help = help::sections([("Examples", EXAMPLES)]))]
pub(crate) struct ServeArgs {
    /// Port to listen on; 0 picks a free one
    #[arg(long, default_value_t = 8080, value_parser = port)]
    port: u16,

    /// Address to listen on. Non-loopback addresses expose the report without authentication
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST),
        value_parser = parse_address
    )]
    listen: IpAddr,

    #[command(flatten)]
    data_dir: DataDir,
}

/// Parses an IP address, one in brackets as in a URL, or `localhost`.
fn parse_address(text: &str) -> Result<IpAddr, String> {
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    let in_brackets = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address = match in_brackets {
        Some(address) => address.parse().map(IpAddr::V6),
        None => text.parse(),
    };
    let expected = "expected localhost, or an IP address such as 127.0.0.1 or ::1";
    address.map_err(|_| expected.to_owned())
}

/// Serves until Ctrl-C or SIGTERM, which are a success.
///
/// # Errors
/// When it cannot listen on that address.
pub(crate) fn run(args: &ServeArgs) -> Result<(), Error> {
    let address = SocketAddr::new(args.listen, args.port);
    let failed = |cause| Error::Serve { address, cause };
    // Handled before the server can be reached.
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    let server = Server::start(args.data_dir.path.clone(), address).map_err(failed)?;
    if !args.listen.is_loopback() {
        printing::print_note(&format!(
            "warning: {} is reachable from other machines: the report is exposed without authentication",
            args.listen
        ));
    }
    printing::print_serving(&server.url(), &args.data_dir.path);
    signals.forever().next();
    drop(server);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed_as_in_a_url() {
        let cases = [
            ("127.0.0.1", Some("127.0.0.1")),
            ("localhost", Some("127.0.0.1")),
            ("LOCALHOST", Some("127.0.0.1")),
            ("::1", Some("::1")),
            ("[::1]", Some("::1")),
            ("0.0.0.0", Some("0.0.0.0")),
            ("[127.0.0.1]", None),
            ("[::1", None),
            ("[::1]:80", None),
            ("127.0.0.1:80", None),
            ("example.org", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let parsed = parse_address(text).ok().map(|address| address.to_string());
            assert_eq!(parsed.as_deref(), expected, "{text}");
        }
    }
}
