//! The keys of a source file, as serde reads them. Editors show these doc comments to the author of
//! a source file.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use http::HeaderName;
#[cfg(test)]
use schemars::JsonSchema;
use serde::Deserialize;

use super::CredentialRef;
use super::fields::{CommentFields, PostFields, UserFields};
use super::values::{Brief, Either, Marked, Pairs, Parsed, Scalar, Several};
use crate::record::TimeFormat;
use activity_tracker_json::JsonPath;

/// The description of one API for activity-tracker.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Source file"))]
pub(super) struct Form {
    /// The name of the source in summaries, manifests and messages.
    pub(super) name: Marked<String>,
    /// A one-line description.
    pub(super) description: Option<String>,
    /// The base URL of the API. May contain placeholders: `{site}`.
    pub(super) base_url: Marked<String>,
    /// The placeholders of `base_url`, paths and queries: `repo = "what it is"`,
    /// filled in with `--var repo=…`.
    #[serde(default)]
    pub(super) vars: Pairs<Either<VarForm>>,
    /// Extra headers to send with every request. Not for credentials.
    #[serde(default)]
    pub(super) headers: Pairs<Marked<String>>,
    /// How requests are authenticated. Default: not at all.
    pub(super) auth: Option<Marked<AuthForm>>,
    /// Rate limit. Default: none.
    pub(super) rate: Option<RateForm>,
    /// Origins that links to further pages may lead to, besides that of `base_url`:
    /// `["https://cdn.example.org"]`.
    #[serde(default)]
    pub(super) allowed_origins: Vec<Marked<String>>,
    /// Whether redirects and links may lead to this machine or a private network. Always allowed if
    /// `base_url` itself is such an address.
    #[serde(default)]
    pub(super) allow_private: bool,
    /// The field that marks a body as an error, whatever the status: `error = "error"`, or
    /// `{ at = "ok", when = false, message = "error" }`.
    pub(super) error: Option<Either<ErrorForm>>,
    /// The time zone of times without one: `Europe/Berlin` or `+02:00`. Default: UTC.
    pub(super) time_zone: Option<Marked<String>>,
    /// The API's time format, if it is not a common one: `"%d/%m/%Y"` (strftime), `"seconds"`,
    /// `"milliseconds"`, `"microseconds"`, `"nanoseconds"` or `"standard"`; of a list, the first that fits is used.
    #[serde(default)]
    pub(super) time_format: Several<TimeFormat>,
    /// The resource with the users.
    pub(super) users: Option<ResourceForm<UserFields>>,
    /// The resource with the posts.
    pub(super) posts: Option<ResourceForm<PostFields>>,
    /// The resource with the comments.
    pub(super) comments: Option<ResourceForm<CommentFields>>,
    /// For an API without a list of users: the authors embedded in posts and comments are the users.
    /// Given beside `users`, they are used if the API refuses to list users (401, 403 or 404).
    pub(super) authors: Option<Marked<AuthorsForm>>,
}

/// A placeholder, filled in with `--var NAME=VALUE`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Var"))]
pub(super) struct VarForm {
    /// A description, for whoever fills it in.
    pub(super) description: String,
    /// The default value.
    pub(super) default: Option<String>,
}

impl Brief for VarForm {
    const EXPECTED: &'static str =
        "a description, or a table with `description` and perhaps `default`";

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self {
            description: text.to_owned(),
            default: None,
        })
    }
}

/// How requests are authenticated: one of `bearer`, `basic`, `header` and `query`. Credentials are
/// not written here, but referred to.
#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with one of `bearer`, `basic`, `header` and `query`"
)]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Auth"))]
pub(super) struct AuthForm {
    /// Sends `Authorization: Bearer …`.
    pub(super) bearer: Option<Marked<Either<Credential>>>,
    /// Sends `Authorization: Basic …`.
    pub(super) basic: Option<BasicForm>,
    /// Sends a custom header.
    pub(super) header: Option<HeaderForm>,
    /// Adds the credential to the query of each URL.
    pub(super) query: Option<QueryForm>,
    /// Whether to send requests without authentication if the credential is absent.
    #[serde(default)]
    pub(super) optional: bool,
}

