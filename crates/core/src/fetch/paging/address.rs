//! Page URLs: query parameters, and URLs that differ only in a page number.

use url::Url;

/// Pages whose URLs differ only in a page number.
#[derive(Clone, Debug)]
pub(super) struct LinkRange {
    url: Url,
    parameter: String,
    /// The parameter's value minus the page's number.
    shift: u64,
}

impl LinkRange {
    /// The URL of the page with this number.
    pub(super) fn url(&self, number: u64) -> Url {
        let mut url = self.url.clone();
        set_parameter(
            &mut url,
            &self.parameter,
            &self.shift.saturating_add(number).to_string(),
        );
        url
    }
}

/// Checks whether the URLs of the second page and the last page differ only in a page number.
///
/// Offsets look the same but do not count pages, so the parameter's name must contain `page`.
pub(super) fn link_range(next: &Url, last: &Url) -> Option<(LinkRange, u64)> {
    let base = |url: &Url| {
        let mut url = url.clone();
        url.set_query(None);
        url
    };
    let pairs = |url: &Url| url.query_pairs().into_owned().collect::<Vec<_>>();
    let (from, to) = (pairs(next), pairs(last));
    if base(next) != base(last) || from.len() != to.len() {
        return None;
    }
    let mut differing = from.iter().zip(&to).filter(|(a, b)| a != b);
    let ((name, second), (same_name, last)) = differing.next()?;
    let (second, last): (u64, u64) = (second.parse().ok()?, last.parse().ok()?);
    let by_page = name.to_ascii_lowercase().contains("page") && name == same_name;
    if differing.next().is_some() || !by_page || !(1..=2).contains(&second) || last < second {
        return None;
    }
    let shift = second - 1;
    let range = LinkRange {
        url: next.clone(),
        parameter: name.clone(),
        shift,
    };
    Some((range, (last - shift).saturating_add(1)))
}

/// Sets a query parameter, replacing any with the same name.
pub(super) fn set_parameter(url: &mut Url, name: &str, value: &str) {
    remove_parameter(url, name);
    url.query_pairs_mut().append_pair(name, value);
}

/// Removes a query parameter, if present.
pub(in crate::fetch) fn remove_parameter(url: &mut Url, name: &str) {
    remove_where(url, |known, _| known == name);
}

/// Removes all query parameters with this value.
pub(super) fn remove_value(url: &mut Url, value: &str) {
    remove_where(url, |_, known| known == value);
}

fn remove_where(url: &mut Url, goes: impl Fn(&str, &str) -> bool) {
    if url.query_pairs().any(|(name, value)| goes(&name, &value)) {
        let others: Vec<_> = url
            .query_pairs()
            .into_owned()
            .filter(|(name, value)| !goes(name, value))
            .collect();
        url.query_pairs_mut().clear().extend_pairs(&others);
        if others.is_empty() {
            url.set_query(None);
        }
    }
}

/// A hash that identifies a URL.
pub(super) fn fingerprint(url: &Url) -> u128 {
    crate::fetch::digest(url.as_str().as_bytes())
}
