//! Finds users by id, name or e-mail address.

use std::collections::BTreeSet;
use std::path::Path;

use activity_tracker_core::activity::Email;
use activity_tracker_core::error::{Error, StorageError};
use activity_tracker_core::history::{Log, Users};
use activity_tracker_core::record::{Field, Fields, FromFields, Id, Reject, Resource};
use activity_tracker_core::storage::Chunks;
use activity_tracker_json::Text;

use super::build::{each_record, read_consistently};
use super::data_sources::DataSources;

/// Finds everyone with this id, name or address (case-insensitive): users in the newest snapshot or
/// in the history, and authors of records in the history.
///
/// # Errors
/// If nobody matches, or a file cannot be read.
pub fn find(data_dir: &Path, log: &Log, wanted: &str) -> Result<Users, Error> {
    let mut matches = Matches::new(wanted);
    each_candidate(data_dir, log, |candidate| matches.check(candidate))?;
    if matches.is_empty() {
        return Err(not_found(data_dir, log, wanted)?);
    }
    Ok(matches.into_users())
}

/// A user or author, according to one record.
#[derive(Debug, Default)]
struct Candidate {
    is_user: bool,
    id: Option<Id>,
    /// The name and the username.
    names: [Option<String>; 2],
    email: Option<String>,
}

impl<'a> FromFields<'a> for Candidate {
    fn from_fields(fields: &Fields<'a, '_>) -> Result<Self, Box<Reject>> {
        let email: Option<Email<'_>> = fields.get(Field::Email)?;
        let name = |field| {
            let name: Option<Text<'_>> = fields.get(field)?;
            Ok::<_, Box<Reject>>(name.map(|name| name.as_str().to_owned()))
        };
        Ok(Self {
            is_user: true,
            id: Some(fields.required(Field::Id)?),
            names: [name(Field::Name)?, name(Field::Username)?],
            email: email.map(|email| email.as_str().to_lowercase()),
        })
    }
}

impl Candidate {
    /// Names and the address.
    fn labels(&self) -> impl Iterator<Item = &str> {
        let names = self.names.iter().flatten().map(String::as_str);
        names.chain(self.email.as_deref())
    }
}

/// Calls `take` for every user and author, for some more than once.
fn each_candidate(
    data_dir: &Path,
    log: &Log,
    mut take: impl FnMut(&Candidate),
) -> Result<(), Error> {
    let stored = read_consistently(data_dir, |snapshots| {
        let sources = DataSources::of(data_dir, snapshots)?;
        let mut files = sources.in_order();
        let Some(users) = files.find(|file| file.resource == Resource::Users) else {
            return Ok(());
        };
        for chunk in Chunks::open(&users.folder, &users.file)? {
            each_record(users, &chunk?, |user: Candidate| take(&user))?;
        }
        Ok(())
    });
    match stored {
        // The history is enough.
        Err(Error::Storage(StorageError::NoSnapshot(_))) => {}
        stored => stored?,
    }
    log.each_named(|named| {
        take(&Candidate {
            is_user: named.is_user,
            id: named.id,
            names: [named.name, None],
            email: named.email,
        });
    })?;
    Ok(())
}

/// The ids and addresses of everyone who matches.
struct Matches {
    /// In lowercase.
    text: String,
    /// The text as an id, with and without quotes.
    wanted_ids: [Option<Id>; 2],
    ids: BTreeSet<Id>,
    emails: BTreeSet<String>,
}

impl Matches {
    fn new(wanted: &str) -> Self {
        let id = Id::Text(wanted.into());
        Self {
            text: wanted.to_lowercase(),
            wanted_ids: [id.twin(), Some(id)],
            ids: BTreeSet::new(),
            emails: BTreeSet::new(),
        }
    }

    fn check(&mut self, candidate: &Candidate) {
        let by_id = candidate.id.is_some() && self.wanted_ids.contains(&candidate.id);
        let by_name = candidate
            .labels()
            .any(|name| name.to_lowercase() == self.text);
        // The name of an author who is not a user may be shared by several guests.
        if by_id || candidate.is_user && by_name {
            let twin = candidate.id.as_ref().and_then(Id::twin);
            self.ids
                .extend(candidate.id.clone().into_iter().chain(twin));
        }
        if by_name || candidate.is_user && by_id {
            let named = candidate.email.iter().filter(|email| !email.is_empty());
            self.emails.extend(named.cloned());
        }
    }

    fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.emails.is_empty()
    }

    fn into_users(self) -> Users {
        Users {
            ids: self.ids.into_iter().collect(),
            emails: self.emails.into_iter().collect(),
        }
    }
}

/// The error if nobody matches, with a suggestion.
fn not_found(data_dir: &Path, log: &Log, wanted: &str) -> Result<Error, Error> {
    let mut nearest = Nearest::new(wanted);
    each_candidate(data_dir, log, |candidate| {
        candidate.labels().for_each(|name| nearest.check(name));
    })?;
    let suggestion = nearest
        .best
        .map(|(_, name)| format!("; did you mean {name}?"));
    Ok(Error::Usage(format!(
        "no user {wanted}: no id, name or e-mail address in the last snapshot or in the history matches{}",
        suggestion.unwrap_or_default()
    )))
}

/// The most similar name.
struct Nearest {
    wanted: String,
    max_distance: usize,
    best: Option<(usize, String)>,
}

impl Nearest {
    fn new(wanted: &str) -> Self {
        let wanted = wanted.to_lowercase();
        Self {
            max_distance: (wanted.chars().count() / 3).max(1),
            wanted,
            best: None,
        }
    }

    fn check(&mut self, name: &str) {
        let lowercase = name.to_lowercase();
        // People often type only one part of a name.
        for part in std::iter::once(&*lowercase).chain(lowercase.split_whitespace()) {
            let length = part.chars().count();
            if length.abs_diff(self.wanted.chars().count()) > self.max_distance {
                continue;
            }
            let distance = strsim::osa_distance(&self.wanted, part);
            let nearer = self.best.as_ref().is_none_or(|(best, _)| distance < *best);
            if distance <= self.max_distance && nearer {
                self.best = Some((distance, name.to_owned()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_similar_name_is_suggested() {
        let names = ["Leanne Graham", "Ervin Howell", "ervin@x.org"];
        let cases = [
            ("Leane Graham", Some("Leanne Graham")),
            ("leane", Some("Leanne Graham")),
            ("HOWEL", Some("Ervin Howell")),
            ("ervin@x.com", Some("ervin@x.org")),
            ("Bob", None),
            ("", None),
        ];
        for (wanted, expected) in cases {
            let mut nearest = Nearest::new(wanted);
            for name in names {
                nearest.check(name);
            }
            let found = nearest.best.map(|(_, name)| name);
            assert_eq!(found.as_deref(), expected, "{wanted}");
        }
    }

    #[test]
    fn users_match_by_id_name_and_address() {
        let candidate = |is_user, id: i64, name: Option<&'static str>, email: &str| Candidate {
            is_user,
            id: Some(Id::Number(id)),
            names: [name.map(str::to_owned), None],
            email: Some(email.to_owned()),
        };
        let people = [
            candidate(true, 1, Some("Ada"), "ada@x.org"),
            candidate(true, 2, Some("ADA"), ""),
            candidate(true, 3, Some("7"), "seven@x.org"),
            candidate(false, 7, None, "guest@x.org"),
        ];
        let cases: [(&str, &[i64], &[&str]); 6] = [
            ("1", &[1], &["ada@x.org"]),
            ("ada", &[1, 2], &["ada@x.org"]),
            ("ADA@X.org", &[1], &["ada@x.org"]),
            ("7", &[3, 7], &["seven@x.org"]),
            ("guest@x.org", &[], &["guest@x.org"]),
            ("nobody", &[], &[]),
        ];
        for (wanted, ids, emails) in cases {
            let mut matches = Matches::new(wanted);
            for candidate in &people {
                matches.check(candidate);
            }
            let found = matches.into_users();
            let both: Vec<_> = ids.iter().map(|id| Id::Number(*id)).collect();
            let twins = both.iter().filter_map(Id::twin);
            let both: Vec<_> = both.iter().cloned().chain(twins).collect();
            assert_eq!(found.ids, both, "{wanted}");
            assert_eq!(found.emails, emails, "{wanted}");
        }
    }
}
