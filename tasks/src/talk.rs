//! One question to the agent, every approval answered with yes, until it is done.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, anyhow, bail};
use hostel_client::{Call, Client, Event, Events, Options, Target};
use serde_json::{Value, json};

use crate::hall::AGENT;

/// What a talk took.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Took {
    pub(crate) steps: u64,
    pub(crate) tokens: u64,
    pub(crate) cost: Option<f64>,
}

/// How a talk ended.
pub(crate) enum Ended {
    /// The agent was done.
    Done,
    /// It was not, when the time was up.
    Late,
}

/// Asks, and waits for the end.
///
/// # Errors
/// What the model's provider or the server says: nothing of it is the agent's fault.
pub(crate) async fn talk(address: SocketAddr, prompt: &str, time: Duration) -> Result<(Ended, Took)> {
    let target = Target::parse(AGENT, &format!("http://{address}"))?;
    let (client, mut events) = Client::connect_with_events(&target, &Options::default()).await?;
    client.identity().await?;
    client.send_text(question(prompt)).await?;
    let ended = match tokio::time::timeout(time, done(&client, &mut events)).await {
        Ok(outcome) => outcome.map(|()| Ended::Done)?,
        Err(_) => Ended::Late,
    };
    Ok((ended, took(&client).await.unwrap_or_default()))
}

fn question(prompt: &str) -> String {
    let message = json!({"id": "task", "role": "user", "parts": [{"type": "text", "text": prompt}]});
    let body = json!({"messages": [message], "trigger": "submit-message"}).to_string();
    let request = json!({"id": "r1", "init": {"method": "POST", "body": body}, "type": "cf_agent_use_chat_request"});
    request.to_string()
}

async fn done(client: &Client, events: &mut Events) -> Result<()> {
    let mut asked: Vec<String> = Vec::new();
    loop {
        let frame = frame(events).await?;
        let chunk: Value = frame["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
        if frame["type"] == "cf_agent_stream_resuming" {
            client.send_text(json!({"type": "cf_agent_stream_resume_ack", "id": frame["id"]}).to_string()).await?;
        }
        if frame["error"] == true || chunk["type"] == "error" {
            let why = chunk["errorText"].as_str().or(frame["body"].as_str()).unwrap_or("the answer failed");
            bail!("{why}");
        }
        if chunk["type"] == "tool-approval-request" {
            asked.extend(chunk["toolCallId"].as_str().map(str::to_owned));
        }
        if frame["done"] != true {
            continue;
        }
        if asked.is_empty() {
            return Ok(());
        }
        for call in asked.drain(..) {
            let yes =
                json!({"type": "cf_agent_tool_approval", "toolCallId": call, "approved": true, "autoContinue": true});
            client.send_text(yes.to_string()).await?;
        }
    }
}

/// The next frame of the chat.
async fn frame(events: &mut Events) -> Result<Value> {
    loop {
        match events.next().await.context("the connection has ended")? {
            Event::Text { text, .. } if text.contains("_chat_") || text.contains("stream_resum") => {
                return Ok(serde_json::from_str(&text)?);
            }
            Event::Closed(closed) => return Err(anyhow!("the connection was closed: {closed:?}")),
            _ => {}
        }
    }
}

async fn took(client: &Client) -> Result<Took> {
    let usage = client.call(Call::new("usage", Vec::new())).await?;
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    Ok(Took {
        steps: number(&usage["steps"]),
        tokens: number(&usage["tokens"]["input"]) + number(&usage["tokens"]["output"]),
        cost: usage["cost"].as_f64(),
    })
}
