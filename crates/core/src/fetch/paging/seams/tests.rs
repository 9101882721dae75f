//! Offset pages of a list that moves, and of servers that do not begin a page anywhere.

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};
use url::Url;

use super::super::tests::{endpoint, paging, with_total};
use super::super::{Facts, Paging, PagingError};
use super::*;
use crate::source::{Endpoint, Pagination};

const SIZE: usize = 5;

/// What a server makes of an offset that is no multiple of the page size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offsets {
    Exact,
    Down,
    Up,
    /// An error with this status.
    Refused(u16),
    /// No records.
    Empty,
}

/// What happens to the list before a request.
#[derive(Clone, Copy, Debug)]
enum Change {
    Append,
    Remove(usize),
}

struct Server {
    list: Vec<u64>,
    next_id: u64,
    offsets: Offsets,
    /// Before each request.
    changes: std::vec::IntoIter<Vec<Change>>,
}

impl Server {
    fn new(length: u64, offsets: Offsets, changes: Vec<Vec<Change>>) -> Self {
        Self {
            list: (0..length).collect(),
            next_id: length,
            offsets,
            changes: changes.into_iter(),
        }
    }

    fn change(&mut self) {
        for change in self.changes.next().unwrap_or_default() {
            match change {
                Change::Append => {
                    self.list.push(self.next_id);
                    self.next_id += 1;
                }
                Change::Remove(_) if self.list.is_empty() => {}
                Change::Remove(at) => {
                    self.list.remove(at % self.list.len());
                }
            }
        }
    }

    fn response(&self, url: &Url) -> Result<Vec<u64>, u16> {
        let offset = url.query_pairs().find(|(name, _)| name == "offset");
        let offset: usize = offset.unwrap().1.parse().unwrap();
        let odd = !offset.is_multiple_of(SIZE);
        let from = match self.offsets {
            Offsets::Down => offset / SIZE * SIZE,
            Offsets::Up => offset.div_ceil(SIZE) * SIZE,
            Offsets::Refused(status) if odd => return Err(status),
            Offsets::Empty if odd => return Ok(Vec::new()),
            _ => offset,
        };
        Ok(self.list.iter().copied().skip(from).take(SIZE).collect())
    }
}

/// What came in the last look, which of it was there all the time that it took, and how it ended.
struct Fetched {
    came: Vec<u64>,
    stayed: Vec<u64>,
    requests: usize,
    outcome: Result<(), PagingError>,
}

fn offset(total: bool) -> Endpoint {
    let offset = endpoint(Pagination::Offset {
        parameter: "offset".to_owned(),
        limit: ("limit".to_owned(), SIZE as u64),
        overlap: true,
    });
    if total { with_total(offset) } else { offset }
}

fn fetch(endpoint: Endpoint, looks: u32, mut server: Server) -> Fetched {
    let mut paging = paging(endpoint).patient(looks, false);
    let (mut came, mut stayed, mut requests) = (Vec::new(), Vec::new(), 0);
    let mut outcome = Ok(());
    while let Some((number, url)) = paging.take_next() {
        requests += 1;
        assert!(requests <= 200, "it goes on for ever");
        server.change();
        if number == 0 {
            came.clear();
            stayed.clone_from(&server.list);
        }
        stayed.retain(|id| server.list.contains(id));
        outcome = receive(&mut paging, (number, &url), &server, &mut came);
        if outcome.is_err() {
            break;
        }
    }
    Fetched {
        came,
        stayed,
        requests,
        outcome: outcome.and_then(|()| paging.reconcile()),
    }
}

fn receive(
    paging: &mut Paging,
    (number, url): (u64, &Url),
    server: &Server,
    came: &mut Vec<u64>,
) -> Result<(), PagingError> {
    let records = match server.response(url) {
        Ok(records) => records,
        Err(status) => {
            assert!(paging.is_past_end(number, status), "{status} at {url}");
            return paging.past_end(status);
        }
    };
    let overlaps = paging.overlaps() && number > 0;
    let id = "id".parse().unwrap();
    let edge = |record: Option<&u64>| {
        record.map_or(Edge::Nothing, |of| {
            Edge::of(Some(&json!({"id": of})), Some(&id))
        })
    };
    let mut headers = HeaderMap::new();
    headers.insert("x-total", HeaderValue::from(server.list.len()));
    let kept = records.get(usize::from(overlaps)..).unwrap_or_default();
    let facts = Facts {
        number,
        url,
        headers: &headers,
        records: kept.len() as u64,
        digest: Some(crate::fetch::digest(format!("{records:?}").as_bytes())),
        body: &Value::Null,
        last: None,
        edges: Edges {
            first: edge(records.first()),
            last: edge(records.last()),
            records: records.len() as u64,
        },
    };
    if paging.received(facts)?.is_some() {
        came.extend(kept);
    }
    Ok(())
}

