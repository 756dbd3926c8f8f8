//! The chat protocol: messages, the chunks they grow from, and the frames around them.
//!
//! # What this is for
//!
//! A conversation is a list of [`UiMessage`]s. An answer arrives as [`Chunk`]s, and [`Fold`] is what those make of a
//! message: whoever folds the same chunks sees the same message, whether live, replayed or in pieces. Frames of clients
//! are read by [`ChatIn`], frames to them are written by [`ResponseFrame`] and its neighbours. [`reconcile`] merges the
//! list a client has with the list we have. Clients that came before today's stream are served by [`DataStream`],
//! [`to_v4`], [`strict`] and [`to_strict`].
//!
//! # What is not here
//!
//! No storage, no turns, no models: this is text in, values out.
//!
//! ```
//! use hostel_protocol::chat::{Chunk, Fold};
//!
//! let mut fold = Fold::new("m1");
//! for chunk in [Chunk::start("m1"), Chunk::text_start("t"), Chunk::text_delta("t", "Hello"), Chunk::text_end("t")] {
//!     fold.apply(&chunk);
//! }
//! assert_eq!(
//!     fold.message().to_json(),
//!     r#"{"id":"m1","role":"assistant","parts":[{"type":"text","text":"Hello","state":"done"}]}"#,
//! );
//! ```

mod agent_tool;
mod chunk;
mod fault;
mod fold;
mod frame_in;
mod frame_out;
mod message;
mod part;
mod read;
mod reconcile;
mod request;
mod stamp;
mod strict;
mod tool;
mod v4;

pub use agent_tool::{AgentToolEvent, AgentToolFrame};
pub use chunk::Chunk;
pub use fault::ChatFault;
pub use fold::Fold;
pub use frame_in::{Cancel, ChatIn, Messages, ResumeAck, ResumeRequest, ToolApproval, ToolResult};
pub use frame_out::{
    Outcome, ResponseFrame, chat_clear, message_updated, messages_at_connect, messages_frame, messages_frame_of,
    recovering, resume_none, stream_pending, stream_resuming,
};
pub use message::{Role, UiMessage};
pub use part::ToolState;
pub use reconcile::{Reconciled, reconcile};
pub use request::{ChatRequest, ClientTool, Dialect, Trigger};
pub use stamp::stamp;
pub use strict::{strict, to_strict};
pub use tool::{NO, ToolAnswer, YES, apply_approval, apply_tool_result};
pub use v4::{DataStream, to_v4};

#[cfg(test)]
mod tests;
