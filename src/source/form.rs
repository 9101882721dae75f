//! What may stand in a source file, as serde reads it. The doc comments are
//! what editors show to whoever writes one.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use http::HeaderName;
#[cfg(test)]
use schemars::JsonSchema;
use serde::Deserialize;

use super::CredentialRef;
use super::fields::{CommentFields, PostFields, UserFields};
use super::values::{Brief, Either, Marked, Pairs, Parsed, Scalar, Several};
use crate::json::JsonPath;
use crate::record::TimeFormat;

/// The description of one API for activity-tracker.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Source file"))]
pub(super) struct Form {
    /// What the source is called in summaries, manifests and messages.
    pub(super) name: Marked<String>,
    /// What it is, in a line.
    pub(super) description: Option<String>,
    /// Where the API lives: the part that all its URLs begin with. May hold placeholders: `{site}`.
    pub(super) base_url: Marked<String>,
    /// The placeholders of `base_url`, paths and queries: `repo = "what it is"`,
    /// filled in with `--var repo=…`.
    #[serde(default)]
    pub(super) vars: Pairs<Either<VarForm>>,
    /// Headers to send with every request, besides those that every source gets. Not for credentials.
    #[serde(default)]
    pub(super) headers: Pairs<Marked<String>>,
    /// How requests are authorised; left out, they are not.
    pub(super) auth: Option<Marked<AuthForm>>,
    /// How often the API may be asked; left out, without a limit.
    pub(super) rate: Option<RateForm>,
    /// Where links to further pages may lead, besides the host of `base_url`: `["https://cdn.example.org"]`.
    #[serde(default)]
    pub(super) allowed_origins: Vec<Marked<String>>,
    /// Whether redirects and links may lead to this machine or a private network although `base_url` is
    /// elsewhere. Where `base_url` itself is such an address, they may.
    #[serde(default)]
    pub(super) allow_private: bool,
    /// Which field of a body says that it is an error, whatever the status: `error = "error"`, or
    /// `{ at = "ok", when = false, message = "error" }`.
    pub(super) error: Option<Either<ErrorForm>>,
    /// The zone of times that come without one: `Europe/Berlin` or `+02:00`. UTC when left out.
    pub(super) time_zone: Option<Marked<String>>,
    /// How the API writes its times, where that is not a usual form: `"%d/%m/%Y"` (strftime), `"seconds"`,
    /// `"milliseconds"`, `"microseconds"`, `"nanoseconds"` or `"standard"`; the first of a list that fits counts.
    #[serde(default)]
    pub(super) time_format: Several<TimeFormat>,
    /// Where the people are.
    pub(super) users: Option<ResourceForm<UserFields>>,
    /// Where the posts are.
    pub(super) posts: Option<ResourceForm<PostFields>>,
    /// Where the comments are.
    pub(super) comments: Option<ResourceForm<CommentFields>>,
    /// For an API without a list of users: they are those whom the posts and comments have inside as
    /// their authors. Beside `users`, they take their place where the API refuses to list them (401,
    /// 403 or 404).
    pub(super) authors: Option<Marked<AuthorsForm>>,
}

/// A placeholder, filled in with `--var NAME=VALUE`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Var"))]
pub(super) struct VarForm {
    /// What it is, for whoever has to fill it in.
    pub(super) description: String,
    /// What stands there when nothing is given.
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

/// How requests are authorised: one of `bearer`, `basic`, `header` and `query`.
/// Credentials are not written down here; a file says where they are.
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
    /// Sends a header of the API's own.
    pub(super) header: Option<HeaderForm>,
    /// Puts the credential into the query of each URL.
    pub(super) query: Option<QueryForm>,
    /// Whether to ask without authorisation where the credential is absent.
    #[serde(default)]
    pub(super) optional: bool,
}

/// Where a credential is: `"${NAME}"` for an environment variable, or `{ file = "PATH" }`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, from = "FileForm")]
#[cfg_attr(test, derive(JsonSchema), schemars(with = "FileForm"))]
pub(super) enum Credential {
    At(CredentialRef),
    /// A string that is no reference. What it says is not kept: it may be the credential.
    Literal,
}

