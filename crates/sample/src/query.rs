//! Query parameters, as json-server 0.17 interprets them.
//!
//! Names and values are not percent-decoded: all supported ones consist of ASCII letters, digits
//! and `_`, which no client encodes. Only the value of `at` is decoded: it may have colons.
//! Unknown parameters are ignored, as in json-server.
//!
//! Invalid values differ from json-server: a negative `_limit` is ignored (there it drops records
//! from the end), and links after `_page=0` or `_page=2x` have normal page numbers (there they
//! stay 0 or become `3x`).

use std::fmt::Write;

use percent_encoding::percent_decode_str;

use super::Resource;
use super::forum::Forum;
use super::ids::Ids;
use super::moment::{InvalidMoment, Moment};

/// The default page size.
const PAGE_SIZE: u64 = 10;

/// The query part of a URL, without the question mark.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query<'a>(pub(super) &'a str);

impl<'a> Query<'a> {
    fn values(self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.split('&').filter_map(move |pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then_some(value)
        })
    }

    /// The first value of `name`; an empty one counts as none.
    fn first(self, name: &str) -> Option<&'a str> {
        self.values(name).next().filter(|value| !value.is_empty())
    }

    /// The requested moment; `None` for the latest one.
    pub(super) fn moment(self) -> Result<Option<Moment>, InvalidMoment> {
        let text = self.first("at").unwrap_or_default();
        // Forms encode a space as a plus sign.
        let text = text.replace('+', " ");
        let text = percent_decode_str(&text).decode_utf8();
        Moment::requested(&text.map_err(|_| InvalidMoment)?)
    }

    /// The records of `resource` that exist at a moment and match the filters: `id`, and the field
    /// with the owner's id. Values of the same name are alternatives; filters with different names
    /// must all match.
    pub(super) fn matches(self, forum: &Forum, resource: Resource, at: Moment) -> Ids {
        let mut matching = forum.existing(resource, at);
        if let Some(wanted) = self.ids("id", |id| Ids::of(id..id.saturating_add(1))) {
            matching = matching.and(&wanted);
        }
        if let Some((_, field)) = resource.owner()
            && let Some(wanted) = self.ids(field, |id| forum.owned(resource, id))
        {
            matching = matching.and(&wanted);
        }
        matching
    }

    /// The ids for the values of `name`; `None` if the query does not have it.
    fn ids(self, name: &str, ids: impl Fn(u64) -> Ids) -> Option<Ids> {
        self.values(name).next()?;
        // json-server compares text, so `05` and `abc` match no record.
        let numbers = self.values(name).filter_map(|text| {
            let number: u64 = text.parse().ok()?;
            (number.to_string() == text).then_some(number)
        });
        Some(Ids::any_of(numbers.flat_map(|number| ids(number).ranges())))
    }

    /// The requested part of the matching records.
    pub(super) fn paging(self) -> Paging {
        let limit = self.first("_limit");
        match (self.first("_page"), limit) {
            (Some(page), _) => Paging::Page {
                number: leading_number(page).unwrap_or(1).max(1),
                size: limit
                    .and_then(leading_number)
                    .filter(|&size| size > 0)
                    .unwrap_or(PAGE_SIZE),
            },
            (None, Some(limit)) => Paging::First(leading_number(limit).unwrap_or(0)),
            (None, None) => Paging::Whole,
        }
    }

    /// The query with `number` as its page.
    fn with_page(self, number: u64) -> String {
        let mut done = false;
        let pairs = self.0.split('&').map(|pair| {
            if !done && pair.starts_with("_page=") {
                done = true;
                format!("_page={number}")
            } else {
                pair.to_owned()
            }
        });
        pairs.collect::<Vec<_>>().join("&")
    }
}

/// The number at the start of `text`, like JavaScript's `parseInt`, but not negative.
fn leading_number(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    let digits = &text[..end.unwrap_or(text.len())];
    // The only possible error is overflow.
    (!digits.is_empty()).then(|| digits.parse().unwrap_or(u64::MAX))
}

/// The requested part of the matching records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paging {
    /// All of them.
    Whole,
    /// The first records (`_limit` without `_page`).
    First(u64),
    /// The page `number`, from 1, with `size` records per page.
    Page { number: u64, size: u64 },
}

impl Paging {
    /// The part of `matching` to send.
    pub(super) fn window(self, matching: &Ids) -> Ids {
        match self {
            Self::Whole => matching.clone(),
            Self::First(count) => matching.window(0, count),
            Self::Page { number, size } => matching.window((number - 1).saturating_mul(size), size),
        }
    }

