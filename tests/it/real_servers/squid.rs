//! squid in front of nginx: what goes through it, and as what.

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::nginx::{NGINX, assert_whole, expected, source};
use super::{FLOWS, assert_records, environment, told};
use crate::support::program::{Outcome, Running, Workplace};

/// The folder of `.ci/squid`.
const SQUID: &str = "ACTIVITY_TRACKER_TEST_SQUID";
/// Names that squid alone can find.
const PLAIN: &str = "plain.example.test";
const SECURE: &str = "secure.example.test";

/// The real servers, and where squid's log stood. One test at a time, for they share the log.
struct Scene {
    nginx: String,
    squid: String,
    seen: usize,
    _alone: MutexGuard<'static, ()>,
}

impl Scene {
    fn new() -> Option<Self> {
        static ALONE: Mutex<()> = Mutex::new(());
        let [nginx, squid] = environment([NGINX, SQUID])?;
        let mut scene = Self {
            nginx,
            squid,
            seen: 0,
            _alone: ALONE.lock().unwrap_or_else(PoisonError::into_inner),
        };
        scene.seen = scene.log().len();
        Some(scene)
    }

    /// Where nginx is, under a name.
    fn nginx(&self, scheme: &str, host: &str) -> String {
        let file = if scheme == "https" {
            "https-url"
        } else {
            "url"
        };
        let url = told(&self.nginx, file);
        let (_, port) = url.rsplit_once(':').expect("a port");
        format!("{scheme}://{host}:{port}")
    }

    fn log(&self) -> String {
        fs::read_to_string(format!("{}/logs/access.log", self.squid)).unwrap_or_default()
    }

    /// The new lines of squid's log that name a host, as soon as there are so many: squid writes one when a request
    /// or a tunnel has ended, a moment after the client has gone.
    #[track_caller]
    fn lines(&mut self, host: &str, least: usize) -> Vec<String> {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let log = self.log();
            let new = log.get(self.seen..).unwrap_or_default();
            let lines = new.lines().filter(|line| line.contains(host));
            let lines: Vec<_> = lines.map(str::to_owned).collect();
            if new.is_empty() && least == 0 || new.ends_with('\n') && lines.len() >= least {
                self.seen = log.len();
                return lines;
            }
            assert!(Instant::now() < end, "squid's log has {lines:#?}");
            thread::yield_now();
        }
    }

    /// A run of posts and users, and of comments in the async flow, with proxy variables and nothing else of them.
    fn run(&self, base: &str, flow: &[&str], variables: &[(&str, &str)]) -> (Workplace, Outcome) {
        let place = Workplace::new();
        let text = source(&format!("{base}/open"));
        fs::write(place.path().join("nginx.toml"), text).expect("write a source");
        let ca = format!("{}/ca.pem", self.nginx);
        let args = ["run", "nginx.toml", "--retries", "0", "--ca-file", &ca];
        let mut command = place.command(&[&args, flow].concat());
        command.envs(variables.iter().copied());
        let outcome = Running::start(&mut command).wait();
        (place, outcome)
    }
}

/// A proxy's URL with a user in it.
fn with_user(proxy: &str, user: &str) -> String {
    proxy.replacen("://", &format!("://{user}@"), 1)
}

#[test]
fn plain_http_goes_through_squid_without_a_tunnel_and_is_whole() {
    let Some(mut scene) = Scene::new() else {
        return;
    };
    let base = scene.nginx("http", PLAIN);
    let open = told(&scene.squid, "url");
    let closed = with_user(&told(&scene.squid, "closed-url"), "user:p%40ss%20word");
    for (name, proxy) in [("http_proxy", &open), ("ALL_PROXY", &closed)] {
        for (flow, suffix) in FLOWS {
            let (place, outcome) = scene.run(&base, flow, &[(name, proxy)]);
            outcome.assert_code(0);
            assert_whole(&scene.nginx, &place, suffix);
            // 28 users, 1,498 posts and 997 comments in pages of five.
            let pages = if suffix.is_empty() { 306 } else { 506 };
            let lines = scene.lines(PLAIN, pages);
            let whole = format!(" GET {base}/open/");
            let fits = |line: &String| line.contains(&whole) && line.ends_with(" 200");
            let other = lines.iter().find(|line| !fits(line));
            assert_eq!((lines.len(), other), (pages, None), "{name} {suffix}");
        }
    }
}

