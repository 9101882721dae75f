//! Converts the contents of a source file to a [`Source`], with the checks that involve several
//! values, a placeholder, or the environment.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use url::Origin;

use super::endpoint::Authors;
use super::fields::Fields;
use super::form::{AuthorsForm, Form, LocatorForm, Per, RateForm, RecordsForm, ResourceForm};
use super::mistake::Flaw;
use super::pagination::{self, pagination};
use super::template::{self, Place, fill};
use super::values::{Either, Marked};
use super::{
    Auth, Definition, Endpoint, Environment, ErrorInBody, Locator, Rate, RecordMap, Source, Vars,
    base_url, child, credentials,
};
use crate::record::{Field, FieldMap, FieldPath, Resource};
use activity_tracker_json::JsonPath;

/// A source file being validated.
pub(super) struct Check<'a> {
    pub(super) form: &'a Form,
    pub(super) text: &'a str,
    /// The values of all placeholders that the file declares, given or by default.
    pub(super) vars: &'a Vars,
    pub(super) environment: &'a dyn Environment,
}

impl Check<'_> {
    pub(super) fn source(&self) -> Result<Source, Flaw> {
        let form = self.form;
        let endpoints = self.endpoints()?;
        let authors = match &form.authors {
            Some(authors) => Some(self.authors(authors, &endpoints)?),
            None => None,
        };
        if endpoints.is_empty() {
            let expected = "expected [users], [posts] or [comments]";
            return Err(Flaw::new(&(0..0), "no resource is described", expected));
        }
        let base_url = self.base_url()?;
        Ok(Source {
            name: self.name()?,
            headers: credentials::headers(&form.headers)?,
            auth: match &form.auth {
                Some(auth) => credentials::auth(auth, &base_url, self.environment)?,
                None => Auth::None,
            },
            base_url,
            rate: form.rate.as_ref().map(rate),
            allowed_origins: form
                .allowed_origins
                .iter()
                .map(origin)
                .collect::<Result<_, _>>()?,
            allow_private: form.allow_private,
            error: form.error.as_ref().map(|form| {
                Arc::new(ErrorInBody {
                    at: form.0.at.0.clone(),
                    when: form.0.when.as_ref().map(|value| value.0.clone()),
                    message: form.0.message.as_ref().map(|path| path.0.clone()),
                })
            }),
            time_zone: self.time_zone()?,
            endpoints,
            authors,
            definition: Definition::default(),
            moves: false,
        })
    }

    fn name(&self) -> Result<String, Flaw> {
        let Marked { value, place } = &self.form.name;
        if value.trim().is_empty() || value.chars().any(char::is_control) {
            return Err(Flaw::new(
                place,
                "not a name",
                "expected a word, in one line",
            ));
        }
        Ok(value.clone())
    }

    pub(super) fn base_url(&self) -> Result<url::Url, Flaw> {
        let form = &self.form.base_url;
        let filled = fill(form, Place::BaseUrl, self.vars, self.text)?.text;
        base_url::read(&filled).map_err(|bad| {
            let title = format!("not a base URL: {}", bad.reason);
            let expected = "expected a URL such as `https://api.example.org`";
            let flaw = Flaw::new(&form.place, title, expected);
            match (bad.shown == filled, filled == form.value) {
                (false, _) => flaw.secret(),
                (true, true) => flaw,
                (true, false) => flaw.help("its placeholders are filled in by --var"),
            }
        })
    }

    fn time_zone(&self) -> Result<TimeZone, Flaw> {
        let Some(Marked { value, place }) = &self.form.time_zone else {
            return Ok(TimeZone::UTC);
        };
        self.environment.time_zone(value).ok_or_else(|| {
            let expected = "expected a name such as `Europe/Berlin`, or an offset such as `+02:00`";
            Flaw::new(place, "unknown time zone", expected)
                .help("names come from this system's time zone database (the package tzdata)")
        })
    }

    fn endpoints(&self) -> Result<BTreeMap<Resource, Endpoint>, Flaw> {
        let form = self.form;
        let mut endpoints = BTreeMap::new();
        let mut paths = Vec::new();
        let mut add = |resource, path, endpoint| {
            endpoints.insert(resource, endpoint);
            paths.push((resource, path));
        };
        if let Some(users) = &form.users {
            add(Resource::Users, &users.path, self.endpoint(users)?);
        }
        if let Some(posts) = &form.posts {
            add(Resource::Posts, &posts.path, self.endpoint(posts)?);
        }
        if let Some(comments) = &form.comments {
            add(Resource::Comments, &comments.path, self.endpoint(comments)?);
        }
        for (resource, path) in paths {
            has_parents(&endpoints, resource, path)?;
        }
        Ok(endpoints)
    }

    fn endpoint<F: Fields>(&self, form: &ResourceForm<F>) -> Result<Endpoint, Flaw> {
        let Marked { value, place } = &form.path;
        if let Some(stray) = value.find(['?', '#']) {
            let title = format!("a path with `{}` in it", &value[stray..=stray]);
            return Err(Flaw::new(place, title, "expected a path alone")
                .help("a query is written beside it: `query = { order = \"asc\" }`"));
        }
        let path = fill(&form.path, Place::Path, self.vars, self.text)?;
        if let Some(title) = child::flaw(&path.text, path.parent) {
            return Err(Flaw::new(place, title, "expected a path such as `/posts`"));
        }
        let mut query = Vec::new();
        for (name, value) in &form.query.0 {
            credentials::plain_parameter(&name.value, &value.place)?;
            let template = Marked {
                value: value.value.0.clone(),
                place: value.place.clone(),
            };
            let value = fill(&template, Place::Query, self.vars, self.text)?;
            query.push((name.value.clone(), value.text));
        }
        let (records, map) = records(form.records.as_ref())?;
        Ok(Endpoint {
            path: path.text,
            query,
            records,
            map,
            pagination: pagination(form.pagination.as_ref())?,
            more: pagination::more(form.pagination.as_ref())?,
            next_optional: form
                .pagination
                .as_ref()
                .is_some_and(|form| form.value.0.optional),
            truncated: form.truncated.as_ref().map(|path| path.0.clone()),
            total_counts_hidden: form.total_counts_hidden,
            total: form.total.as_ref().map(locator),
            pages: form.pages.as_ref().map(locator),
            past_end: form
                .past_end
                .iter()
                .map(past_end)
                .collect::<Result<_, _>>()?,
            parent: path.parent,
            ignore: form.ignore.0.clone(),
            fields: self.fields(&form.fields)?,
        })
    }

    /// The mapping of a resource's fields. Every record has an id, so it is always mapped.
    fn fields(&self, form: &impl Fields) -> Result<FieldMap, Flaw> {
        let given = form.given();
        let has_id = given.iter().any(|(field, _)| *field == Field::Id);
        let id = (!has_id).then(|| {
            let path = "id".parse().unwrap_or_default();
            (Field::Id, FieldPath::new(path, false))
        });
        let given = given.into_iter().map(|(field, form)| {
            let is_time = matches!(field, Field::CreatedAt | Field::UpdatedAt);
            let formats = match &form.time_format {
                Some(Marked { place, .. }) if !is_time => {
                    let title = format!("a format of times for `{}`, which is none", field.name());
                    let expected = "expected it at `created_at` and `updated_at` only";
                    return Err(Flaw::new(place, title, expected));
                }
                Some(formats) => formats.value.0.clone(),
                None if is_time => self.form.time_format.0.clone(),
                None => Vec::new(),
            };
            let place = FieldPath {
                formats,
                ..FieldPath::new(form.path.0.clone(), form.optional)
            };
            Ok((field, place))
        });
        id.map(Ok).into_iter().chain(given).collect()
    }

    fn authors(
        &self,
        form: &Marked<AuthorsForm>,
        endpoints: &BTreeMap<Resource, Endpoint>,
    ) -> Result<Authors, Flaw> {
        let Marked { value: form, place } = form;
        let given = [
            (Resource::Posts, form.posts.as_ref()),
            (Resource::Comments, form.comments.as_ref()),
        ];
        let within: BTreeMap<_, _> = given
            .into_iter()
            .filter_map(|(resource, path)| Some((resource, path?.0.clone())))
            .collect();
        if within.is_empty() {
            let expected = "expected `posts = \"user\"`, `comments = \"user\"` or both";
            return Err(Flaw::new(place, "authors of nothing", expected));
        }
        if let Some(missing) = within.keys().find(|of| !endpoints.contains_key(of)) {
            let title = format!("authors of {missing}, which are not described");
            return Err(Flaw::new(
                place,
                title,
                format!("expected [{missing}] in this file"),
            ));
        }
        Ok(Authors {
            within,
            fields: self.fields(&form.fields)?,
        })
    }
}

