//! The sections below the options in a command's help, and in `docs/cli.md`.

use std::fmt::Write;

use clap::builder::StyledStr;
use clap::builder::styling::Style;

/// The exit codes of commands whose outcome a script may want to distinguish.
pub(crate) const EXIT_CODES: &str = "\
0    success, complete
1    any other error
2    wrong usage or configuration
3    the API cannot be fetched; nothing was changed in the data directory
4    more records were rejected, or requests refused, than --max-rejects
     allows (the rest is stored); or the data is unusable (nothing changed)
5    a file cannot be read or written; the previous snapshot is intact
129  hung up (SIGHUP: the terminal was closed)
130  interrupted (Ctrl-C)
143  terminated (SIGTERM)";

/// Sections with headings in the style of clap's own.
pub(crate) fn sections<const N: usize>(sections: [(&str, &str); N]) -> StyledStr {
    const HEADING: Style = Style::new().bold().underline();
    let mut text = String::new();
    for (heading, body) in sections {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        // Writing to a string does not fail.
        let _ = write!(text, "{HEADING}{heading}:{HEADING:#}");
        for line in body.lines() {
            text.push_str("\n  ");
            text.push_str(line);
        }
    }
    text.into()
}