/// Where a credential is: `"${NAME}"` for an environment variable, or `{ file = "PATH" }`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, from = "FileForm")]
#[cfg_attr(test, derive(JsonSchema), schemars(with = "FileForm"))]
pub(super) enum Credential {
    At(CredentialRef),
    /// A string that is no reference. It is not kept: it may be the credential.
    Literal,
}

/// A credential in a file, without its trailing newline.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Credential in a file"))]
struct FileForm {
    /// Its path, relative to the folder of the source file.
    file: PathBuf,
}

impl From<FileForm> for Credential {
    fn from(form: FileForm) -> Self {
        Self::At(CredentialRef::File(form.file))
    }
}

impl AuthForm {
    /// All the credentials that it refers to.
    pub(super) fn credentials(&self) -> impl Iterator<Item = &CredentialRef> {
        let basic = self
            .basic
            .iter()
            .flat_map(|basic| [&basic.user, &basic.password]);
        let header = self.header.iter().map(|header| &header.value);
        let query = self.query.iter().map(|query| &query.value);
        let all = self.bearer.iter().chain(basic).chain(header).chain(query);
        all.filter_map(|credential| match &credential.value.0 {
            Credential::At(at) => Some(at),
            Credential::Literal => None,
        })
    }
}

impl Brief for Credential {
    const EXPECTED: &'static str = "`\"${NAME}\"` or `{ file = \"PATH\" }`";

    fn from_text(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix("${").and_then(|t| t.strip_suffix('}'));
        let is_name = |name: &&str| {
            !name.starts_with(|c: char| c.is_ascii_digit())
                && !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        Ok(name.filter(is_name).map_or(Self::Literal, |name| {
            Self::At(CredentialRef::Variable(name.to_owned()))
        }))
    }
}

/// A user name and a password.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `user` and `password`")]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Basic auth"))]
pub(super) struct BasicForm {
    /// Where the user name is: `"${NAME}"` or `{ file = "PATH" }`.
    pub(super) user: Marked<Either<Credential>>,
    /// Where the password is: `"${NAME}"` or `{ file = "PATH" }`.
    pub(super) password: Marked<Either<Credential>>,
}

/// A header with a credential.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `name` and `value`")]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Header auth"))]
pub(super) struct HeaderForm {
    /// The header's name: `X-Api-Key`.
    pub(super) name: Parsed<HeaderName>,
    /// A prefix of the credential: `prefix = "Token "`.
    pub(super) prefix: Option<Marked<String>>,
    /// Where the credential is: `"${NAME}"` or `{ file = "PATH" }`.
    pub(super) value: Marked<Either<Credential>>,
}

/// A query parameter with a credential.
#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with `parameter` and `value`"
)]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Query auth"))]
pub(super) struct QueryForm {
    /// The parameter's name: `api_key`.
    pub(super) parameter: Marked<String>,
    /// Where the credential is: `"${NAME}"` or `{ file = "PATH" }`.
    pub(super) value: Marked<Either<Credential>>,
}

/// A rate limit: `{ requests = 20, per = "second" }`.
#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as `{ requests = 20, per = \"second\" }`"
)]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Rate"))]
pub(super) struct RateForm {
    /// Number of requests …
    pub(super) requests: NonZeroU32,
    /// … in this time, evenly spread.
    #[serde(default)]
    pub(super) per: Per,
    /// Burst size after a pause. Default: 1.
    pub(super) burst: Option<NonZeroU32>,
}

/// A length of time.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(JsonSchema))]
pub(super) enum Per {
    #[default]
    Second,
    Minute,
    Hour,
}