#[test]
fn https_goes_through_a_tunnel_of_squid_and_is_whole() {
    let Some(mut scene) = Scene::new() else {
        return;
    };
    let base = scene.nginx("https", SECURE);
    let open = told(&scene.squid, "url");
    let closed = with_user(&told(&scene.squid, "closed-url"), "user:p%40ss%20word");
    for (name, proxy) in [("HTTPS_PROXY", &open), ("all_proxy", &closed)] {
        for (flow, suffix) in FLOWS {
            let (place, outcome) = scene.run(&base, flow, &[(name, proxy)]);
            outcome.assert_code(0);
            assert_whole(&scene.nginx, &place, suffix);
            let lines = scene.lines(SECURE, 1);
            let tunnel = format!(" CONNECT {} 200", base.trim_start_matches("https://"));
            let other = lines.iter().find(|line| !line.ends_with(&tunnel));
            assert_eq!(other, None, "{name} {suffix}");
            // Hundreds of requests share a few tunnels.
            assert!(lines.len() < 50, "{name} {suffix}: {lines:#?}");
        }
    }
}

#[test]
fn squid_is_passed_by_for_the_hosts_of_no_proxy() {
    let Some(mut scene) = Scene::new() else {
        return;
    };
    let proxy = told(&scene.squid, "url");
    let base = scene.nginx("http", "127.0.0.1");
    let address = base.trim_start_matches("http://");
    let (_, users) = &expected(&scene.nginx)[0];
    let lists = [
        "127.0.0.1",
        address,
        "127.0.0.0/8",
        "*",
        "a.test, 127.0.0.1",
    ];
    for list in lists {
        for (flow, suffix) in FLOWS {
            let flow = [&["--resources", "users"], flow].concat();
            let variables = [("http_proxy", &*proxy), ("NO_PROXY", list)];
            let (place, outcome) = scene.run(&base, &flow, &variables);
            outcome.assert_code(0);
            assert_records(&place.json(&format!("users{suffix}.json")), users, list);
            let lines = scene.lines("127.0.0.1", 0);
            assert!(lines.is_empty(), "{list} {suffix}: {lines:#?}");
        }
    }
    // Only squid finds this name, so a run that passes it by fails, and one that does not is whole.
    let base = scene.nginx("http", PLAIN);
    let port = base.rsplit(':').next().unwrap_or_default();
    let on_port = format!("{PLAIN}:{port}");
    let lists = [
        (PLAIN, true),
        (".example.test", true),
        ("*.example.test", true),
        ("example.test", true),
        (&*on_port, true),
        ("plain.example.test:1", false),
        ("ample.test", false),
        ("127.0.0.0/8", false),
        ("", false),
    ];
    for (list, passed_by) in lists {
        for (flow, suffix) in FLOWS {
            let variables = [("ALL_PROXY", &*proxy), ("no_proxy", list)];
            let flow = [&["--resources", "users"], flow].concat();
            let (_, outcome) = scene.run(&base, &flow, &variables);
            outcome.assert_code(if passed_by { 3 } else { 0 });
            // 28 users in pages of five.
            let pages = if passed_by { 0 } else { 6 };
            let lines = scene.lines(PLAIN, pages);
            assert_eq!(lines.len(), pages, "{list} {suffix}");
        }
    }
}

#[test]
fn a_proxy_of_the_other_scheme_is_not_used_and_one_that_refuses_is_told() {
    let Some(mut scene) = Scene::new() else {
        return;
    };
    let (open, closed) = (told(&scene.squid, "url"), told(&scene.squid, "closed-url"));
    let wrong = with_user(&closed, "user:wrong");
    for (flow, suffix) in FLOWS {
        for (scheme, host, name) in [
            ("https", SECURE, "HTTP_PROXY"),
            ("http", PLAIN, "https_proxy"),
        ] {
            let base = scene.nginx(scheme, host);
            let (_, outcome) = scene.run(&base, flow, &[(name, &open)]);
            outcome.assert_code(3);
            let lines = scene.lines(host, 0);
            assert!(lines.is_empty(), "{name} {suffix}: {lines:#?}");
        }
        for proxy in [&closed, &wrong] {
            for (scheme, host) in [("https", SECURE), ("http", PLAIN)] {
                let base = scene.nginx(scheme, host);
                let (_, outcome) = scene.run(&base, flow, &[("all_proxy", proxy)]);
                outcome.assert_code(3);
                assert!(!outcome.stderr.contains("wrong"), "{outcome:#?}");
                // A request that was given up because another had failed has no status.
                let lines = scene.lines(host, 1);
                let refused = |line: &String| line.ends_with(" 407") || line.ends_with(" 0");
                assert!(lines.iter().all(refused), "{scheme} {suffix}: {lines:#?}");
            }
        }
    }
}
