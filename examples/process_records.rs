//! The functional middle on its own: pages in, names out, one record at a time.
//!
//! `cargo run --example process_records`

use std::error::Error;

use activity_tracker::activity::{EmailDomain, by_email_domain, names};
use activity_tracker::record::{Mapping, Resource, map};

/// The records of three pages, with commas between them and without the array's brackets.
const PAGES: [&str; 3] = [
    r#"{"id":1,"name":"Ada","username":"ada","email":"ada@april.biz"},
       {"id":2,"name":"Ben","username":"ben","email":"ben@nobiz.org"}"#,
    r#"{"id":3,"name":"Cleo","username":"cleo","email":"cleo@mail.BIZ"}"#,
    r#"{"id":4,"name":"Dan","username":"dan","email":"dan@may.biz"}"#,
];

fn main() -> Result<(), Box<dyn Error>> {
    let biz: EmailDomain = "biz".parse()?;
    let mapping = Mapping::placeholder(Resource::Users);

    let pages = PAGES.iter().inspect(|_| println!("a page is opened"));
    let users = pages.flat_map(|page| map(page.as_bytes(), &mapping));
    let found = names(by_email_domain(users, &biz));

    // Nothing has happened yet. Two names are wanted, so the third page stays shut.
    for name in found.take(2) {
        println!("{}", name?);
    }
    Ok(())
}
