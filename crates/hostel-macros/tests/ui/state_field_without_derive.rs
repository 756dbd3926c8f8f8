#![allow(unused, reason = "only errors matter here")]

use hostel::*;
use hostel_macros::agent;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Game {
    #[state(private)]
    solution: Vec<u8>,
}

#[agent]
impl Game {}

fn main() {}
