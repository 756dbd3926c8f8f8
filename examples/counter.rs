//! A counter that several people share: `cargo run -p hostel --example counter`, then in a page
//! `useAgent<Counter, CounterState>({ agent: "counter", name: "default", host: "localhost:8787" })`.

use hostel::prelude::*;

/// A counter that several people share. Its fields are the state clients see.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
struct Counter {
    count: i64,
}

#[agent]
impl Counter {
    /// Adds `by` and returns the new count.
    #[callable]
    fn increment(&mut self, by: i64) -> i64 {
        self.count += by;
        self.count
    }

    /// Copies the count of another counter.
    #[callable]
    async fn follow(cx: &Cx<Self>, other: &str) -> Result<i64> {
        let theirs = cx.agent::<Counter>(other).increment(0).await?;
        cx.update(|me| me.count = theirs)?;
        Ok(theirs)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    Ok(App::new().agent::<Counter>().serve("127.0.0.1:8787").await?)
}