/// Where the records are, and whether they are the values of an object.
fn records(
    form: Option<&Marked<Either<RecordsForm>>>,
) -> Result<(JsonPath, Option<RecordMap>), Flaw> {
    let Some(Marked { value, place }) = form else {
        return Ok((JsonPath::default(), None));
    };
    let form = &value.0;
    match (&form.list, &form.map) {
        (Some(list), _) => Ok((list.clone(), None)),
        (None, Some(map)) => {
            let field = form.key_as.clone();
            Ok((map.0.clone(), Some(RecordMap { field })))
        }
        (None, None) => {
            let expected = "expected `{ map = \"posts\" }`, or a path alone";
            Err(Flaw::new(place, "records without a place", expected))
        }
    }
}

fn locator(form: &LocatorForm) -> Locator {
    match form {
        LocatorForm::Header(name) => Locator::Header(name.0.clone()),
        LocatorForm::Body(path) => Locator::Body(path.0.clone()),
    }
}

fn past_end(status: &Marked<u16>) -> Result<u16, Flaw> {
    match status.value {
        400..=499 => Ok(status.value),
        _ => Err(Flaw::new(
            &status.place,
            "no status that says so",
            "expected one from 400 to 499, such as 404",
        )),
    }
}

fn rate(form: &RateForm) -> Rate {
    let seconds = match form.per {
        Per::Second => 1,
        Per::Minute => 60,
        Per::Hour => 3600,
    };
    Rate {
        requests: form.requests,
        per: Duration::from_secs(seconds),
        burst: form.burst.unwrap_or(NonZeroU32::MIN),
    }
}

