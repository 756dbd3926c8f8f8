#![allow(unused, reason = "only errors matter here")]

use hostel::*;
use hostel_macros::{State, agent};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Rest {
    more: u32,
}

#[derive(Default, Serialize, Deserialize, State)]
struct Game {
    #[state(private)]
    #[serde(flatten)]
    rest: Rest,
    #[serde(skip)]
    #[state(private)]
    memory: u32,
    #[state(server)]
    #[serde(rename(serialize = "a", deserialize = "b"))]
    score: u32,
}

#[agent]
impl Game {}

fn main() {}
