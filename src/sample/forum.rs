//! The forum: its sizes, its story, and what of it exists at a moment.

use super::ids::Ids;
use super::moment::Moment;
use super::plan::Plan;
use super::timeline::{Place, Timeline};
use super::{Resource, Sample};

/// A forum that records are generated from.
#[derive(Debug)]
pub(super) struct Forum {
    sample: Sample,
    plan: Plan,
}

impl Forum {
    pub(super) fn new(sample: &Sample) -> Self {
        Self {
            sample: sample.clone(),
            plan: Plan::of(sample),
        }
    }

    pub(super) fn sample(&self) -> &Sample {
        &self.sample
    }

    pub(super) fn seed(&self) -> u64 {
        self.sample.seed
    }

    pub(super) fn timeline(&self, resource: Resource) -> &Timeline {
        match resource {
            Resource::Users => &self.plan.users,
            Resource::Posts => &self.plan.posts,
            Resource::Comments => &self.plan.comments,
        }
    }

    /// The records of `resource` at a moment.
    pub(super) fn existing(&self, resource: Resource, at: Moment) -> Ids {
        self.timeline(resource).existing(at)
    }

    /// The id of the user or post that a record belongs to; 0 if there are none.
    pub(super) fn owner(&self, resource: Resource, place: Place<'_>) -> u64 {
        let owners = resource.owner().map(|(owners, _)| self.timeline(owners));
        owners.map_or(0, |owners| Timeline::owner_of(place, owners))
    }

    /// The records of `resource` that belong to `owner`, whether they exist at the moment or not.
    pub(super) fn owned(&self, resource: Resource, owner: u64) -> Ids {
        match resource.owner() {
            Some((owners, _)) => {
                let owners = self.timeline(owners);
                self.timeline(resource).owned_by(owner, owners)
            }
            None => Ids::any_of([].into_iter()),
        }
    }

    /// When something last happened until `at`: between two such moments, nothing changes.
    pub(super) fn last_event(&self, at: Moment) -> Moment {
        let events = Resource::ALL.map(|resource| self.timeline(resource).last_event(at));
        events.into_iter().flatten().max().unwrap_or(Moment::START)
    }
}
