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
    fn on_connect(connection: &Connection) {
        connection.send("hello");
    }

    async fn on_start(count: i64) {}
}

fn main() {}
