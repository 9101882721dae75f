//! The record types: users, posts and comments.
//!
//! Records borrow their text from the page, so that reading copies only strings with escapes. A
//! field that the API does not have is `None`; only the id is required.

use std::fmt;

use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::email::Email;
use crate::record::{
    CommentId, Field, Fields, FromFields, FromRaw, Id, PostId, Record, Reject, Resource, Time,
    UserId,
};
use activity_tracker_json::reader::members;
use activity_tracker_json::value::object;
use activity_tracker_json::{Mismatch, Object, Sound, Text};
use activity_tracker_text::{Printable, excerpt};

/// A user, with the details that the API may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User<'a> {
    /// The id.
    pub id: UserId,
    /// The full name.
    pub name: Option<Text<'a>>,
    /// The login name.
    pub username: Option<Text<'a>>,
    /// The e-mail address, which the domain filter checks.
    pub email: Option<Email<'a>>,
    /// Where the user lives.
    pub address: Option<Address<'a>>,
    /// A telephone number, in whatever form.
    pub phone: Option<Text<'a>>,
    /// A host name or URL.
    pub website: Option<Text<'a>>,
    /// The employer.
    pub company: Option<Company<'a>>,
    /// When the account was created.
    pub created_at: Option<Time<'a>>,
    /// When it was last changed.
    pub updated_at: Option<Time<'a>>,
}

impl<'a> User<'a> {
    /// The full name, or else the username.
    #[must_use]
    pub fn called(&self) -> Option<&Text<'a>> {
        self.name.as_ref().or(self.username.as_ref())
    }
}

impl<'a> FromFields<'a> for User<'a> {
    #[inline]
    fn from_fields(fields: &Fields<'a, '_>) -> Result<Self, Box<Reject>> {
        Ok(Self {
            id: UserId(fields.required(Field::Id)?),
            name: fields.get(Field::Name)?,
            username: fields.get(Field::Username)?,
            email: fields.get(Field::Email)?,
            address: fields.get(Field::Address)?,
            phone: fields.get(Field::Phone)?,
            website: fields.get(Field::Website)?,
            company: fields.get(Field::Company)?,
            created_at: fields.get(Field::CreatedAt)?,
            updated_at: fields.get(Field::UpdatedAt)?,
        })
    }
}

/// A postal address.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Address<'a> {
    /// Street name.
    #[serde(borrow)]
    pub street: Option<Text<'a>>,
    /// Flat or suite.
    pub suite: Option<Text<'a>>,
    /// Town.
    pub city: Option<Text<'a>>,
    /// Postal code.
    pub zipcode: Option<Text<'a>>,
    /// The coordinates.
    #[serde(default, deserialize_with = "geo")]
    pub geo: Option<Geo<'a>>,
}

/// Coordinates in degrees, as strings like those of JSONPlaceholder.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Geo<'a> {
    /// Latitude.
    #[serde(borrow)]
    pub lat: Option<Text<'a>>,
    /// Longitude.
    pub lng: Option<Text<'a>>,
}

/// Reads coordinates from an object only: a derived implementation would also accept an array.
fn geo<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Geo<'de>>, D::Error> {
    struct GeoVisitor;
    impl<'de> Visitor<'de> for GeoVisitor {
        type Value = Option<Geo<'de>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            Geo::deserialize(MapAccessDeserializer::new(map)).map(Some)
        }
    }
    deserializer.deserialize_any(GeoVisitor)
}

/// An employer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Company<'a> {
    /// The firm's name.
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    /// Its motto.
    pub catch_phrase: Option<Text<'a>>,
    /// Its line of business.
    pub bs: Option<Text<'a>>,
}

impl<'a> Address<'a> {
    /// Reads a valid address.
    fn read(raw: &'a str) -> Option<Self> {
        let keys = ["street", "suite", "city", "zipcode", "geo"];
        let [street, suite, city, zipcode, geo] = members(raw, keys)?;
        let coordinates = |geo: Sound<'a>| {
            let [lat, lng] = members(geo.raw(), ["lat", "lng"])?;
            let (lat, lng) = (optional(lat)?, optional(lng)?);
            Some(Geo { lat, lng })
        };
        Some(Self {
            street: optional(street)?,
            suite: optional(suite)?,
            city: optional(city)?,
            zipcode: optional(zipcode)?,
            geo: match geo.filter(|geo| geo.raw() != "null") {
                Some(geo) => Some(coordinates(geo)?),
                None => None,
            },
        })
    }
}

impl<'a> Company<'a> {
    /// Reads a valid company.
    fn read(raw: &'a str) -> Option<Self> {
        let [name, catch_phrase, bs] = members(raw, ["name", "catchPhrase", "bs"])?;
        Some(Self {
            name: optional(name)?,
            catch_phrase: optional(catch_phrase)?,
            bs: optional(bs)?,
        })
    }
}

