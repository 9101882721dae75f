//! Step 4 of both flows: what comes of the slices, made one.

use std::collections::BTreeMap;

use tracing::debug;

use crate::activity::{Resource, Tally};
use crate::api::{Event, Observer, Position};
use crate::error::{DataProcessingError, Error};
use crate::storage::{Output, Segment, Slice};

use super::work::Done;

/// Tallies merged as they come; segments put in the API's order, whatever the order they come in.
#[derive(Default)]
pub(super) struct Reduction {
    tally: Tally,
    segments: BTreeMap<Output, BTreeMap<(Resource, Position), Segment>>,
}

impl Reduction {
    /// Adds what came of one slice.
    pub(super) fn add(
        &mut self,
        slice: &Slice,
        done: Done,
        observer: &dyn Observer,
    ) -> Result<(), Error> {
        let found = match slice.resource {
            Resource::Users => done.tally.users,
            Resource::Posts => done.tally.posts,
            Resource::Comments => done.tally.comments,
        };
        if found != slice.records {
            // The cutter and the mapper count the same records by different means.
            let (task, expected) = (slice.to_string(), slice.records);
            return Err(DataProcessingError::Miscounted {
                task,
                expected,
                found,
            }
            .into());
        }
        debug!(%slice, "processed");
        observer.on(Event::Processed {
            resource: slice.resource,
            records: found,
        });
        self.tally = std::mem::take(&mut self.tally).merge(done.tally);
        for (output, segment) in done.segments {
            self.segments
                .entry(output)
                .or_default()
                .insert((slice.resource, slice.position.clone()), segment);
        }
        Ok(())
    }

    /// The segments of one output, in order; they are gone from here then.
    pub(super) fn take(&mut self, output: Output) -> Vec<Segment> {
        let parts = self.segments.remove(&output).unwrap_or_default();
        parts.into_values().collect()
    }

    /// The tally of all, and the segments of each output in order.
    pub(super) fn finish(self) -> (Tally, BTreeMap<Output, Vec<Segment>>) {
        let segments = self.segments.into_iter();
        (
            self.tally,
            segments
                .map(|(output, parts)| (output, parts.into_values().collect()))
                .collect(),
        )
    }
}
