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
    fn show<T: Serialize>(&self, value: T) -> String {
        serde_json::to_string(&value).unwrap()
    }

    #[callable]
    fn print(&self, value: impl Serialize) -> String {
        serde_json::to_string(&value).unwrap()
    }
}

fn main() {}
