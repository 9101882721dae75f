//! The error message of a response, as sent by the server.

use std::fmt;

use flate2::read::MultiGzDecoder;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use crate::source::ErrorInBody;
use activity_tracker_text::excerpt;

use super::body::is_gzip;
use super::secrets::Secrets;

/// How much of a body is read for its message, in bytes.
pub(super) const ENOUGH: usize = 64 * 1024;

/// The longest message shown, in characters.
const LONGEST: usize = 300;

/// Headers with a request id, by which the operators of a server find the request in their logs.
const REQUEST_IDS: [&str; 12] = [
    "x-request-id",
    "x-github-request-id",
    "request-id",
    "x-requestid",
    "x-amzn-requestid",
    "x-amz-request-id",
    "x-ms-request-id",
    "x-goog-request-id",
    "x-correlation-id",
    "correlation-id",
    "cf-ray",
    "x-trace-id",
];

/// What an error response says: its message, in one line and without secrets, and the request id
/// that the server assigned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason {
    /// The message.
    pub words: Option<String>,
    /// The name and value of the header with the request id.
    pub request_id: Option<(String, String)>,
}

impl Reason {
    /// Extracts it from a response; `body` is the beginning of its body.
    pub(super) fn of(headers: &HeaderMap, body: &[u8], secrets: &Secrets) -> Self {
        let words = words(headers, body).map(|words| shown(&words, secrets));
        let request_id = REQUEST_IDS.iter().find_map(|name| {
            let value = String::from_utf8_lossy(headers.get(*name)?.as_bytes()).into_owned();
            let value = excerpt(&secrets.hidden_in(value.trim()), 100);
            (!value.is_empty()).then(|| ((*name).to_owned(), value))
        });
        Self {
            words: words.filter(|words| !words.is_empty()),
            request_id,
        }
    }

    /// The error that a body reports; `None` if it does not.
    pub(super) fn in_body(error: &ErrorInBody, body: &Value, secrets: &Secrets) -> Option<Self> {
        let value = error.at.find(body)?;
        let says_so = match (&error.when, value) {
            (Some(when), Value::String(text)) => text == when,
            (Some(when), value) => {
                serde_json::from_str::<Value>(when).is_ok_and(|when| when == *value)
            }
            (None, value) => says_yes(value),
        };
        let words = || {
            let named = error.message.as_ref().and_then(|path| path.find(body));
            of_json(named.unwrap_or(body))
        };
        says_so.then(|| Self {
            words: words().map(|words| shown(&words, secrets)),
            request_id: None,
        })
    }

    /// Whether the message is about a rate limit, which is transient.
    pub(super) fn is_rate_limit(&self) -> bool {
        let words = self.words.as_deref().unwrap_or_default();
        let words = words.to_ascii_lowercase().replace(['_', '-'], " ");
        RATE_LIMITS.iter().any(|limit| words.contains(limit))
    }
}

/// Whether a value in a body counts as true.
pub(super) fn says_yes(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => {
            let text = text.trim().to_ascii_lowercase();
            // `eq` is how Elasticsearch marks a total as exact, as opposed to `gte`.
            !matches!(text.as_str(), "" | "0" | "false" | "no" | "eq")
        }
        Value::Array(values) => !values.is_empty(),
        Value::Object(values) => !values.is_empty(),
    }
}

/// Whether a body without the expected records reports an error. A message alone does not count: it
/// may say that there are no more records.
pub(super) fn speaks_of_error(body: &Value) -> bool {
    let Value::Object(fields) = body else {
        return false;
    };
    fields.iter().any(|(key, value)| {
        let key = key.to_ascii_lowercase();
        match key.as_str() {
            "ok" | "success" | "succeeded" => !says_yes(value),
            "status" | "code" | "state" | "result" if value.is_string() => {
                let word = value.as_str().unwrap_or_default().to_ascii_lowercase();
                word.starts_with("err") || word.starts_with("fail")
            }
            "status" | "code" => value.as_f64().is_some_and(|code| code >= 400.0),
            key if key.starts_with("err") || key == "fault" || key.starts_with("exception") => {
                says_yes(value)
            }
            _ => speaks_of_error(value),
        }
    })
}

