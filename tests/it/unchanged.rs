//! Asking only for what changed: a server's "not modified", and when it may not be asked for.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::support::program::{HISTORY, Outcome, Workplace};
use super::support::records::{compact, post, posts, stored, user, users};
use super::support::server::{Reply, Request, Route, Server};

/// A flow: how to take it, what its files are called, and what it asks for.
#[derive(Clone, Copy, Debug)]
struct Flow {
    args: &'static [&'static str],
    suffix: &'static str,
    paths: &'static [&'static str],
}

const FLOWS: [Flow; 2] = [
    Flow {
        args: &[],
        suffix: "",
        paths: &["/users", "/posts"],
    },
    Flow {
        args: &["--async"],
        suffix: "_async",
        paths: &["/users", "/posts", "/comments"],
    },
];

fn comments() -> Vec<String> {
    vec![r#"{"id":1,"postId":1,"name":"n","email":"e@x.org","body":"b"}"#.to_owned()]
}

/// What is at a path in the beginning, as the response.
fn first(path: &str) -> Reply {
    let records = match path {
        "/users" => users(),
        "/posts" => posts(),
        _ => comments(),
    };
    Reply::json(compact(&records)).header("ETag", tag(path))
}

fn tag(path: &str) -> String {
    format!("\"{}-1\"", path.trim_start_matches('/'))
}

fn same(path: &str) -> Reply {
    Reply::status(304).header("ETag", tag(path))
}

/// A file as a reader finds it: its name, inode, time of change to the nanosecond, and size.
type Seen = (String, u64, i64, i64, u64);

/// The files of a data directory.
fn seen(place: &Workplace) -> Vec<Seen> {
    let entries = fs::read_dir(place.data_dir()).expect("the data directory");
    let mut seen: Vec<_> = entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            let about = entry.metadata().expect("about a file");
            let name = entry.file_name().to_string_lossy().into_owned();
            (
                name,
                about.ino(),
                about.mtime(),
                about.mtime_nsec(),
                about.size(),
            )
        })
        .collect();
    // The history notes each run, this one too.
    seen.retain(|(name, ..)| name != HISTORY);
    seen.sort();
    seen
}

/// A first run of a flow, and the server for others.
struct Second {
    flow: Flow,
    place: Workplace,
    server: Server,
}

impl Second {
    /// After a first run; `then` is what each path responses to later ones.
    fn new(flow: Flow, then: impl Fn(&str) -> Vec<Reply>) -> Self {
        let routes = flow.paths.iter().map(|path| {
            let route = Route::get(path).reply(first(path));
            then(path).into_iter().fold(route, Route::then)
        });
        let server = Server::start(routes);
        let second = Self {
            flow,
            place: Workplace::new(),
            server,
        };
        second.run(&[]).assert_code(0);
        let asked = second.conditions(0);
        assert_eq!(asked, vec![None; flow.paths.len()]);
        second
    }

    fn run(&self, args: &[&str]) -> Outcome {
        let usual = [self.server.url(), "--backoff", "0s"];
        self.place.run(&[&usual, self.flow.args, args].concat())
    }

    /// What the run of this number asked with, in the order of the flow's paths.
    fn conditions(&self, run: usize) -> Vec<Option<String>> {
        let of_path = |path: &&str| {
            let requests = self.server.requests().into_iter();
            let mut own = requests.filter(|request| request.path == *path);
            let condition = |request: Request| request.header("if-none-match").map(str::to_owned);
            own.nth(run).and_then(condition)
        };
        self.flow.paths.iter().map(of_path).collect()
    }

    /// The tags of the first responses.
    fn tags(&self) -> Vec<Option<String>> {
        self.flow.paths.iter().map(|path| Some(tag(path))).collect()
    }

    fn file(&self, stem: &str) -> String {
        self.place.file(&format!("{stem}{}.json", self.flow.suffix))
    }
}

#[test]
fn a_run_in_which_nothing_changed_says_so_and_touches_no_file() {
    for flow in FLOWS {
        let second = Second::new(flow, |path| vec![same(path); 2]);
        let before = seen(&second.place);
        for run in 1..=2 {
            let outcome = second.run(&[]);
            outcome.assert_code(0);
            let printed = outcome.stdout + &outcome.stderr;
            assert!(
                printed.starts_with("Up to date: 3 users, 3 posts"),
                "{printed}"
            );
            assert_eq!(printed.lines().count(), 1, "{printed}");
            assert_eq!(seen(&second.place), before, "{flow:?}");
            assert_eq!(second.conditions(run), second.tags());
        }
        second.server.finish();
    }
}