fn origin(form: &Marked<String>) -> Result<Origin, Flaw> {
    let bad = base_url::read(&form.value).map(|url| (url.path() == "/").then(|| url.origin()));
    let secret = matches!(&bad, Err(bad) if bad.shown != form.value);
    bad.ok().flatten().ok_or_else(|| {
        let expected = "expected a scheme and a host, such as `https://cdn.example.org`";
        let flaw = Flaw::new(&form.place, "not an origin", expected);
        if secret { flaw.secret() } else { flaw }
    })
}

/// Checks that the parents of a resource are described, and that it is not its own ancestor.
fn has_parents(
    endpoints: &BTreeMap<Resource, Endpoint>,
    resource: Resource,
    path: &Marked<String>,
) -> Result<(), Flaw> {
    let mut above = resource;
    // At most as many steps as there are resources, in case of a cycle.
    for _ in 0..endpoints.len() {
        let Some(parent) = endpoints.get(&above).and_then(|endpoint| endpoint.parent) else {
            break;
        };
        if parent == resource {
            let title = format!("{resource} that are asked for by {resource}");
            return Err(Flaw::new(&path.place, title, "expected another parent"));
        }
        if !endpoints.contains_key(&parent) {
            let title = format!("{resource} for each of the {parent}, which are not described");
            let expected = format!("expected [{parent}] in this file");
            return Err(Flaw::new(&path.place, title, expected));
        }
        above = parent;
    }
    Ok(())
}

/// Whether a name may be declared under [vars].
pub(super) fn declarable(name: &Marked<String>) -> Result<(), Flaw> {
    let expected = "expected letters, digits, `_` and `-`";
    if !template::is_name(&name.value) {
        return Err(Flaw::new(
            &name.place,
            "not the name of a placeholder",
            expected,
        ));
    }
    if let Some(parent) = template::parent(&name.value) {
        let title = format!("`{{{}}}` is replaced by the ids of {parent}", name.value);
        return Err(Flaw::new(&name.place, title, "expected another name"));
    }
    Ok(())
}