/// Phrases that servers use for a rate limit.
const RATE_LIMITS: [&str; 10] = [
    "rate limit",
    "ratelimit",
    "too many requests",
    "too many calls",
    "abuse detection",
    "throttl",
    "slow down",
    "request limit",
    "quota exceeded",
    "exceeded your quota",
];

impl fmt::Display for Reason {
    /// Formatted as the suffix of an error: `: message [x-request-id: 7]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(words) = &self.words {
            write!(f, ": {words}")?;
        }
        if let Some((name, id)) = &self.request_id {
            write!(f, " [{name}: {id}]")?;
        }
        Ok(())
    }
}

/// One line of limited length, without secrets.
fn shown(text: &str, secrets: &Secrets) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    excerpt(&secrets.hidden_in(&line), LONGEST)
}

fn words(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let plain;
    let body = if is_gzip(headers).unwrap_or_default() {
        plain = unfolded(body);
        &plain
    } else {
        body
    };
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() || text.contains('\0') {
        return None;
    }
    let media = headers.get(CONTENT_TYPE);
    let media = media.map_or(&b""[..], |value| value.as_bytes());
    let is_html = media.to_ascii_lowercase().starts_with(b"text/html");
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        return of_json(&value);
    }
    if text.starts_with('<') || is_html {
        return Some(of_markup(text, is_html));
    }
    text.lines().map(str::to_owned).next()
}

/// Decompresses gzip, up to the limit or the end.
fn unfolded(body: &[u8]) -> Vec<u8> {
    use std::io::Read;
    let mut plain = Vec::new();
    // Data before a broken end is usable as well.
    let limit = ENOUGH as u64;
    let _ = MultiGzDecoder::new(body)
        .take(limit)
        .read_to_end(&mut plain);
    plain
}

/// Keys under which APIs describe an error: a headline, a message, and lists of messages.
const HEADLINES: [&str; 6] = ["title", "error", "Error", "fault", "exception", "errorCode"];
const MESSAGES: [&str; 14] = [
    "message",
    "Message",
    "detail",
    "details",
    "error_description",
    "error_message",
    "errorMessage",
    "error_name",
    "faultstring",
    "reason",
    "msg",
    "description",
    "statusMessage",
    "status_message",
];
const LISTS: [&str; 4] = ["errors", "Errors", "errorMessages", "error_messages"];

/// How many of several errors are reported.
const TOLD: usize = 3;

fn of_json(value: &Value) -> Option<String> {
    match value {
        Value::Object(fields) if fields.is_empty() => None,
        Value::Array(items) if items.is_empty() => None,
        Value::Null | Value::Bool(_) => None,
        value => said(value, 4).or_else(|| Some(value.to_string())),
    }
}

