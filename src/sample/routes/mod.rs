//! HTTP: which URL gives which records, and the headers around them.
//!
//! The shape is that of json-server 0.17, checked against the real one. Left out is everything
//! that writes, sorts or searches.

use std::convert::Infallible;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH, LINK,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use tokio::task;

use super::query::{Paging, Query};
use super::{Resource, Sample, generate};

/// About how many bytes of a long array are made at a time.
const CHUNK: usize = 64 * 1024;

const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// What all requests share.
#[derive(Debug)]
struct Site {
    sample: Sample,
    address: SocketAddr,
}

/// The whole API, to be served at `address`.
pub(super) fn router(sample: &Sample, address: SocketAddr) -> Router {
    let site = Arc::new(Site {
        sample: sample.clone(),
        address,
    });
    let mut router = Router::new().route("/", get(index));
    for resource in Resource::ALL {
        let name = resource.name();
        let list = move |State(site): State<Arc<Site>>, uri: Uri, headers: HeaderMap| async move {
            list(&site, resource, &uri, &headers)
        };
        let one = move |State(site): State<Arc<Site>>, uri: Uri| async move {
            one(&site.sample, resource, &uri)
        };
        router = router
            .route(&format!("/{name}"), get(list))
            .route(&format!("/{name}/{{id}}"), get(one));
    }
    router
        .fallback(|| async { empty(StatusCode::NOT_FOUND) })
        .method_not_allowed_fallback(|| async { empty(StatusCode::METHOD_NOT_ALLOWED) })
        .layer(middleware::from_fn_with_state(Arc::clone(&site), wrap))
        .with_state(site)
}

/// What holds for every answer: the latency, the `ETag`, and 304 for who has it already.
async fn wrap(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let tag = entity_tag(&site.sample, request.uri());
    let known = names(request.headers(), &tag);
    if !site.sample.latency.is_zero() {
        tokio::time::sleep(site.sample.latency).await;
    }
    let mut response = next.run(request).await;
    if known && response.status() == StatusCode::OK {
        response = StatusCode::NOT_MODIFIED.into_response();
    }
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// `GET /`: the resources, each with its count.
async fn index(State(site): State<Arc<Site>>) -> Response {
    let count = |resource: Resource| {
        let count = site.sample.count(resource);
        format!("  \"{}\": {count}", resource.name())
    };
    let text = format!("{{\n{}\n}}", Resource::ALL.map(count).join(",\n"));
    json(text)
}

/// `GET /posts`: the records that the query asks for.
fn list(site: &Site, resource: Resource, uri: &Uri, headers: &HeaderMap) -> Response {
    let query = Query(uri.query().unwrap_or_default());
    let matching = query.matches(&site.sample, resource);
    let total = matching.count();
    let paging = query.paging();

    let ids = paging.window(&matching).into_iter();
    let mut listing = Listing::new(site.sample.clone(), resource, ids);
    let first = listing.next().unwrap_or_default();
    // What fits in one chunk is sent with its length.
    let mut response = json(if listing.complete {
        Body::from(first)
    } else {
        streamed(first, listing)
    });

    let headers_out = response.headers_mut();
    let exposed = match paging {
        Paging::Whole => return response,
        Paging::First(_) => "X-Total-Count",
        Paging::Page { .. } => {
            let url = format!("http://{}{}", host(headers, site.address), uri.path());
            // A URL with quotes, angle brackets or control characters was refused by the HTTP
            // parser, so a query cannot break out of its link.
            if let Ok(links) = HeaderValue::try_from(paging.links(total, &url, query)) {
                headers_out.insert(LINK, links);
            }
            "X-Total-Count, Link"
        }
    };
    headers_out.insert(TOTAL_COUNT, HeaderValue::from(total));
    headers_out.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(exposed),
    );
    response
}

/// A body of `first` and then `rest`, made no faster than the client reads. Without the pause
/// before every chunk, one fast reader would keep the only thread to itself.
fn streamed(first: String, rest: impl Iterator<Item = String> + Send + 'static) -> Body {
    let chunks = stream::unfold((Some(first), rest), |(first, mut rest)| async {
        task::yield_now().await;
        let chunk = first.or_else(|| rest.next())?;
        Some((Ok::<_, Infallible>(chunk), (None, rest)))
    });
    Body::from_stream(chunks)
}

/// `GET /posts/7`: one record. The id is compared as text: `07` is no record's id.
fn one(sample: &Sample, resource: Resource, uri: &Uri) -> Response {
    let text = uri.path().rsplit('/').next().unwrap_or_default();
    match text.parse::<u64>() {
        Ok(id) if (1..=sample.count(resource)).contains(&id) && id.to_string() == text => {
            json(generate::record(sample, resource, id))
        }
        _ => empty(StatusCode::NOT_FOUND),
    }
}

fn json(body: impl Into<Body>) -> Response {
    ([(CONTENT_TYPE, JSON)], body.into()).into_response()
}

/// An answer without a record.
fn empty(status: StatusCode) -> Response {
    (status, json("{}")).into_response()
}

/// The host that links name: the one that was asked for, where that is a plain host and port.
/// Anything else could end the link early and start another.
fn host(headers: &HeaderMap, address: SocketAddr) -> String {
    let plain = |host: &&str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        !host.is_empty() && host.len() <= 255 && host.bytes().all(allowed)
    };
    let asked = headers.get(HOST).and_then(|host| host.to_str().ok());
    asked
        .filter(plain)
        .map_or_else(|| address.to_string(), str::to_owned)
}

/// The entity tag of what `uri` names. Made from all that the bytes follow from, so that a 304
/// costs no generating; the program's version is part of that.
/// Hashed with 64-bit FNV-1a, see <http://www.isthe.com/chongo/tech/comp/fnv/>.
fn entity_tag(sample: &Sample, uri: &Uri) -> String {
    let about = format!(
        "{} {} {} {} {} {uri}",
        env!("CARGO_PKG_VERSION"),
        sample.seed,
        sample.users,
        sample.posts,
        sample.comments
    );
    let hash = about
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("\"{hash:016x}\"")
}

/// Whether `If-None-Match` names `tag`, by the weak comparison of RFC 9110, section 13.1.2.
/// Splitting at commas is enough: our own tags have none.
fn names(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// A JSON array of records in chunks, each made when it is asked for.
#[derive(Debug)]
struct Listing<I> {
    sample: Sample,
    resource: Resource,
    ids: I,
    started: bool,
    /// The closing bracket has been given out.
    complete: bool,
}

impl<I: Iterator<Item = u64>> Listing<I> {
    fn new(sample: Sample, resource: Resource, ids: I) -> Self {
        Self {
            sample,
            resource,
            ids,
            started: false,
            complete: false,
        }
    }
}

impl<I: Iterator<Item = u64>> Iterator for Listing<I> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if self.complete {
            return None;
        }
        let mut chunk = String::new();
        while chunk.len() < CHUNK {
            let Some(id) = self.ids.next() else {
                chunk.push_str(if self.started { "\n]" } else { "[]" });
                self.complete = true;
                break;
            };
            let before = if mem::replace(&mut self.started, true) {
                ",\n"
            } else {
                "[\n"
            };
            chunk.push_str(before);
            let record = generate::record(&self.sample, self.resource, id);
            // A line end inside a string is escaped, so every real one is between fields.
            for (number, line) in record.split('\n').enumerate() {
                chunk.push_str(if number == 0 { "  " } else { "\n  " });
                chunk.push_str(line);
            }
        }
        Some(chunk)
    }
}

#[cfg(test)]
mod tests;
