//! The authors of a report: users, and guests whom posts and comments name.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

use foldhash::fast::RandomState;
use jiff::Timestamp;

use activity_tracker_core::activity::MAX_NAME;
use activity_tracker_core::record::Id;
use activity_tracker_text::beginning;

use super::model::{Domain, UserActivity};

/// The index of a person in [`People`].
pub(super) type PersonIndex = u32;

/// All authors, each once.
#[derive(Debug)]
pub(super) struct People {
    /// In the order in which they were found. Lowercase addresses are only in `by_email`, to
    /// save memory.
    all: Vec<UserActivity>,
    by_id: HashMap<Id, PersonIndex, RandomState>,
    /// By lowercase address.
    by_email: HashMap<Box<str>, PersonIndex, RandomState>,
    domains: HashMap<Box<str>, u64, RandomState>,
    /// The initial comment counts: 0, or `None` without comments.
    no_comments: Option<u64>,
}

/// Limits the length of addresses, because all people are in memory at once.
fn is_address(text: &&str) -> bool {
    text.len() <= MAX_NAME
}

/// The author that a comment names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Author {
    /// None.
    Missing,
    /// A guest without an id or address, who cannot be distinguished from others.
    Anonymous,
    /// A user or guest.
    Person(PersonIndex),
}

impl People {
    /// An empty list.
    pub(super) fn new(with_comments: bool) -> Self {
        Self {
            all: Vec::new(),
            by_id: HashMap::default(),
            by_email: HashMap::default(),
            domains: HashMap::default(),
            no_comments: with_comments.then_some(0),
        }
    }

    /// Adds a user. If two users share an id or an address, it refers to the first one.
    pub(super) fn add_user(
        &mut self,
        id: Id,
        name: Option<&str>,
        email: Option<&str>,
        joined: Option<Timestamp>,
    ) {
        let name = name.map(|name| beginning(name, MAX_NAME));
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
    pub(super) fn author_of_post(&mut self, id: &Id) -> PersonIndex {
        match self.find(id) {
            Some(number) => number,
            None => self.push(Some(id.clone()), None),
        }
    }

    /// The author of a comment: by id, or else by e-mail address.
    pub(super) fn author_of_comment(&mut self, id: Option<&Id>, email: Option<&str>) -> Author {
        let email = email.filter(|email| !email.is_empty() && is_address(email));
        if let Some(number) = id.and_then(|id| self.find(id)) {
            return Author::Person(number);
        }
        // WordPress uses 0 for guests.
        let named = id.filter(|id| **id != Id::Number(0));
        let by_email = email.and_then(|email| self.by_email.get(&*lowercase(email)).copied());
        // An unknown id with a user's address: an older id of that user. Two guests with
        // different ids stay two people, even if they share an address.
        let same = |number: &PersonIndex| named.is_none() || self.is_user(*number);
        if let Some(number) = by_email.filter(same) {
            return Author::Person(number);
        }
        match (named, email) {
            (None, None) if id.is_some() => Author::Anonymous,
            (None, None) => Author::Missing,
            (id, email) => Author::Person(self.push(id.cloned(), email)),
        }
    }

    /// Counts a post, and the comments that it received.
    pub(super) fn add_post(&mut self, author: PersonIndex, received: u64, when: Option<Timestamp>) {
        if let Some(person) = self.person(author) {
            person.posts += 1;
            if let Some(all) = &mut person.comments_received {
                *all += received;
            }
            set_active(person, when);
        }
    }

    /// Removes received comments: comments do not name their posts.
    pub(super) fn clear_received(&mut self) {
        for person in &mut self.all {
            person.comments_received = None;
        }
    }

    /// Counts a comment by its author.
    pub(super) fn add_comment(&mut self, author: PersonIndex, when: Option<Timestamp>) {
        if let Some(person) = self.person(author) {
            if let Some(all) = &mut person.comments_written {
                *all += 1;
            }
            set_active(person, when);
        }
    }

    /// Whether a person is a user, not a guest.
    pub(super) fn is_user(&self, number: PersonIndex) -> bool {
        let person = self.all.get(number as usize);
        person.is_some_and(|person| person.is_user)
    }

    /// How many users wrote nothing.
    pub(super) fn inactive(&self) -> u64 {
        let inactive = |person: &&UserActivity| person.is_user && written(person) == 0;
        self.all.iter().filter(inactive).count() as u64
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

    /// All authors, most active first.
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
        // Stable: ties stay in the order in which they were found.
        order.sort_by(|a, b| rank(&all[*a]).cmp(&rank(&all[*b])));
        // Applies the permutation in at, one cycle after the other.
        for start in 0..order.len() {
            let mut at = start;
            loop {
                let from = std::mem::replace(&mut order[at], at);
                if from == start || from == at {
                    break;
                }
                all.swap(at, from);
                at = from;
            }
        }
        all
    }

    /// The person with an id; `7` also matches `"7"` if nobody has the exact id.
    fn find(&mut self, id: &Id) -> Option<PersonIndex> {
        if let Some(number) = self.by_id.get(id) {
            return Some(*number);
        }
        let number = *self.by_id.get(&id.twin()?)?;
        // Found directly the next time.
        self.by_id.insert(id.clone(), number);
        Some(number)
    }

    /// Adds a person, to be found by id and address.
    fn push(&mut self, id: Option<Id>, email: Option<&str>) -> PersonIndex {
        // Four billion people do not fit into memory.
        let number = PersonIndex::try_from(self.all.len()).unwrap_or(PersonIndex::MAX);
        let mut kept = None;
        if let Some(email) = email.filter(|email| !email.is_empty()) {
            let lowercase = lowercase(email);
            if self.by_email.contains_key(&*lowercase) {
                kept = Some(email.to_owned());
            } else {
                kept = (lowercase != email).then(|| email.to_owned());
                self.by_email.insert(lowercase.into(), number);
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

    fn person(&mut self, number: PersonIndex) -> Option<&mut UserActivity> {
        self.all.get_mut(number as usize)
    }
}

fn set_active(person: &mut UserActivity, when: Option<Timestamp>) {
    if let Some(when) = when {
        let (first, last) = person.active.get_or_insert((when, when));
        *first = when.min(*first);
        *last = when.max(*last);
    }
}

/// How many posts and comments a person wrote.
fn written(person: &UserActivity) -> u64 {
    person.posts + person.comments_written.unwrap_or_default()
}

/// The sort key: most written first, then most received, then by id.
fn rank(person: &UserActivity) -> impl Ord + use<'_> {
    let by_id = (person.id.is_none(), person.id.as_ref());
    (
        Reverse(written(person)),
        Reverse(person.comments_received),
        by_id,
    )
}

/// The domain of an address, in lowercase.
fn domain(email: &str) -> Option<Cow<'_, str>> {
    let (_, domain) = email.rsplit_once('@')?;
    (!domain.is_empty()).then(|| lowercase(domain))
}

/// Borrows the text if it is lowercase already, as most addresses are.
fn lowercase(text: &str) -> Cow<'_, str> {
    let is_lowercase = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    if text.bytes().all(is_lowercase) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}
