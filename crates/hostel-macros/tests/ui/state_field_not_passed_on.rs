#![allow(unused, reason = "only errors matter here")]

use hostel::*;
use hostel_macros::State;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize, State)]
struct Game {
    #[state(private)]
    solution: Vec<u8>,
}

impl Agent for Game {
    const CLASS: &'static str = "Game";
    const METHODS: &'static [Method<Self>] = &[];

    type Stub = Stub;
    type Tasks = TaskOrders;
}

fn main() {}
