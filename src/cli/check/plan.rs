//! The requests a run would make for a resource, and how it knows the data is complete: one line.

use activity_tracker::fetch::PageEstimate;
use activity_tracker::record::Resource;
use activity_tracker::source::{Endpoint, Locator, NextAt, Pagination};
use activity_tracker::text::{Printable, count, grouped};

/// The plan for a resource with its own pages.
pub(super) fn of_pages(endpoint: &Endpoint, estimate: &PageEstimate) -> String {
    if endpoint.pagination == Pagination::None {
        let why = "(the source declares no pagination)";
        return match reported_total(endpoint, estimate) {
            Some(total) => format!("one request {why}, {total}"),
            None => format!("one request {why}"),
        };
    }
    let mut parts = vec![paging(&endpoint.pagination)];
    parts.extend(reported_total(endpoint, estimate));
    parts.push(extent(endpoint, estimate));
    parts.join(", ")
}

/// The plan for a resource with a request for each record of its parent.
pub(super) fn of_children(endpoint: &Endpoint, parent: Resource) -> String {
    let parent = one_of(parent);
    let requests = match endpoint.pagination {
        Pagination::None => format!("one request per {parent}"),
        _ => format!("pages for each {parent}"),
    };
    match endpoint.pagination {
        Pagination::None => requests,
        ref pagination => format!("{requests}: {}", paging(pagination)),
    }
}

/// The singular of a resource.
pub(super) fn one_of(resource: Resource) -> &'static str {
    resource.name().trim_end_matches('s')
}

/// How pages are requested.
fn paging(pagination: &Pagination) -> String {
    match pagination {
        Pagination::None => "one request".to_owned(),
        Pagination::Page {
            parameter, size, ..
        } => match size {
            Some((_, size)) => format!("{size} per page by ?{}=", Printable(parameter)),
            None => format!("page by page by ?{}=", Printable(parameter)),
        },
        Pagination::Offset {
            parameter,
            limit: (_, limit),
            ..
        } => format!("{limit} per page by ?{}=", Printable(parameter)),
        Pagination::Cursor { parameter, at } => {
            format!(
                "page by page by ?{}= with {}",
                Printable(parameter),
                named(at, "the cursor")
            )
        }
        Pagination::Next { at } => format!("page by page by {}", named(at, "the URL")),
        Pagination::Link => "page by page by the Link header".to_owned(),
    }
}

/// Where the next page is named.
fn named(at: &NextAt, what: &str) -> String {
    match at {
        NextAt::Body(path) => format!("{what} in {}", quoted(&path.to_string())),
        NextAt::Header(name) => format!("{what} in the header `{name}`"),
        NextAt::Links { list, relation } => format!(
            "the link {} in {}",
            quoted(relation),
            quoted(&list.to_string())
        ),
        NextAt::LastRecord(path) => {
            format!("{} of the last record", quoted(&path.to_string()))
        }
    }
}

fn quoted(text: &str) -> String {
    format!("`{}`", Printable(text))
}

/// The total number of records, and where the API reports it.
fn reported_total(endpoint: &Endpoint, estimate: &PageEstimate) -> Option<String> {
    let (total, at) = (estimate.total?, endpoint.total.as_ref()?);
    Some(format!(
        "{} in total according to {}",
        grouped(total),
        located(at)
    ))
}

fn located(at: &Locator) -> String {
    match at {
        Locator::Header(name) => format!("the header `{name}`"),
        Locator::Body(path) => quoted(&path.to_string()),
    }
}

/// How many requests that takes, or where it ends.
fn extent(endpoint: &Endpoint, estimate: &PageEstimate) -> String {
    match (estimate.more, estimate.pages) {
        (false, _) => format!("so {}", count(estimate.asked, "request")),
        (true, Some(pages)) => format!("so {}", count(pages, "request")),
        (true, None) => match &endpoint.pagination {
            Pagination::Cursor { at, .. } | Pagination::Next { at } if !at.is_last_record() => {
                "until there is no next page".to_owned()
            }
            Pagination::Link => "until there is no next page".to_owned(),
            _ => "until a page is empty".to_owned(),
        },
    }
}
