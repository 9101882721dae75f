//! A source of posts, the pages that a server gives of it, and runs against it.

use std::fs;
use std::process::Command;

use crate::support::program::{Outcome, Running, Workplace};
use crate::support::records::{compact, post, stored};
use crate::support::server::{Reply, Request, Server};

pub(super) const SECRET: &str = "s3cret-0f-the-forum";

/// By a URL that the response holds for the next.
pub(super) const NEXT: &str = "records = 'posts'\npagination = { next = 'next' }";
pub(super) const LINK: &str = "pagination = 'link'";
pub(super) const NUMBERED: &str =
    "pagination = { page = 'page', size = { n = 2 } }\ntotal = { header = 'X-Total' }";
pub(super) const BEARER: &str = "auth = { bearer = '${FORUM_KEY}' }";
pub(super) const QUERY: &str = "auth = { query = { parameter = 'key', value = '${FORUM_KEY}' } }";

const USUAL: [&str; 6] = ["run", "forum.toml", "--backoff", "0s", "--workers", "1"];

/// How to take a flow, and its file of posts.
pub(super) const FLOWS: [(&[&str], &str); 2] =
    [(&[], "posts.json"), (&["--async"], "posts_async.json")];

/// Four posts, as two pages.
pub(super) fn posts() -> Vec<String> {
    (1..=4).map(|id| post(&format!("{id}"), "1")).collect()
}

/// The page of this number, counted from 1, of pages with two posts.
pub(super) fn page(number: usize) -> String {
    compact(&posts()[2 * number - 2..2 * number])
}

pub(super) fn numbered(number: usize) -> Reply {
    Reply::json(page(number)).header("X-Total", "4")
}

/// A page that says where the next one is.
pub(super) fn followed(number: usize, next: &str) -> Reply {
    let posts = page(number);
    Reply::json(format!(r#"{{"posts":{posts},"next":"{next}"}}"#))
}

pub(super) fn last(number: usize) -> Reply {
    let posts = page(number);
    Reply::json(format!(r#"{{"posts":{posts},"next":null}}"#))
}

pub(super) fn linked(number: usize, next: &str) -> Reply {
    Reply::json(page(number)).header("Link", format!("<{next}>; rel=\"next\""))
}

/// A folder with a source of posts alone, and an old snapshot.
pub(super) struct Forum {
    pub(super) place: Workplace,
}

impl Forum {
    pub(super) fn new(url: &str, source: &str, posts: &str) -> Self {
        let place = Workplace::with_old_snapshot();
        let text = format!(
            "name = 'forum'\nbase_url = '{url}'\n{source}\n[posts]\npath = '/posts'\n{posts}\n\
             [posts.fields]\nuser_id = 'userId'\ntitle = 'title'\nbody = 'body'\n"
        );
        fs::write(place.path().join("forum.toml"), text).expect("write a source file");
        Self { place }
    }

    pub(super) fn start(&self, args: &[&str]) -> Running {
        Running::start(&mut self.command(args))
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.place.command(&[&USUAL, args].concat());
        command.env("FORUM_KEY", SECRET);
        command
    }

    /// The same, with bounded memory.
    pub(super) fn bounded(&self, args: &[&str]) -> Command {
        self.place.bounded(&[&USUAL, args].concat())
    }

    pub(super) fn run(&self, args: &[&str]) -> Outcome {
        self.start(args).wait()
    }

    #[track_caller]
    pub(super) fn stores(&self, flow: &[&str], file: &str, expected: &[String]) {
        self.run(flow).assert_code(0);
        assert_eq!(self.place.file(file), stored(expected), "{flow:?}");
    }

    /// Stores the same from the pages that `--keep-raw` kept.
    #[track_caller]
    pub(super) fn stores_again(&self, flow: &[&str], file: &str, expected: &[String]) {
        let data = self.place.data();
        let raw = data.keys().find(|name| name.starts_with("raw-"));
        let raw = raw.and_then(|name| name.split('/').next());
        let raw = format!("data/{}", raw.expect("the pages"));
        let replay = [flow, &["--replay", &raw, "--data-dir", "again"]].concat();
        self.run(&replay).assert_code(0);
        let again = fs::read_to_string(self.place.path().join("again").join(file));
        assert_eq!(again.expect("the file"), stored(expected), "{flow:?}");
    }

    /// Fails for a reason that the API has, and leaves the old snapshot as it was.
    #[track_caller]
    pub(super) fn fails(&self, flow: &[&str], says: &str) {
        let before = self.place.data();
        // One at a time, so that it is not left to chance which page is the last.
        let outcome = self.run(&[flow, &["--concurrency", "1"]].concat());
        assert_eq!(outcome.first_line(), format!("error: {says}"), "{flow:?}");
        outcome.assert_code(3);
        self.place.assert_unchanged(&before);
    }
}

/// What came to a server: target and credentials of each request.
pub(super) fn came(server: &Server) -> Vec<(String, Option<String>)> {
    let told = |request: &Request| {
        let target = request.to_string().trim_start_matches("GET ").to_owned();
        let header = request.header("authorization");
        let header = header.or_else(|| request.header("x-api-key"));
        (target, header.map(str::to_owned))
    };
    server.requests().iter().map(told).collect()
}
