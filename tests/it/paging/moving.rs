//! Records that move from page to page while the pages are fetched.

use super::super::support::program::Running;
use super::super::support::records::{compact, post, stored};
use super::super::support::server::{Reply, Route, Server};
use super::forum::{FLOWS, Forum, NUMBERED};

/// A page of these posts of a server that has so many.
fn page(ids: &[u32], total: u32) -> Reply {
    let posts: Vec<_> = ids.iter().map(|id| post(&id.to_string(), "1")).collect();
    Reply::json(compact(&posts)).header("X-Total", total.to_string())
}

/// The pages of a look in which post 1 is removed behind the first page, so that post 3 moves to
/// it and is missed.
fn missed() -> [Reply; 3] {
    [page(&[1, 2], 5), page(&[4, 5], 4), page(&[], 4)]
}

/// A server that gives these looks at its pages, one after the other.
fn serve(looks: Vec<Vec<Reply>>) -> Server {
    let mut pages: [Route; 3] =
        [1, 2, 3].map(|number| Route::get(&format!("/posts?n=2&page={number}")));
    for look in looks {
        for (page, reply) in pages.iter_mut().zip(look) {
            let route = std::mem::replace(page, Route::get("/"));
            *page = route.reply(reply);
        }
    }
    Server::start(pages)
}

fn posts(ids: &[u32]) -> String {
    let posts: Vec<_> = ids.iter().map(|id| post(&id.to_string(), "1")).collect();
    stored(&posts)
}

/// What a run of the flow wrote beside its records.
fn json(forum: &Forum, flow: &[&str], stem: &str) -> serde_json::Value {
    let end = if flow.is_empty() { "" } else { "_async" };
    forum.place.json(&format!("{stem}{end}.json"))
}

#[test]
fn records_that_moved_are_fetched_again_and_stored_and_counted_once() {
    for (flow, file) in FLOWS {
        let rest = vec![page(&[2, 3], 4), page(&[4, 5], 4)];
        let server = serve(vec![missed().into(), missed().into(), rest]);
        let forum = Forum::new(server.url(), "", NUMBERED);
        forum.stores(
            flow,
            file,
            &[2, 3, 4, 5].map(|id| post(&id.to_string(), "1")),
        );
        let manifest = json(&forum, flow, "manifest");
        assert_eq!(manifest["resources"]["posts"]["received"], 4, "{flow:?}");
        assert_eq!(manifest["resources"]["posts"].get("incomplete"), None);
        assert!(forum.place.log().contains("records moved"), "{flow:?}");
        server.finish();
    }
}

#[test]
fn a_sum_that_does_not_fit_is_held_against_another_look() {
    for (flow, file) in FLOWS {
        // The total stands in the first response alone.
        let told = |ids: &[u32], total: &str| {
            let posts: Vec<_> = ids.iter().map(|id| post(&id.to_string(), "1")).collect();
            let reply = Reply::json(compact(&posts));
            if total.is_empty() {
                reply
            } else {
                reply.header("X-Total", total)
            }
        };
        let removed = vec![told(&[1, 2], "5"), told(&[3, 4], ""), told(&[], "")];
        let rest = vec![told(&[1, 2], "4"), told(&[3, 4], "")];
        let server = serve(vec![removed, rest]);
        let forum = Forum::new(server.url(), "", NUMBERED);
        let all = [1, 2, 3, 4].map(|id| post(&id.to_string(), "1"));
        forum.stores(flow, file, &all);
        server.finish();
    }
}

#[test]
fn records_that_never_rest_are_an_error_and_the_snapshot_stands() {
    for (flow, _) in FLOWS {
        let server = serve(vec![missed().into(), missed().into()]);
        let url = server.url().to_owned();
        let forum = Forum::new(&url, "", NUMBERED);
        let flow = [flow, &["--retries", "1"]].concat();
        forum.fails(&flow, &format!("cannot fetch all of posts from {url}/posts?n=2&page=1: records moved between pages during the fetch, each of 2 times (the total went from 5 to 4; received 4 records)"));
        server.finish();
    }
}

#[test]
fn with_leave_they_are_stored_as_incomplete_and_nothing_counts_as_removed() {
    for (flow, file) in FLOWS {
        let all = vec![page(&[1, 2], 5), page(&[3, 4], 5), page(&[5], 5)];
        let server = serve(vec![all, missed().into()]);
        let forum = Forum::new(server.url(), "", NUMBERED);
        forum.run(flow).assert_code(0);
        let outcome = forum.run(&[flow, &["--retries", "0", "--allow-moving"]].concat());
        outcome.assert_code(0);
        assert!(
            outcome.stderr.contains("posts: incomplete: "),
            "{outcome:?}"
        );
        assert_eq!(forum.place.file(file), posts(&[1, 2, 4, 5]), "{flow:?}");
        let manifest = json(&forum, flow, "manifest");
        assert_eq!(manifest["resources"]["posts"]["incomplete"], true);
        let mut changes = forum.place.command(&["changes", "--format", "json"]);
        let outcome = Running::start(&mut changes).wait();
        outcome.assert_code(0);
        assert!(!outcome.stdout.contains("removed"), "{outcome:?}");
        server.finish();
    }
}

#[test]
fn a_run_that_was_cut_off_goes_on_with_the_last_look_alone() {
    for (flow, file) in FLOWS {
        // The second page is refused at first.
        let [first, second, third] = missed();
        let server = Server::start([
            Route::get("/posts?n=2&page=1")
                .reply(first)
                .then(page(&[2, 3], 4)),
            Route::get("/posts?n=2&page=2")
                .reply(second)
                .then(Reply::status(403))
                .then(page(&[4, 5], 4)),
            Route::get("/posts?n=2&page=3").reply(third),
        ]);
        let forum = Forum::new(server.url(), "", NUMBERED);
        let one = [flow, &["--concurrency", "1"]].concat();
        forum.run(&one).assert_code(3);
        forum
            .run(&[&one[..], &["--resume"]].concat())
            .assert_code(0);
        assert_eq!(forum.place.file(file), posts(&[2, 3, 4, 5]), "{flow:?}");
        server.finish();
    }
}
