//! The time of the AI SDK 4: messages with a `content`, and the data stream.

mod message;
mod stream;

pub use message::to_v4;
pub(super) use message::upgrade;
pub use stream::DataStream;
