//! Generates `docs/cli.md` from the commands, and fails when the file is out of date.

use std::fmt::{Display, Write};

use clap::{Arg, Command, CommandFactory};

use crate::cli::Cli;
use crate::cli::wrap::wrap;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cli.md");

const WIDTH: usize = 100;

const INTRODUCTION: &str = "\
# Command line

Generated from the program's help. After a change of an option,
`INSTA_UPDATE=always cargo test --bins reference` updates this file.

- Data goes to stdout, everything for people to stderr. Times are in UTC unless an option says
  otherwise. Progress bars and colours appear on a terminal only; `NO_COLOR` turns colours off.
- Durations have a unit: `50ms`, `30s`, `5min`, `1h 30m`, `7d`.
- Sizes have a unit too: `500kB` (1,000 bytes each), `10MiB` or `4GiB` (powers of 1,024).
- An option on the command line takes precedence over its environment variable.
- `-h` or `--help` after a command prints the same text as below.
";

/// Remarks on commands that their help is too short for.
const REMARKS: [(&str, &str); 4] = [
    (
        "run",
        "An error names what failed and why, and where possible what to do. Records are rejected \
         one by one: the rest of the resource is stored, and rejected records are kept in \
         `rejected.ndjson`. If every record of a resource is rejected, nothing is changed.",
    ),
    (
        "watch",
        "Takes the options of `run`, except `--resume` (always on), `--replay`, `--json` and \
         `--verbose`. The jitter delays a run by up to a tenth of the interval, at most one minute. \
         [How to run it as a service](operations.md).",
    ),
    (
        "check",
        "Fetches the first two pages of each resource, and the child records of the first three \
         parents. It prints the plan of a run, whether credentials were found, how the first \
         records are mapped, which fields are absent or null and how often, which records would be \
         rejected, and what is likely wrong. It writes no file. The exit code is that of a run, as \
         far as the pages fetched allow: 3 if a page cannot be fetched or the pages cannot be \
         complete, 4 if a page cannot be read, a record is rejected, or a part is refused. Likely \
         mistakes alone do not change the exit code.",
    ),
    (
        "sample-api",
        "The records are generated on the fly, so any number works.",
    ),
];

/// The whole file.
fn document() -> String {
    let mut root = Cli::command();
    root.build();
    let mut text = INTRODUCTION.to_owned();
    write_sections(&mut text, &root);
    for command in root.get_subcommands().filter(|it| is_documented(it)) {
        write_command(&mut text, command, 2);
    }
    text
}

fn is_documented(command: &Command) -> bool {
    !command.is_hide_set() && command.get_name() != "help"
}

fn write_command(text: &mut String, command: &Command, level: usize) {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    line(text, &format!("\n{} {name}\n", "#".repeat(level)));
    let about = command.get_about().map(ToString::to_string);
    line(text, &format!("{}.", about.unwrap_or_default()));
    if let Some((_, remark)) = REMARKS.iter().find(|(of, _)| *of == command.get_name()) {
        paragraph(text, remark);
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    line(text, &format!("\n```text\n{usage}\n```\n"));
    let args: Vec<_> = command
        .get_arguments()
        .filter(|arg| is_option(arg))
        .collect();
    // Those without a heading first, as clap prints them.
    let mut headings = vec![None];
    for arg in &args {
        if !headings.contains(&arg.get_help_heading()) {
            headings.push(arg.get_help_heading());
        }
    }
    for heading in headings {
        if let Some(heading) = heading {
            line(text, &format!("\n{heading}:\n"));
        }
        for arg in args.iter().filter(|arg| arg.get_help_heading() == heading) {
            text.push_str(&wrap(&option(arg), Some(WIDTH)));
        }
    }
    write_sections(text, command);
    for command in command.get_subcommands().filter(|it| is_documented(it)) {
        write_command(text, command, level + 1);
    }
}

fn is_option(arg: &Arg) -> bool {
    !arg.is_hide_set() && arg.get_id() != "help" && arg.get_id() != "version"
}

/// A list item: the option, its help, its default and environment variable.
fn option(arg: &Arg) -> String {
    let value = arg.get_value_names().and_then(|names| names.first());
    let value = value.filter(|_| arg.get_action().takes_values());
    let mut names = Vec::new();
    names.extend(arg.get_short().map(|short| format!("-{short}")));
    names.extend(arg.get_long().map(|long| format!("--{long}")));
    let name = match (names.join(", "), value) {
        (names, None) => names,
        (names, Some(value)) if names.is_empty() => format!("[{value}]"),
        (names, Some(value)) => format!("{names} <{value}>"),
    };
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let mut item = format!("- `{name}`: {help}");
    let mut note = |what: &str, value: &dyn Display| {
        // Writing to a string does not fail.
        let _ = write!(item, " [{what}: {value}]");
    };
    if let Some(variable) = arg.get_env() {
        note("env", &variable.to_string_lossy());
    }
    let takes_values = arg.get_action().takes_values();
    if let Some(default) = arg.get_default_values().first().filter(|_| takes_values) {
        note("default", &default.to_string_lossy());
    }
    let possible = arg.get_possible_values();
    let possible: Vec<_> = possible
        .iter()
        .map(clap::builder::PossibleValue::get_name)
        .collect();
    if takes_values && !possible.is_empty() {
        note("possible values", &possible.join(", "));
    }
    item + "\n"
}

/// The sections below the options: examples and exit codes.
fn write_sections(text: &mut String, command: &Command) {
    let help = command.get_after_help().map(ToString::to_string);
    for section in help.unwrap_or_default().split("\n\n") {
        let Some((heading, body)) = section.split_once('\n') else {
            continue;
        };
        let language = if heading == "Examples:" { "sh" } else { "text" };
        let body: Vec<_> = body
            .lines()
            .map(|line| line.get(2..).unwrap_or_default())
            .collect();
        line(
            text,
            &format!("\n{heading}\n\n```{language}\n{}\n```", body.join("\n")),
        );
    }
}

fn paragraph(text: &mut String, words: &str) {
    text.push('\n');
    // A paragraph has no hanging indent.
    let wrapped = wrap(words, Some(WIDTH));
    for part in wrapped.lines() {
        line(text, part.trim_start());
    }
}

fn line(text: &mut String, words: &str) {
    text.push_str(words);
    text.push('\n');
}

#[test]
fn the_reference_is_up_to_date() {
    let generated = document();
    // As for snapshots: `INSTA_UPDATE=always cargo test` updates the file.
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(FILE, &generated).unwrap();
    }
    let stored = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        stored == generated,
        "INSTA_UPDATE=always cargo test --bins reference"
    );
}