    /// The `Link` header of a page of `total` records; `url` is the URL without its query.
    ///
    /// Empty, as in json-server, if the page has all records or none.
    pub(super) fn links(self, total: u64, url: &str, query: Query<'_>) -> String {
        let mut links = String::new();
        let Self::Page { number, size } = self else {
            return links;
        };
        let last = total.div_ceil(size);
        if last <= 1 || number > last {
            return links;
        }
        let pages = [
            ("first", Some(1)),
            ("prev", (number > 1).then(|| number - 1)),
            ("next", (number < last).then(|| number + 1)),
            ("last", Some(last)),
        ];
        for (relation, page) in pages {
            let Some(page) = page else { continue };
            let comma = if links.is_empty() { "" } else { ", " };
            let query = query.with_page(page);
            // Writing to a string cannot fail.
            let _ = write!(links, "{comma}<{url}?{query}>; rel=\"{relation}\"");
        }
        links
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sample;

    #[test]
    fn queries_are_interpreted_as_in_json_server() {
        let page = |number, size| Paging::Page { number, size };
        for (query, expected) in [
            ("", Paging::Whole),
            ("foo=bar", Paging::Whole),
            ("_page=", Paging::Whole),
            ("_limit=", Paging::Whole),
            ("_limit=3", Paging::First(3)),
            ("_limit=0", Paging::First(0)),
            ("_limit=abc", Paging::First(0)),
            ("_limit=-3", Paging::First(0)),
            ("_page=2", page(2, 10)),
            ("_page=2&_page=3", page(2, 10)),
            ("_page=2x&_limit=1.5", page(2, 1)),
            ("_page=0", page(1, 10)),
            ("_page=-1", page(1, 10)),
            ("_page=abc&_limit=7", page(1, 7)),
            ("_limit=0&_page=2", page(2, 10)),
            ("_limit=abc&_page=2", page(2, 10)),
            ("_limit=-3&_page=2", page(2, 10)),
            ("_page=99999999999999999999", page(u64::MAX, 10)),
        ] {
            assert_eq!(Query(query).paging(), expected, "{query}");
        }
    }

    #[test]
    fn filters_select_ids() {
        let forum = Forum::new(&Sample {
            users: 2,
            posts: 24,
            ..Sample::default()
        });
        let matching = |query| -> Vec<u64> {
            let query = Query(query).matches(&forum, Resource::Posts, Moment::END);
            query.into_iter().collect()
        };
        let (one, two) = (matching("userId=1"), matching("userId=2"));
        let (of_one, of_two) = (one[0].to_string(), two[0].to_string());
        let mut both = [&one[..], &two].concat();
        both.sort_unstable();
        for (query, expected) in [
            ("", &(1..=24).collect::<Vec<_>>()[..]),
            ("postId=3", &(1..=24).collect::<Vec<_>>()),
            ("userId=1&userId=2", &both),
            (&format!("userId=1&id={of_one}"), &one[..1]),
            (&format!("userId=1&id={of_two}"), &[]),
            ("id=7&id=5&id=500", &[5, 7]),
            ("id=05", &[]),
            ("userId=abc", &[]),
            ("userId=", &[]),
            ("userId=0", &[]),
            ("userId=99", &[]),
            ("id=18446744073709551615", &[]),
        ] {
            assert_eq!(matching(query), expected, "{query}");
        }
    }

    #[test]
    fn a_moment_may_be_encoded_and_the_latest_one_is_the_default() {
        let moment = |text: &str| text.parse::<Moment>().map(Some);
        for (query, expected) in [
            ("", Ok(None)),
            ("at=", Ok(None)),
            ("at=latest", Ok(None)),
            ("userId=1&at=2026-05-31", moment("2026-05-31")),
            ("at=2026-05-31T08:00:00Z", moment("2026-05-31T08:00:00Z")),
            (
                "at=2026-05-31T08%3A00%3A00Z",
                moment("2026-05-31T08:00:00Z"),
            ),
            ("at=2026-05-31+08:00", moment("2026-05-31T08:00:00Z")),
            (
                "at=2026-05-31T08:00:00%2B01:00",
                moment("2026-05-31T07:00:00Z"),
            ),
            ("at=%ff", Err(InvalidMoment)),
            ("at=soon", Err(InvalidMoment)),
        ] {
            assert_eq!(Query(query).moment(), expected, "{query}");
        }
    }

    #[test]
    fn links_are_as_in_json_server() {
        let links = |query: &str, total| {
            let query = Query(query);
            query.paging().links(total, "u", query)
        };
        assert_eq!(
            links("_page=2&userId=3&_limit=3", 10),
            "<u?_page=1&userId=3&_limit=3>; rel=\"first\", \
             <u?_page=1&userId=3&_limit=3>; rel=\"prev\", \
             <u?_page=3&userId=3&_limit=3>; rel=\"next\", \
             <u?_page=4&userId=3&_limit=3>; rel=\"last\""
        );
        assert_eq!(
            links("_limit=50&_page=1", 100),
            "<u?_limit=50&_page=1>; rel=\"first\", <u?_limit=50&_page=2>; rel=\"next\", \
             <u?_limit=50&_page=2>; rel=\"last\""
        );
        assert_eq!(
            links("_page=3&_limit=40", 100),
            "<u?_page=1&_limit=40>; rel=\"first\", <u?_page=2&_limit=40>; rel=\"prev\", \
             <u?_page=3&_limit=40>; rel=\"last\""
        );
        for (query, total) in [
            ("_page=1&_limit=100", 100),
            ("_page=11", 100),
            ("_page=1", 0),
            ("_limit=2", 100),
            ("", 100),
        ] {
            assert_eq!(links(query, total), "", "{query}");
        }
    }
}
