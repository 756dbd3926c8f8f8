#![allow(unused, reason = "only errors matter here")]

use hostel::*;
use hostel_macros::{agent, callable};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    count: i64,
}

#[agent(hibernate = true)]
impl Counter {
    #[callable(stream)]
    fn get(&self) -> i64 {
        self.count
    }
}

fn main() {}