/// Reads an optional text; `None` if it is not a text.
#[expect(clippy::option_option, reason = "the outer one is for `?`")]
fn optional(sound: Option<Sound<'_>>) -> Option<Option<Text<'_>>> {
    match sound.filter(|sound| sound.raw() != "null") {
        Some(sound) => Text::from_sound(sound, &TimeZone::UTC).ok().map(Some),
        None => Some(None),
    }
}

impl<'a> FromRaw<'a> for Address<'a> {
    fn from_raw(raw: &'a str, _: &TimeZone) -> Result<Self, Mismatch> {
        // Serde describes what is invalid.
        Self::read(raw).map_or_else(|| object(raw), Ok)
    }
}

impl<'a> FromRaw<'a> for Company<'a> {
    fn from_raw(raw: &'a str, _: &TimeZone) -> Result<Self, Mismatch> {
        Self::read(raw).map_or_else(|| object(raw), Ok)
    }
}

/// A post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post<'a> {
    /// The id.
    pub id: PostId,
    /// The author.
    pub user_id: Option<UserId>,
    /// The title.
    pub title: Option<Text<'a>>,
    /// The text.
    pub body: Option<Text<'a>>,
    /// When it was published.
    pub created_at: Option<Time<'a>>,
    /// When it was last changed.
    pub updated_at: Option<Time<'a>>,
    /// The embedded author, if the API has users only inside posts and comments.
    pub author: Option<Object<'a>>,
}

impl<'a> FromFields<'a> for Post<'a> {
    #[inline]
    fn from_fields(fields: &Fields<'a, '_>) -> Result<Self, Box<Reject>> {
        Ok(Self {
            id: PostId(fields.required(Field::Id)?),
            user_id: fields.get(Field::UserId)?.map(UserId),
            title: fields.get(Field::Title)?,
            body: fields.get(Field::Body)?,
            created_at: fields.get(Field::CreatedAt)?,
            updated_at: fields.get(Field::UpdatedAt)?,
            author: fields.get(Field::Author)?,
        })
    }
}

/// A comment: a reply to a post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment<'a> {
    /// The id.
    pub id: CommentId,
    /// The post.
    pub post_id: Option<PostId>,
    /// The author's id.
    pub user_id: Option<UserId>,
    /// The title; JSONPlaceholder calls it `name`.
    pub name: Option<Text<'a>>,
    /// The author's e-mail address.
    pub email: Option<Email<'a>>,
    /// The text.
    pub body: Option<Text<'a>>,
    /// When it was written.
    pub created_at: Option<Time<'a>>,
    /// When it was last changed.
    pub updated_at: Option<Time<'a>>,
    /// The embedded author, if the API has users only inside posts and comments.
    pub author: Option<Object<'a>>,
}

impl<'a> FromFields<'a> for Comment<'a> {
    #[inline]
    fn from_fields(fields: &Fields<'a, '_>) -> Result<Self, Box<Reject>> {
        Ok(Self {
            id: CommentId(fields.required(Field::Id)?),
            post_id: fields.get(Field::PostId)?.map(PostId),
            user_id: fields.get(Field::UserId)?.map(UserId),
            name: fields.get(Field::Name)?,
            email: fields.get(Field::Email)?,
            body: fields.get(Field::Body)?,
            created_at: fields.get(Field::CreatedAt)?,
            updated_at: fields.get(Field::UpdatedAt)?,
            author: fields.get(Field::Author)?,
        })
    }
}

impl Record for User<'_> {
    fn id(&self) -> &Id {
        &self.id.0
    }
    fn resource(&self) -> Resource {
        Resource::Users
    }
}

impl Record for Post<'_> {
    fn id(&self) -> &Id {
        &self.id.0
    }
    fn resource(&self) -> Resource {
        Resource::Posts
    }
}

impl Record for Comment<'_> {
    fn id(&self) -> &Id {
        &self.id.0
    }
    fn resource(&self) -> Resource {
        Resource::Comments
    }
}

impl fmt::Display for User<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => name.fmt(f)?,
            None => write!(f, "user {}", self.id.0)?,
        }
        if let Some(username) = &self.username {
            write!(f, " (@{username})")?;
        }
        if let Some(email) = &self.email {
            write!(f, " <{}>", Printable(email.as_str()))?;
        }
        Ok(())
    }
}

impl fmt::Display for Post<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "post {}", self.id.0)?;
        if let Some(user_id) = &self.user_id {
            write!(f, " by user {}", user_id.0)?;
        }
        write_title(f, self.title.as_ref())
    }
}

impl fmt::Display for Comment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "comment {}", self.id.0)?;
        if let Some(post_id) = &self.post_id {
            write!(f, " on post {}", post_id.0)?;
        }
        if let Some(email) = &self.email {
            write!(f, " by {}", Printable(email.as_str()))?;
        } else if let Some(user_id) = &self.user_id {
            write!(f, " by user {}", user_id.0)?;
        }
        write_title(f, self.name.as_ref())
    }
}

fn write_title(f: &mut fmt::Formatter<'_>, title: Option<&Text<'_>>) -> fmt::Result {
    match title {
        Some(title) => write!(f, ": {}", excerpt(title.as_str(), 60)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
