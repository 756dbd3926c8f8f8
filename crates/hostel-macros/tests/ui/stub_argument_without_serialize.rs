#![allow(unused, reason = "only errors matter here")]

use hostel::*;
use hostel_macros::{agent, callable};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    count: i64,
}

#[derive(Deserialize)]
struct Point;

#[agent]
impl Counter {
    #[callable]
    fn move_to(&mut self, point: Point) {}

    #[callable]
    async fn push(cx: &Cx<Self>) -> Result<()> {
        cx.agent::<Counter>("other").move_to(Point).await
    }
}

fn main() {}
