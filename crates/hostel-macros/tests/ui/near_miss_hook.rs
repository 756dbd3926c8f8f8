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
    fn on_conect(&self, connection: &Connection) {}

    fn onMessage(&self) {}

    fn validate_state_changed(&self, source: &Source) -> Result<()> {
        Ok(())
    }

    fn on_save(&self) {}
}

fn main() {}
