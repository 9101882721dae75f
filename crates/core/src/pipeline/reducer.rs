//! Step 4 of both flows: merges the results of slices.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tracing::debug;

use crate::activity::ActivityCounts;
use crate::error::{DataProcessingError, Error};
use crate::fetch::{Event, Observer, Position};
use crate::record::Resource;
use crate::storage::{Counts, Output, Segment, Slice};

use super::entry_recorder::SliceEntries;
use super::invalid_children::InvalidChildren;
use super::rejects::Rejects;
use super::slice_processor::SliceResult;

/// Merges counts as they arrive; puts segments in the API's order, whatever order they arrive in.
///
/// The results of a response that is still being received are kept apart until it is complete.
#[derive(Default)]
pub(super) struct Reducer {
    /// Whether the pages were stored before, so that no requests depend on the results.
    of_pages: bool,
    settled: Parts,
    provisional: HashMap<u64, Parts>,
}

/// The results of some slices.
#[derive(Default)]
struct Parts {
    tally: ActivityCounts,
    segments: BTreeMap<Output, BTreeMap<(Resource, Position), Segment>>,
    rejects: Rejects,
    /// How many records were received, by resource.
    received: BTreeMap<Resource, u64>,
    /// How many of them were received again on a later page, and are left out.
    repeated: BTreeMap<Resource, u64>,
    listed: BTreeMap<(Resource, Position), SliceEntries>,
}

impl Parts {
    fn add(&mut self, slice: &Slice, found: u64, done: SliceResult) {
        *self.received.entry(slice.resource).or_default() += found;
        if !slice.repeated.is_empty() {
            *self.repeated.entry(slice.resource).or_default() += slice.repeated.len() as u64;
        }
        if let Some(refused) = done.refused {
            self.rejects.add(slice, refused);
        }
        self.tally = std::mem::take(&mut self.tally).merge(done.tally);
        if let Some(listed) = done.listed {
            let key = (slice.resource, slice.position.clone());
            self.listed.insert(key, listed);
        }
        for (output, segment) in done.segments {
            let parts = self.segments.entry(output).or_default();
            parts.insert((slice.resource, slice.position.clone()), segment);
        }
    }

    fn merge(&mut self, other: Self) {
        for (resource, received) in other.received {
            *self.received.entry(resource).or_default() += received;
        }
        for (resource, repeated) in other.repeated {
            *self.repeated.entry(resource).or_default() += repeated;
        }
        self.rejects.merge(other.rejects);
        self.listed.extend(other.listed);
        self.tally = std::mem::take(&mut self.tally).merge(other.tally);
        for (output, parts) in other.segments {
            self.segments.entry(output).or_default().extend(parts);
        }
    }
}

/// The results of all slices.
pub(super) struct Reduced {
    pub(super) tally: ActivityCounts,
    /// The segments of each output, in order.
    pub(super) segments: BTreeMap<Output, Vec<Segment>>,
    pub(super) rejects: Rejects,
    /// How many records of each resource were received, stored and rejected.
    pub(super) resources: BTreeMap<Resource, Counts>,
    /// What the history stores of them.
    pub(super) listed: BTreeMap<Resource, Vec<SliceEntries>>,
}

impl Reducer {
    /// For pages that were stored before: no requests depend on their results.
    pub(super) fn of_pages() -> Self {
        Self {
            of_pages: true,
            ..Self::default()
        }
    }

    pub(super) fn is_of_pages(&self) -> bool {
        self.of_pages
    }

    /// The resources with duplicate ids.
    pub(super) fn suspects(&self) -> BTreeSet<Resource> {
        let all = [Resource::Users, Resource::Posts, Resource::Comments];
        let tally = &self.settled.tally;
        let twice = |resource: &Resource| tally.duplicates(*resource) > 0;
        all.into_iter().filter(twice).collect()
    }

