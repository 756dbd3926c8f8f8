//! Tests of agents: a host inside the test, a clock that you turn, crashes on demand, clients over real sockets.
//!
//! Everything under test is the real thing: the runtime, SQLite, the journal with its `fdatasync`, the WebSocket. Only the
//! clock is not: it moves when the test says so, and while it moves, whatever falls due in between runs at its own time.
//!
//! ```
//! use std::time::Duration;
//!
//! use hostel::prelude::*;
//! use hostel_testing::TestHome;
//! use serde_json::json;
//!
//! #[derive(Default, Serialize, Deserialize)]
//! struct Kettle {
//!     boiled: u32,
//! }
//!
//! #[agent]
//! impl Kettle {
//!     #[callable]
//!     fn boil(&self, cx: &Cx<Self>) -> Result<ScheduleId> {
//!         cx.tasks().whistle().after(Duration::from_secs(180))
//!     }
//!
//!     #[task]
//!     fn whistle(&mut self, cx: &Cx<Self>) {
//!         self.boiled += 1;
//!         cx.broadcast("tea is ready");
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let mut home = TestHome::start(|| App::new().agent::<Kettle>()).await;
//! let mut page = home.connect("kettle/kitchen").await;
//! page.call("boil", json!([])).await;
//!
//! home.crash().await; // as `kill -9` would
//! let mut page = home.connect("kettle/kitchen").await;
//! home.advance(Duration::from_secs(180)).await;
//! assert_eq!(page.until_text("tea is ready").await, "tea is ready");
//! # }
//! ```
//!
//! Start with [`TestHome`].

mod clock;
mod crash;
mod home;
mod life;
mod peer;

pub use clock::VirtualClock;
pub use crash::CrashPoint;
pub use home::TestHome;
pub use peer::Peer;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/testing.md")]
struct TestingDoctests;