/// One resource: its path, pagination and fields.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `path`")]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Resource with {F}"))]
pub(super) struct ResourceForm<F: Default> {
    /// The path, appended to the base URL. May contain placeholders (`{repo}`), and `{user_id}`,
    /// `{post_id}` or `{comment_id}` to fetch it once for each record of that resource.
    pub(super) path: Marked<String>,
    /// Query parameters of every page: `{ order = "asc", per_page = 100 }`. Values may contain
    /// placeholders.
    #[serde(default)]
    pub(super) query: Pairs<Marked<Scalar>>,
    /// Path of the array of records in a response: `data` or `/result/items`. Default: the response is
    /// the array. If the records are the values of an object: `{ map = "posts" }`.
    pub(super) records: Option<Marked<Either<RecordsForm>>>,
    /// How to request the next page. Default: one response holds everything.
    pub(super) pagination: Option<Marked<Either<PaginationForm>>>,
    /// Where a response gives the total number of records.
    pub(super) total: Option<LocatorForm>,
    /// Where a response gives the total number of pages.
    pub(super) pages: Option<LocatorForm>,
    /// Whether `total` includes records that the server does not send, such as drafts. Fewer records
    /// are then a warning instead of an error.
    #[serde(default)]
    pub(super) total_counts_hidden: bool,
    /// The field that says that records were left out: `incomplete_results`. If it does, that is an
    /// error.
    pub(super) truncated: Option<Parsed<JsonPath>>,
    /// Statuses of a page after the last one: `[404]`.
    #[serde(default)]
    pub(super) past_end: Vec<Marked<u16>>,
    /// Fields whose changes do not count as a change of the record: `["views", "stats.seen"]`.
    #[serde(default)]
    pub(super) ignore: Several<JsonPath>,
    /// The mapping of fields: `user_id = "author.id"`. Leave out what the API lacks.
    #[serde(default)]
    pub(super) fields: F,
}

/// `"none"`, `"link"`, or a table with one of `page`, `offset`, `cursor` and `next`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Pagination"))]
pub(super) struct PaginationForm {
    /// By page number: the name of the query parameter.
    pub(super) page: Option<String>,
    /// With `page`, the number of the first page. Default: 1.
    pub(super) first: Option<Marked<u64>>,
    /// By the number of records to skip: the name of the query parameter.
    pub(super) offset: Option<String>,
    /// The query parameter of the page size, and the size to request: `{ per_page = 100 }`.
    pub(super) size: Option<Marked<Pairs<NonZeroU64>>>,
    /// With `offset`, whether to request each page from the last record of the previous one, which
    /// detects records that move. Default: true. Set it to false if the API cannot begin a page at
    /// any offset.
    pub(super) overlap: Option<Marked<bool>>,
    /// By a cursor from the previous response: the name of the query parameter.
    pub(super) cursor: Option<String>,
    /// With `cursor`, where a response gives the next cursor: `meta.next_cursor`,
    /// `{ header = "X-Next-Cursor" }`, or `{ last = "id" }` for a field of the page's last record.
    pub(super) at: Option<Marked<Either<NextAtForm>>>,
    /// By a URL in the response: where it is, such as `links.next`,
    /// `{ header = "X-Next-Page" }` or `{ links = "links", rel = "next" }`.
    pub(super) next: Option<Marked<Either<NextAtForm>>>,
    /// The flag that says whether there are more pages: `has_more`. False is the end, even if a next
    /// page is named.
    #[serde(rename = "while")]
    pub(super) more: Option<Marked<Parsed<JsonPath>>>,
    /// The flag that says that this is the last page: `is_last`. True is the end.
    pub(super) until: Option<Marked<Parsed<JsonPath>>>,
    /// Whether the first page may lack the key that `at` or `next` names. Otherwise that is an error:
    /// a typo would end the pages after the first.
    #[serde(default)]
    pub(super) optional: bool,
    /// By the `Link` header: the string `"link"`.
    #[serde(skip)]
    pub(super) link: bool,
}

impl PaginationForm {
    /// Whether it is empty, as the string `"none"` is.
    pub(super) fn is_none(&self) -> bool {
        self.size.is_none()
            && self.overlap.is_none()
            && self.at.is_none()
            && self.first.is_none()
            && self.more.is_none()
            && self.until.is_none()
            && !self.optional
    }
}

