//! The forum: the story of its seed, with the requested number of records.
//!
//! The story has at most [`MOST`] users, posts and comments; in a forum of the default size, each
//! of them is one record. A larger forum has many records for each one of the story. So every forum
//! looks alike, and a large one needs no more memory than a small one.

use fake::RngExt;

use super::ids::{Ids, owned};
use super::moment::Moment;
use super::random::{Random, Stream};
use super::story::{Entry, Story};
use super::timeline::{Author, Place, Slot, Timeline};
use super::{Resource, Sample};

/// The largest story.
const MOST: (u64, u64, u64) = (100, 500, 2500);

/// A forum that records are generated from.
#[derive(Debug)]
pub(super) struct Forum {
    sample: Sample,
    users: Timeline,
    posts: Timeline,
    comments: Timeline,
}

impl Forum {
    pub(super) fn new(sample: &Sample) -> Self {
        let length = |count: u64, most: u64| usize::try_from(count.min(most)).unwrap_or_default();
        let Story {
            users,
            posts,
            comments,
        } = Story::of(
            sample.seed,
            length(sample.users, MOST.0),
            length(sample.posts, MOST.1),
            length(sample.comments, MOST.2),
        );
        let answered = firsts(posts.len(), comments.iter().map(|it| (it.owner, it.at)));
        let by_posts = posts.iter().map(|post| (post.owner, post.at));
        let by_comments = comments.iter().filter_map(|comment| match comment.author {
            Author::User(user) => Some((Some(user), comment.at)),
            Author::Guest(_) => None,
        });
        let active = firsts(users.len(), by_posts.chain(by_comments));
        let ends = vec![Moment::END; comments.len()];
        Self {
            users: timeline(&users, &active, sample.users, sample.seed),
            posts: timeline(&posts, &answered, sample.posts, sample.seed),
            comments: timeline(&comments, &ends, sample.comments, sample.seed),
            sample: sample.clone(),
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
            Resource::Users => &self.users,
            Resource::Posts => &self.posts,
            Resource::Comments => &self.comments,
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

    /// The records of `resource` that belong to `owner`, whether or not they exist at the moment.
    pub(super) fn owned(&self, resource: Resource, owner: u64) -> Ids {
        match resource.owner() {
            Some((owners, _)) => {
                let owners = self.timeline(owners);
                self.timeline(resource).owned_by(owner, owners)
            }
            None => Ids::none(),
        }
    }

    /// The time of the last event up to `at`: between two such moments, nothing changes.
    pub(super) fn last_event(&self, at: Moment) -> Moment {
        let events = Resource::ALL.map(|resource| self.timeline(resource).last_event(at));
        events.into_iter().flatten().max().unwrap_or(Moment::START)
    }
}

/// For each of `count` owners, the time of the first event of their records.
fn firsts(count: usize, events: impl Iterator<Item = (Option<usize>, Moment)>) -> Vec<Moment> {
    let mut firsts = vec![Moment::END; count];
    for (owner, at) in events {
        if let Some(first) = owner.and_then(|owner| firsts.get_mut(owner)) {
            *first = at.min(*first);
        }
    }
    firsts
}

/// Assigns ids and times to `count` records. All records of an entry exist before the next entry,
/// and before anything else happens to one of them, at `first`.
fn timeline(entries: &[Entry], first: &[Moment], count: u64, seed: u64) -> Timeline {
    let mut rng = Random::of(seed, Stream::Story, 0, 1);
    let kept = entries.iter().filter(|entry| entry.deleted.is_none());
    let kept = u64::try_from(kept.count()).unwrap_or_default();
    let following = entries.iter().skip(1).map(|entry| entry.at);
    let following = following.chain([Moment::END]);
    let (mut number, mut next) = (0, 1_u64);
    let slots = entries.iter().zip(following).zip(first);
    let slots = slots.map(|((entry, following), first)| {
        let len = if entry.deleted.is_some() {
            1
        } else {
            number += 1;
            let share = owned(number, count, kept);
            share.end - share.start
        };
        let ids = next..next.saturating_add(len);
        next = ids.end;
        let end = following.min(*first);
        Slot {
            ids,
            created: entry.at..end,
            edited: entry.edited.map(|edited| edited.max(end)),
            deleted: entry.deleted,
            owner: entry.owner,
            shift: rng.random(),
            author: entry.author,
        }
    });
    Timeline::new(slots.collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::moment::DAY;

    /// Users, posts and comments.
    const SIZES: [(u64, u64, u64); 10] = [
        (10, 100, 500),
        (0, 100, 500),
        (10, 0, 500),
        (10, 100, 0),
        (0, 0, 0),
        (1, 1, 1),
        (1, 7, 30),
        (50, 3, 3000),
        (300, 1300, 2600),
        (7, 1700, 300),
    ];

    fn forum((users, posts, comments): (u64, u64, u64), seed: u64) -> Forum {
        Forum::new(&Sample {
            users,
            posts,
            comments,
            seed,
            ..Sample::default()
        })
    }

    fn ids(forum: &Forum, resource: Resource, at: Moment) -> Vec<u64> {
        forum.existing(resource, at).into_iter().collect()
    }

    #[test]
    fn in_the_end_there_are_as_many_records_as_were_asked_for() {
        for size in SIZES {
            for seed in 1..4 {
                let forum = forum(size, seed);
                let counts = Resource::ALL.map(|it| forum.existing(it, Moment::END).count());
                assert_eq!(counts, [size.0, size.1, size.2], "{seed}");
            }
        }
    }

    #[test]
    fn every_record_belongs_to_one_that_is_there_already() {
        for size in SIZES {
            let forum = forum(size, 1);
            for (resource, owners) in [
                (Resource::Posts, Resource::Users),
                (Resource::Comments, Resource::Posts),
            ] {
                let owners = forum.timeline(owners);
                let mut before = Moment::START;
                for id in ids(&forum, resource, Moment::END) {
                    let place = forum.timeline(resource).place(id).unwrap();
                    let created = place.created();
                    assert!((before..Moment::END).contains(&created), "{size:?} {id}");
                    before = created;
                    match forum.owner(resource, place) {
                        0 => assert!(owners.place(1).is_none(), "{size:?} {id}"),
                        owner => assert!(owners.exists(owner, created), "{size:?} {id}"),
                    }
                }
            }
        }
    }

    #[test]
    fn filtering_by_owner_equals_filtering_all_by_hand() {
        for size in SIZES {
            let forum = forum(size, 2);
            for at in [Moment::END, Moment::START + 100 * DAY] {
                for (resource, owners) in [(Resource::Posts, size.0), (Resource::Comments, size.1)]
                {
                    let mut by_hand: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
                    for id in ids(&forum, resource, at) {
                        let place = forum.timeline(resource).place(id).unwrap();
                        by_hand
                            .entry(forum.owner(resource, place))
                            .or_default()
                            .push(id);
                    }
                    for owner in 0..=owners + 60 {
                        let found = forum
                            .existing(resource, at)
                            .and(&forum.owned(resource, owner));
                        let expected = by_hand.remove(&owner).unwrap_or_default();
                        let found: Vec<_> = found.into_iter().collect();
                        assert_eq!(found, expected, "{size:?} {resource:?} {owner}");
                    }
                    assert!(by_hand.is_empty(), "{by_hand:?}");
                }
            }
        }
    }

    #[test]
    fn time_only_adds_records_but_for_the_few_that_are_deleted() {
        for size in SIZES {
            let forum = forum(size, 3);
            for resource in Resource::ALL {
                assert_eq!(ids(&forum, resource, Moment::START), [0; 0]);
                let mut before = Vec::new();
                let mut gone = 0;
                for day in (0..=177).step_by(7).chain([177]) {
                    let at = Moment::START + day * DAY;
                    let now = ids(&forum, resource, at);
                    assert!(now.is_sorted_by(|one, next| one < next));
                    assert_eq!(forum.existing(resource, at).count(), now.len() as u64);
                    let newest = before.last().copied().unwrap_or_default();
                    let stayed = now.iter().filter(|id| **id <= newest).count();
                    let is_there = |id: &&u64| now.binary_search(id).is_ok();
                    // Records older than the newest one of a week ago already existed then.
                    assert_eq!(
                        before.iter().filter(is_there).count(),
                        stayed,
                        "{size:?} {day}"
                    );
                    gone += before.len() - stayed;
                    before = now;
                }
                assert!(gone <= 45, "{size:?} {gone}");
            }
        }
    }

    #[test]
    fn a_forum_has_heavy_writers_silent_users_and_unanswered_posts() {
        for seed in 1..20 {
            let forum = forum((10, 100, 500), seed);
            let counts = |resource, owners: Vec<u64>| -> Vec<u64> {
                let all = forum.existing(resource, Moment::END);
                let count = |owner| all.and(&forum.owned(resource, owner)).count();
                let mut counts: Vec<_> = owners.into_iter().map(count).collect();
                counts.sort_unstable();
                counts
            };
            let posts = counts(Resource::Posts, (1..=10).collect());
            assert_eq!(posts[0], 0, "{seed}: {posts:?}");
            assert!(posts[7..].iter().sum::<u64>() > 55, "{seed}: {posts:?}");
            let kept = ids(&forum, Resource::Posts, Moment::END);
            let comments = counts(Resource::Comments, kept);
            assert!(comments[4] == 0 && comments[40] > 0, "{seed}: {comments:?}");
            assert!(comments[99] > 15, "{seed}: {comments:?}");
        }
    }

    #[test]
    fn june_adds_edits_and_removes() {
        let forum = forum((10, 100, 500), 1);
        let [before, after] = ["2026-05-31", "2026-06-30"].map(|at| at.parse().unwrap());
        for resource in [Resource::Posts, Resource::Comments] {
            let (then, now) = (ids(&forum, resource, before), ids(&forum, resource, after));
            assert!(now.last() > then.last());
            assert!(then.iter().any(|id| !now.contains(id)), "{resource:?}");
            let edited = then.iter().any(|id| {
                let place = forum.timeline(resource).place(*id).unwrap();
                !place.is_edited(before) && place.is_edited(after)
            });
            assert!(edited || resource == Resource::Comments);
        }
    }

    #[test]
    fn the_largest_sizes_do_not_overflow() {
        let max = u64::MAX;
        for size in [(max, max, max), (max, 1, max), (1, max, 1), (0, 0, max)] {
            let forum = forum(size, 1);
            for resource in Resource::ALL {
                let all = forum.existing(resource, Moment(i64::MAX));
                let last = all.window(all.count().saturating_sub(1), 1);
                for id in all.window(0, 1).into_iter().chain(last) {
                    let place = forum.timeline(resource).place(id);
                    let place = place.unwrap_or_else(|| panic!("{size:?} {resource:?} {id}"));
                    let owner = forum.owner(resource, place);
                    let found = forum.owned(resource, owner).and(&all);
                    let itself = Ids::of(id..id + 1);
                    let has_owner = resource != Resource::Users;
                    assert_eq!(found.and(&itself).count() == 1, has_owner, "{size:?}");
                }
            }
            assert!(forum.last_event(Moment(i64::MIN)) == Moment::START);
        }
    }
}
