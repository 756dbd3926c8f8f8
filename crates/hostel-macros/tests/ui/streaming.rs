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
    #[callable(streaming)]
    fn in_a_turn(&self, stream: Stream<i64>) {}

    #[callable(streaming)]
    async fn without_stream(cx: &Cx<Self>, to: i64) {}

    #[callable(streaming)]
    async fn with_result(cx: &Cx<Self>, stream: Stream<i64>) -> Result<i64> {
        Ok(1)
    }

    #[callable]
    async fn without_option(cx: &Cx<Self>, stream: Stream<i64>) {}
}

fn main() {}
