//! Users of an API that does not list them: the authors of its records, each once.

use std::collections::HashSet;

use crate::activity::User;
use crate::error::Error;
use crate::fetch::{Page, Position, Sink, SinkFactory, digest};
use crate::record::{IdSet, Mapping, Record, Resource, map};
use crate::source::Source;
use crate::storage::{Segment, Spool};

/// Puts the authors in `found` into the spool as a page of users: each once, in the order in which
/// they first appear.
pub(super) fn gather(
    found: &[Segment],
    source: &Source,
    mapping: &Mapping,
    spool: &Spool,
) -> Result<(), Error> {
    let position = Position::default().then(0);
    let page = Page::of_records(Resource::Users, &source.base_url, position);
    let mut sink = spool.open(page)?;
    let (mut seen, mut nameless) = (IdSet::default(), HashSet::new());
    let mut written = false;
    sink.write(b"[")?;
    for segment in found {
        let bytes = segment.place.read(spool.folder())?;
        for user in map::<User<'_>>(&bytes, mapping) {
            let (new, raw) = match &user {
                Ok(user) => (seen.insert(user.id()), user.raw().as_bytes()),
                // Without an id, only its bytes distinguish a user. It is rejected later, as any
                // such user is.
                Err(rejected) => (nameless.insert(digest(rejected.raw())), rejected.raw()),
            };
            if new {
                sink.write(if written { b"," } else { b"" })?;
                sink.write(raw)?;
                written = true;
            }
        }
    }
    sink.write(b"]")?;
    // This is not a page of the API: a resumed run creates it again.
    Ok(sink.finish()?.1.pass_on()?)
}
