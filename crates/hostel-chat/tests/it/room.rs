//! The chat from inside the process.

use futures_util::StreamExt;
use hostel::prelude::*;
use hostel_chat::{Entry, Room, Say};
use serde_json::json;

use super::support::{Gate, Talker, home, stored, texts, until_end};

#[tokio::test]
async fn what_is_said_inside_is_answered_like_anything_else_and_can_be_followed() {
    let home = home(&Gate::closed()).await;
    let mut page = home.connect("talker/x").await;
    let said = page.call("say", json!(["hi"])).await;
    until_end(&mut page, said["turn"].as_str().unwrap()).await;
    let followed = page.call("follow", json!([said["seq"]])).await;
    let lines: Vec<String> = serde_json::from_value(followed).unwrap();
    assert_eq!(lines.first().map(String::as_str), Some("said"));
    assert_eq!(lines.last().map(String::as_str), Some("end done"));
    assert!(lines.iter().any(|line| line.contains("text-delta")));
    assert_eq!(texts(&stored(&home, "talker/x").await)[1].1, "You said: hi body={} tools=0");
}

/// What the log has from `seq` on, to the end of the first turn.
pub(super) async fn follow(cx: &Cx<Talker>, seq: u64) -> Result<Vec<String>> {
    let mut log = std::pin::pin!(Room::of(cx).stream_from(seq));
    let mut lines = Vec::new();
    while let Some(entry) = log.next().await {
        match entry?.1 {
            Entry::Chunk { body, .. } => lines.push(body),
            Entry::Said(_) => lines.push("said".into()),
            Entry::End { state, .. } => {
                lines.push(format!("end {state}"));
                break;
            }
            other => lines.push(format!("{other:?}")),
        }
    }
    Ok(lines)
}

pub(super) fn say(cx: &Cx<Talker>, text: &str) -> Result<serde_json::Value> {
    let said = Room::of(cx).say(Say::text(text))?;
    Ok(json!({"turn": said.turn, "seq": said.seq}))
}
