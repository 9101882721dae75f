//! Oddities in the responses of a resource that are not errors. They are reported because the
//! result may be incomplete without any other sign.

use std::fmt;

use http::HeaderMap;
use http::header::LINK;
use serde_json::Value;

use crate::fetch::link;
use crate::fetch::reason::says_yes;
use crate::source::{Endpoint, Locator, Pagination};
use activity_tracker_json::MissingKey;
use activity_tracker_text::excerpt;

/// How many characters of a value are shown.
const SHOWN: usize = 60;

/// Something odd about the responses of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// The value given as the total number of records is unusable.
    Total {
        /// Where the source says the total is.
        at: String,
        /// What was found there.
        found: String,
    },
    /// The `Link` header should name the next page, but no response had one.
    NoLink,
    /// A `Link` header names a next page, but the source does not use `link` pagination.
    Unfollowed,
    /// A field beside the records indicates more records, but the source does not describe it.
    More {
        /// Where it is.
        at: String,
        /// What it says.
        says: String,
    },
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Total { at, found } => write!(
                f,
                "{at} cannot be used as the total: {found}; completeness is not checked"
            ),
            Self::NoLink => f.write_str(
                "no response had a Link header, which should name the next page: one page is taken to be all",
            ),
            Self::Unfollowed => f.write_str(
                "a Link header names a next page, which is not fetched: the source has no pagination; `pagination = \"link\"` follows it",
            ),
            Self::More { at, says } => write!(
                f,
                "there may be more records: `{at}` is `{says}`, and the source does not use it (`pagination` says how to get the next page, `truncated` makes it an error)"
            ),
        }
    }
}

/// What was noticed in the responses of one resource.
#[derive(Clone, Debug, Default)]
pub(super) struct Noticed {
    total: Option<Remark>,
    /// Whether a `Link` header came, or is unknown because a page came from an earlier run.
    linked: bool,
    unfollowed: bool,
    more: Option<Remark>,
    /// Number of records on pages whose headers are known.
    records: u64,
}

impl Noticed {
    /// Checks a page; `has_total` if it reported the total number of records.
    pub(super) fn page(
        &mut self,
        endpoint: &Endpoint,
        headers: &HeaderMap,
        (number, records, body): (u64, u64, &Value),
        has_total: bool,
    ) {
        self.records = self.records.saturating_add(records);
        self.linked |= headers.contains_key(LINK);
        if endpoint.pagination == Pagination::None {
            self.unfollowed |= matches!(link::target(headers, "next"), Ok(Some(_)));
            self.more = self.more.take().or_else(|| more(endpoint, body));
        }
        if let Some(at) = endpoint
            .total
            .as_ref()
            .filter(|_| number == 0 && !has_total)
        {
            self.total
                .get_or_insert_with(|| unusable(at, headers, body));
        }
    }

    /// Accounts for a page from an earlier run, whose headers are unknown.
    pub(super) fn recalled(&mut self) {
        self.linked = true;
    }

    /// All remarks.
    pub(super) fn remarks(&self, endpoint: &Endpoint) -> Vec<Remark> {
        let by_link = endpoint.pagination == Pagination::Link;
        let no_link = by_link && !self.linked && self.records > 0;
        let mut remarks: Vec<_> = self.total.iter().cloned().collect();
        remarks.extend(no_link.then_some(Remark::NoLink));
        remarks.extend(self.unfollowed.then_some(Remark::Unfollowed));
        remarks.extend(self.more.clone());
        remarks
    }
}

/// Names that servers use to say that more records exist, in lowercase letters only.
const TELL_OF_MORE: [&str; 18] = [
    "truncated",
    "istruncated",
    "incompleteresults",
    "partial",
    "hasmore",
    "hasnext",
    "hasnextpage",
    "morepages",
    "next",
    "nextpage",
    "nextcursor",
    "nexttoken",
    "nextpagetoken",
    "nexturl",
    "nexturi",
    "nextlink",
    "odatanextlink",
    "continuationtoken",
];

/// The first field beside the records that indicates more of them, at most two keys deep.
fn more(endpoint: &Endpoint, body: &Value) -> Option<Remark> {
    if endpoint.truncated.is_some() {
        return None;
    }
    let body = body.as_object()?;
    let hints_at_more = |key: &str, value: &Value| {
        let letters = key.chars().filter(char::is_ascii_alphabetic);
        let name: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
        TELL_OF_MORE.contains(&name.as_str()) && says_yes(value)
    };
    let remark = |at: String, value: &Value| Remark::More {
        at: excerpt(&at, SHOWN),
        says: excerpt(&value.to_string(), SHOWN),
    };
    body.iter().find_map(|(key, value)| {
        if hints_at_more(key, value) {
            return Some(remark(key.clone(), value));
        }
        let inner = value.as_object()?.iter();
        let mut inner = inner.filter(|(key, value)| hints_at_more(key, value));
        let (within, value) = inner.next()?;
        Some(remark(format!("{key}.{within}"), value))
    })
}

/// Explains why the value is not a usable total.
fn unusable(at: &Locator, headers: &HeaderMap, body: &Value) -> Remark {
    let (at, found) = match at {
        Locator::Header(name) => {
            let found = headers.get(name).map_or_else(
                || "there is no such header".to_owned(),
                |value| found(&String::from_utf8_lossy(value.as_bytes())),
            );
            (format!("the header `{name}`"), found)
        }
        Locator::Body(path) => {
            let found = path.find(body).map_or_else(
                || {
                    let missing = MissingKey::new(path, body);
                    let nothing = "the response is a list, without keys around it";
                    format!("it is absent; {}", missing.there(nothing))
                },
                |value| found(&value.to_string()),
            );
            (format!("`{path}`"), found)
        }
    };
    Remark::Total { at, found }
}

