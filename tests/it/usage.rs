//! What a person may not type.

use super::support::program::{Running, Workplace};

#[test]
fn wrong_usage_is_told_with_exit_code_2_and_changes_nothing() {
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
        (
            &["sample", "--timeout", "soon"],
            "error: invalid value 'soon' for '--timeout <TIME>': expected a time such as 30s, 5min or 50ms",
        ),
        (
            &["sample", "--timeout", "1mo"],
            "error: invalid value '1mo' for '--timeout <TIME>': years and months are not all of one length: expected a time such as 7d or 6h",
        ),
        (
            &["sample", "--timeout", "31d"],
            "error: invalid value '31d' for '--timeout <TIME>': expected at most 30 days",
        ),
        (
            &["sample", "--timeout", "0s"],
            "error: invalid value '0s' for '--timeout <TIME>': expected more than no time",
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
            "error: invalid value '0' for '--max-body <SIZE>': expected more than nothing",
        ),
        (
            &["sample", "--backoff=-1s"],
            "error: invalid value '-1s' for '--backoff <TIME>': expected a time such as 30s, 5min or 50ms",
        ),
        (
            &["sample", "--workers", "0"],
            "error: invalid value '0' for '--workers <N>': expected at least 1",
        ),
        (
            &["sample", "--workers", "1001"],
            "error: invalid value '1001' for '--workers <N>': expected at most 1000",
        ),
        (
            &["sample", "--concurrency", "0"],
            "error: invalid value '0' for '--concurrency <N>': expected at least 1",
        ),
        (
            &["sample", "--email-domain", "a@b"],
            "error: invalid value 'a@b' for '--email-domain <DOMAIN>': expected the labels of a domain such as `biz` or `april.biz`, found `a@b`",
        ),
    ];
    for (args, expected) in cases {
        let place = Workplace::with_old_snapshot();
        let before = place.data();
        let outcome = place.run(args);
        assert_eq!(outcome.status.code(), Some(2), "{args:?}: {outcome:?}");
        assert_eq!(outcome.first_line(), expected, "{args:?}");
        assert_eq!(outcome.stdout, "", "{args:?}");
        assert_eq!(place.data(), before, "{args:?}");
    }
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
