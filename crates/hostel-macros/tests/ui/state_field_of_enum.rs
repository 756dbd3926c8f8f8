#![allow(unused, reason = "only errors matter here")]

use hostel::*;
use hostel_macros::{State, agent};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, State)]
enum Game {
    Waiting,
    Running {
        #[state(private)]
        solution: Vec<u8>,
    },
}

impl Default for Game {
    fn default() -> Self {
        Self::Waiting
    }
}

#[agent]
impl Game {}

fn main() {}
