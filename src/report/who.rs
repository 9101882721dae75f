//! Whom a person means by an id, a name or an e-mail address.

use std::collections::BTreeSet;
use std::path::Path;

use crate::activity::Email;
use crate::error::{Error, StorageError};
use crate::history::{Log, Users};
use crate::json::Text;
use crate::record::{Field, Fields, FromFields, Id, Reject, Resource};
use crate::storage::each_piece;

use super::gather::{each, steadily};
use super::taken::Choice;

/// Finds those who have this id, name or address: users of the newest snapshot, users that
/// the history tells of, and authors of what it tells of. Capitals make no difference.
///
/// # Errors
/// When there is nobody, or a file cannot be read.
pub fn find(data_dir: &Path, log: &Log, wanted: &str) -> Result<Users, Error> {
    let mut meant = Meant::new(wanted);
    each_person(data_dir, log, |person| meant.look_at(person))?;
    if meant.is_nobody() {
        return Err(nobody(data_dir, log, wanted)?);
    }
    Ok(meant.into_users())
}

/// Somebody, as far as one record tells.
#[derive(Debug, Default)]
struct Person {
    is_user: bool,
    id: Option<Id>,
    /// Names and the address.
    names: [Option<String>; 2],
    email: Option<String>,
}

impl<'a> FromFields<'a> for Person {
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

impl Person {
    /// All that one may be called by.
    fn called(&self) -> impl Iterator<Item = &str> {
        let names = self.names.iter().flatten().map(String::as_str);
        names.chain(self.email.as_deref())
    }
}

/// Hands over everybody who is known, some several times.
fn each_person(data_dir: &Path, log: &Log, mut take: impl FnMut(&Person)) -> Result<(), Error> {
    let stored = steadily(data_dir, |snapshots| {
        let choice = Choice::of(data_dir, snapshots)?;
        let mut chosen = choice.in_order();
        let Some(users) = chosen.find(|chosen| chosen.resource == Resource::Users) else {
            return Ok(());
        };
        each_piece(&users.folder, &users.file, |piece| {
            each(users, &piece, |person: Person| take(&person))
        })
    });
    match stored {
        // The history may have outlived its files.
        Err(Error::Storage(StorageError::NoSnapshot(_))) => {}
        stored => stored?,
    }
    log.each_named(|named| {
        take(&Person {
            is_user: named.is_user,
            id: named.id,
            names: [named.name, None],
            email: named.email,
        });
    })?;
    Ok(())
}

/// Those who are meant, as far as they are found.
struct Meant {
    /// In small letters.
    text: String,
    asked: [Option<Id>; 2],
    ids: BTreeSet<Id>,
    emails: BTreeSet<String>,
}

impl Meant {
    fn new(wanted: &str) -> Self {
        let id = Id::Text(wanted.into());
        Self {
            text: wanted.to_lowercase(),
            asked: [id.twin(), Some(id)],
            ids: BTreeSet::new(),
            emails: BTreeSet::new(),
        }
    }

    fn look_at(&mut self, person: &Person) {
        let by_id = person.id.is_some() && self.asked.contains(&person.id);
        let by_name = person.called().any(|name| name.to_lowercase() == self.text);
        // What authors are called beside their id may be of many: guests share one.
        if by_id || person.is_user && by_name {
            let twin = person.id.as_ref().and_then(Id::twin);
            self.ids.extend(person.id.clone().into_iter().chain(twin));
        }
        if by_name || person.is_user && by_id {
            let named = person.email.iter().filter(|email| !email.is_empty());
            self.emails.extend(named.cloned());
        }
    }

    fn is_nobody(&self) -> bool {
        self.ids.is_empty() && self.emails.is_empty()
    }

    fn into_users(self) -> Users {
        Users {
            ids: self.ids.into_iter().collect(),
            emails: self.emails.into_iter().collect(),
        }
    }
}

/// The error that there is nobody, with whoever is called nearly so.
fn nobody(data_dir: &Path, log: &Log, wanted: &str) -> Result<Error, Error> {
    let mut nearest = Nearest::new(wanted);
    each_person(data_dir, log, |person| {
        person.called().for_each(|name| nearest.look_at(name));
    })?;
    let meant = nearest
        .best
        .map(|(_, name)| format!("; did you mean {name}?"));
    Ok(Error::Usage(format!(
        "there is no user {wanted}: nobody in the last snapshot or in the history has this id, name or e-mail address{}",
        meant.unwrap_or_default()
    )))
}

/// The name that is most like a text.
struct Nearest {
    wanted: String,
    farthest: usize,
    best: Option<(usize, String)>,
}

impl Nearest {
    fn new(wanted: &str) -> Self {
        let wanted = wanted.to_lowercase();
        Self {
            farthest: (wanted.chars().count() / 3).max(1),
            wanted,
            best: None,
        }
    }

    fn look_at(&mut self, name: &str) {
        let small = name.to_lowercase();
        // Part of a name is often all that is known of it.
        for part in std::iter::once(&*small).chain(small.split_whitespace()) {
            let length = part.chars().count();
            if length.abs_diff(self.wanted.chars().count()) > self.farthest {
                continue;
            }
            let distance = strsim::osa_distance(&self.wanted, part);
            let nearer = self.best.as_ref().is_none_or(|(best, _)| distance < *best);
            if distance <= self.farthest && nearer {
                self.best = Some((distance, name.to_owned()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_told_and_none_that_is_far() {
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
                nearest.look_at(name);
            }
            let found = nearest.best.map(|(_, name)| name);
            assert_eq!(found.as_deref(), expected, "{wanted}");
        }
    }

    #[test]
    fn a_user_is_meant_by_id_name_and_address_and_an_author_by_one() {
        let person = |is_user, id: i64, name: Option<&'static str>, email: &str| Person {
            is_user,
            id: Some(Id::Number(id)),
            names: [name.map(str::to_owned), None],
            email: Some(email.to_owned()),
        };
        let people = [
            person(true, 1, Some("Ada"), "ada@x.org"),
            person(true, 2, Some("ADA"), ""),
            person(true, 3, Some("7"), "seven@x.org"),
            person(false, 7, None, "guest@x.org"),
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
            let mut meant = Meant::new(wanted);
            for person in &people {
                meant.look_at(person);
            }
            let found = meant.into_users();
            let both: Vec<_> = ids.iter().map(|id| Id::Number(*id)).collect();
            let twins = both.iter().filter_map(Id::twin);
            let both: Vec<_> = both.iter().cloned().chain(twins).collect();
            assert_eq!(found.ids, both, "{wanted}");
            assert_eq!(found.emails, emails, "{wanted}");
        }
    }
}