#[test]
fn what_did_not_change_is_kept_beside_what_did() {
    let new_posts = || vec![post("1", "1"), post("9", "2")];
    for flow in FLOWS {
        let second = Second::new(flow, |path| match path {
            "/posts" => vec![
                Reply::json(compact(&new_posts())).header("ETag", "W/\"new\""),
                Reply::status(304),
            ],
            path => vec![same(path); 2],
        });
        let outcome = second.run(&[]);
        outcome.assert_code(0);
        let printed = outcome.stdout + &outcome.stderr;
        assert!(!printed.contains("Up to date"), "{printed}");
        assert_eq!(second.file("users"), stored(&users()));
        assert_eq!(second.file("posts"), stored(&new_posts()));
        if flow.paths.contains(&"/comments") {
            assert_eq!(second.file("comments"), stored(&comments()));
        }
        let summary = second.place.json(&format!("summary{}.json", flow.suffix));
        let counts: Vec<_> = summary["posts_per_user"]
            .as_array()
            .expect("an array")
            .iter()
            .map(|row| (row["user_id"].as_u64(), row["posts"].as_u64()))
            .collect();
        let expected = [(1, 1), (2, 1), (3, 0)].map(|(id, posts)| (Some(id), Some(posts)));
        assert_eq!(counts, expected, "{flow:?}");
        assert_eq!(second.conditions(1), second.tags());

        // The third run knows the tag of the new response and those of the kept ones.
        let before = seen(&second.place);
        second.run(&[]).assert_code(0);
        assert_eq!(seen(&second.place), before, "{flow:?}");
        let mut tags = second.tags();
        tags[1] = Some("W/\"new\"".to_owned());
        assert_eq!(second.conditions(2), tags, "{flow:?}");
        second.server.finish();
    }
}

#[test]
fn another_domain_filters_the_kept_users_anew() {
    for flow in FLOWS {
        let second = Second::new(flow, |path| vec![same(path)]);
        second.run(&["--email-domain", "tv"]).assert_code(0);
        let bob = [user("2", "Bob", "bob@melissa.tv")];
        assert_eq!(second.file("filtered_users"), stored(&bob), "{flow:?}");
        assert_eq!(second.file("users"), stored(&users()));
        assert_eq!(second.file("posts"), stored(&posts()));
        assert_eq!(second.conditions(1), second.tags());
        second.server.finish();
    }
}

#[test]
fn a_damaged_snapshot_is_fetched_again_without_asking_what_changed() {
    type Damage = fn(&str) -> Option<String>;
    let damages: [(&str, &str, Damage); 5] = [
        ("a byte more", "posts", |text| Some(format!("{text} "))),
        ("another byte", "users", |text| {
            Some(text.replacen("Ada", "Eva", 1))
        }),
        ("gone", "users", |_| None),
        ("no summary", "summary", |_| Some(String::new())),
        ("no manifest", "manifest", |_| Some("{}".to_owned())),
    ];
    for (name, stem, damage) in damages {
        for flow in FLOWS {
            let second = Second::new(flow, |path| vec![first(path)]);
            let path = format!("{stem}{}.json", flow.suffix);
            let path = second.place.data_dir().join(path);
            let text = fs::read_to_string(&path).expect("a stored file");
            match damage(&text) {
                Some(text) => fs::write(&path, text).expect("damage a file"),
                None => fs::remove_file(&path).expect("remove a file"),
            }
            second.run(&[]).assert_code(0);
            let nothing = vec![None; flow.paths.len()];
            assert_eq!(second.conditions(1), nothing, "{name} {flow:?}");
            assert_eq!(second.file("users"), stored(&users()), "{name}");
            assert_eq!(second.file("posts"), stored(&posts()), "{name}");
            second.server.finish();
        }
    }
}

#[test]
fn a_fresh_run_does_not_ask_what_changed() {
    for flow in FLOWS {
        let second = Second::new(flow, |path| vec![first(path)]);
        let outcome = second.run(&["--fresh"]);
        outcome.assert_code(0);
        assert_eq!(second.conditions(1), vec![None; flow.paths.len()]);
        second.server.finish();
    }
}

#[test]
fn a_not_modified_that_nobody_asked_for_is_an_error() {
    for flow in FLOWS {
        // The run ends with the first of them: the others are never asked for.
        let second = Second::new(flow, |path| match path {
            "/users" => vec![same(path)],
            _ => Vec::new(),
        });
        let before = seen(&second.place);
        let outcome = second.run(&["--fresh", "--concurrency", "1"]);
        outcome.assert_code(3);
        assert!(outcome.stderr.contains("304 Not Modified"), "{outcome:?}");
        assert_eq!(seen(&second.place), before, "{flow:?}");
        second.server.finish();
    }
}

#[test]
fn each_flow_asks_with_what_it_stored_itself() {
    let [main, tasks] = FLOWS;
    let routes = tasks
        .paths
        .iter()
        .map(|path| Route::get(path).reply(first(path)).any_times());
    let server = Server::start(routes);
    let place = Workplace::new();
    place.run_well(&[server.url()]);
    let asked = main.paths.len();
    place.run_well(&[&[server.url()], tasks.args].concat());
    let later = server.requests().split_off(asked);
    assert!(
        later
            .iter()
            .all(|request| request.header("if-none-match").is_none())
    );
    assert_eq!(later.len(), tasks.paths.len());
    server.finish();
}
