//! The open WebSocket: identity, path, state, a call, frames.

use std::time::Duration;

use hostel_client::{Call, Client, Error, Event, Events, Identity};
use hostel_protocol::client::{ClientFrame, parse};
use hostel_protocol::server::ServerFrame;
use tokio::time::timeout;

use super::{Break, Doctor, Stop, explain, path};

/// A name that no agent gives to a method: its refusal shows that calls are answered.
const PING: &str = "hostelDoctorPing";

/// The calls of another protocol.
const FOREIGN: &str = r#"{"type":"call","id":"doctor","method":"ping","args":[]}"#;

/// How long the answer to a single frame may take.
const PATIENCE: Duration = Duration::from_secs(2);

impl Doctor<'_> {
    pub(super) async fn session(&mut self, client: &Client, events: Option<Events>) -> Result<(), Stop> {
        let identity = self.identity(client).await?;
        if let Some(identity) = &identity {
            self.sub_path(identity)?;
            self.state(client, identity).await?;
        }
        self.call(client).await?;
        match events {
            Some(mut events) => self.frames(client, &mut events).await,
            None => Ok(()),
        }
    }

    async fn identity(&mut self, client: &Client) -> Result<Option<Identity>, Stop> {
        match client.identity().await {
            Ok(identity) => {
                let text = format!("this is {}/{}", identity.agent, identity.name);
                self.report.passed("identity", &text)?;
                Ok(Some(identity))
            }
            Err(Error::Closed(closed)) => {
                let broken = explain::closed("identity", &closed);
                Err(self.improved(broken).await.into())
            }
            // The agent may have protocol frames turned off for this connection: then calls still work.
            Err(_) if client.call(Call::new(PING, Vec::new())).await.is_ok_or_refused() => {
                self.report.skipped("identity", "none came; the agent sends no protocol frames here")?;
                Ok(None)
            }
            Err(_) => Err(Break::new(
                "identity",
                "no_frames",
                "The WebSocket is open, but nothing that the server sends arrives.",
                "Turn response buffering off in the proxy (nginx: proxy_buffering off), and check that it passes WebSockets.",
            )
            .into()),
        }
    }

    fn sub_path(&mut self, identity: &Identity) -> Result<(), Stop> {
        let Some(rest) = path::stray(self.target.path(), identity) else {
            return Ok(());
        };
        if self.args.allow_sub_path {
            return Ok(self.report.passed("path", &format!("the sub-path {rest} is meant"))?);
        }
        let whole = self.target.path().trim_end_matches('/');
        let right = self.target.with_path(whole[..whole.len() - rest.len()].trim_end_matches('/'));
        let sentence = format!(
            "The path goes on behind the instance's name: {rest:?} is a sub-path of which a WebSocket makes nothing."
        );
        let fix = format!("Drop the option `path` of the client and use {right} (--allow-sub-path if it is meant).");
        Err(Break::new("path", "stray_sub_path", sentence, fix).into())
    }

    async fn state(&mut self, client: &Client, identity: &Identity) -> Result<(), Stop> {
        match client.state().await {
            Ok(Some(state)) => {
                let size = state.to_string().len();
                Ok(self.report.passed("state", &format!("it came, {size} bytes"))?)
            }
            Ok(None) => Ok(self.report.skipped("state", "the agent has none")?),
            Err(Error::Closed(closed)) => Err(explain::closed("state", &closed).into()),
            Err(_) if !identity.state_follows => Ok(self.report.skipped("state", "none came")?),
            Err(_) => Err(Break::new(
                "state",
                "state_missing",
                "The server announced a state frame and did not send it, so clients never become ready.",
                "Look into the log of the server; it must send the state right after the identity.",
            )
            .into()),
        }
    }

    async fn call(&mut self, client: &Client) -> Result<(), Stop> {
        match client.call(Call::new(PING, Vec::new())).await {
            Ok(_) => {}
            Err(Error::Call(reason)) if is_unknown_method(&reason) => {}
            Err(Error::Call(reason)) => return Err(explain::reason("call", &reason).into()),
            Err(Error::Closed(closed)) => return Err(explain::closed("call", &closed).into()),
            Err(_) => {
                return Err(Break::new(
                    "call",
                    "call_unanswered",
                    "A call is not answered: frames reach the client, but what the client sends does not arrive or is dropped.",
                    "Check that the proxy passes messages in both directions, and the log of the server for a blocked agent.",
                )
                .into());
            }
        }
        Ok(self.report.passed("call", "calls are answered")?)
    }

    async fn frames(&mut self, client: &Client, events: &mut Events) -> Result<(), Stop> {
        if self.args.dialect_check {
            self.dialect(client, events).await?;
        }
        if let Some(frame) = &self.args.frame {
            self.frame(frame, client, events).await?;
        }
        Ok(())
    }

    async fn dialect(&mut self, client: &Client, events: &mut Events) -> Result<(), Stop> {
        match said_to(FOREIGN, client, events).await {
            Answered::Refused(code, ..) if code == "foreign_dialect" => {
                Ok(self.report.passed("dialect", "frames of another protocol are explained")?)
            }
            _ => Ok(self.report.skipped("dialect", "this server drops frames of another protocol in silence")?),
        }
    }

    async fn frame(&mut self, frame: &str, client: &Client, events: &mut Events) -> Result<(), Stop> {
        let fault = match parse(frame) {
            ClientFrame::Unknown(fault) => Some(fault),
            _ => None,
        };
        match (said_to(frame, client, events).await, fault) {
            (Answered::Refused(code, sentence, fix), _) => {
                let reason = hostel_client::Reason { message: sentence, code: Some(code), fix };
                Err(explain::reason("frame", &reason).into())
            }
            (Answered::Closed(closed), _) => Err(explain::closed("frame", &closed).into()),
            (_, Some(fault)) => {
                let refusal = fault.refusal();
                let fix = refusal.fix.unwrap_or_default();
                Err(Break::known("frame", refusal.code, refusal.message, fix).into())
            }
            (Answered::Something | Answered::Nothing, None) => {
                Ok(self.report.passed("frame", "the frame is one of the protocol")?)
            }
        }
    }
}