/// The message in a value, searched to this depth.
fn said(value: &Value, depth: u8) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::String(text) => (!text.trim().is_empty()).then(|| text.clone()),
        Value::Array(items) => {
            let items = items.iter().filter_map(|item| said(item, depth));
            let told: Vec<_> = items.take(TOLD).collect();
            (!told.is_empty()).then(|| told.join("; "))
        }
        Value::Object(fields) => {
            let find = |names: &[&str]| {
                let mut found = names.iter().filter_map(|name| fields.get(*name));
                found.find_map(|value| said(value, depth))
            };
            let mut parts: Vec<String> = Vec::new();
            for part in [find(&HEADLINES), find(&MESSAGES), errors(fields, depth)] {
                let Some(part) = part else { continue };
                if !parts.iter().any(|before| before.contains(&part)) {
                    parts.push(part);
                }
            }
            if parts.is_empty() {
                parts.extend(["code", "status", "type", "name"].iter().find_map(|name| {
                    let text = fields.get(*name)?.as_str()?;
                    (!text.is_empty()).then(|| text.to_owned())
                }));
            }
            (!parts.is_empty()).then(|| parts.join(": "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// The messages of a list of errors, or of errors by field: `name: is too long`.
fn errors(fields: &serde_json::Map<String, Value>, depth: u8) -> Option<String> {
    let mut lists = LISTS.iter().filter_map(|name| fields.get(*name));
    lists.find_map(|list| match list {
        Value::Object(by_field) => {
            let told = by_field.iter().filter_map(|(field, value)| {
                let said = said(value, depth)?;
                Some(format!("{field}: {said}"))
            });
            let told: Vec<_> = told.take(TOLD).collect();
            (!told.is_empty()).then(|| told.join("; "))
        }
        Value::Array(items) => {
            let told = items.iter().filter_map(|item| {
                let said = said(item, depth);
                let field = item.get("field").and_then(Value::as_str);
                match (field, said) {
                    (Some(field), Some(said)) if !said.contains(field) => {
                        Some(format!("{field}: {said}"))
                    }
                    (_, said) => said,
                }
            });
            let told: Vec<_> = told.take(TOLD).collect();
            (!told.is_empty()).then(|| told.join("; "))
        }
        other => said(other, depth),
    })
}

/// HTML is not readable at a terminal, so only its title is shown. XML may contain a message.
fn of_markup(text: &str, is_html: bool) -> String {
    let between = |name: &str| {
        let lower = text.to_ascii_lowercase();
        let open = lower.find(&format!("<{name}"))?;
        let start = open + lower.get(open..)?.find('>')? + 1;
        let end = start + lower.get(start..)?.find("</")?;
        let found = text.get(start..end)?.trim();
        (!found.is_empty()).then(|| found.to_owned())
    };
    let is_xml = text.starts_with("<?xml") && !is_html;
    if is_xml && let Some(message) = between("message") {
        return message;
    }
    let what = if is_xml {
        "an XML document"
    } else {
        "an HTML page"
    };
    match between("title") {
        Some(title) => format!("{what} titled \"{title}\""),
        None => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Auth, CredentialRef, Secret};
    use http::{HeaderName, HeaderValue};

    fn reason(headers: &[(&'static str, &'static str)], body: &str) -> Reason {
        let secret = Secret::new(
            "s3cret".to_owned(),
            CredentialRef::Variable("KEY".to_owned()),
        );
        let pairs = headers.iter().map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        let secrets = Secrets::new(&Auth::Bearer(secret));
        Reason::of(&pairs.collect(), body.as_bytes(), &secrets)
    }

    #[test]
    fn the_words_are_found_wherever_an_api_has_them() {
        let cases = [
            (r#"{"message": "Bad credentials"}"#, "Bad credentials"),
            (r#"{"error": "not_authed", "ok": false}"#, "not_authed"),
            (
                r#"{"error": "invalid_token", "error_description": "it expired"}"#,
                "invalid_token: it expired",
            ),
            (
                r#"{"error": {"code": 400, "message": "no such field"}}"#,
                "no such field",
            ),
            (
                r#"{"errors": ["too long", "too old"]}"#,
                "too long; too old",
            ),
            (r#"{"errors": [{"message": "m"}, {"detail": "d"}]}"#, "m; d"),
            (
                r#"{"errors": {"name": ["is too short"]}}"#,
                "name: is too short",
            ),
            (
                r#"{"message": "Validation Failed", "errors": [{"field": "q", "code": "missing"}]}"#,
                "Validation Failed: q: missing",
            ),
            (
                r#"{"type": "about:blank", "title": "Not Found", "status": 404, "detail": "no post 7"}"#,
                "Not Found: no post 7",
            ),
            (r#"{"detail": "Not found."}"#, "Not found."),
            (
                r#"{"detail": [{"loc": ["q"], "msg": "field required"}]}"#,
                "field required",
            ),
            (
                r#"{"code": "rest_forbidden", "message": "Sorry.", "data": {"status": 401}}"#,
                "Sorry.",
            ),
            (
                r#"{"error_id": 502, "error_name": "throttle_violation", "error_message": "too many requests"}"#,
                "too many requests",
            ),
            (
                r#"[{"errorCode": "X", "message": "expired"}]"#,
                "X: expired",
            ),
            (r#""just text""#, "just text"),
            (r#"{"ok": false}"#, r#"{"ok":false}"#),
            ("no such page\nand more", "no such page"),
            (
                "  \n <html><head><TITLE>\n 502 Bad\nGateway</title>",
                "an HTML page titled \"502 Bad Gateway\"",
            ),
            ("<!doctype html><p>No.", "an HTML page"),
            (
                "<?xml version=\"1.0\"?><Error><Code>X</Code><Message>Denied</Message></Error>",
                "Denied",
            ),
            ("\u{feff}{\"message\": \"with a mark\"}", "with a mark"),
        ];
        for (body, expected) in cases {
            assert_eq!(reason(&[], body).words.as_deref(), Some(expected), "{body}");
        }
        for body in ["", " \r\n", "{}", "[]", "null", "\0\u{1}"] {
            assert_eq!(reason(&[], body).words, None, "{body:?}");
        }
    }

    #[test]
    fn the_words_are_one_short_line_that_does_nothing_to_a_terminal_and_gives_nothing_away() {
        let cases = [
            (
                "{\"message\": \"a\\u001b[31m b\"}".to_owned(),
                "a\\u{1b}[31m b".to_owned(),
            ),
            (
                "{\"message\": \"a\\nb\\u202ec\\r\\n\\td\"}".to_owned(),
                "a b\\u{202e}c d".to_owned(),
            ),
            (
                "{\"message\": \"the token s3cret is old\"}".to_owned(),
                "the token [redacted] is old".to_owned(),
            ),
            (
                "{\"message\": \"%733cret\"}".to_owned(),
                "[redacted]".to_owned(),
            ),
            ("x".repeat(9000), format!("{}…", "x".repeat(LONGEST))),
            (
                format!("{{\"message\": \"{}\"}}", "é".repeat(9000)),
                format!("{}…", "é".repeat(LONGEST)),
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(reason(&[], &body).words, Some(expected), "{body}");
        }
    }

    #[test]
    fn the_id_of_the_request_is_told_and_escaped() {
        let cases: [(&[(&str, &str)], &str); 5] = [
            (&[("x-request-id", "abc-1")], " [x-request-id: abc-1]"),
            (&[("cf-ray", "8f-FRA")], " [cf-ray: 8f-FRA]"),
            (
                &[("x-github-request-id", "A:1"), ("cf-ray", "x")],
                " [x-github-request-id: A:1]",
            ),
            (&[("x-request-id", "s3cret")], " [x-request-id: [redacted]]"),
            (&[("x-request-id", "")], ""),
        ];
        for (headers, expected) in cases {
            assert_eq!(reason(headers, "").to_string(), expected);
        }
        let both = reason(&[("request-id", "7")], "no");
        assert_eq!(both.to_string(), ": no [request-id: 7]");
    }

    #[test]
    fn a_body_without_records_speaks_of_an_error_or_does_not() {
        let errors = [
            r#"{"error":"x"}"#,
            r#"{"errors":[{"message":"x"}]}"#,
            r#"{"errorMessage":"x"}"#,
            r#"{"Fault":{"code":1}}"#,
            r#"{"exception":"X"}"#,
            r#"{"ok":false}"#,
            r#"{"success":0}"#,
            r#"{"status":"error"}"#,
            r#"{"status":"Failed"}"#,
            r#"{"code":404}"#,
            r#"{"meta":{"status":500}}"#,
        ];
        let others = [
            "{}",
            "null",
            "[]",
            r#"{"message":"no more posts"}"#,
            r#"{"error":null,"errors":[],"ok":true,"success":"true"}"#,
            r#"{"error":false}"#,
            r#"{"status":"ok","code":200}"#,
            r#"{"page":3,"total":900}"#,
        ];
        let speaks = |body| speaks_of_error(&serde_json::from_str(body).unwrap());
        for body in errors {
            assert!(speaks(body), "{body}");
        }
        for body in others {
            assert!(!speaks(body), "{body}");
        }
    }

    #[test]
    fn a_limit_on_requests_is_told_from_other_refusals() {
        let limits = [
            "You have exceeded a secondary rate limit. Please wait.",
            "rateLimitExceeded: Rate Limit Exceeded",
            "API rate_limit reached",
            "Too Many Requests",
            "too many requests from this IP, more requests available in 9 seconds",
            "You have triggered an abuse detection mechanism.",
            "Request was throttled. Expected available in 5 seconds.",
            "throttle_violation",
        ];
        let others = [
            "Resource not accessible by integration",
            "Must have admin rights",
            "limit must be at most 100",
            "per_page is too large",
            "",
        ];
        for (words, expected) in limits
            .map(|words| (words, true))
            .into_iter()
            .chain(others.map(|words| (words, false)))
        {
            assert_eq!(reason(&[], words).is_rate_limit(), expected, "{words}");
        }
    }
}
