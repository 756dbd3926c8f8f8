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
    #[callable]
    async fn increment(by: i64) -> i64 {
        by
    }

    #[callable]
    async fn ping() {}
}

fn main() {}
