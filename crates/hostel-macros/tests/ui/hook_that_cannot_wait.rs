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
    async fn validate_state_change(cx: &Cx<Self>) -> Result<()> {
        Ok(())
    }
}

fn main() {}
