//! Errors of pagination.

use activity_tracker_json::MissingKey;

/// Why the received pages cannot be the complete resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PagingError {
    /// The number of records received differs from the server's total.
    #[error("received {found} of {total} records{}", changed(*.first_total, *.total))]
    Incomplete {
        /// Number of records received.
        found: u64,
        /// The total that the last response with a total reported.
        total: u64,
        /// The total that the first response reported.
        first_total: u64,
    },
    /// Records moved between pages during the fetch.
    #[error("records moved between pages during the fetch, {} ({}received {found} records)", each_time(*.looks), totals(*.first, *.last))]
    Moving {
        /// Number of passes over all pages.
        looks: u32,
        /// Number of records received in the last pass.
        found: u64,
        /// The first total reported in the last pass.
        first: Option<u64>,
        /// The last total reported in the last pass.
        last: Option<u64>,
    },
    /// The same page arrived under two URLs.
    #[error("page {} has the same records as an earlier page", .0 + 1)]
    RepeatedPage(u64),
    /// A link or cursor leads back to a page already requested.
    #[error("page {} names a next page that was already fetched", .0 + 1)]
    Loop(u64),
    /// A link leads to an origin that the source does not allow.
    #[error("page {} links to {origin} for the next page, which the source does not allow", .number + 1)]
    OtherOrigin {
        /// The number of the page with the link.
        number: u64,
        /// The origin of the link's target.
        origin: String,
    },
    /// The first page lacks the key that, according to the source, names the next page.
    #[error("page 1 has no `{}`, which should name the next page; {}", .0.at, no_key(.0))]
    NoKey(MissingKey),
    /// The last record of a page lacks the field that, according to the source, locates the next
    /// page.
    #[error("the last record of page {} has no text or number at `{}`, which the request for the next page needs; {}", .number + 1, .missing.at, .missing.there("it is no object"))]
    NoField {
        /// The number of the page.
        number: u64,
        /// The missing field.
        missing: MissingKey,
    },
    /// The value that the source describes as a list of links is something else.
    #[error("page {} has no list of links with relations at `{at}`: it is unknown whether more pages follow", .number + 1)]
    NoLinks {
        /// The number of the page.
        number: u64,
        /// The path where the list is expected.
        at: String,
    },
    /// A page says that more pages follow, but does not name the next one.
    #[error("page {} says that more pages follow, but names none", .0 + 1)]
    NoNext(u64),
    /// A malformed `Link` header, which may have named the next page.
    #[error("page {} has a Link header that cannot be parsed: it is unknown whether more pages follow", .0 + 1)]
    BadHeader(u64),
    /// Too many consecutive pages without records.
    #[error("{0} pages in a row have no records, and each names a next page")]
    OnlyEmpty(u32),
    /// The server reports that it left records out.
    #[error("page {} says in `{at}` that the server left records out: request less at a time with `query`", .number + 1)]
    Truncated {
        /// The number of the page that reports it.
        number: u64,
        /// The path of the flag.
        at: String,
    },
    /// A link that is not a valid URL.
    #[error("page {} has a link to the next page that is not a URL", .0 + 1)]
    BadLink(u64),
    /// A link that contains the source's credential where it cannot be removed.
    #[error("page {} has a link to the next page that contains the credential, which would be logged and stored", .0 + 1)]
    TellsSecret(u64),
}

fn no_key(missing: &MissingKey) -> String {
    let there = missing.there("the response is a list, without keys around it");
    if missing.found.is_empty() {
        return there;
    }
    format!("{there}; `optional = true` allows for responses without it")
}

fn each_time(number: u32) -> String {
    match number {
        1 => "once".to_owned(),
        number => format!("each of {number} times"),
    }
}

fn totals(first: Option<u64>, last: Option<u64>) -> String {
    match (first, last) {
        (Some(first), Some(last)) => {
            format!("the total went from {first} to {last}; ")
        }
        _ => String::new(),
    }
}

fn changed(first: u64, last: u64) -> String {
    if first == last {
        String::new()
    } else {
        format!(" (the total was {first} at first)")
    }
}
