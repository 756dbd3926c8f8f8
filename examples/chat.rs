//! An agent that chats, with an answer of its own: it repeats what it hears, asks before it forgets, and can use a tool of the page.
//!
//! ```sh
//! cargo run -p hostel-chat --example chat
//! ```
//!
//! Say something with `useAgentChat({ agent: useAgent({ agent: "parrot", name: "main" }) })`, or read what was said:
//!
//! ```sh
//! curl http://127.0.0.1:8787/agents/parrot/main/get-messages
//! ```

use std::time::Duration;

use hostel::{prelude::*, serde_json::json};
use hostel_chat::{Chat, ChatAgent, ChatSetup, ChatTurn, wire::Chunk};

/// Repeats what it hears, word by word.
#[derive(Default, Serialize, Deserialize)]
struct Parrot {
    answered: u64,
}

#[agent(extend = Chat)]
impl Parrot {
    /// How many answers it has given.
    #[callable]
    fn answered(&self) -> u64 {
        self.answered
    }
}

impl ChatAgent for Parrot {
    fn chat(&self, _: &Cx<Self>) -> ChatSetup<Self> {
        ChatSetup::new()
    }

    async fn answer(cx: Cx<Self>, turn: ChatTurn<Self>) -> Result<()> {
        let heard = turn.messages()?.last().map(|message| message.text()).unwrap_or_default();
        let chunks = match heard.trim() {
            _ if turn.is_continuation() => words("Very well."),
            "forget" => ask(&turn),
            "where am I?" => place(&turn),
            heard => words(heard),
        };
        // What was said before a crash is not said again.
        for chunk in chunks.into_iter().skip(turn.logged()?.len()) {
            turn.emit(chunk)?;
            cx.sleep(Duration::from_millis(100)).await;
        }
        cx.update(|me| me.answered += 1)
    }
}

fn words(text: &str) -> Vec<Chunk> {
    let mut chunks = vec![Chunk::new("start"), Chunk::start_step(), Chunk::text_start("t")];
    chunks.extend(text.split_inclusive(' ').map(|word| Chunk::text_delta("t", word)));
    chunks.extend([Chunk::text_end("t"), Chunk::finish_step(), Chunk::finish("stop")]);
    chunks
}

/// Somebody has to say yes first. Until then the turn costs nothing.
fn ask(turn: &ChatTurn<Parrot>) -> Vec<Chunk> {
    turn.suspend();
    vec![
        Chunk::new("start"),
        Chunk::start_step(),
        Chunk::tool_input_available("call", "forget", json!({"what": "everything"})),
        Chunk::tool_approval_request("approval", "call"),
        Chunk::finish_step(),
        Chunk::finish("tool-calls"),
    ]
}

/// The page knows where it is.
fn place(turn: &ChatTurn<Parrot>) -> Vec<Chunk> {
    turn.suspend();
    vec![
        Chunk::new("start"),
        Chunk::start_step(),
        Chunk::tool_input_available("call", "getLocation", json!({})),
        Chunk::finish_step(),
        Chunk::finish("tool-calls"),
    ]
}

#[tokio::main]
async fn main() -> Result<()> {
    Ok(App::new().agent::<Parrot>().serve("127.0.0.1:8787").await?)
}
