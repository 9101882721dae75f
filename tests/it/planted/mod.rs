//! What somebody may plant where the program reads and writes files.

mod fifos;
mod links;
mod permissions;

use super::support::records::{compact, posts, users};
use super::support::server::{Reply, Route, Server};

/// A server of a few records, as often as they are asked for.
fn server() -> Server {
    let response = |path, records: &[String]| {
        Route::get(path)
            .reply(Reply::json(compact(records)))
            .any_times()
    };
    Server::start([
        response("/users", &users()),
        response("/posts", &posts()),
        response("/comments", &[]),
    ])
}