fn found(value: &str) -> String {
    format!("it is `{}`", excerpt(value, SHOWN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Resource;
    use crate::source::Source;
    use http::HeaderName;
    use serde_json::json;

    fn endpoint(pagination: Pagination) -> Endpoint {
        let source = Source::of_shape("api", "http://api.test").unwrap();
        let mut endpoint = source.endpoints[&Resource::Posts].clone();
        endpoint.pagination = pagination;
        endpoint
    }

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        let name = HeaderName::from_static(name);
        HeaderMap::from_iter([(name, http::HeaderValue::from_static(value))])
    }

    #[test]
    fn a_total_that_cannot_be_used_is_told_with_what_is_there() {
        let mut endpoint = endpoint(Pagination::None);
        let mut told = |at: Locator, headers: &HeaderMap, body: &Value| {
            endpoint.total = Some(at);
            let mut noticed = Noticed::default();
            noticed.page(&endpoint, headers, (0, 1, body), false);
            let [Remark::Total { found, .. }] = &noticed.remarks(&endpoint)[..] else {
                panic!("one remark")
            };
            found.clone()
        };
        let none = HeaderMap::new();
        let in_body = [
            (json!({"meta": {"total": null}}), "it is `null`"),
            (json!({"meta": {"total": -1}}), "it is `-1`"),
            (json!({"meta": {"total": "many"}}), "it is `\"many\"`"),
            (json!({"meta": {"total": 1.5}}), "it is `1.5`"),
            (
                json!({"meta": {"count": 3, "totals": 4}}),
                "it is absent; there is `meta.count`, `meta.totals` (did you mean `meta.totals`?)",
            ),
            (
                json!([]),
                "it is absent; the response is a list, without keys around it",
            ),
        ];
        for (body, expected) in in_body {
            let at = Locator::Body("meta.total".parse().unwrap());
            assert_eq!(told(at, &none, &body), expected);
        }
        let in_header = [
            (none.clone(), "there is no such header"),
            (headers("x-total", ""), "it is ``"),
            (headers("x-total", "-1"), "it is `-1`"),
            (headers("x-total", "null"), "it is `null`"),
            (headers("x-totals", "7"), "there is no such header"),
        ];
        for (headers, expected) in in_header {
            let at = Locator::Header(HeaderName::from_static("x-total"));
            assert_eq!(told(at, &headers, &Value::Null), expected);
        }
    }

    #[test]
    fn a_field_that_tells_of_more_records_is_told_where_the_source_does_not_name_it() {
        let more = |at: &str, says: &str| {
            let (at, says) = (at.to_owned(), says.to_owned());
            vec![Remark::More { at, says }]
        };
        let cases = [
            (json!({"truncated": true}), more("truncated", "true")),
            (
                json!({"incomplete_results": true}),
                more("incomplete_results", "true"),
            ),
            (
                json!({"meta": {"hasMore": true}}),
                more("meta.hasMore", "true"),
            ),
            (
                json!({"links": {"next": "/p?page=2"}}),
                more("links.next", "\"/p?page=2\""),
            ),
            (
                json!({"@odata.nextLink": "/p"}),
                more("@odata.nextLink", "\"/p\""),
            ),
            (json!({"next_page": 2}), more("next_page", "2")),
            (
                json!({"truncated": false, "next": null, "has_more": 0}),
                vec![],
            ),
            (json!({"next": "", "meta": {"next_cursor": null}}), vec![]),
            (json!({"a": {"b": {"next": 1}}}), vec![]),
            (json!([]), vec![]),
        ];
        for (body, expected) in cases {
            let none = HeaderMap::new();
            for pagination in [Pagination::None, Pagination::Link] {
                let is_paged = pagination != Pagination::None;
                let mut endpoint = endpoint(pagination);
                let mut noticed = Noticed::default();
                noticed.page(&endpoint, &none, (0, 0, &body), true);
                let expected = if is_paged { vec![] } else { expected.clone() };
                assert_eq!(noticed.remarks(&endpoint), expected, "{body}");
                endpoint.truncated = Some("x".parse().unwrap());
                let mut noticed = Noticed::default();
                noticed.page(&endpoint, &none, (0, 0, &body), true);
                assert_eq!(noticed.remarks(&endpoint), [], "{body}");
            }
        }
    }

    #[test]
    fn a_link_header_that_never_came_or_is_not_followed_is_told() {
        let next = headers("link", "</posts?page=2>; rel=next");
        let first = headers("link", "</posts?page=1>; rel=first");
        let none = HeaderMap::new();
        let cases = [
            (Pagination::Link, &none, 3, vec![Remark::NoLink]),
            (Pagination::Link, &none, 0, vec![]),
            (Pagination::Link, &first, 3, vec![]),
            (Pagination::Link, &next, 3, vec![]),
            (Pagination::None, &none, 3, vec![]),
            (Pagination::None, &first, 3, vec![]),
            (Pagination::None, &next, 3, vec![Remark::Unfollowed]),
        ];
        for (pagination, headers, records, expected) in cases {
            let endpoint = endpoint(pagination);
            let mut noticed = Noticed::default();
            noticed.page(&endpoint, headers, (0, records, &Value::Null), true);
            assert_eq!(noticed.remarks(&endpoint), expected, "{headers:?}");
            noticed.recalled();
            let remarks = noticed.remarks(&endpoint);
            assert!(!remarks.contains(&Remark::NoLink), "it is not known");
        }
    }
}
