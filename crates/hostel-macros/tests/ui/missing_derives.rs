#![allow(unused, reason = "only errors matter here")]

use hostel_macros::{agent, callable};

struct Counter {
    count: i64,
}

#[agent]
impl Counter {
    #[callable]
    fn get(&self) -> i64 {
        self.count
    }
}

fn main() {}
