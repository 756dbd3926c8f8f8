//! A client that says something, waits for the whole answer, and says the next thing; and whoever only listens.

use hostel_client::{Client, Event, Events};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{account::Told, ledger::Ledger};

/// The number of an agent, and which of its conversations.
type At = (usize, u64);

/// Says one thing after the other, until one is not answered.
pub(crate) async fn speak(
    client: &Client,
    mut events: Events,
    (ledger, at): (&Ledger, At),
    session: &str,
    stop: &CancellationToken,
) {
    for number in 1.. {
        let op = format!("{session}.{number}");
        ledger.send_talk(at, &op);
        if client.send_text(ask(&op)).await.is_err() {
            return;
        }
        tokio::select! {
            answered = until_answered(&mut events, ledger, at, &op) => if !answered { return },
            () = stop.cancelled() => return,
        }
    }
}

fn ask(op: &str) -> String {
    let message = json!({"id": op, "role": "user", "parts": [{"type": "text", "text": op}]});
    let body = json!({"messages": [message], "trigger": "submit-message"}).to_string();
    json!({"type": "cf_agent_use_chat_request", "id": op, "init": {"method": "POST", "body": body}}).to_string()
}

async fn until_answered(events: &mut Events, ledger: &Ledger, at: At, op: &str) -> bool {
    while let Some(event) = events.next().await {
        let Event::Text { text, .. } = event else { continue };
        let frame: Value = serde_json::from_str(&text).unwrap_or_default();
        hear(ledger, at, &frame, Some(op));
        if frame["id"] == op && frame["done"] == true {
            return frame["error"] != true;
        }
    }
    false
}

/// Notes what a frame shows to somebody, who said `mine` and waits for its answer.
pub(crate) fn hear(ledger: &Ledger, at: At, frame: &Value, mine: Option<&str>) {
    match frame["type"].as_str() {
        Some("cf_agent_use_chat_response") if frame["error"] != true => {
            let op = frame["id"].as_str().unwrap_or_default();
            let kind = if mine == Some(op) { Told::Answered } else { Told::Shown };
            ledger.told_talk(at, op, kind, frame["done"] == true && frame["outcome"].is_null());
        }
        Some("cf_agent_chat_messages") => {
            let messages = frame["messages"].as_array().into_iter().flatten();
            for message in messages.filter(|message| message["role"] == "user") {
                ledger.told_talk(at, message["id"].as_str().unwrap_or_default(), Told::Shown, false);
            }
        }
        _ => {}
    }
}
