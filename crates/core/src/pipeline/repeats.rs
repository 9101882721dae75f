//! Records that were received on more than one page of their resource: if a new record is inserted
//! before the others while pages are fetched, the last record of a page appears again on the next
//! one.
//!
//! Such a record is stored and counted once, as its last page has it. Which records these are is
//! known only when all pages are complete, so the pages are then processed again without them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::activity::{Comment, Post, User};
use crate::error::Error;
use crate::fetch::{Position, Repeated};
use crate::history::digest;
use crate::record::{FromFields, Id, IdSet, Mapping, Mappings, Record, Resource, map};
use crate::source::{Source, child};
use crate::storage::{Choice, Slice, Spool};

/// At most one in this many records of a resource may appear again with different contents. If
/// there are more, the field that is mapped as their id is not one, and that mistake must not cost
/// records.
const ONE_IN: u64 = 10;

/// This many may appear again in any case, if their contents are the same.
const ALWAYS: u64 = 1000;

/// What is selected from the pages of a run when they are processed again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Repeats {
    /// The records to leave out, by slice.
    records: HashMap<(Resource, Position), Vec<u64>>,
    /// The positions of parents that are left out, because their children were received twice.
    parents: HashSet<(Resource, Position)>,
    /// The parent of each resource that has one.
    parent_of: BTreeMap<Resource, Resource>,
    /// How many records of each resource are left out, and which.
    counts: BTreeMap<Resource, Repeated>,
}

impl Repeats {
    /// Leaves nothing out.
    pub(super) fn none(source: &Source) -> Self {
        let endpoints = source.endpoints.iter();
        let parent_of = endpoints.filter_map(|(of, endpoint)| Some((*of, endpoint.parent?)));
        Self {
            parent_of: parent_of.collect(),
            ..Self::default()
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many records of each of these resources are left out, and which.
    pub(super) fn of(&self, resources: &BTreeSet<Resource>) -> BTreeMap<Resource, Repeated> {
        let count = |of: &Resource| (*of, self.counts.get(of).copied().unwrap_or_default());
        resources.iter().map(count).collect()
    }

    fn leave_out(&mut self, resource: Resource, id: &Id, place: Place) {
        if let Some(child) = place.child {
            self.parents.insert((resource, place.slice.then(child)));
        }
        let key = (resource, place.slice);
        self.records.entry(key).or_default().push(place.record);
        let counts = self.counts.entry(resource).or_default();
        counts.add(id);
    }
}

/// Searches for records that were received on more than one page.
pub(super) struct Search {
    pub(super) spool: Spool,
    pub(super) source: Source,
    pub(super) mappings: Mappings,
    /// The resources with duplicate ids.
    pub(super) suspects: BTreeSet<Resource>,
}

impl Search {
    /// The records in the spool that appear again on a later page.
    ///
    /// # Errors
    /// When a page cannot be read.
    pub(super) fn find(&self) -> Result<Repeats, Error> {
        let mut found = Repeats::none(&self.source);
        if self.suspects.is_empty() {
            return Ok(found);
        }
        let mut ids = Ids::default();
        self.each_record(&found, |record| ids.take(&record))?;
        let (twice, records) = ids.twice();
        if twice.is_empty() {
            return Ok(found);
        }
        let mut places: BTreeMap<Resource, HashMap<(Position, Id), Vec<Place>>> = BTreeMap::new();
        self.each_record(&found, |record| {
            let (resource, scope) = record.scope();
            let of_scope = twice.get(&(resource, scope.clone()));
            if of_scope.is_some_and(|ids| ids.contains(record.id)) {
                let of_id = (scope, record.id.clone());
                let of_resource = places.entry(resource).or_default();
                of_resource.entry(of_id).or_default().push(record.place());
            }
        })?;
        for (resource, places) in &places {
            let records = records.get(resource).copied().unwrap_or_default();
            for (id, place) in earlier(places, records).unwrap_or_default() {
                found.leave_out(*resource, id, place.clone());
            }
        }
        for records in found.records.values_mut() {
            records.sort_unstable();
        }
        Ok(found)
    }

    fn each_record(&self, found: &Repeats, mut each: impl FnMut(Seen<'_>)) -> Result<(), Error> {
        let mut bytes = Vec::new();
        let choice = Suspects(&self.suspects, found);
        let all_seen = self.spool.each_slice(&choice, |slice| {
            if slice.longest.is_some() {
                return Ok(());
            }
            slice.place.read_into(self.spool.folder(), &mut bytes)?;
            let mapping = self.mappings.of(slice.resource);
            match slice.resource {
                Resource::Users => records::<User<'_>>(&slice, &bytes, mapping, &mut each),
                Resource::Posts => records::<Post<'_>>(&slice, &bytes, mapping, &mut each),
                Resource::Comments => records::<Comment<'_>>(&slice, &bytes, mapping, &mut each),
            }
            Ok(())
        });
        Ok(all_seen?)
    }
}

impl Choice for Repeats {
    fn takes(&self, resource: Resource, page: &Position) -> bool {
        // For a page of children: the parent record, and the parents of that.
        let (mut resource, mut page) = (resource, page.clone());
        while let Some(parent) = self.parent_of.get(&resource) {
            let record = page.whole();
            page = record.whole().whole();
            if self.parents.contains(&(*parent, record)) {
                return false;
            }
            resource = *parent;
        }
        true
    }

    fn repeated(&self, slice: &Slice) -> Vec<u64> {
        let key = (slice.resource, slice.position.clone());
        self.records.get(&key).cloned().unwrap_or_default()
    }

    fn has_children(&self, resource: Resource) -> bool {
        self.parent_of.values().any(|parent| *parent == resource)
    }
}

/// Selects the pages of the resources with duplicate ids.
struct Suspects<'a>(&'a BTreeSet<Resource>, &'a Repeats);

impl Choice for Suspects<'_> {
    fn takes(&self, resource: Resource, _: &Position) -> bool {
        self.0.contains(&resource)
    }

    fn has_children(&self, resource: Resource) -> bool {
        self.1.has_children(resource)
    }
}

/// Within what ids are unique: the children of one parent, or the whole resource.
type Scope = (Resource, Position);

/// A record during the search.
struct Seen<'a> {
    slice: &'a Slice,
    id: &'a Id,
    raw: &'a str,
    /// Its index in the slice.
    record: u64,
    /// Its index among the records that children are requested for.
    child: Option<u64>,
}

impl Seen<'_> {
    fn scope(&self) -> Scope {
        (self.slice.resource, self.slice.position.whole().whole())
    }

