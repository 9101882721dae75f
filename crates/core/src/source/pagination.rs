//! Pagination, as described in a source file.

use std::num::NonZeroU64;

use activity_tracker_json::JsonPath;

use super::form::{NextAtForm, PaginationForm};
use super::mistake::Flaw;
use super::values::{Brief, Either, Marked, Pairs, Parsed};
use super::{More, NextAt, Pagination};

/// The only kind of pagination that a file describes.
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
            overlap: form.overlap.as_ref().is_none_or(|overlap| overlap.value),
        },
        (None, None, Some(cursor), None) => Pagination::Cursor {
            parameter: cursor.clone(),
            at: next_at(form.at.as_ref().ok_or_else(|| {
                flaw(
                    "a cursor from nowhere",
                    "expected `at`, as in `at = \"meta.next_cursor\"`",
                )
            })?)?,
        },
        (None, None, None, Some(next)) => Pagination::Next {
            at: match next_at(next)? {
                NextAt::LastRecord(_) => {
                    let title = "a URL in the last record";
                    let expected = "expected a parameter beside it: `{ cursor = \"after\", at = { last = \"id\" } }`";
                    return Err(Flaw::new(&next.place, title, expected));
                }
                at => at,
            },
        },
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

/// The only place that a file gives for the next page.
fn next_at(form: &Marked<Either<NextAtForm>>) -> Result<NextAt, Flaw> {
    let Marked {
        value: Either(form),
        place,
    } = form;
    if let Some(rel) = form.rel.as_ref().filter(|_| form.links.is_none()) {
        let expected = "expected the list as well: `{ links = \"links\", rel = \"next\" }`";
        return Err(Flaw::new(&rel.place, "`rel` without `links`", expected));
    }
    match (&form.body, &form.header, &form.links, &form.last) {
        (Some(body), None, None, None) => Ok(NextAt::Body(body.clone())),
        (None, Some(header), None, None) => Ok(NextAt::Header(header.0.clone())),
        (None, None, Some(links), None) => Ok(NextAt::Links {
            list: links.0.clone(),
            relation: form
                .rel
                .as_ref()
                .map_or_else(|| "next".to_owned(), |rel| rel.value.clone()),
        }),
        (None, None, None, Some(last)) => Ok(NextAt::LastRecord(last.0.clone())),
        _ => {
            let title = "no single place that names the next page";
            let expected = format!("expected {}", NextAtForm::EXPECTED);
            Err(Flaw::new(place, title, expected))
        }
    }
}

/// The flag that marks the last page, if there is one.
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

/// Rejects keys that the kind of pagination does not use: they would be silently ignored.
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
            overlap: Some(overlap),
            ..
        } if !offset => stray(&overlap.place, "overlap", "`offset`"),
        PaginationForm {
            size: Some(size), ..
        } if !page && !offset => stray(&size.place, "size", "`page` or `offset`")
            .map_err(|flaw| flaw.help("a size that is only requested belongs in `query`")),
        _ => Ok(()),
    }
}

/// The only page size parameter, and its value.
fn page_size(form: &Marked<Pairs<NonZeroU64>>) -> Result<(String, u64), Flaw> {
    if let [(name, size)] = form.value.0.as_slice() {
        return Ok((name.value.clone(), size.get()));
    }
    let expected = "expected one parameter and its value: `{ per_page = 100 }`";
    Err(Flaw::new(&form.place, "not a page size", expected))
}
