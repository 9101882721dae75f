//! Why pages cannot be the whole of a resource.

use activity_tracker_json::MissingKey;

/// Why the pages that came cannot be the whole resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PagingError {
    /// The totals do not agree with what came.
    #[error("{found} records came of the {total} that the server speaks of{}", changed(*.first_total, *.total))]
    Incomplete {
        /// How many records came.
        found: u64,
        /// How many there are, by the last response that said so.
        total: u64,
        /// How many there were, by the first.
        first_total: u64,
    },
    /// Records moved from page to page while they were fetched.
    #[error("the records moved while the pages were fetched, {} ({}{found} records came)", each_time(*.looks), totals(*.first, *.last))]
    Moving {
        /// How many times all pages were fetched.
        looks: u32,
        /// How many records came, the last time.
        found: u64,
        /// How many there were, by the first response of the last time.
        first: Option<u64>,
        /// And by the last response.
        last: Option<u64>,
    },
    /// A page came twice under different names.
    #[error("page {} holds the same records as one before it", .0 + 1)]
    RepeatedPage(u64),
    /// A link or cursor leads back.
    #[error("page {} names a page as its next that was asked for already", .0 + 1)]
    Loop(u64),
    /// A link leads to a place that the source does not allow.
    #[error("page {} links to {origin} for the next one, which the source does not allow", .number + 1)]
    OtherOrigin {
        /// The page with the link.
        number: u64,
        /// Where it leads.
        origin: String,
    },
    /// The first page has no such key as the source says names the next.
    #[error("page 1 has no `{}`, which is to name the next page; {}", .0.at, no_key(.0))]
    NoKey(MissingKey),
    /// The last record of a page has no such field as the source says leads on.
    #[error("the last record of page {} has no text or number at `{}`, which the next page is asked for with; {}", .number + 1, .missing.at, .missing.there("it is no object"))]
    NoField {
        /// The page.
        number: u64,
        /// The field.
        missing: MissingKey,
    },
    /// What the source says is a list of links is none.
    #[error("page {} has something else at `{at}` than a list of links with their relations, so that nobody knows whether more follow", .number + 1)]
    NoLinks {
        /// The page.
        number: u64,
        /// Where the list is to be.
        at: String,
    },
    /// A page says that there are further ones, and not where.
    #[error("page {} says that more follow, and names no next page", .0 + 1)]
    NoNext(u64),
    /// A header that nobody can read may have said where the next page is.
    #[error("page {} has a Link header that is not written as one, so that nobody knows whether more follow", .0 + 1)]
    BadHeader(u64),
    /// Page after page without a record.
    #[error("{0} pages in a row hold no record, and each names a next one")]
    OnlyEmpty(u32),
    /// The server says that it left records out.
    #[error("page {} says in `{at}` that the server left records out: ask for less at a time, in `query`", .number + 1)]
    Truncated {
        /// The page that says so.
        number: u64,
        /// Where it says so.
        at: String,
    },
    /// A link that is no URL.
    #[error("page {} links to something that is no URL for the next one", .0 + 1)]
    BadLink(u64),
    /// A link with the source's credential in it, where it cannot be taken out.
    #[error("page {} links to a URL with the credential in it, which would be logged and stored", .0 + 1)]
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
            format!("the server spoke of {first} at first, of {last} at last; ")
        }
        _ => String::new(),
    }
}

fn changed(first: u64, last: u64) -> String {
    if first == last {
        String::new()
    } else {
        format!(" (it spoke of {first} at first)")
    }
}
