//! Rejected records: each is stored with its location and the reason, and they are counted, so that
//! no record is lost without a trace.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::error::DataProcessingError;
use crate::fetch::Position;
use crate::record::{Reject, Rejected, Resource};
use crate::storage::Slice;

/// One line of `rejected.ndjson`.
#[derive(Serialize)]
struct Line<'a> {
    resource: Resource,
    /// The name of the page, which is that of its file in a spool.
    page: String,
    url: &'a str,
    /// The index of the record on the page, from 0.
    index: u64,
    /// The path in the record.
    path: &'a str,
    expected: &'a str,
    found: &'a str,
    /// The record, verbatim.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'a str>,
    /// Its bytes in base64, if they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    record_base64: Option<String>,
    /// The length of the record in bytes, if only its beginning is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated_from: Option<u64>,
}

/// How much of one record is stored, in bytes.
const KEPT: u64 = 1 << 20;

/// How much is stored of one that is too long to be read, in bytes: enough to see what it is.
/// Several copies of the line are in memory while it is written.
pub(super) const BEGINNING: u64 = 64 << 10;

/// A rejected record, as one line of JSON.
pub(super) fn line(slice: &Slice, rejected: &Rejected<'_>) -> serde_json::Result<String> {
    let (raw, whole) = (rejected.raw(), rejected.raw().len() as u64);
    if whole > KEPT {
        let kept = usize::try_from(KEPT).map_or(raw, |kept| raw.get(..kept).unwrap_or(raw));
        return beginning(slice, rejected, kept, whole);
    }
    to_line(slice, rejected, raw, None)
}

/// The same for a record of `whole` bytes of which only the beginning is available.
pub(super) fn beginning(
    slice: &Slice,
    reject: &Reject,
    beginning: &[u8],
    whole: u64,
) -> serde_json::Result<String> {
    // It may end in the middle of a character.
    let kept = match std::str::from_utf8(beginning) {
        Err(error) if error.error_len().is_none() => &beginning[..error.valid_up_to()],
        _ => beginning,
    };
    to_line(slice, reject, kept, Some(whole))
}

fn to_line(
    slice: &Slice,
    reject: &Reject,
    raw: &[u8],
    truncated_from: Option<u64>,
) -> serde_json::Result<String> {
    let text = std::str::from_utf8(raw).ok();
    let line = Line {
        resource: slice.resource,
        page: slice.page_name(),
        url: slice.url.as_str(),
        index: slice.first.saturating_add(reject.index),
        path: &reject.path,
        expected: &reject.expected,
        found: &reject.found,
        record: text,
        record_base64: text.is_none().then(|| BASE64.encode(raw)),
        truncated_from,
    };
    serde_json::to_string(&line)
}

/// The line of children that are not requested: the page is that of their parent.
pub(super) fn child_line(
    children: Resource,
    slice: &Slice,
    reject: &Reject,
) -> serde_json::Result<String> {
    let line = Line {
        resource: children,
        page: slice.page_name(),
        url: slice.url.as_str(),
        index: reject.index,
        path: &reject.path,
        expected: &reject.expected,
        found: &reject.found,
        record: None,
        record_base64: None,
        truncated_from: None,
    };
    serde_json::to_string(&line)
}

/// The rejects of one slice: how many, and the first of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refused {
    pub(super) count: u64,
    /// Its index is that on the page.
    pub(super) first: Reject,
}

/// How many records of each resource were rejected, and the first of them in the API's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejects(BTreeMap<Resource, OfResource>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct OfResource {
    count: u64,
    /// How many of them were never requested: they say nothing about what the API sends.
    unasked: u64,
    first: (Position, Reject),
}

impl Rejects {
    /// Adds the rejects of one slice.
    pub(super) fn add(&mut self, slice: &Slice, refused: Refused) {
        let of_slice = OfResource {
            count: refused.count,
            unasked: 0,
            first: (slice.position.clone(), refused.first),
        };
        self.merge(Self([(slice.resource, of_slice)].into()));
    }

    /// Adds children that are not requested because of the ids in one slice.
    pub(super) fn add_children(&mut self, slice: &Slice, children: Resource, refused: Refused) {
        let of_slice = OfResource {
            count: refused.count,
            unasked: refused.count,
            first: (slice.position.clone(), refused.first),
        };
        self.merge(Self([(children, of_slice)].into()));
    }

    /// Adds other rejects.
    pub(super) fn merge(&mut self, others: Self) {
        for (resource, other) in others.0 {
            match self.0.get_mut(&resource) {
                Some(known) => {
                    known.count += other.count;
                    known.unasked += other.unasked;
                    if other.first.0 < known.first.0 {
                        known.first = other.first;
                    }
                }
                None => {
                    self.0.insert(resource, other);
                }
            }
        }
    }

