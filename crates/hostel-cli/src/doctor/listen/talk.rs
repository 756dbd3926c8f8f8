//! The open socket of a client: each frame is judged, and answered so that the client goes on.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use hostel_protocol::client::{ClientFrame, FaultKind, FrameFault, parse};
use hostel_protocol::name::{AgentPath, Route, kebab, route};
use hostel_protocol::server::{MCP_SERVERS_EMPTY, identity, rpc_error};
use tokio::time::timeout;
use yawc::HttpWebSocket;
use yawc::frame::{Frame, OpCode};

use super::Visitor;
use super::examine::Note;
use crate::doctor::Break;

/// Greets the client as a server would and judges what it sends until it leaves.
pub(super) async fn talk(mut socket: HttpWebSocket, path: &str, visitor: &Visitor) {
    let (agent, name) = match route(path, "agents") {
        Route::Agent(AgentPath { agent, name, .. }) => (kebab(agent), name),
        Route::NoMatch(_) => ("doctor".to_owned(), "default"),
    };
    let greeting = [identity(&agent, name, false), MCP_SERVERS_EMPTY.to_owned()];
    for text in greeting {
        if socket.send(Frame::text(text)).await.is_err() {
            return visitor.say("it left before the identity frame was sent");
        }
    }
    visitor.say("the WebSocket is open and the identity frame sent");
    while let Some(frame) = socket.next().await {
        let reply = match frame.opcode() {
            OpCode::Text => judge(frame.as_str(), visitor),
            OpCode::Binary => {
                visitor
                    .say(&format!("a binary message of {} bytes, for the agent's on_message", frame.payload().len()));
                None
            }
            OpCode::Close => {
                visitor.say(&goodbye(&frame));
                // Polling on sends our goodbye.
                let _ = timeout(Duration::from_secs(1), socket.next()).await;
                return;
            }
            _ => None,
        };
        if let Some(reply) = reply
            && socket.send(Frame::text(reply)).await.is_err()
        {
            break;
        }
    }
    visitor.say("the connection broke off without a goodbye");
}

/// What to say about a frame, and what to answer.
fn judge(text: &str, visitor: &Visitor) -> Option<String> {
    match parse(text) {
        ClientFrame::Rpc(call) => {
            visitor.note(&Note::Right(format!("a call of {}, correctly", call.method)));
            let error = "`hostel doctor --listen` answers no calls; this one arrived as it should.";
            Some(rpc_error(&call.id, error, Some(("call_failed", Some("Start the server again.")))))
        }
        ClientFrame::State(update) => {
            let size = update.state.get().len();
            visitor.note(&Note::Right(format!("a new state of {size} bytes, which replaces the whole state")));
            None
        }
        ClientFrame::Chat(chat) => {
            visitor.note(&Note::Right(format!("a chat frame, {}", chat.kind.as_str())));
            None
        }
        ClientFrame::Unknown(fault) => {
            visitor.note(&fault_note(&fault));
            Some(fault.refusal().to_error_frame())
        }
    }
}

fn fault_note(fault: &FrameFault) -> Note {
    let refusal = fault.refusal();
    let sentence = match fault.kind {
        // Agents may well speak a language of their own in messages that are no frames.
        FaultKind::NotJson | FaultKind::NotObject => {
            format!("{} It would be given to the agent's on_message.", refusal.message)
        }
        _ => refusal.message,
    };
    let fix = refusal.fix.unwrap_or_default();
    Note::Wrong(Break::known("client", refusal.code, sentence, fix))
}

fn goodbye(frame: &Frame) -> String {
    let reason = frame.close_reason().ok().flatten().unwrap_or_default();
    match frame.close_code() {
        Some(code) => format!("it closed the connection with {} {reason}", u16::from(code)).trim_end().to_owned(),
        None => "it closed the connection without a code".to_owned(),
    }
}

/// A client that came back `times` within a minute.
pub(super) fn reconnecting(times: usize) -> Note {
    Note::Wrong(Break::new(
        "client",
        "reconnect_loop",
        format!("It connected {times} times within a minute."),
        "Keep the connection outside of rendering: in React, options of useAgent must not be new objects on every render.",
    ))
}