    fn place(&self) -> Place {
        Place {
            slice: self.slice.position.clone(),
            record: self.record,
            child: self.child,
            digest: digest(self.raw.as_bytes()),
        }
    }
}

/// The position of a record with a duplicate id, and a digest of its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    slice: Position,
    record: u64,
    child: Option<u64>,
    digest: u64,
}

impl Place {
    fn page(&self) -> Position {
        self.slice.whole()
    }
}

/// The records of a resource that appear again on a later page; `None` if the field that is mapped
/// as their id cannot be one.
fn earlier(
    places: &HashMap<(Position, Id), Vec<Place>>,
    records: u64,
) -> Option<Vec<(&Id, &Place)>> {
    let (mut earlier, mut differ) = (Vec::new(), 0_u64);
    for ((_, id), places) in places {
        let on_one_page = |pair: &[Place]| pair[0].page() == pair[1].page();
        if places
            .windows(2)
            .any(|pair| on_one_page(pair) && pair[0].digest != pair[1].digest)
        {
            // Two different records on one page: what they share is not an id.
            return None;
        }
        let last = places.last()?;
        for place in places.iter().filter(|place| place.page() != last.page()) {
            differ = differ.saturating_add((place.digest != last.digest).into());
            earlier.push((id, place));
        }
    }
    (differ <= (records / ONE_IN).max(1)).then_some(earlier)
}

/// Finds duplicate ids.
#[derive(Default)]
struct Ids {
    /// The ids of the current scope.
    seen: IdSet,
    scope: Option<Scope>,
    twice: HashMap<Scope, HashSet<Id>>,
    records: BTreeMap<Resource, u64>,
}

impl Ids {
    /// Takes the next record. The records of a scope must be consecutive.
    fn take(&mut self, record: &Seen<'_>) {
        let scope = record.scope();
        let records = self.records.entry(scope.0).or_default();
        *records = records.saturating_add(1);
        if self.scope.as_ref() != Some(&scope) {
            self.seen = IdSet::default();
            self.scope = Some(scope.clone());
        }
        if !self.seen.insert(record.id) {
            let twice = self.twice.entry(scope).or_default();
            twice.insert(record.id.clone());
        }
    }

    /// The duplicate ids, except for resources with too many of them for records that moved; and
    /// the number of records of each resource.
    fn twice(mut self) -> (HashMap<Scope, HashSet<Id>>, BTreeMap<Resource, u64>) {
        let mut all: BTreeMap<_, u64> = BTreeMap::new();
        for ((resource, _), ids) in &self.twice {
            let all = all.entry(*resource).or_default();
            *all = all.saturating_add(ids.len() as u64);
        }
        for (resource, ids) in all {
            let records = self.records.get(&resource).copied().unwrap_or_default();
            if ids > (records / ONE_IN).max(ALWAYS) {
                self.twice.retain(|(of, _), _| *of != resource);
            }
        }
        (self.twice, self.records)
    }
}

/// Calls `each` for the records of a slice that map.
fn records<'a, T: FromFields<'a> + Record>(
    slice: &Slice,
    bytes: &'a [u8],
    mapping: &Mapping,
    each: &mut impl FnMut(Seen<'_>),
) {
    let mut children = 0;
    for (record, mapped) in (0..).zip(map::<T>(bytes, mapping)) {
        let Ok(mapped) = mapped else { continue };
        let id = mapped.id();
        let asked_by = (slice.has_children && !child::strays(id)).then_some(children);
        children += u64::from(asked_by.is_some());
        each(Seen {
            slice,
            id,
            raw: mapped.raw(),
            record,
            child: asked_by,
        });
    }
}