fn is_unknown_method(reason: &hostel_client::Reason) -> bool {
    reason.code.as_deref() == Some("method_not_found") || reason.message.contains("does not exist")
}

trait Answering {
    fn is_ok_or_refused(&self) -> bool;
}

impl<T> Answering for Result<T, Error> {
    fn is_ok_or_refused(&self) -> bool {
        matches!(self, Ok(_) | Err(Error::Call(_)))
    }
}

/// What came back for a frame.
enum Answered {
    Refused(String, String, Option<String>),
    Closed(hostel_client::Closed),
    Something,
    Nothing,
}

/// Sends a frame and waits for the first answer that can only be meant for it.
async fn said_to(frame: &str, client: &Client, events: &mut Events) -> Answered {
    if client.send_text(frame).await.is_err() {
        return Answered::Closed(client.closed().await);
    }
    let watch = async {
        let mut sent = false;
        while let Some(event) = events.next().await {
            match event {
                Event::Sent(text) => sent |= text == frame,
                Event::Text { frame: ServerFrame::HostelError { code, error, fix }, .. } if sent => {
                    return Answered::Refused(code, error, fix);
                }
                Event::Text { frame: ServerFrame::StateError { error, code, fix, .. }, .. } if sent => {
                    return Answered::Refused(code.unwrap_or_else(|| "state_rejected".to_owned()), error, fix);
                }
                Event::Text { frame: ServerFrame::Rpc(_), .. } if sent => return Answered::Something,
                Event::Closed(closed) => return Answered::Closed(closed),
                _ => {}
            }
        }
        Answered::Nothing
    };
    timeout(PATIENCE, watch).await.unwrap_or(Answered::Nothing)
}
