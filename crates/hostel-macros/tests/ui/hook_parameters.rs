#![allow(unused, reason = "only errors matter here")]

use hostel::*;
use hostel_macros::{agent, callable};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    count: i64,
}

#[agent]
impl Counter {
    fn on_message(&self, message: Message) {}

    fn on_close(&self, connection: &Connection, close: CloseEvent, code: u16) {}

    async fn on_request(cx: &Cx<Self>, request: &Request) -> Response {
        Response::default()
    }
}

fn main() {}
