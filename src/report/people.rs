//! Who wrote: users, and others whom posts and comments name.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

use foldhash::fast::RandomState;
use jiff::Timestamp;

use crate::activity::Id;

use super::model::{Domain, UserActivity};

/// Somebody's number in the list of people.
pub(super) type Number = u32;

/// All people, each once.
#[derive(Debug, Default)]
pub(super) struct People {
    all: Vec<Person>,
    by_id: HashMap<Id, Number, RandomState>,
    /// By address in small letters.
    by_email: HashMap<Box<str>, Number, RandomState>,
    domains: HashMap<Box<str>, u64, RandomState>,
}

/// One of them.
#[derive(Debug, Default)]
struct Person {
    id: Option<Id>,
    name: Option<Box<str>>,
    email: Option<Box<str>>,
    is_user: bool,
    posts: u64,
    received: u64,
    written: u64,
    joined: Option<Timestamp>,
    active: Option<(Timestamp, Timestamp)>,
}

/// Whom a comment names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Author {
    /// Nobody.
    Unnamed,
    /// Somebody who has no account and whom nothing tells from others.
    Guest,
    /// One of the people.
    Person(Number),
}

impl People {
    /// Adds a user. Of two with the same id, or the same address, the first one is meant by both.
    pub(super) fn add_user(
        &mut self,
        id: Id,
        name: Option<&str>,
        email: Option<&str>,
        joined: Option<Timestamp>,
    ) {
        let number = self.next();
        if let Some(domain) = email.and_then(domain) {
            match self.domains.get_mut(&*domain) {
                Some(users) => *users += 1,
                None => drop(self.domains.insert(domain.into(), 1)),
            }
        }
        if self.by_id.contains_key(&id) {
            return;
        }
        self.by_id.insert(id.clone(), number);
        if let Some(email) = email.filter(|email| !email.is_empty()) {
            let known = small(email).into_owned().into();
            self.by_email.entry(known).or_insert(number);
        }
        self.all.push(Person {
            id: Some(id),
            name: name.map(Into::into),
            email: email.map(Into::into),
            is_user: true,
            joined,
            ..Person::default()
        });
    }

    /// The author of a post.
    pub(super) fn author_of_post(&mut self, id: &Id) -> Number {
        match self.known(id) {
            Some(number) => number,
            None => self.add_other(Some(id), None),
        }
    }

    /// The author of a comment: by id, or else by e-mail address.
    pub(super) fn author_of_comment(&mut self, id: Option<&Id>, email: Option<&str>) -> Author {
        let email = email.filter(|email| !email.is_empty());
        if let Some(number) = id.and_then(|id| self.known(id)) {
            return Author::Person(number);
        }
        if let Some(number) = email.and_then(|email| self.by_email.get(&*small(email))) {
            return Author::Person(*number);
        }
        // WordPress writes 0 for all who have no account.
        let named = id.filter(|id| **id != Id::Number(0));
        match (named, email) {
            (None, None) if id.is_some() => Author::Guest,
            (None, None) => Author::Unnamed,
            (id, email) => Author::Person(self.add_other(id, email)),
        }
    }

    /// Counts a post; gives who wrote it.
    pub(super) fn add_post(&mut self, author: Number, received: u64, when: Option<Timestamp>) {
        if let Some(person) = self.person(author) {
            person.posts += 1;
            person.received += received;
            person.was_active(when);
        }
    }

    /// Counts a comment that somebody wrote.
    pub(super) fn add_comment(&mut self, author: Number, when: Option<Timestamp>) {
        if let Some(person) = self.person(author) {
            person.written += 1;
            person.was_active(when);
        }
    }

    /// Whether somebody is listed as a user.
    pub(super) fn is_user(&self, number: Number) -> bool {
        let person = self.all.get(number as usize);
        person.is_some_and(|person| person.is_user)
    }

    /// Users who wrote nothing.
    pub(super) fn silent(&self) -> u64 {
        let silent = |person: &&Person| person.is_user && person.posts + person.written == 0;
        self.all.iter().filter(silent).count() as u64
    }

    /// The domains of users' addresses, most users first, then by name.
    pub(super) fn domains(&mut self) -> Vec<Domain> {
        let domain = |(domain, users): (Box<str>, u64)| Domain {
            domain: domain.into(),
            users,
        };
        let domains = std::mem::take(&mut self.domains).into_iter();
        let mut domains: Vec<_> = domains.map(domain).collect();
        domains
            .sort_unstable_by(|a, b| (b.users.cmp(&a.users)).then_with(|| a.domain.cmp(&b.domain)));
        domains
    }

    /// Everybody, most active first.
    pub(super) fn ranking(self, with_comments: bool) -> Vec<UserActivity> {
        let mut all = self.all;
        all.sort_unstable_by(|a, b| a.rank().cmp(&b.rank()));
        let activity = |person: Person| UserActivity {
            id: person.id,
            name: person.name.map(Into::into),
            email: person.email.map(Into::into),
            is_user: person.is_user,
            posts: person.posts,
            comments_received: with_comments.then_some(person.received),
            comments_written: with_comments.then_some(person.written),
            joined: person.joined,
            active: person.active,
        };
        all.into_iter().map(activity).collect()
    }

    /// Whom an id means: where nobody has the very id, `7` and `"7"` are the same.
    fn known(&mut self, id: &Id) -> Option<Number> {
        if let Some(number) = self.by_id.get(id) {
            return Some(*number);
        }
        let number = *self.by_id.get(&id.twin()?)?;
        // Next time at once.
        self.by_id.insert(id.clone(), number);
        Some(number)
    }

    fn add_other(&mut self, id: Option<&Id>, email: Option<&str>) -> Number {
        let number = self.next();
        match (id, email) {
            (Some(id), _) => drop(self.by_id.insert(id.clone(), number)),
            (None, Some(email)) => {
                self.by_email.insert(small(email).into(), number);
            }
            (None, None) => {}
        }
        self.all.push(Person {
            id: id.cloned(),
            email: email.map(Into::into),
            ..Person::default()
        });
        number
    }

    fn next(&self) -> Number {
        // Four thousand million people fit in no memory.
        Number::try_from(self.all.len()).unwrap_or(Number::MAX)
    }

    fn person(&mut self, number: Number) -> Option<&mut Person> {
        self.all.get_mut(number as usize)
    }
}

impl Person {
    fn was_active(&mut self, when: Option<Timestamp>) {
        if let Some(when) = when {
            let (first, last) = self.active.get_or_insert((when, when));
            *first = when.min(*first);
            *last = when.max(*last);
        }
    }

    fn rank(&self) -> impl Ord + use<'_> {
        let by_id = (self.id.is_none(), self.id.as_ref());
        let wrote = Reverse(self.posts + self.written);
        (wrote, Reverse(self.received), by_id, self.email.as_deref())
    }
}

/// What stands behind the last `@` of an address, in small letters.
fn domain(email: &str) -> Option<Cow<'_, str>> {
    let (_, domain) = email.rsplit_once('@')?;
    (!domain.is_empty()).then(|| small(domain))
}

/// In small letters; most addresses are already.
fn small(text: &str) -> Cow<'_, str> {
    let is_small = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    if text.bytes().all(is_small) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}
