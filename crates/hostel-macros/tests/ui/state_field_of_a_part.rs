#![allow(unused, reason = "only errors matter here")]

use hostel::*;
use hostel_macros::{State, agent};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize, State)]
struct Profile {
    name: String,
    #[state(private)]
    secret: String,
}

#[derive(Default, Serialize, Deserialize)]
struct Game {
    profile: Profile,
}

#[agent]
impl Game {}

fn main() {}