    /// Adds the result of one slice.
    pub(super) fn add(
        &mut self,
        slice: &Slice,
        done: SliceResult,
        observer: &dyn Observer,
    ) -> Result<(), Error> {
        let rejects = done.refused.as_ref().map_or(0, |refused| refused.count);
        let repeated = slice.repeated.len() as u64;
        let found = done.tally.records(slice.resource) + rejects + repeated;
        if found != slice.records {
            // The splitter and the mapper count the same records independently.
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
        self.parts(slice).add(slice, found, done);
        Ok(())
    }

    /// Adds children that are not requested because of the ids in one slice.
    pub(super) fn add_strays(&mut self, slice: &Slice, strays: InvalidChildren) {
        let InvalidChildren {
            children,
            refused,
            lines,
        } = strays;
        let parts = self.parts(slice);
        *parts.received.entry(children).or_default() += refused.count;
        parts.rejects.add_children(slice, children, refused);
        let segments = parts.segments.entry(Output::Rejected).or_default();
        // The children's own slices have longer positions.
        segments.insert((children, slice.position.clone()), lines);
    }

    /// The results that a slice belongs to.
    fn parts(&mut self, slice: &Slice) -> &mut Parts {
        match slice.response {
            Some(response) => self.provisional.entry(response).or_default(),
            None => &mut self.settled,
        }
    }

    /// All responses have ended: results of complete ones are merged, the others are dropped.
    pub(super) fn settle(&mut self, is_whole: impl Fn(u64) -> bool) {
        for (response, parts) in std::mem::take(&mut self.provisional) {
            if is_whole(response) {
                self.settled.merge(parts);
            }
        }
    }

    /// Takes the segments of one output, in order.
    pub(super) fn take(&mut self, output: Output) -> Vec<Segment> {
        let parts = self.settled.segments.remove(&output).unwrap_or_default();
        parts.into_values().collect()
    }

    /// The merged results.
    ///
    /// # Errors
    /// When a resource has records and all of them were rejected.
    pub(super) fn finish(self) -> Result<Reduced, DataProcessingError> {
        let Parts {
            tally,
            segments,
            rejects,
            received,
            repeated,
            listed,
        } = self.settled;
        rejects.none_mapped(|resource| tally.records(resource))?;
        let counts = |(resource, received)| {
            let counts = Counts {
                received,
                records: tally.records(resource),
                rejects: rejects.of(resource),
                repeated: repeated.get(&resource).copied().unwrap_or_default(),
                incomplete: false,
            };
            (resource, counts)
        };
        let listed = in_files(listed, &segments);
        let segments = segments.into_iter();
        Ok(Reduced {
            listed,
            resources: received.into_iter().map(counts).collect(),
            segments: segments
                .map(|(output, parts)| (output, parts.into_values().collect()))
                .collect(),
            tally,
            rejects,
        })
    }
}

/// Sets the offset of each slice's records in the file of all records.
fn in_files(
    mut listed: BTreeMap<(Resource, Position), SliceEntries>,
    segments: &BTreeMap<Output, BTreeMap<(Resource, Position), Segment>>,
) -> BTreeMap<Resource, Vec<SliceEntries>> {
    for (output, parts) in segments {
        let whole = output.resource().map(Output::all_of) == Some(*output);
        let offsets = output.layout().offsets(parts.values());
        for (key, offset) in parts.keys().zip(offsets).filter(|_| whole) {
            let of_slice = listed.get_mut(key);
            if let Some(listing) = of_slice.and_then(|listed| listed.listing.as_mut()) {
                listing.base = offset;
            }
        }
    }
    let mut by_resource: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for ((resource, _), listed) in listed {
        by_resource.entry(resource).or_default().push(listed);
    }
    by_resource
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Place, Slice};
    use proptest::prelude::*;

    /// A slice of posts and its result: one record in a file named after its position.
    fn slice(position: &Position) -> (Slice, SliceResult) {
        let place = Place {
            file: position.to_string(),
            offset: 0,
            length: 1,
        };
        let slice = Slice {
            resource: Resource::Posts,
            position: position.clone(),
            first: 0,
            records: 1,
            has_children: false,
            url: "http://api.test/posts".parse().unwrap(),
            response: None,
            longest: None,
            repeated: Vec::new(),
            place: place.clone(),
        };
        let mut tally = ActivityCounts::default();
        tally.posts = 1;
        let segments = BTreeMap::from([(Output::Posts, Segment { place, records: 1 })]);
        let ids = Vec::new();
        (
            slice,
            SliceResult {
                tally,
                segments,
                refused: None,
                ids,
                strays: Vec::new(),
                listed: None,
            },
        )
    }

    proptest! {
        #[test]
        fn pages_that_arrive_in_any_order_give_the_same_file(
            pages in prop::collection::btree_set((0u64..12, 0u64..4, 0u64..3), 1..30),
            order in prop::collection::vec(any::<prop::sample::Index>(), 30),
        ) {
            // Pages of a resource and, deeper, those of children below its records.
            let at = |(page, slice, child): &(u64, u64, u64)| {
                let slice = Position::default().then(*page).then(*slice);
                if *child == 0 { slice } else { slice.then(*child).then(0).then(0) }
            };
            let mut waiting: Vec<_> = pages.iter().map(at).collect();
            let mut expected = waiting.clone();
            expected.sort();
            let mut reduction = Reducer::default();
            for index in order {
                if !waiting.is_empty() {
                    let (slice, done) = slice(&waiting.swap_remove(index.index(waiting.len())));
                    reduction.add(&slice, done, &()).unwrap();
                }
            }
            let Reduced { tally, segments, .. } = reduction.finish().unwrap();
            prop_assert_eq!(tally.posts, pages.len() as u64);
            let files: Vec<_> = segments[&Output::Posts].iter().map(|part| part.place.file.clone()).collect();
            let expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
            prop_assert_eq!(files, expected);
        }
    }
}
