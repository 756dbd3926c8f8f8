#![allow(unused, reason = "only errors matter here")]

use hostel_macros::agent;

#[agent]
struct Counter {
    count: i64,
}

fn main() {}
