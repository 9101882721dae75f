//! The command `sources`: the built-in sources, and the schema of source files.

use activity_tracker::error::Error;
use activity_tracker::source::{BUILT_IN, BuiltIn, InvalidSource, SCHEMA};
use anstyle::Style;
use clap::{Args, Subcommand};

use crate::cli::{help, printing};

const HEAD: Style = Style::new().bold();

const EXAMPLES: &str = "\
activity-tracker sources
activity-tracker sources show wordpress > forum.toml
activity-tracker sources schema > source.schema.json";

#[derive(Debug, Args)]
#[command(after_help = help::sections([("Examples", EXAMPLES)]))]
pub(crate) struct SourcesArgs {
    #[command(subcommand)]
    command: Option<SourcesCommand>,
}

#[derive(Debug, Subcommand)]
enum SourcesCommand {
    /// Print a built-in source, as a starting point for your own
    #[command(after_help = help::sections([(
        "Examples",
        "activity-tracker sources show wordpress > forum.toml",
    )]))]
    Show {
        /// Name of the source
        name: String,
    },
    /// Print the JSON Schema of source files, for editors
    #[command(after_help = help::sections([(
        "Examples",
        "activity-tracker sources schema > source.schema.json",
    )]))]
    Schema,
}

/// Prints the list, a source, or the schema to stdout.
///
/// # Errors
/// When there is no such source, or stdout cannot be written to.
pub(crate) fn run(args: &SourcesArgs) -> Result<(), Error> {
    match &args.command {
        None => printing::print_text(&table()?),
        Some(SourcesCommand::Show { name }) => printing::print_verbatim(BuiltIn::named(name)?.text),
        Some(SourcesCommand::Schema) => printing::print_verbatim(SCHEMA),
    }
}

fn table() -> Result<String, InvalidSource> {
    let mut rows = Vec::new();
    for source in BUILT_IN {
        let file = source.file()?;
        let needs: Vec<_> = file
            .vars()
            .filter(|var| var.default.is_none())
            .map(|var| format!("--var {}=…", var.name))
            .collect();
        let what = file.description().unwrap_or_default().to_owned();
        rows.push([source.name.to_owned(), what, needs.join(" ")]);
    }
    let widths = [0, 1].map(|column| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    });
    let [name, what] = widths;
    let mut text = format!(
        "{HEAD}{:name$}  {:what$}  OPTIONS{HEAD:#}\n",
        "NAME", "DESCRIPTION"
    );
    for [source, about, needs] in rows {
        let line = format!("{source:name$}  {about:what$}  {needs}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_sources_are_listed_with_what_they_need() {
        let table = anstream::adapter::strip_str(&table().unwrap()).to_string();
        insta::assert_snapshot!(table, @"
        NAME             DESCRIPTION                                                                OPTIONS
        jsonplaceholder  JSONPlaceholder, free fake data for trying things out
        sample           A made-up forum that is built in; needs no network
        wordpress        A WordPress site: its public posts, comments and authors                   --var site=…
        github           A GitHub repository: its issues, the comments on them, and who wrote them  --var repo=…
        json-server-v1   json-server 1.x with data of JSONPlaceholder's shape                       --var url=…
        ");
    }
}