#[test]
fn all_records_come_once_wherever_a_page_may_begin() {
    let refused = [204, 400, 404, 410, 416, 422].map(Offsets::Refused);
    let others = [Offsets::Exact, Offsets::Down, Offsets::Up, Offsets::Empty];
    for offsets in refused.into_iter().chain(others) {
        for total in [true, false] {
            // With less than a page, one that rounds down is one that ignores the offset.
            let least = if offsets == Offsets::Down { LEAST } else { 0 };
            for length in least..24 {
                let server = Server::new(length, offsets, Vec::new());
                let pages = server.list.len().div_ceil(SIZE) + 1;
                let fetched = fetch(offset(total), 2, server);
                let what = format!("{offsets:?} {total} {length}");
                assert_eq!(fetched.outcome, Ok(()), "{what}");
                let expected: Vec<_> = (0..length).collect();
                assert_eq!(fetched.came, expected, "{what}");
                // Nothing where a record should be may be that records were removed: another look.
                let nothing = [204, 404, 410, 416].map(Offsets::Refused);
                let rest = [Offsets::Empty, Offsets::Up];
                let nothing = rest.contains(&offsets) || nothing.contains(&offsets);
                let spare = if nothing { 8 } else { 2 };
                assert!(
                    fetched.requests <= pages + spare,
                    "{what} {}",
                    fetched.requests
                );
            }
        }
    }
}

#[test]
fn one_deleted_and_one_created_between_two_pages_are_noticed() {
    let both = vec![Change::Remove(0), Change::Append];
    for total in [true, false] {
        for when in 1..4 {
            let mut changes = vec![Vec::new(); when];
            changes.push(both.clone());
            let server = || Server::new(17, Offsets::Exact, changes.clone());
            let fetched = fetch(offset(total), 0, server());
            let moving = matches!(fetched.outcome, Err(PagingError::Moving { .. }));
            assert!(moving, "{total} {when} {:?}", fetched.outcome);
            let fetched = fetch(offset(total), 1, server());
            assert_eq!(fetched.outcome, Ok(()), "{total} {when}");
            assert_eq!(fetched.came.len(), 17, "{total} {when}");
        }
    }
}

#[test]
fn pages_that_do_not_overlap_by_the_source_or_are_small_stand_side_by_side() {
    let asked = |endpoint: Endpoint| fetch(endpoint, 0, Server::new(17, Offsets::Exact, vec![]));
    let mut apart = offset(true);
    if let Pagination::Offset { overlap, .. } = &mut apart.pagination {
        *overlap = false;
    }
    assert_eq!(asked(apart).requests, 4);
    assert_eq!(asked(offset(true)).requests, 4);
    let mut counted = offset(true);
    counted.pages = counted.total.clone();
    assert!(!paging(counted).overlaps());
}

proptest! {
    /// However many records are removed and added behind the others at once between two requests,
    /// told or not told by a total. (One that comes in front may take another one back to where it
    /// was, and look like an API that rounds the offset.)
    #[test]
    fn no_record_that_stays_is_missed_in_silence(
        length in 0..24_u64,
        changes in prop::collection::vec(
            prop::collection::vec(
                prop_oneof![
                    Just(Change::Append),
                    (0..24_usize).prop_map(Change::Remove),
                ],
                0..3,
            ),
            0..12,
        ),
        looks in 1..3_u32,
        total in any::<bool>(),
    ) {
        let server = Server::new(length, Offsets::Exact, changes);
        let fetched = fetch(offset(total), looks, server);
        if fetched.outcome.is_ok() {
            for id in fetched.stayed {
                prop_assert!(fetched.came.contains(&id), "{id} of {:?}", fetched.came);
            }
        }
    }
}
