#![allow(unused, reason = "only errors matter here")]

use hostel::*;
use hostel_macros::{agent, callable};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    count: i64,
}

struct Point;

#[agent]
impl Counter {
    #[callable]
    fn move_to(&mut self, point: Point) {}
}

fn main() {}
