//! Invalid command lines.

use super::support::program::{Running, Workplace};

/// Expects that a run with these arguments is refused and changes nothing.
#[track_caller]
fn assert_refused(args: &[&str], expected: &str) {
    let place = Workplace::with_old_snapshot();
    let before = place.data();
    let outcome = place.run(args);
    assert_eq!(outcome.status.code(), Some(2), "{args:?}: {outcome:?}");
    assert_eq!(outcome.first_line(), expected, "{args:?}");
    assert_eq!(outcome.stdout, "", "{args:?}");
    assert_eq!(place.data(), before, "{args:?}");
}

#[test]
fn wrong_usage_exits_with_2_and_changes_nothing() {
    let cases = [
        (
            &["http://"][..],
            "error: `http://` is not a base URL: empty host",
        ),
        (
            &["http://[::1"],
            "error: `http://[::1` is not a base URL: invalid IPv6 address",
        ),
        (
            &["ftp://host"],
            "error: `ftp://host` is not a base URL: expected http or https, found ftp",
        ),
        (
            &["http://host/?page=1"],
            "error: `http://host/?…` is not a base URL: a base URL has neither a query nor a fragment",
        ),
        (
            &["jsonplaceholdr"],
            "error: unknown source `jsonplaceholdr`: expected the name of a built-in one (`activity-tracker sources`), the path of a source file, or a base URL that begins with http:// or https://; did you mean `jsonplaceholder`?",
        ),
        (
            &["http://x/\u{1b}[31m\r?"],
            "error: `http://x/\\u{1b}[31m\\u{d}?` is not a base URL: a base URL has neither a query nor a fragment",
        ),
        (
            &["--no-such-flag"],
            "error: unexpected argument '--no-such-flag' found",
        ),
    ];
    for (args, expected) in cases {
        assert_refused(args, expected);
    }
}

#[test]
fn wrong_values_are_refused_in_words_of_the_program() {
    let cases = [
        (
            &["sample", "--timeout", "soon"][..],
            "error: invalid value 'soon' for '--timeout <TIME>': expected a duration such as 30s, 5min or 50ms",
        ),
        (
            &["sample", "--timeout", "1mo"],
            "error: invalid value '1mo' for '--timeout <TIME>': years and months vary in length: expected a duration such as 7d or 6h",
        ),
        (
            &["sample", "--timeout", "31d"],
            "error: invalid value '31d' for '--timeout <TIME>': must be at most 30 days",
        ),
        (
            &["sample", "--timeout", "0s"],
            "error: invalid value '0s' for '--timeout <TIME>': must be longer than 0s",
        ),
        (
            &["--replay", "raw", "--resources", "users"],
            "error: the argument '--replay <DIR>' cannot be used with '--resources <NAMES>'",
        ),
        (
            &["sample", "--max-body", "much"],
            "error: invalid value 'much' for '--max-body <SIZE>': expected a size such as 500kB, 10MiB or 4GiB",
        ),
        (
            &["sample", "--max-body", "0"],
            "error: invalid value '0' for '--max-body <SIZE>': must be greater than 0",
        ),
        (
            &["sample", "--backoff=-1s"],
            "error: invalid value '-1s' for '--backoff <TIME>': expected a duration such as 30s, 5min or 50ms",
        ),
        (
            &["sample", "--workers", "0"],
            "error: invalid value '0' for '--workers <N>': must be at least 1",
        ),
        (
            &["sample", "--workers", "1001"],
            "error: invalid value '1001' for '--workers <N>': must be at most 1000",
        ),
        (
            &["sample", "--concurrency", "0"],
            "error: invalid value '0' for '--concurrency <N>': must be at least 1",
        ),
        (
            &["sample", "--max-pages", "0"],
            "error: invalid value '0' for '--max-pages <N>': must be at least 1",
        ),
        (
            &["sample", "--retries", "many"],
            "error: invalid value 'many' for '--retries <N>': not a whole number",
        ),
        (
            &["sample", "--max-rejects=-1"],
            "error: invalid value '-1' for '--max-rejects <N>': must be at least 0",
        ),
        (
            &["sample", "--resources", "users, likes"],
            "error: invalid value 'likes' for '--resources <NAMES>'",
        ),
        (
            &["sample", "--email-domain", "a@b"],
            "error: invalid value 'a@b' for '--email-domain <DOMAIN>': expected the labels of a domain such as `biz` or `april.biz`, found `a@b`",
        ),
    ];
    for (args, expected) in cases {
        assert_refused(args, expected);
    }
}

#[test]
fn a_wrong_port_is_named_as_such() {
    let place = Workplace::new();
    for command in ["serve", "sample-api"] {
        for port in ["80a", "65536"] {
            let outcome = Running::start(&mut place.command(&[command, "--port", port])).wait();
            outcome.assert_code(2);
            let expected = format!(
                "error: invalid value '{port}' for '--port <PORT>': not a port: expected a number from 0 to 65535"
            );
            assert_eq!(outcome.first_line(), expected);
        }
    }
}

#[test]
fn a_moment_of_the_sample_that_is_none_is_refused() {
    let expected = "expected a date or time in UTC (2026-05-31, 2026-05-31T08:00:00Z)";
    for wrong in ["soon", "2026-02-30"] {
        let of_run = format!("error: invalid value '{wrong}' for 'at': {expected}");
        assert_refused(&["sample", "--var", &format!("at={wrong}")], &of_run);
        let place = Workplace::new();
        let outcome = Running::start(&mut place.command(&["sample-api", "--at", wrong])).wait();
        outcome.assert_code(2);
        let of_api = format!("error: invalid value '{wrong}' for '--at <WHEN>': {expected}");
        assert_eq!(outcome.first_line(), of_api);
    }
}

#[test]
fn resources_may_have_blanks_between_them() {
    let place = Workplace::new();
    place.run_well(&["sample", "--resources", "users, posts"]);
    assert!(place.data().contains_key("posts.json"));
}

#[test]
fn a_password_in_a_url_is_refused_and_never_shown() {
    let place = Workplace::new();
    let outcome = place.run(&["http://me:hunter2@127.0.0.1:1"]);
    outcome.assert_code(2);
    assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
    assert!(!place.log().contains("hunter2"), "{}", place.log());
    assert!(!place.data_dir().exists());
}

#[test]
fn help_and_version_are_data_for_stdout() {
    let place = Workplace::new();
    for (args, expected) in [
        (
            &["--version"][..],
            concat!("activity-tracker ", env!("CARGO_PKG_VERSION"), "\n"),
        ),
        (&["run", "--help"], "Fetch, process and store once"),
    ] {
        let outcome = Running::start(&mut place.command(args)).wait();
        outcome.assert_code(0);
        assert!(outcome.stdout.starts_with(expected), "{}", outcome.stdout);
        assert_eq!(outcome.stderr, "");
    }
    assert!(super::support::program::contents(place.path()).is_empty());
}
