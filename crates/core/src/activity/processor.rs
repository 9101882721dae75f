//! Filter, map and reduce over records, as lazy iterators.
//!
//! Each function takes any iterator of mapped records, of one page or of many. Rejected records
//! pass through, so the caller decides what to do with them.
//!
//! The flows use [`by_email_domain`] directly. [`names`] and [`total`] are for programs that need
//! only one result: `pipeline/slice_processor.rs` maps names and counts records in the same pass
//! over a slice, with [`User::called`] and [`ActivityCounts`](super::ActivityCounts), whose `merge`
//! is the actual reduce step.

use super::email::EmailDomain;
use super::models::User;
use crate::record::{Mapped, Reject, Rejected};

/// A record, or a rejected one.
type Item<'a, T> = Result<Mapped<'a, T>, Rejected<'a>>;

/// Filter: the users with an e-mail address in `domain`.
///
/// ```
/// use activity_tracker_core::record::{Mapping, Resource, map};
/// use activity_tracker_core::activity::{User, by_email_domain, names};
///
/// let mapping = Mapping::placeholder(Resource::Users);
/// let pages = [
///     &br#"{"id":1,"name":"A","username":"a","email":"a@april.biz"}"#[..],
///     br#"{"id":2,"name":"B","username":"b","email":"b@nobiz"}"#,
/// ];
/// let users = pages.into_iter().flat_map(|page| map::<User>(page, &mapping));
/// let found: Result<Vec<_>, _> = names(by_email_domain(users, &"biz".parse().unwrap())).collect();
/// assert_eq!(found.unwrap(), ["A"]);
/// ```
pub fn by_email_domain<'a>(
    users: impl Iterator<Item = Item<'a, User<'a>>>,
    domain: &EmailDomain,
) -> impl Iterator<Item = Item<'a, User<'a>>> {
    users.filter(|user| match user {
        Ok(user) => user
            .email
            .as_ref()
            .is_some_and(|email| domain.contains(email)),
        Err(_) => true,
    })
}

/// Map: the names of users; users without a name are left out.
pub fn names<'a>(
    users: impl Iterator<Item = Item<'a, User<'a>>>,
) -> impl Iterator<Item = Result<String, Reject>> {
    users.filter_map(|user| match user {
        Ok(user) => user.called().map(|name| Ok(name.as_str().to_owned())),
        Err(rejected) => Some(Err(rejected.into())),
    })
}

/// Reduce: the number of records.
///
/// # Errors
/// The first rejected record, where reading ends.
pub fn total<'a, T: 'a>(mut records: impl Iterator<Item = Item<'a, T>>) -> Result<u64, Reject> {
    records.try_fold(0, |count, record| Ok(record.map(|_| count + 1)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::Post;
    use crate::record::{Field, FieldMap, FieldPath, Id, Mapping, Resource, map};
    use std::cell::Cell;

    fn user(id: u64, email: &str) -> String {
        format!(r#"{{"id":{id},"name":"N{id}","username":"u","email":"{email}"}}"#)
    }

    #[test]
    fn the_filter_reads_a_page_only_when_it_needs_one() {
        let pages = [user(1, "a@x.biz"), user(2, "b@x.com"), user(3, "c@y.biz")];
        let mapping = Mapping::placeholder(Resource::Users);
        let read = Cell::new(0);
        let users = pages
            .iter()
            .inspect(|_| read.set(read.get() + 1))
            .flat_map(|page| map(page.as_bytes(), &mapping));
        let domain = "biz".parse().unwrap();
        let mut found = by_email_domain(users, &domain);
        assert_eq!(read.get(), 0, "nothing is read before the first `next`");
        assert_eq!(found.next().unwrap().unwrap().id.0, Id::Number(1));
        assert_eq!(
            read.get(),
            1,
            "the second page is not read for the first match"
        );
        assert_eq!(found.next().unwrap().unwrap().id.0, Id::Number(3));
        assert!(found.next().is_none());
    }

    #[test]
    fn a_rejected_record_passes_the_filter_and_ends_the_total() {
        let page = format!("{},{{}}", user(1, "a@x.com"));
        let mapping = Mapping::placeholder(Resource::Users);
        let domain = "biz".parse().unwrap();
        let users = map(page.as_bytes(), &mapping);
        let found: Vec<_> = by_email_domain(users, &domain).collect();
        assert!(
            matches!(&found[..], [Err(rejected)] if rejected.index == 1 && rejected.raw() == b"{}")
        );
        assert!(total(map::<User<'_>>(page.as_bytes(), &mapping)).is_err());
    }

    #[test]
    fn posts_are_counted() {
        let page =
            br#"{"id":1,"userId":1,"title":"","body":""},{"id":2,"userId":1,"title":"","body":""}"#;
        let mapping = Mapping::placeholder(Resource::Posts);
        assert_eq!(total(map::<Post<'_>>(page, &mapping)), Ok(2));
    }

    #[test]
    fn users_without_an_address_or_name_are_left_out() {
        let fields = [
            (Field::Id, "id", false),
            (Field::Email, "contact.mail", true),
            (Field::Username, "login", true),
        ];
        let fields = fields.map(|(field, path, optional)| {
            let path = path.parse().unwrap();
            (field, FieldPath::new(path, optional))
        });
        let fields = fields.into_iter().collect::<FieldMap>();
        let mapping = Mapping::new(fields, jiff::tz::TimeZone::UTC);
        let page = br#"{"id":1,"login":"a","contact":{"mail":"a@x.biz"}},
            {"id":2,"login":"b","contact":null},{"id":3,"contact":{"mail":"c@x.biz"}}"#;
        let users = || map(page, &mapping);
        let domain = "biz".parse().unwrap();
        let found: Result<Vec<_>, _> = by_email_domain(users(), &domain)
            .map(|user| user.map(|user| user.id.0.to_string()))
            .collect();
        assert_eq!(found.unwrap(), ["1", "3"]);
        let called: Result<Vec<_>, _> = names(users()).collect();
        assert_eq!(called.unwrap(), ["a", "b"]);
    }
}