/// A credential in a file, without the line break at its end.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Credential in a file"))]
struct FileForm {
    /// Its path, from the folder of the source file.
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

/// A header that holds a credential.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `name` and `value`")]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Header auth"))]
pub(super) struct HeaderForm {
    /// The header's name: `X-Api-Key`.
    pub(super) name: Parsed<HeaderName>,
    /// What stands before the credential: `prefix = "Token "`.
    pub(super) prefix: Option<Marked<String>>,
    /// Where the credential is: `"${NAME}"` or `{ file = "PATH" }`.
    pub(super) value: Marked<Either<Credential>>,
}

/// A query parameter that holds a credential.
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

/// How often the API may be asked: `{ requests = 20, per = "second" }`.
#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as `{ requests = 20, per = \"second\" }`"
)]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Rate"))]
pub(super) struct RateForm {
    /// This many requests …
    pub(super) requests: NonZeroU32,
    /// … in this much time, evenly spread.
    #[serde(default)]
    pub(super) per: Per,
    /// How many may come at once after a pause; 1 when left out.
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

/// Where a resource is, and in which form it comes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `path`")]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Resource with {F}"))]
pub(super) struct ResourceForm<F: Default> {
    /// The path behind the base URL. May hold placeholders (`{repo}`), and `{user_id}`, `{post_id}`
    /// or `{comment_id}` to ask once for each record of that resource.
    pub(super) path: Marked<String>,
    /// Asked for with every page: `{ order = "asc", per_page = 100 }`. Values may hold placeholders.
    #[serde(default)]
    pub(super) query: Pairs<Marked<Scalar>>,
    /// Where in a response the array of records is: `data` or `/result/items`. Left out, the response is
    /// the array. Where an object's values are the records: `{ map = "posts" }`.
    pub(super) records: Option<Marked<Either<RecordsForm>>>,
    /// How to come to the next page; left out, all is in one response.
    pub(super) pagination: Option<Marked<Either<PaginationForm>>>,
    /// Where a response tells the number of all records.
    pub(super) total: Option<LocatorForm>,
    /// Where a response tells the number of all pages.
    pub(super) pages: Option<LocatorForm>,
    /// Whether `total` counts records that the server does not send, as drafts: fewer records are a
    /// warning then, and no error.
    #[serde(default)]
    pub(super) total_counts_hidden: bool,
    /// Where a response tells that it left records out: `incomplete_results`. It is an error then.
    pub(super) truncated: Option<Parsed<JsonPath>>,
    /// Statuses that say that a page lies behind the last one: `[404]`.
    #[serde(default)]
    pub(super) past_end: Vec<Marked<u16>>,
    /// Fields that change with each request and are no change of the record: `["views", "stats.seen"]`.
    #[serde(default)]
    pub(super) ignore: Several<JsonPath>,
    /// Which fields of a record mean what: `user_id = "author.id"`. What the API lacks is left out.
    #[serde(default)]
    pub(super) fields: F,
}

/// `"none"`, `"link"`, or a table with one of `page`, `offset`, `cursor` and `next`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Pagination"))]
pub(super) struct PaginationForm {
    /// By page number: the query parameter of the number.
    pub(super) page: Option<String>,
    /// With `page`, the number of the first page; 1 when left out.
    pub(super) first: Option<Marked<u64>>,
    /// By the number of records to pass over: the query parameter of that number.
    pub(super) offset: Option<String>,
    /// The query parameter of the page size, and the size to ask for: `{ per_page = 100 }`.
    pub(super) size: Option<Marked<Pairs<NonZeroU64>>>,
    /// With `offset`, whether each page begins with the last record of the one before it, which shows
    /// records that move; true when left out. Say false where the API cannot begin a page anywhere.
    pub(super) overlap: Option<Marked<bool>>,
    /// By a cursor that a response holds for the next: the query parameter of the cursor.
    pub(super) cursor: Option<String>,
    /// With `cursor`, where in a response the next cursor is: `meta.next_cursor`,
    /// `{ header = "X-Next-Cursor" }`, or `{ last = "id" }` for a field of the page's last record.
    pub(super) at: Option<Marked<Either<NextAtForm>>>,
    /// By a URL that a response holds for the next: where it is, as `links.next`,
    /// `{ header = "X-Next-Page" }` or `{ links = "links", rel = "next" }`.
    pub(super) next: Option<Marked<Either<NextAtForm>>>,
    /// Where a response tells whether there are further pages: `has_more`. False ends them, whatever
    /// names a next one.
    #[serde(rename = "while")]
    pub(super) more: Option<Marked<Parsed<JsonPath>>>,
    /// Where a response tells that it is the last: `is_last`. True ends the pages.
    pub(super) until: Option<Marked<Parsed<JsonPath>>>,
    /// Whether the first page may lack the key that `at` or `next` names. It is an error otherwise,
    /// for a slip in it would end the pages after the first.
    #[serde(default)]
    pub(super) optional: bool,
    /// By the `Link` header, which is what the string `"link"` says.
    #[serde(skip)]
    pub(super) link: bool,
}

impl PaginationForm {
    /// Whether nothing at all was said, which is what the string `"none"` stands for.
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
    /// In the body, which is what a string alone says.
    #[serde(skip)]
    pub(super) body: Option<JsonPath>,
    /// In a header: its name.
    pub(super) header: Option<Parsed<HeaderName>>,
    /// In a list of links, each an object with a relation (`rel` or `relation`) and a URL (`href`, `url`
    /// or `uri`): where in the body the list is.
    pub(super) links: Option<Parsed<JsonPath>>,
    /// With `links`, the relation of the next page; `next` when left out.
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

/// Where a response tells something besides its records.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Place in a response"))]
pub(super) enum LocatorForm {
    /// In a header: `{ header = "X-Total-Count" }`.
    Header(Parsed<HeaderName>),
    /// In the body: `{ body = "meta.total" }`.
    Body(Parsed<JsonPath>),
}

/// Which field of a body says that it is an error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Error in a body"))]
pub(super) struct ErrorForm {
    /// Where in the body the field is: `ok` or `/meta/error`.
    pub(super) at: Parsed<JsonPath>,
    /// The value that says so: `false`. Left out, any value but null, false, 0 and an empty one does.
    pub(super) when: Option<Scalar>,
    /// Where in the body the server's words are; left out, they are looked for.
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
    /// The array, which is what a string alone says.
    #[serde(skip)]
    pub(super) list: Option<JsonPath>,
    /// An object whose values are the records: where it is, `""` for the complete response.
    pub(super) map: Option<Parsed<JsonPath>>,
    /// With `map`, the field of a record to put its key into, where the records do not repeat it:
    /// `id`.
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

/// Users that are taken from the records that they wrote.
#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with `posts`, `comments` or both"
)]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Authors"))]
pub(super) struct AuthorsForm {
    /// Where in a post its author is: `user`.
    pub(super) posts: Option<Parsed<JsonPath>>,
    /// Where in a comment its author is: `user`.
    pub(super) comments: Option<Parsed<JsonPath>>,
    /// Which fields of an author mean what.
    #[serde(default)]
    pub(super) fields: UserFields,
}
