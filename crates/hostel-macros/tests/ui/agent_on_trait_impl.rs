#![allow(unused, reason = "only errors matter here")]

use hostel_macros::agent;

#[derive(Default)]
struct Counter;

#[agent]
impl Clone for Counter {
    fn clone(&self) -> Self {
        Self
    }
}

fn main() {}
