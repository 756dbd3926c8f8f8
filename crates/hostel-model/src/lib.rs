//! Language models behind one trait, [`Model`]: a [`Request`] goes in, a stream of [`Event`]s comes out.
//!
//! Every stream ends with exactly one [`Event::Finish`] or one [`Fault`]; whoever drops it ends the request. A fault has a
//! kind that code can act upon and a sentence that a person can.
//!
//! [`Scripted`] is the model that needs no provider: it follows rules in a small text form, calls the tools it is offered,
//! and does the same each time. Tests and first steps use it.
//!
//! ```
//! use futures_util::StreamExt;
//! use hostel_model::{Event, Message, Model, Request, Scripted};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), hostel_model::Fault> {
//! let model = Scripted::new("on hello *\n  say Hello, $1!")?;
//! let mut answer = model.stream(Request::new(vec![Message::user("hello you")]));
//! let mut text = String::new();
//! while let Some(event) = answer.next().await {
//!     if let Event::TextDelta { delta, .. } = event? {
//!         text.push_str(&delta);
//!     }
//! }
//! assert_eq!(text, "Hello, you!");
//! # Ok(()) }
//! ```
//!
//! # What is not here
//!
//! The loop of model and tools, what a conversation is, and who may use which model.

mod answer;
mod anthropic;
mod assemble;
mod decode;
mod event;
mod failure;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
mod fault;
mod google;
mod key;
mod message;
mod model;
mod models;
mod openai;
mod remote;
mod request;
mod scripted;
mod settings;
mod time;
mod usage;

pub use answer::{Answer, collect};
pub use event::{Event, FinishReason};
pub use fault::{Fault, FaultKind};
pub use futures_util::stream::BoxStream;
pub use key::{KeySetting, Secrets};
pub use message::{Content, Data, Message, Piece, ToolOutput};
pub use model::{Abilities, Model, ModelInfo};
pub use models::{MAIN, Models, SCRIPTED, SMALL};
pub use request::{Reasoning, Request, ToolChoice, ToolSpec};
pub use scripted::{ScriptError, Scripted};
pub use settings::{ModelSettings, Provider};
pub use usage::{Price, Usage};
pub use zeroize::Zeroizing;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/models.md")]
struct Page;
