//! Replaces users that a server does not list, or refuses to list: by the authors of the fetched
//! records if the source maps them, or else by the users of the last snapshot.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use crate::error::Error;
use crate::fetch::Missing;
use crate::record::Resource;
use crate::source::Source;
use crate::storage::{Output, Segment, Spool};

use super::authors;
use super::carry::Carried;
use super::reducer::Reducer;
use super::run::Run;
use super::slice_processor::SliceProcessor;

/// What replaces the users. It is put into the spool after all fetched records are processed.
pub(super) struct AuthorsAsUsers {
    /// The processor of its slices.
    pub(super) bench: SliceProcessor,
    source: Source,
    users: Users,
}

enum Users {
    /// The authors of the fetched records.
    Authors(Vec<Segment>),
    /// The users of the last snapshot.
    Kept(Carried),
}

impl AuthorsAsUsers {
    /// Puts the users into the spool.
    ///
    /// # Errors
    /// When they cannot be read, or the receiver of the slices is gone.
    pub(super) fn put(&self, spool: &Spool) -> Result<(), Error> {
        match &self.users {
            Users::Authors(found) => {
                let mapping = self.bench.mappings.of(Resource::Users);
                authors::gather(found, &self.source, mapping, spool)
            }
            Users::Kept(carried) if carried.holds(Resource::Users)? => {
                carried.restore_one(Resource::Users, &self.source, spool)
            }
            Users::Kept(_) => Ok(()),
        }
    }
}

impl Run {
    /// What replaces users that were not fetched; `None` if they were, or if there is no
    /// replacement.
    ///
    /// # Errors
    /// When the last snapshot cannot be read.
    pub(super) fn stand_in(
        &self,
        reduction: &mut Reducer,
    ) -> Result<Option<AuthorsAsUsers>, Error> {
        let source = &self.settings.source;
        let found = reduction.take(Output::Authors);
        let is_listed = source.endpoints.contains_key(&Resource::Users);
        let missing = self.missing();
        let is_refused = missing.get(&Resource::Users).is_some_and(|users| users.all);
        let by_authors = !is_listed || is_refused && !found.is_empty();
        let users = if source.authors.is_some() && by_authors {
            self.users_closed.store(is_listed, Ordering::SeqCst);
            Users::Authors(found)
        } else if is_refused
            && self
                .carried
                .keep_refused(&self.settings, self.shape, Resource::Users)?
        {
            Users::Kept(self.carried.clone())
        } else {
            return Ok(None);
        };
        Ok(Some(AuthorsAsUsers {
            bench: self.bench(),
            source: self.source(),
            users,
        }))
    }

    /// The source as the run found it: if listing the users was refused, they come from authors.
    pub(super) fn source(&self) -> Source {
        let source = self.settings.source.clone();
        if self.users_closed.load(Ordering::SeqCst) {
            source.with_users_closed()
        } else {
            source
        }
    }

    /// What the server refused, in this run or in the one whose pages are replayed.
    pub(super) fn missing(&self) -> BTreeMap<Resource, Missing> {
        let mut missing = if self.replays() {
            self.journal.missing()
        } else {
            self.fetch.missing()
        };
        if let Some(users) = missing.get_mut(&Resource::Users) {
            users.authors = self.users_closed.load(Ordering::SeqCst);
        }
        missing
    }
}
