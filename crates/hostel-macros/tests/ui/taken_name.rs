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
    fn state(&self) -> i64 {
        self.count
    }

    #[callable(name = "then")]
    fn next(&self) -> i64 {
        self.count
    }
}

fn main() {}
