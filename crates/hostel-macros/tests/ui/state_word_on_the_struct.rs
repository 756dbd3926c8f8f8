#![allow(unused, reason = "only errors matter here")]

use hostel::*;
use hostel_macros::{State, agent};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize, State)]
#[state(private)]
struct Game {
    board: Vec<u8>,
}

#[agent]
impl Game {}

fn main() {}
