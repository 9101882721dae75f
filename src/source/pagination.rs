//! How a source file says to come to the next page.

use std::num::NonZeroU64;

use crate::activity::JsonPath;

use super::form::PaginationForm;
use super::mistake::Flaw;
use super::values::{Either, Marked, Pairs, Parsed};
use super::{More, Pagination};

/// The one kind of pagination that a file describes.
pub(super) fn pagination(
    form: Option<&Marked<Either<PaginationForm>>>,
) -> Result<Pagination, Flaw> {
    let Some(Marked {
        value: Either(form),
        place,
    }) = form
    else {
        return Ok(Pagination::None);
    };
    let flaw = |title: &str, expected: &str| Flaw::new(place, title, expected);
    let size = form.size.as_ref().map(page_size).transpose()?;
    let pagination = match (&form.page, &form.offset, &form.cursor, &form.next) {
        (Some(page), None, None, None) => Pagination::Page {
            parameter: page.clone(),
            first: form.first.as_ref().map_or(1, |first| first.value),
            size,
        },
        (None, Some(offset), None, None) => Pagination::Offset {
            parameter: offset.clone(),
            limit: size.ok_or_else(|| {
                flaw(
                    "pages of no size",
                    "expected `size`, as in `size = { limit = 100 }`",
                )
            })?,
        },
        (None, None, Some(cursor), None) => Pagination::Cursor {
            parameter: cursor.clone(),
            at: form
                .at
                .as_ref()
                .map(|at| at.value.0.clone())
                .ok_or_else(|| {
                    flaw(
                        "a cursor from nowhere",
                        "expected `at`, as in `at = \"meta.next_cursor\"`",
                    )
                })?,
        },
        (None, None, None, Some(next)) => Pagination::Next { at: next.0.clone() },
        (None, None, None, None) if form.link => Pagination::Link,
        (None, None, None, None) if form.is_none() => Pagination::None,
        _ => {
            let expected = "expected one of `page`, `offset`, `cursor` and `next`";
            return Err(flaw("no single way to the next page", expected));
        }
    };
    no_strays(form, &pagination)?;
    Ok(pagination)
}

/// The flag that ends the pages, if there is one.
pub(super) fn more(form: Option<&Marked<Either<PaginationForm>>>) -> Result<Option<More>, Flaw> {
    let Some(form) = form else { return Ok(None) };
    let flag = |at: &Marked<Parsed<JsonPath>>, ends| More {
        at: at.value.0.clone(),
        ends,
    };
    match (&form.value.0.more, &form.value.0.until) {
        (Some(_), Some(until)) => {
            let title = "two flags for the last page";
            Err(Flaw::new(
                &until.place,
                title,
                "expected either `while` or `until`",
            ))
        }
        (Some(more), None) => Ok(Some(flag(more, false))),
        (None, Some(until)) => Ok(Some(flag(until, true))),
        (None, None) => Ok(None),
    }
}

/// Refuses what the kind of pagination has no use for: it would be read and not heeded.
fn no_strays(form: &PaginationForm, pagination: &Pagination) -> Result<(), Flaw> {
    let (page, offset, cursor) = match pagination {
        Pagination::Page { .. } => (true, false, false),
        Pagination::Offset { .. } => (false, true, false),
        Pagination::Cursor { .. } => (false, false, true),
        _ => (false, false, false),
    };
    let stray = |place, key: &str, of: &str| {
        let title = format!("`{key}` without {of}");
        Err(Flaw::new(place, title, format!("`{key}` goes with {of}")))
    };
    match form {
        PaginationForm {
            first: Some(first), ..
        } if !page => stray(&first.place, "first", "`page`"),
        PaginationForm { at: Some(at), .. } if !cursor => stray(&at.place, "at", "`cursor`"),
        PaginationForm {
            size: Some(size), ..
        } if !page && !offset => stray(&size.place, "size", "`page` or `offset`")
            .map_err(|flaw| flaw.help("a size that is only asked for stands in `query`")),
        _ => Ok(()),
    }
}

/// The one parameter of a page size, and its value.
fn page_size(form: &Marked<Pairs<NonZeroU64>>) -> Result<(String, u64), Flaw> {
    if let [(name, size)] = form.value.0.as_slice() {
        return Ok((name.value.clone(), size.get()));
    }
    let expected = "expected one parameter and its value: `{ per_page = 100 }`";
    Err(Flaw::new(&form.place, "not a page size", expected))
}
