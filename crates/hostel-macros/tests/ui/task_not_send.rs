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
    async fn wait(cx: &Cx<Self>) {
        let shared = std::rc::Rc::new(1);
        cx.sleep(std::time::Duration::from_secs(1)).await;
        drop(shared);
    }
}

fn main() {}
