//! The routes of the sample API, with their headers.
//!
//! They behave like json-server 0.17, which is checked by tests against the real one, but without
//! writing, sorting and searching.

use std::convert::Infallible;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH, LINK,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::stream;
use tokio::task;

use super::forum::Forum;
use super::moment::Moment;
use super::query::{Paging, Query};
use super::{Resource, Sample, generate};

/// The approximate size of a chunk of a long array, in bytes.
const CHUNK: usize = 64 * 1024;

const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// The state of the server.
#[derive(Debug)]
struct Api {
    forum: Arc<Forum>,
    address: SocketAddr,
    started: Instant,
}

impl Api {
    /// The latest moment that exists.
    fn now(&self) -> Moment {
        let sample = self.forum.sample();
        let at = sample.at.unwrap_or(Moment::END);
        let elapsed = self.started.elapsed();
        sample.day.map_or(at, |day| at.after(elapsed, day))
    }
}

/// The router of an API at `address`.
pub(super) fn router(sample: &Sample, address: SocketAddr) -> Router {
    let api = Arc::new(Api {
        forum: Arc::new(Forum::new(sample)),
        address,
        started: Instant::now(),
    });
    let mut router = Router::new().route("/", get(index));
    for resource in Resource::ALL {
        let name = resource.name();
        let list = move |State(api), Extension(at), uri: Uri, headers: HeaderMap| async move {
            list(&api, resource, at, &uri, &headers)
        };
        let one = move |State(api): State<Arc<Api>>, Extension(at), uri: Uri| async move {
            one(&api.forum, resource, at, &uri)
        };
        router = router
            .route(&format!("/{name}"), get(list))
            .route(&format!("/{name}/{{id}}"), get(one));
    }
    router
        .fallback(|| async { empty(StatusCode::NOT_FOUND) })
        .method_not_allowed_fallback(|| async { empty(StatusCode::METHOD_NOT_ALLOWED) })
        .layer(middleware::from_fn_with_state(Arc::clone(&api), wrap))
        .with_state(api)
}

/// Determines the requested moment, and adds the latency, the `ETag` and 304 to every response.
async fn wrap(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let latency = api.forum.sample().latency;
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let at = match Query(request.uri().query().unwrap_or_default()).moment() {
        Ok(at) => at.unwrap_or_else(|| api.now()),
        Err(error) => {
            let text = format!("{{\n  \"error\": \"at: {error}\"\n}}");
            return (StatusCode::BAD_REQUEST, json(text)).into_response();
        }
    };
    request.extensions_mut().insert(at);
    let tag = entity_tag(&api.forum, at, request.uri());
    let known = matches(request.headers(), &tag);
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
async fn index(State(api): State<Arc<Api>>, Extension(at): Extension<Moment>) -> Response {
    let count = |resource: Resource| {
        let count = api.forum.existing(resource, at).count();
        format!("  \"{}\": {count}", resource.name())
    };
    let text = format!("{{\n{}\n}}", Resource::ALL.map(count).join(",\n"));
    json(text)
}

/// `GET /posts`: the records that match the query.
fn list(
    api: &Arc<Api>,
    resource: Resource,
    at: Moment,
    uri: &Uri,
    headers: &HeaderMap,
) -> Response {
    let query = Query(uri.query().unwrap_or_default());
    let matching = query.matches(&api.forum, resource, at);
    let total = matching.count();
    let paging = query.paging();

    let ids = paging.window(&matching).into_iter();
    let mut chunks = ArrayChunks::new(Arc::clone(&api.forum), resource, at, ids);
    let first = chunks.next().unwrap_or_default();
    // A single chunk is sent with its length.
    let mut response = json(if chunks.complete {
        Body::from(first)
    } else {
        streamed(first, chunks)
    });

    let headers_out = response.headers_mut();
    let exposed = match paging {
        Paging::Whole => return response,
        Paging::First(_) => "X-Total-Count",
        Paging::Page { .. } => {
            let url = format!("http://{}{}", host(headers, api.address), uri.path());
            // The HTTP parser rejects URLs with quotes, angle brackets or control characters, so a
            // query cannot break out of its link.
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

/// Streams `first` and then `rest`, as fast as the client reads. Without yielding before every
/// chunk, one fast reader would block the only thread.
fn streamed(first: String, rest: impl Iterator<Item = String> + Send + 'static) -> Body {
    let chunks = stream::unfold((Some(first), rest), |(first, mut rest)| async {
        task::yield_now().await;
        let chunk = first.or_else(|| rest.next())?;
        Some((Ok::<_, Infallible>(chunk), (None, rest)))
    });
    Body::from_stream(chunks)
}

/// `GET /posts/7`: one record. The id is compared as text: `07` matches no record.
fn one(forum: &Forum, resource: Resource, at: Moment, uri: &Uri) -> Response {
    let text = uri.path().rsplit('/').next().unwrap_or_default();
    match text.parse::<u64>() {
        Ok(id) if forum.timeline(resource).exists(id, at) && id.to_string() == text => {
            json(generate::record(forum, resource, id, at))
        }
        _ => empty(StatusCode::NOT_FOUND),
    }
}

fn json(body: impl Into<Body>) -> Response {
    ([(CONTENT_TYPE, JSON)], body.into()).into_response()
}

/// A response without a record.
fn empty(status: StatusCode) -> Response {
    (status, json("{}")).into_response()
}

/// The host of links: that of the request, if it is a plain host and port. Anything else could
/// break out of the link.
fn host(headers: &HeaderMap, address: SocketAddr) -> String {
    let plain = |host: &&str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        !host.is_empty() && host.len() <= 255 && host.bytes().all(allowed)
    };
    let requested = headers.get(HOST).and_then(|host| host.to_str().ok());
    requested
        .filter(plain)
        .map_or_else(|| address.to_string(), str::to_owned)
}

/// The entity tag of a URL: a hash of everything that the content depends on, including the
/// program's version, so that a 304 needs no content. It stays the same while time passes without
/// an event. The hash is 64-bit FNV-1a, see <http://www.isthe.com/chongo/tech/comp/fnv/>.
fn entity_tag(forum: &Forum, at: Moment, uri: &Uri) -> String {
    let sample = forum.sample();
    let input = format!(
        "{} {} {} {} {} {} {uri}",
        env!("CARGO_PKG_VERSION"),
        sample.seed,
        sample.users,
        sample.posts,
        sample.comments,
        forum.last_event(at),
    );
    let hash = input
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("\"{hash:016x}\"")
}

/// Whether `If-None-Match` matches `tag`, by the weak comparison of RFC 9110, section 13.1.2.
/// Splitting at commas is enough: our tags have none.
fn matches(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// A JSON array of records in chunks, generated lazily.
#[derive(Debug)]
struct ArrayChunks<I> {
    forum: Arc<Forum>,
    resource: Resource,
    at: Moment,
    ids: I,
    started: bool,
    /// Whether the closing bracket was returned.
    complete: bool,
}

impl<I: Iterator<Item = u64>> ArrayChunks<I> {
    fn new(forum: Arc<Forum>, resource: Resource, at: Moment, ids: I) -> Self {
        Self {
            forum,
            resource,
            at,
            ids,
            started: false,
            complete: false,
        }
    }
}

impl<I: Iterator<Item = u64>> Iterator for ArrayChunks<I> {
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
            let separator = if mem::replace(&mut self.started, true) {
                ",\n"
            } else {
                "[\n"
            };
            chunk.push_str(separator);
            let record = generate::record(&self.forum, self.resource, id, self.at);
            // Newlines in strings are escaped, so all others are between fields.
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
