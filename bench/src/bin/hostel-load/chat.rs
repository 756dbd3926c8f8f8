//! Conversations: what Hostel costs between a provider and a client.

pub(crate) mod chunks;
mod memory;
mod provider;
mod resume;
mod streams;

use anyhow::ensure;

use self::provider::{Wish, moments};
use crate::{
    connection::Connection,
    flags::{Chat, Flags},
    frame,
    report::Report,
};

/// Runs one of the scenarios, with a provider beside it.
pub(crate) async fn run(flags: &Flags, scenario: &Chat) -> anyhow::Result<Report> {
    provider::start(flags.provider).await?;
    match scenario {
        Chat::Chunks(chunks) if flags.floor => chunks::floor(flags, chunks).await,
        Chat::Chunks(chunks) => chunks::run(flags, chunks).await,
        Chat::Streams(streams) => streams::run(flags, streams).await,
        Chat::Memory(memory) => memory::run(flags, memory).await,
        Chat::Resume(resume) => resume::run(flags, resume).await,
    }
}

/// A client in a conversation.
struct Client(Connection);

impl Client {
    async fn open(flags: &Flags, conversation: &str) -> anyhow::Result<Self> {
        let mut connection = Connection::reach(flags, &format!("talker/{conversation}")).await?;
        connection.until(|text| text.contains("cf_agent_identity")).await?;
        Ok(Self(connection))
    }

    /// Asks, like the hook of a page.
    async fn ask(&mut self, wish: Wish) -> anyhow::Result<()> {
        let message = serde_json::json!({"id": "8fUXfGSLTgyVbEWd", "role": "user",
            "parts": [{"type": "text", "text": wish.question()}]});
        let body = serde_json::json!({"messages": [message], "trigger": "submit-message"}).to_string();
        let init = serde_json::json!({"method": "POST", "body": body});
        let request = serde_json::json!({"id": "luAQa8hA", "init": init, "type": "cf_agent_use_chat_request"});
        self.0.send(&frame::text(&request.to_string())).await
    }

    /// Hears an answer to its end, or to the frame that has `end` in it. Returns how many frames it was.
    async fn hear(&mut self, end: &str, mut each: impl FnMut(u64)) -> anyhow::Result<usize> {
        let mut frames = 0;
        loop {
            while let Some(text) = self.0.next_text()? {
                if !text.contains("cf_agent_use_chat_response") {
                    continue;
                }
                ensure!(!text.contains(r#""error":true"#), "{text}");
                if text.contains(end) {
                    return Ok(frames);
                }
                moments(text.as_bytes(), &mut each);
                frames += 1;
            }
            self.0.read().await?;
        }
    }

    /// A whole answer. Returns how many frames it was.
    async fn talk(&mut self, wish: Wish, mut each: impl FnMut(u64)) -> anyhow::Result<usize> {
        let mut heard = 0;
        self.ask(wish).await?;
        let frames = self.hear(r#""done":true"#, |moment| {
            heard += 1;
            each(moment);
        });
        let frames = frames.await?;
        ensure!(heard == wish.chunks, "{heard} of {} chunks arrived", wish.chunks);
        Ok(frames)
    }
}
