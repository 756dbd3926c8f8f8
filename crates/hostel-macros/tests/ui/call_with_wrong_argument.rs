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
    #[callable]
    fn rename(&mut self, name: String) {}

    #[callable]
    async fn push(cx: &Cx<Self>) -> Result<()> {
        cx.agent::<Counter>("other").rename(5).await
    }
}

fn main() {}
