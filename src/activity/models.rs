//! What the API's records mean: users, posts and comments.
//!
//! Records borrow their text from the page they were read from, so that
//! reading one copies nothing unless a string has escapes in it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use super::email::Email;
use super::id::{CommentId, Id, PostId, UserId};
use crate::text::{Printable, excerpt};

/// One named collection of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resource {
    /// People.
    Users,
    /// What people publish.
    Posts,
    /// What people answer to posts.
    Comments,
}

impl Resource {
    /// The name as it stands in paths, files and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Posts => "posts",
            Self::Comments => "comments",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What every record has: an id and the resource it belongs to, and a form for people.
pub trait Record: fmt::Display {
    /// The id, unique within the resource.
    fn id(&self) -> &Id;
    /// The resource it belongs to.
    fn resource(&self) -> Resource;
}

/// A string of a record, borrowed from the page where it has no escapes.
///
/// serde borrows into a plain `Cow` field but not into an `Option` of one; this
/// type borrows wherever it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Text<'a>(Cow<'a, str>);

impl Text<'_> {
    /// The text, as it reads with escapes resolved.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printable(&self.0).fmt(f)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// A person, with the contact details that the API may give.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User<'a> {
    /// The id.
    pub id: UserId,
    /// The full name.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// The name to log in with.
    pub username: Text<'a>,
    /// The address that the domain filter looks at.
    pub email: Email<'a>,
    /// Where the user lives.
    pub address: Option<Address<'a>>,
    /// A telephone number, in whatever form.
    pub phone: Option<Text<'a>>,
    /// A host name or URL.
    pub website: Option<Text<'a>>,
    /// Whom the user works for.
    pub company: Option<Company<'a>>,
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
    /// Where on the globe.
    pub geo: Option<Geo<'a>>,
}

/// A place on the globe, in degrees, as the strings that JSONPlaceholder sends.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Geo<'a> {
    /// Latitude.
    #[serde(borrow)]
    pub lat: Option<Text<'a>>,
    /// Longitude.
    pub lng: Option<Text<'a>>,
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

/// What a user published.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Post<'a> {
    /// The id.
    pub id: PostId,
    /// Who wrote it.
    pub user_id: UserId,
    /// The headline.
    #[serde(borrow)]
    pub title: Text<'a>,
    /// The text.
    pub body: Text<'a>,
}

/// An answer to a post.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comment<'a> {
    /// The id.
    pub id: CommentId,
    /// What it answers.
    pub post_id: PostId,
    /// Its headline, in JSONPlaceholder's words.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// Who wrote it.
    pub email: Email<'a>,
    /// The text.
    pub body: Text<'a>,
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
        let email = Printable(self.email.as_str());
        write!(f, "{} (@{}) <{email}>", self.name, self.username)
    }
}

impl fmt::Display for Post<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = excerpt(self.title.as_str(), 60);
        write!(f, "post {} by user {}: {title}", self.id.0, self.user_id.0)
    }
}

impl fmt::Display for Comment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let email = Printable(self.email.as_str());
        let name = excerpt(self.name.as_str(), 60);
        write!(
            f,
            "comment {} on post {} by {email}: {name}",
            self.id.0, self.post_id.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = r#"{"id":1,"name":"Leanne Graham","username":"Bret",
        "email":"Sincere@april.biz","address":{"street":"Kulas Light","suite":"Apt. 556",
        "city":"Gwenborough","zipcode":"92998-3874","geo":{"lat":"-37.3159","lng":"81.1496"}},
        "phone":"1-770-736-8031 x56442","website":"hildegard.org","company":{
        "name":"Romaguera-Crona","catchPhrase":"Multi-layered","bs":"harness"},"extra":[1]}"#;

    #[test]
    fn a_user_is_read_with_all_its_parts_and_borrows_its_text() {
        let user: User<'_> = serde_json::from_str(USER).unwrap();
        assert_eq!(
            user.to_string(),
            "Leanne Graham (@Bret) <Sincere@april.biz>"
        );
        let geo = user.address.and_then(|address| address.geo).unwrap();
        assert_eq!(geo.lat.unwrap().as_str(), "-37.3159");
        let company = user.company.unwrap();
        assert!(matches!(
            company.catch_phrase.unwrap().0,
            Cow::Borrowed("Multi-layered")
        ));
    }

    #[test]
    fn what_is_not_required_may_be_absent_or_null() {
        let json = r#"{"id":"u-1","name":"A","username":"a","email":"a@b","phone":null}"#;
        let user: User<'_> = serde_json::from_str(json).unwrap();
        assert_eq!(user.id, UserId(Id::Text("u-1".into())));
        assert_eq!((user.address, user.phone), (None, None));
    }

    #[test]
    fn records_show_themselves_without_control_characters() {
        let json = r#"{"id":1,"postId":2,"name":"a\u001b[2Jb","email":"x@y\r\n","body":""}"#;
        let comment: Comment<'_> = serde_json::from_str(json).unwrap();
        let shown = comment.to_string();
        assert!(!shown.contains(char::is_control), "{shown}");
        let records: [&dyn Record; 1] = [&comment];
        assert_eq!(records[0].resource(), Resource::Comments);
    }
}
