//! The recorded chat agents: what they answer depends on what is said to them.

mod script;

use std::time::Duration;

use hostel::prelude::*;
use hostel_chat::{Chat, ChatAgent as Chats, ChatSetup, ChatTurn, Policy};
use serde_json::Value;

use crate::text::PLAIN;

/// One class of the recording, with what becomes of messages that come in the middle of an answer.
macro_rules! chat_class {
    ($(#[$doc:meta])* $class:ident, $policy:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $class(Value);

        #[agent(extend = Chat)]
        impl $class {
            fn on_request(&self, request: &Request) -> Result<Response> {
                let body = format!("chat onRequest {}", request.uri().path());
                let builder = hostel::http::Response::builder().header("content-type", PLAIN);
                Ok(builder.body(Body::from(body))?)
            }

            #[callable]
            fn tables(&self, cx: &Cx<Self>) -> Result<Vec<Value>> {
                let query = "select name, sql from sqlite_master where type in ('table', 'index') order by name";
                Ok(cx.sql(query, ())?.iter().map(|row| row.to_json()).collect())
            }

            #[callable]
            fn dump(&self, cx: &Cx<Self>, table: &str) -> Result<Vec<Value>> {
                let quoted = table.replace('"', "\"\"");
                Ok(cx.sql(&format!("select * from \"{quoted}\""), ())?.iter().map(|row| row.to_json()).collect())
            }
        }

        impl Chats for $class {
            fn chat(&self, _: &Cx<Self>) -> ChatSetup<Self> {
                ChatSetup::new().concurrency(Policy::$policy)
            }

            async fn answer(cx: Cx<Self>, turn: ChatTurn<Self>) -> Result<()> {
                answer(&cx, &turn).await
            }
        }
    };
}

chat_class! {
    /// Answers one message after the other.
    ChatAgent, Queue
}
chat_class! {
    /// Of the messages that wait, answers the newest.
    ChatLatest, Latest
}
chat_class! {
    /// Takes no message while it answers another.
    ChatDrop, Drop
}

/// Says what the script has for what was said. What was said before a crash is not said again.
async fn answer<A>(cx: &Cx<A>, turn: &ChatTurn<A>) -> Result<()> {
    let said = turn.messages()?.last().map(|message| message.text()).unwrap_or_default();
    match said.as_str() {
        "none" => return Ok(()),
        "throw" => return Err(Error::msg("chat boom")),
        "prewait" => cx.sleep(Duration::from_millis(1500)).await,
        _ => {}
    }
    let rest = script::of(turn, &said).into_iter().skip(turn.logged()?.len());
    if !said.starts_with("slow") || turn.is_continuation() {
        return turn.emit_all(rest);
    }
    for chunk in rest {
        let is_word = chunk.kind() == "text-delta";
        turn.emit(chunk)?;
        if is_word {
            cx.sleep(Duration::from_millis(150)).await;
        }
    }
    Ok(())
}
