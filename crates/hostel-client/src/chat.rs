//! One conversation with a chat agent, as a client sees it. Pure: frames in, changes and frames out.
//!
//! [`Conversation`] keeps the transcript, folds streams into messages, and does the handshake by which a client that comes
//! late or comes back is brought up to date. Whatever arrives twice is taken once.
//!
//! ```
//! use hostel_client::chat::{Change, Conversation};
//!
//! let mut chat = Conversation::default();
//! let (request, frame) = chat.submit("hello");
//! assert!(frame.contains("cf_agent_use_chat_request"));
//! let chunk = r#"{\"type\":\"text-delta\",\"id\":\"t\",\"delta\":\"Hi\"}"#;
//! for body in [r#"{\"type\":\"text-start\",\"id\":\"t\"}"#, chunk] {
//!     chat.receive(&format!(r#"{{"type":"cf_agent_use_chat_response","id":"{request}","body":"{body}","done":false}}"#));
//! }
//! let step = chat.receive(&format!(r#"{{"type":"cf_agent_use_chat_response","id":"{request}","body":"","done":true}}"#));
//! assert!(matches!(&step.changes[..], [Change::Ended(end)] if end.is_complete()));
//! assert_eq!(chat.messages()[1].parts[0]["text"], "Hi");
//! ```

mod conversation;
mod frame;
mod live;

pub use conversation::{Change, Conversation, Step};
pub use frame::transcript;
pub use hostel_protocol::chat::{Outcome, Role, UiMessage};
pub use live::End;

#[cfg(test)]
mod tests;
