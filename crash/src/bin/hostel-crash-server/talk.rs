//! An agent that chats, and says what it hears a word at a time.

use hostel::prelude::*;
use hostel_chat::{Chat, ChatAgent, ChatSetup, ChatTurn, wire::Chunk};

/// What is said to it is written down, and answered, while the server is killed again and again.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct TalkAgent;

#[agent(extend = Chat)]
impl TalkAgent {}

impl ChatAgent for TalkAgent {
    fn chat(&self, _: &Cx<Self>) -> ChatSetup<Self> {
        ChatSetup::new()
    }

    async fn answer(_: Cx<Self>, turn: ChatTurn<Self>) -> Result<()> {
        let heard = turn.messages()?.last().map(|message| message.text()).unwrap_or_default();
        let answer = format!("You said: {heard}");
        let mut chunks = vec![Chunk::new("start"), Chunk::text_start("t")];
        chunks.extend(answer.split_inclusive(' ').map(|word| Chunk::text_delta("t", word)));
        chunks.extend([Chunk::text_end("t"), Chunk::finish("stop")]);
        // What was said before a crash is not said again.
        for chunk in chunks.into_iter().skip(turn.logged()?.len()) {
            turn.emit(chunk)?;
        }
        Ok(())
    }
}
