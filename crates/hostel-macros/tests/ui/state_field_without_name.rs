#![allow(unused, reason = "only errors matter here")]

use hostel::*;
use hostel_macros::{State, agent};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize, State)]
struct Game(#[state(private)] Vec<u8>, u32);

#[agent]
impl Game {}

fn main() {}
