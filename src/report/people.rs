//! Who wrote: users, and others whom posts and comments name.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

use foldhash::fast::RandomState;
use jiff::Timestamp;

use crate::activity::LONGEST_NAME;
use crate::record::Id;
use crate::text::beginning;

use super::model::{Domain, UserActivity};

/// Somebody's number in the list of people.
pub(super) type Number = u32;

/// All people, each once.
#[derive(Debug)]
pub(super) struct People {
    /// In the order in which they were found. An address that is in small letters is
    /// kept in `by_email` alone.
    all: Vec<UserActivity>,
    by_id: HashMap<Id, Number, RandomState>,
    /// By address in small letters.
    by_email: HashMap<Box<str>, Number, RandomState>,
    domains: HashMap<Box<str>, u64, RandomState>,
    /// What is counted of everybody's comments in the beginning.
    no_comments: Option<u64>,
}

/// All people are in memory together, so nothing of anybody's is longer than this.
fn is_address(text: &&str) -> bool {
    text.len() <= LONGEST_NAME
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
    /// Nobody yet.
    pub(super) fn new(with_comments: bool) -> Self {
        Self {
            all: Vec::new(),
            by_id: HashMap::default(),
            by_email: HashMap::default(),
            domains: HashMap::default(),
            no_comments: with_comments.then_some(0),
        }
    }

    /// Adds a user. Of two with the same id, or the same address, the first one is meant by both.
    pub(super) fn add_user(
        &mut self,
        id: Id,
        name: Option<&str>,
        email: Option<&str>,
        joined: Option<Timestamp>,
    ) {
        let name = name.map(|name| beginning(name, LONGEST_NAME));
        let email = email.filter(is_address);
        if let Some(domain) = email.and_then(domain) {
            match self.domains.get_mut(&*domain) {
                Some(users) => *users += 1,
                None => drop(self.domains.insert(domain.into(), 1)),
            }
        }
        if self.by_id.contains_key(&id) {
            return;
        }
        let number = self.push(Some(id), email);
        if let Some(user) = self.person(number) {
            user.name = name.map(str::to_owned);
            user.is_user = true;
            user.joined = joined;
        }
    }

    /// The author of a post.
    pub(super) fn author_of_post(&mut self, id: &Id) -> Number {
        match self.known(id) {
            Some(number) => number,
            None => self.push(Some(id.clone()), None),
        }
    }

    /// The author of a comment: by id, or else by e-mail address.
    pub(super) fn author_of_comment(&mut self, id: Option<&Id>, email: Option<&str>) -> Author {
        let email = email.filter(|email| !email.is_empty() && is_address(email));
        if let Some(number) = id.and_then(|id| self.known(id)) {
            return Author::Person(number);
        }
        // WordPress writes 0 for all who have no account.
        let named = id.filter(|id| **id != Id::Number(0));
        let by_email = email.and_then(|email| self.by_email.get(&*small(email)).copied());
        // An id that no user has may have been theirs before; two strangers are two.
        let same = |number: &Number| named.is_none() || self.is_user(*number);
        if let Some(number) = by_email.filter(same) {
            return Author::Person(number);
        }
        match (named, email) {
            (None, None) if id.is_some() => Author::Guest,
            (None, None) => Author::Unnamed,
            (id, email) => Author::Person(self.push(id.cloned(), email)),
        }
    }

    /// Counts a post, and the comments that it received.
    pub(super) fn add_post(&mut self, author: Number, received: u64, when: Option<Timestamp>) {
        if let Some(person) = self.person(author) {
            person.posts += 1;
            if let Some(all) = &mut person.comments_received {
                *all += received;
            }
            was_active(person, when);
        }
    }

    /// It is not known which posts comments are on, so nobody is known to have received any.
    pub(super) fn forget_received(&mut self) {
        for person in &mut self.all {
            person.comments_received = None;
        }
    }

    /// Counts a comment that somebody wrote.
    pub(super) fn add_comment(&mut self, author: Number, when: Option<Timestamp>) {
        if let Some(person) = self.person(author) {
            if let Some(all) = &mut person.comments_written {
                *all += 1;
            }
            was_active(person, when);
        }
    }

    /// Whether somebody is listed as a user.
    pub(super) fn is_user(&self, number: Number) -> bool {
        let person = self.all.get(number as usize);
        person.is_some_and(|person| person.is_user)
    }

    /// Users who wrote nothing.
    pub(super) fn silent(&self) -> u64 {
        let silent = |person: &&UserActivity| person.is_user && wrote(person) == 0;
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
    pub(super) fn ranking(self) -> Vec<UserActivity> {
        let mut all = self.all;
        for (email, number) in self.by_email {
            if let Some(person) = all.get_mut(number as usize)
                && person.email.is_none()
            {
                person.email = Some(email.into());
            }
        }
        drop(self.by_id);
        let mut order: Vec<_> = (0..all.len()).collect();
        // Stable: those who are alike stay in the order in which they were found.
        order.sort_by(|a, b| rank(&all[*a]).cmp(&rank(&all[*b])));
        // Each is put in its place without a second list: one circle of moves after the other.
        for start in 0..order.len() {
            let mut place = start;
            loop {
                let from = std::mem::replace(&mut order[place], place);
                if from == start || from == place {
                    break;
                }
                all.swap(place, from);
                place = from;
            }
        }
        all
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

    /// Adds somebody, who is known by the id and the address from now on.
    fn push(&mut self, id: Option<Id>, email: Option<&str>) -> Number {
        // Four thousand million people fit in no memory.
        let number = Number::try_from(self.all.len()).unwrap_or(Number::MAX);
        let mut kept = None;
        if let Some(email) = email.filter(|email| !email.is_empty()) {
            let small = small(email);
            if self.by_email.contains_key(&*small) {
                kept = Some(email.to_owned());
            } else {
                kept = (small != email).then(|| email.to_owned());
                self.by_email.insert(small.into(), number);
            }
        }
        if let Some(id) = &id {
            self.by_id.insert(id.clone(), number);
        }
        self.all.push(UserActivity {
            id,
            name: None,
            email: kept,
            is_user: false,
            posts: 0,
            comments_received: self.no_comments,
            comments_written: self.no_comments,
            joined: None,
            active: None,
        });
        number
    }

    fn person(&mut self, number: Number) -> Option<&mut UserActivity> {
        self.all.get_mut(number as usize)
    }
}

fn was_active(person: &mut UserActivity, when: Option<Timestamp>) {
    if let Some(when) = when {
        let (first, last) = person.active.get_or_insert((when, when));
        *first = when.min(*first);
        *last = when.max(*last);
    }
}

/// How many posts and comments somebody wrote.
fn wrote(person: &UserActivity) -> u64 {
    person.posts + person.comments_written.unwrap_or_default()
}

/// Who wrote most comes first, then who received most, then by id.
fn rank(person: &UserActivity) -> impl Ord + use<'_> {
    let by_id = (person.id.is_none(), person.id.as_ref());
    (
        Reverse(wrote(person)),
        Reverse(person.comments_received),
        by_id,
    )
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
