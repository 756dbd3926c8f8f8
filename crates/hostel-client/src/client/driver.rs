//! The two tasks of a connection: one reads, one writes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use hostel_protocol::server::{RpcResponse, ServerFrame, parse_server};
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::time::timeout;
use yawc::close::CloseCode;
use yawc::frame::{Frame, OpCode};

use super::{Event, Identity, Outgoing, Seen, Shared, Warning};
use crate::call::json;
use crate::error::{Closed, Conflict, Reason};
use crate::handshake::Socket;

/// How long the end of a connection may take once one side has said goodbye.
const GOODBYE: Duration = Duration::from_secs(2);
/// How many warnings are kept for whoever waits to hear how its state fared.
const KEPT_WARNINGS: usize = 16;

pub(super) fn spawn(
    socket: Socket,
    queue: mpsc::Receiver<Outgoing>,
    shared: Arc<Shared>,
    events: Option<mpsc::Sender<Event>>,
) {
    let (sink, stream) = socket.split();
    let (stop, stopped) = mpsc::channel::<()>(1);
    let writer = tokio::spawn(write(sink, queue, events.clone(), stopped));
    tokio::spawn(async move {
        let mut reader = Reader { stream, shared, events };
        let closed = tokio::select! {
            closed = reader.run() => closed,
            () = silent_after_goodbye(writer) => Closed { code: 1006, reason: String::new(), said: None },
        };
        drop(stop);
        reader.end(closed).await;
    });
}

/// Returns when the writer has said goodbye and the server did not answer it in time.
async fn silent_after_goodbye(writer: tokio::task::JoinHandle<()>) {
    // A writer that was cancelled has nothing more to say either.
    let _ = writer.await;
    tokio::time::sleep(GOODBYE).await;
}

async fn write(
    mut sink: SplitSink<Socket, Frame>,
    mut queue: mpsc::Receiver<Outgoing>,
    events: Option<mpsc::Sender<Event>>,
    mut stopped: mpsc::Receiver<()>,
) {
    loop {
        let next = tokio::select! {
            next = queue.recv() => next.unwrap_or(Outgoing::Close { code: 1000, reason: String::new() }),
            _ = stopped.recv() => return,
        };
        let (frame, last) = match next {
            Outgoing::Text(text) => {
                if let Some(events) = &events {
                    // Nobody watches any more if it fails.
                    let _ = events.send(Event::Sent(text.clone())).await;
                }
                (Frame::text(text), false)
            }
            Outgoing::Close { code, reason } => (Frame::close(CloseCode::from(code), reason), true),
        };
        if sink.send(frame).await.is_err() || last {
            return;
        }
    }
}

struct Reader {
    stream: SplitStream<Socket>,
    shared: Arc<Shared>,
    events: Option<mpsc::Sender<Event>>,
}

impl Reader {
    async fn run(&mut self) -> Closed {
        while let Some(frame) = self.stream.next().await {
            match frame.opcode() {
                OpCode::Text => self.text(frame.as_str()).await,
                OpCode::Binary => self.show(Event::Binary(frame.payload().clone())).await,
                OpCode::Close => return self.goodbye(&frame).await,
                _ => {}
            }
        }
        Closed { code: 1006, reason: String::new(), said: None }
    }

    /// Reads the server's goodbye; polling on sends ours.
    async fn goodbye(&mut self, frame: &Frame) -> Closed {
        let _ = timeout(GOODBYE, self.stream.next()).await;
        Closed {
            code: frame.close_code().map_or(1005, u16::from),
            reason: frame.close_reason().ok().flatten().unwrap_or_default().to_owned(),
            said: None,
        }
    }

    async fn text(&mut self, text: &str) {
        let frame = parse_server(text);
        if let ServerFrame::Rpc(RpcResponse { id, outcome }) = &frame {
            self.shared.waiting.deliver(id, outcome.clone());
        } else {
            self.shared.seen.send_modify(|seen| seen.take(&frame));
        }
        self.show(Event::Text { text: text.to_owned(), frame }).await;
    }

    async fn show(&mut self, event: Event) {
        if let Some(events) = &self.events
            && events.send(event).await.is_err()
        {
            self.events = None;
        }
    }

    async fn end(mut self, mut closed: Closed) {
        self.shared.seen.send_modify(|seen| {
            closed.said = seen.said.clone();
            seen.closed = Some(closed.clone());
        });
        self.shared.waiting.forget_all();
        self.show(Event::Closed(closed)).await;
    }
}

impl Seen {
    fn take(&mut self, frame: &ServerFrame) {
        match frame {
            ServerFrame::Identity { agent, name, state_follows } => {
                self.identity =
                    Some(Identity { agent: agent.clone(), name: name.clone(), state_follows: *state_follows });
            }
            ServerFrame::State { state, version } => {
                self.state = Some(Arc::from(state.clone()));
                self.version.clone_from(version);
                self.ready |= self.identity.is_some();
            }
            ServerFrame::McpServers { .. } => self.ready = true,
            ServerFrame::StateAccepted { version } => self.version = Some(version.clone()),
            ServerFrame::StateError { error, code, fix, current, version } => {
                let reason = reason(error, code.as_ref(), fix.as_ref());
                self.refused_states += 1;
                self.state_error = Some(reason.clone());
                self.conflict = conflict(reason, current.as_deref(), version.as_ref());
                if let (Some(state), Some(_)) = (current, &self.conflict) {
                    self.state = Some(Arc::from(state.clone()));
                    self.version.clone_from(version);
                }
            }
            ServerFrame::HostelWarning { code, warning, fix, fields } => {
                self.warned += 1;
                if self.warnings.len() == KEPT_WARNINGS {
                    self.warnings.pop_front();
                }
                self.warnings.push_back(Warning {
                    code: code.clone(),
                    message: warning.clone(),
                    fix: fix.clone(),
                    fields: fields.clone(),
                });
            }
            ServerFrame::HostelError { code, error, fix } => {
                let reason = reason(error, Some(code), fix.as_ref());
                self.said = Some(reason.clone());
                self.refused_states += 1;
                self.state_error = Some(reason);
                self.conflict = None;
            }
            ServerFrame::SessionError { error } => self.said = Some(reason(error, None, None)),
            _ => {}
        }
    }
}

fn conflict(reason: Reason, current: Option<&RawValue>, version: Option<&String>) -> Option<Conflict> {
    Some(Conflict { reason, state: json(current?), version: version?.clone() })
}

fn reason(message: &str, code: Option<&String>, fix: Option<&String>) -> Reason {
    Reason { message: message.to_owned(), code: code.cloned(), fix: fix.cloned() }
}
