//! Agents made by the macros, driven without the runtime.

use std::sync::Arc;

use hostel::*;
use hostel_macros::agent;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
struct Point {
    x: i32,
    y: Option<i32>,
}

#[derive(Debug, Deserialize)]
struct OnlyIn {
    _x: i32,
}

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    count: i64,
}

/// Doc of it.
///
/// Second.
#[agent(send_identity_on_connect = false)]
impl Counter {
    /// Adds.
    #[callable]
    fn increment(&mut self, by: i64) -> i64 {
        self.count += by;
        self.count
    }

    #[callable]
    fn reset(&mut self) {
        self.count = 0;
    }

    #[callable(name = "greet")]
    fn say(&self, _cx: &Cx<Self>, me: &str, args: &[i64], p: Option<Point>) -> Result<String> {
        Ok(format!("{me} {args:?} {p:?}"))
    }

    #[callable]
    fn only(&self, x: OnlyIn) {}

    #[callable]
    async fn follow(cx: &Cx<Self>, other: String) -> Result<i64> {
        let theirs = cx.agent::<Counter>(&other).increment(0).await?;
        cx.update(|me| me.count = theirs)?;
        Ok(theirs)
    }

    #[callable(streaming)]
    async fn count_to(cx: &Cx<Self>, stream: Stream<i64>, to: i64) -> Result<()> {
        for i in 0..to {
            stream.send(&i)?;
        }
        Ok(())
    }

    #[callable]
    fn borrowed(&self) -> &i64 {
        &self.count
    }
    #[callable]
    fn bad(&self) -> Result<i64, std::num::ParseIntError> {
        "x".parse()
    }

    async fn on_start(cx: &Cx<Self>) -> Result<()> {
        cx.push_state();
        Ok(())
    }
    fn on_connect(&mut self, connection: &Connection, request: &ConnectRequest) {
        connection.send(&*request.uri)
    }
    fn on_message(&self, connection: Connection, message: Message) -> Result<()> {
        connection.send(message);
        Ok(())
    }
    fn on_request(&self, request: Request) -> Result<Response> {
        Ok(Response::new(request.into_body()))
    }
    fn get_connection_tags(&self, request: Arc<ConnectRequest>) -> Vec<String> {
        vec![request.uri.clone()]
    }
    fn helper(&self) -> i64 {
        self.count
    }
}

#[test]
fn x() {
    let _ = erased::ClassOf::<Counter>::new();
}
