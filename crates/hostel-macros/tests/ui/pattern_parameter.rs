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
    fn move_by(&mut self, (x, y): (i64, i64)) {}

    #[callable]
    fn ignore(&mut self, _: i64) {}
}

fn main() {}