    /// The number of rejects of all resources.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().map(|known| known.count).sum()
    }

    /// The number of rejects of one resource.
    #[must_use]
    pub fn of(&self, resource: Resource) -> u64 {
        self.0.get(&resource).map_or(0, |known| known.count)
    }

    /// The first one, and its resource.
    #[must_use]
    pub fn first(&self) -> Option<(Resource, &Reject)> {
        let (resource, known) = self.0.first_key_value()?;
        Some((*resource, &known.first.1))
    }

    /// Checks that there are no more than `limit`; `file` is where they are stored.
    ///
    /// # Errors
    /// When there are more.
    pub fn verdict(&self, limit: u64, file: &str) -> Result<(), DataProcessingError> {
        match self.first() {
            Some((resource, reject)) if self.total() > limit => {
                Err(DataProcessingError::TooManyRejects {
                    rejects: self.total(),
                    limit,
                    resource,
                    first: Box::new(reject.clone()),
                    file: file.to_owned(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Checks that no resource has only rejects.
    ///
    /// That would not be a bad record but another kind of data than the source describes, which
    /// must not replace the last good snapshot.
    pub(super) fn none_mapped(
        &self,
        records: impl Fn(Resource) -> u64,
    ) -> Result<(), DataProcessingError> {
        let mut received = self.0.iter().filter(|(_, of)| of.count > of.unasked);
        let of_all = received.find(|(resource, _)| records(**resource) == 0);
        match of_all {
            Some((resource, known)) => Err(DataProcessingError::NoneMapped {
                resource: *resource,
                records: known.count,
                first: Box::new(known.first.1.clone()),
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::Post;
    use crate::record::{Mapping, map};
    use crate::storage::Place;

    fn slice(position: u64) -> Slice {
        Slice {
            resource: Resource::Posts,
            position: Position::default().then(3).then(position),
            first: 40,
            records: 2,
            has_children: false,
            url: "http://api.test/posts?_page=4".parse().unwrap(),
            response: None,
            longest: None,
            repeated: Vec::new(),
            place: Place {
                file: "spool/posts-3.page".to_owned(),
                offset: 0,
                length: 1,
            },
        }
    }

    fn line_for(record: &[u8]) -> serde_json::Value {
        let mapping = Mapping::placeholder(Resource::Posts);
        let rejected = map::<Post<'_>>(record, &mapping)
            .next()
            .unwrap()
            .unwrap_err();
        let line = line(&slice(0), &rejected).unwrap();
        assert!(!line.contains('\n'), "{line}");
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn a_line_says_where_the_record_was_and_what_is_wrong_and_has_it_verbatim() {
        let record = "{\n  \"id\": 1.50,\n  \"x\": \"\\u0041\"\n}";
        assert_eq!(
            line_for(record.as_bytes()),
            serde_json::json!({
                "resource": "posts",
                "page": "posts-3",
                "url": "http://api.test/posts?_page=4",
                "index": 40,
                "path": "id",
                "expected": "a whole number of at most 64 bits or a string",
                "found": "1.50",
                "record": record,
            })
        );
    }

    #[test]
    fn a_record_that_is_no_text_is_kept_byte_by_byte() {
        let line = line_for(b"{\"id\":\"\xff\"}");
        assert_eq!(line["record_base64"], BASE64.encode(b"{\"id\":\"\xff\"}"));
        assert_eq!(line.get("record"), None);
        let line = line_for(b"{\"id\":nonsense}");
        assert_eq!(line["record"], "{\"id\":nonsense}");
    }

    #[test]
    fn children_that_were_never_requested_do_not_say_that_nothing_maps() {
        let refused = |count| Refused {
            count,
            first: Reject {
                index: 0,
                path: "id".to_owned(),
                expected: String::new(),
                found: String::new(),
            },
        };
        let mut rejects = Rejects::default();
        rejects.add_children(&slice(0), Resource::Comments, refused(3));
        assert_eq!(rejects.of(Resource::Comments), 3);
        assert!(rejects.none_mapped(|_| 0).is_ok());
        assert!(rejects.verdict(2, "rejected.ndjson").is_err());
        rejects.add(&slice(1), refused(1));
        assert!(rejects.none_mapped(|_| 0).is_err());
    }

    #[test]
    fn of_a_long_record_the_beginning_is_kept_and_how_long_it_was() {
        let kept = usize::try_from(KEPT).unwrap();
        // The limit is in the middle of a character, before its second byte.
        let record = format!("{{\"id\":\"{}\"}}", "é".repeat(kept));
        let line = line_for(record.as_bytes());
        let text = line["record"].as_str().unwrap();
        assert!(record.starts_with(text), "{}", &text[..20]);
        assert!((kept - 1..=kept).contains(&text.len()), "{}", text.len());
        assert_eq!(line["truncated_from"], record.len());
        assert_eq!(line["expected"], "an id of at most 1024 bytes");
    }

    #[test]
    fn the_first_reject_is_the_one_that_the_api_sent_first() {
        let reject = |index| Refused {
            count: 2,
            first: Reject {
                index,
                path: ".".to_owned(),
                expected: String::new(),
                found: String::new(),
            },
        };
        let mut rejects = Rejects::default();
        rejects.add(&slice(1), reject(70));
        rejects.add(&slice(0), reject(40));
        rejects.add(&slice(2), reject(90));
        assert_eq!((rejects.total(), rejects.first().unwrap().1.index), (6, 40));
        assert!(rejects.verdict(6, "rejected.ndjson").is_ok());
        let error = rejects.verdict(5, "rejected.ndjson").unwrap_err();
        assert!(
            error.to_string().starts_with("6 records rejected"),
            "{error}"
        );
        assert!(rejects.none_mapped(|_| 1).is_ok());
        assert!(rejects.none_mapped(|_| 0).is_err());
    }
}
