//! Entry points for the fuzz targets.

use url::Url;

use super::{Source, child};
use crate::record::{Id, Resource};

/// Whether a source file may use this path for resources that are requested with the ids of posts.
#[must_use]
pub fn is_child_template(path: &str) -> bool {
    let stray = path.contains(['?', '#']) || path.matches("{post_id}").count() != 1;
    !stray && child::flaw(path, Some(Resource::Posts)).is_none()
}

/// The URL of the children of the post with this id; `None` if the id is rejected.
#[must_use]
pub fn child_url(source: &Source, path: &str, id: &Id) -> Option<Url> {
    let path = child::path(path, Resource::Posts, id)?;
    Some(source.url(&path))
}
