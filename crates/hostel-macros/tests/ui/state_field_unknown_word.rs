#![allow(unused, reason = "only errors matter here")]

use hostel::*;
use hostel_macros::{State, agent};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize, State)]
struct Game {
    board: Vec<u8>,
    #[state(privat)]
    solution: Vec<u8>,
    #[state(client)]
    moves: u32,
    #[state(hidden)]
    other: u32,
    #[state]
    nothing: u32,
    #[state()]
    empty: u32,
}

#[agent]
impl Game {}

fn main() {}
