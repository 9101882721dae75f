//! The fields of records that a source file may map.

#[cfg(test)]
use schemars::JsonSchema;
use serde::Deserialize;

use super::values::{Brief, Either, Marked, Parsed, Several};
use crate::record::{Field, TimeFormat};
use activity_tracker_json::{InvalidPath, JsonPath};

/// The path of a field: `"user.id"`, or a table with more.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(JsonSchema), schemars(rename = "Field"))]
pub(super) struct FieldForm {
    /// Its path in the record: `user.id` or `/user/id`.
    pub(super) path: Parsed<JsonPath>,
    /// Whether a record may lack it.
    #[serde(default)]
    pub(super) optional: bool,
    /// The format of a time: overrides the `time_format` of the file.
    pub(super) time_format: Option<Marked<Several<TimeFormat>>>,
}

impl Brief for FieldForm {
    const EXPECTED: &'static str =
        "a path, or a table with `path` and perhaps `optional` and `time_format`";

    fn from_text(text: &str) -> Result<Self, String> {
        let path = text
            .parse()
            .map_err(|error: InvalidPath| error.to_string())?;
        Ok(Self {
            path: Parsed(path),
            optional: false,
            time_format: None,
        })
    }
}

/// The fields that a file maps for one resource.
pub(super) trait Fields: Default {
    /// Each mapped field, and its path.
    fn given(&self) -> Vec<(Field, &FieldForm)>;
}

/// One struct per resource, so that a field that makes no sense for it is an
/// unknown key to serde and to editors.
macro_rules! fields {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $key:ident: $field:ident,)* }) => {
        $(#[$about])*
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, expecting = "a table such as `{ id = \"id\", body = \"text\" }`")]
        #[cfg_attr(test, derive(JsonSchema))]
        pub(super) struct $name { $($(#[$doc])* $key: Option<Either<FieldForm>>,)* }

        impl Fields for $name {
            fn given(&self) -> Vec<(Field, &FieldForm)> {
                let all = [$((Field::$field, self.$key.as_ref()),)*];
                all.into_iter()
                    .filter_map(|(field, form)| Some((field, &form?.0)))
                    .collect()
            }
        }
    };
}

fields! {
    /// The mapping of a user's fields.
    UserFields {
        /// The user's id. Default: `id`.
        id: Id,
        /// The full name.
        name: Name,
        /// The login name.
        username: Username,
        /// The e-mail address.
        email: Email,
        /// When the account was created.
        created_at: CreatedAt,
        /// When it was last changed.
        updated_at: UpdatedAt,
        /// A postal address, in JSONPlaceholder's shape.
        address: Address,
        /// A telephone number.
        phone: Phone,
        /// A host name or URL.
        website: Website,
        /// An employer, in JSONPlaceholder's shape.
        company: Company,
    }
}

fields! {
    /// The mapping of a post's fields.
    PostFields {
        /// The post's id. Default: `id`.
        id: Id,
        /// The id of the user who wrote it.
        user_id: UserId,
        /// The title.
        title: Title,
        /// The text.
        body: Body,
        /// When it was written.
        created_at: CreatedAt,
        /// When it was last changed.
        updated_at: UpdatedAt,
    }
}

fields! {
    /// The mapping of a comment's fields.
    CommentFields {
        /// The comment's id. Default: `id`.
        id: Id,
        /// The id of the post that it replies to.
        post_id: PostId,
        /// The id of the user who wrote it.
        user_id: UserId,
        /// Its title, or the author's name.
        name: Name,
        /// The author's e-mail address.
        email: Email,
        /// The text.
        body: Body,
        /// When it was written.
        created_at: CreatedAt,
        /// When it was last changed.
        updated_at: UpdatedAt,
    }
}
