//! One table of a report as CSV (RFC 4180), with a header line.

use std::io::{self, Write};

use activity_tracker_core::record::Id;
use activity_tracker_text::{Printable, is_unseen};

use super::model::{ActivityReport, RunChanges};
use super::text_report::WEEKDAYS;

/// The table to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CsvTable {
    /// All users and guests.
    #[default]
    Users,
    /// E-mail domains.
    Domains,
    /// Unanswered posts.
    Unanswered,
    /// Days with activity.
    Days,
    /// Weeks.
    Weeks,
    /// Hours of the week.
    Hours,
    /// What each run changed.
    Runs,
}

/// Writes one table. Without data, it has only the header line.
///
/// Control characters in remote text are escaped, and text that a spreadsheet would interpret as a
/// formula is prefixed with `'`.
///
/// # Errors
/// If `out` cannot be written to.
pub fn write(out: &mut impl Write, report: &ActivityReport, table: CsvTable) -> io::Result<()> {
    let mut out = csv::Writer::from_writer(out);
    match table {
        CsvTable::Users => users(&mut out, report),
        CsvTable::Domains => domains(&mut out, report),
        CsvTable::Unanswered => unanswered(&mut out, report),
        CsvTable::Days => days(&mut out, report),
        CsvTable::Weeks => weeks(&mut out, report),
        CsvTable::Hours => hours(&mut out, report),
        CsvTable::Runs => runs(&mut out, report),
    }?;
    out.flush()
}

type Writer<'w, W> = csv::Writer<&'w mut W>;

fn users<W: Write>(out: &mut Writer<'_, W>, report: &ActivityReport) -> Result<(), csv::Error> {
    out.write_record([
        "id",
        "name",
        "email",
        "is_user",
        "posts",
        "comments_received",
        "comments_written",
        "joined",
        "first_active",
        "last_active",
    ])?;
    for user in &report.users {
        out.write_record([
            id(user.id.as_ref()),
            text(user.name.as_deref()),
            text(user.email.as_deref()),
            user.is_user.to_string(),
            user.posts.to_string(),
            optional(user.comments_received),
            optional(user.comments_written),
            optional(user.joined),
            optional(user.active.map(|(first, _)| first)),
            optional(user.active.map(|(_, last)| last)),
        ])?;
    }
    Ok(())
}

fn domains<W: Write>(out: &mut Writer<'_, W>, report: &ActivityReport) -> Result<(), csv::Error> {
    out.write_record(["domain", "users"])?;
    for domain in &report.domains {
        out.write_record([text(Some(&domain.domain)), domain.users.to_string()])?;
    }
    Ok(())
}

fn unanswered<W: Write>(
    out: &mut Writer<'_, W>,
    report: &ActivityReport,
) -> Result<(), csv::Error> {
    out.write_record(["id", "user_id", "title", "created_at"])?;
    for post in report.unanswered.iter().flat_map(|posts| &posts.posts) {
        out.write_record([
            id(Some(&post.id)),
            id(post.user_id.as_ref()),
            text(post.title.as_deref()),
            optional(post.created_at),
        ])?;
    }
    Ok(())
}

fn days<W: Write>(out: &mut Writer<'_, W>, report: &ActivityReport) -> Result<(), csv::Error> {
    out.write_record(["date", "posts", "comments"])?;
    for day in report.dates.iter().flat_map(|dates| &dates.days) {
        out.write_record([
            day.date.to_string(),
            day.posts.to_string(),
            day.comments.to_string(),
        ])?;
    }
    Ok(())
}

fn weeks<W: Write>(out: &mut Writer<'_, W>, report: &ActivityReport) -> Result<(), csv::Error> {
    out.write_record([
        "monday",
        "posts",
        "comments",
        "new_users",
        "returning_users",
        "joined",
    ])?;
    for week in report.dates.iter().flat_map(|dates| &dates.weeks) {
        out.write_record([
            week.monday.to_string(),
            week.posts.to_string(),
            week.comments.to_string(),
            week.new_users.to_string(),
            week.returning_users.to_string(),
            optional(week.joined),
        ])?;
    }
    Ok(())
}

fn hours<W: Write>(out: &mut Writer<'_, W>, report: &ActivityReport) -> Result<(), csv::Error> {
    out.write_record(["weekday", "hour", "posts_and_comments"])?;
    let hours = report.dates.iter().map(|dates| &dates.hours);
    let weekdays = hours.flat_map(|hours| WEEKDAYS.iter().zip(hours));
    for (weekday, hours) in weekdays {
        for (hour, written) in hours.iter().enumerate() {
            let (hour, written) = (hour.to_string(), written.to_string());
            out.write_record([*weekday, &hour, &written])?;
        }
    }
    Ok(())
}

fn runs<W: Write>(out: &mut Writer<'_, W>, report: &ActivityReport) -> Result<(), csv::Error> {
    out.write_record(["run", "at", "resource", "added", "changed", "removed"])?;
    let runs = report.history.iter().flatten();
    let changes = runs.flat_map(|run: &RunChanges| {
        let changes = run.changes.iter();
        changes.map(move |(resource, changes)| (run, resource, changes))
    });
    for (run, resource, changes) in changes {
        out.write_record([
            text(Some(&run.run)),
            run.at.to_string(),
            resource.to_string(),
            changes.added.to_string(),
            changes.changed.to_string(),
            changes.removed.to_string(),
        ])?;
    }
    Ok(())
}

pub(super) fn id(id: Option<&Id>) -> String {
    match id {
        // Spreadsheets do not interpret a number as a formula, whatever its sign.
        Some(Id::Number(number)) => number.to_string(),
        Some(Id::Text(id)) => text(Some(id)),
        None => String::new(),
    }
}

fn optional<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Escapes remote text. A `'` marks text that starts like a formula as text (OWASP, "CSV
/// Injection"); some spreadsheets strip whitespace and invisible characters first.
pub(super) fn text(text: Option<&str>) -> String {
    let text = text.unwrap_or_default();
    let printable = Printable(text).to_string();
    let stripped = text.trim_start_matches(|c: char| c.is_whitespace() || is_unseen(c));
    let formulas = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    if stripped.starts_with(formulas) || text.starts_with(['\t', '\r']) {
        format!("'{printable}")
    } else {
        printable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_marked_as_text() {
        let cases = [
            ("Ada", "Ada"),
            ("=cmd()", "'=cmd()"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@sum", "'@sum"),
            ("＝1", "'＝1"),
            ("\t=1", "'\\u{9}=1"),
            (" =1", "' =1"),
            ("\u{a0} @x", "'\u{a0} @x"),
            ("\u{3000}-1", "'\u{3000}-1"),
            ("\u{200b}=1", "'\\u{200b}=1"),
            ("\u{feff}+1", "'\\u{feff}+1"),
            ("\n＠x", "'\\u{a}＠x"),
            ("\r", "'\\u{d}"),
            (" harmless", " harmless"),
            ("a=1", "a=1"),
            ("a\nb", "a\\u{a}b"),
            ("", ""),
        ];
        for (raw, expected) in cases {
            assert_eq!(text(Some(raw)), expected, "{raw:?}");
        }
        assert_eq!(id(Some(&Id::Number(-7))), "-7");
        assert_eq!(id(Some(&Id::Text("-7".into()))), "'-7");
    }
}