impl Brief for PaginationForm {
    const EXPECTED: &'static str =
        "`none`, `link`, or a table with one of `page`, `offset`, `cursor` and `next`";

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::default()),
            "link" => Ok(Self {
                link: true,
                ..Self::default()
            }),
            other => Err(format!(
                "unknown variant `{other}`, expected {}",
                Self::EXPECTED
            )),
        }
    }

    #[cfg(test)]
    fn choices() -> Option<&'static [&'static str]> {
        Some(&["none", "link"])
    }
}

/// Where a response names the next page: a path in the body, or one of these.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    test,
    derive(JsonSchema),
    schemars(rename = "Where the next page is named")
)]
pub(super) struct NextAtForm {
    /// In the body: a string alone.
    #[serde(skip)]
    pub(super) body: Option<JsonPath>,
    /// In a header: its name.
    pub(super) header: Option<Parsed<HeaderName>>,
    /// In a list of links, each an object with a relation (`rel` or `relation`) and a URL (`href`, `url`
    /// or `uri`): where in the body the list is.
    pub(super) links: Option<Parsed<JsonPath>>,
    /// With `links`, the relation of the next page. Default: `next`.
    pub(super) rel: Option<Marked<String>>,
    /// With `cursor`, in a field of the page's last record (keyset pagination): where in the record.
    pub(super) last: Option<Parsed<JsonPath>>,
}

impl Brief for NextAtForm {
    const EXPECTED: &'static str =
        "a path such as `meta.next`, or a table with one of `header`, `links` and `last`";

    fn from_text(text: &str) -> Result<Self, String> {
        let path = text
            .parse::<JsonPath>()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            body: Some(path),
            ..Self::default()
        })
    }
}

/// Where a response gives a value besides its records.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Place in a response"))]
pub(super) enum LocatorForm {
    /// In a header: `{ header = "X-Total-Count" }`.
    Header(Parsed<HeaderName>),
    /// In the body: `{ body = "meta.total" }`.
    Body(Parsed<JsonPath>),
}

/// The field that marks a body as an error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Error in a body"))]
pub(super) struct ErrorForm {
    /// Where in the body the field is: `ok` or `/meta/error`.
    pub(super) at: Parsed<JsonPath>,
    /// The value that means an error: `false`. Default: any value but null, false, 0 and an empty one.
    pub(super) when: Option<Scalar>,
    /// Path of the error message. Default: where APIs usually have it.
    pub(super) message: Option<Parsed<JsonPath>>,
}

impl Brief for ErrorForm {
    const EXPECTED: &'static str =
        "a path such as `error`, or a table with `at` and perhaps `when` and `message`";

    fn from_text(text: &str) -> Result<Self, String> {
        let path = text
            .parse::<JsonPath>()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            at: Parsed(path),
            when: None,
            message: None,
        })
    }
}

/// Where in a response the records are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Records"))]
pub(super) struct RecordsForm {
    /// The array: a string alone.
    #[serde(skip)]
    pub(super) list: Option<JsonPath>,
    /// Path of an object whose values are the records; `""` for the whole response.
    pub(super) map: Option<Parsed<JsonPath>>,
    /// With `map`, the field that gets the key of each record, if records do not repeat it: `id`.
    pub(super) key_as: Option<String>,
}

impl Brief for RecordsForm {
    const EXPECTED: &'static str =
        "a path such as `data`, or a table with `map` and perhaps `key_as`";

    fn from_text(text: &str) -> Result<Self, String> {
        let path = text
            .parse::<JsonPath>()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            list: Some(path),
            map: None,
            key_as: None,
        })
    }
}

/// Users taken from the records they wrote.
#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with `posts`, `comments` or both"
)]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Authors"))]
pub(super) struct AuthorsForm {
    /// Path of the author in a post: `user`.
    pub(super) posts: Option<Parsed<JsonPath>>,
    /// Path of the author in a comment: `user`.
    pub(super) comments: Option<Parsed<JsonPath>>,
    /// The mapping of an author's fields.
    #[serde(default)]
    pub(super) fields: UserFields,
}
