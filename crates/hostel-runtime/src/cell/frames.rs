//! Messages of a connection: protocol frames, the application's own, and those nobody understands.

use std::sync::Arc;

use bytestring::ByteString;
use hostel_core::{Args, Connection, Error, Message, Result, event::Event, extension::Frame};
use hostel_protocol::{
    OneLine,
    client::{ChatFrame, ClientFrame, FrameFault, RpcRequest, parse},
    refusal::{Code, Refusal},
    server,
};

use super::Cell;
use crate::{peer::Peer, reply::ReplyTo, storage};

impl Cell {
    pub(super) fn message(&self, peer: &Arc<Peer>, message: Message) {
        let Message::Text(text) = &message else { return self.application(peer, message, None) };
        let fault = match parse(text) {
            ClientFrame::Rpc(rpc) => return self.call_frame(peer, text, &rpc),
            ClientFrame::State(update) => return self.state_frame_from(peer, &update),
            ClientFrame::Chat(chat) => return self.chat_frame(peer, &chat, text),
            ClientFrame::Unknown(fault) => fault,
        };
        self.application(peer, message, Some(fault));
    }

    fn call_frame(&self, peer: &Arc<Peer>, frame: &ByteString, rpc: &RpcRequest<'_>) {
        let id: Arc<str> = rpc.id.as_ref().into();
        let reply = ReplyTo::Frame { peer: Arc::clone(peer), id: Arc::clone(&id) };
        let limit = self.node.options.calls_per_connection;
        if peer.begin_call(limit) {
            let key = rpc.idempotency_key.as_deref().map(str::to_owned);
            return self.call(&rpc.method, args_in(frame, rpc), key, false, reply);
        }
        let error =
            Error::coded(Code::TooManyCalls, format!("More than {limit} calls of this connection are under way."))
                .with_fix("wait for answers before calling again");
        self.send(peer, hostel_core::stream::error_frame(&id, &error));
    }

    /// A frame for the class's extension.
    fn chat_frame(&self, peer: &Arc<Peer>, chat: &ChatFrame<'_>, text: &ByteString) {
        if !self.class.info().extension.frames {
            return self.answer_refusal(peer, &no_chat(chat));
        }
        let frame = Frame { kind: chat.kind, text: text.clone() };
        let connection = Connection::new(Arc::clone(&peer.record), self.arc());
        let sender = Arc::clone(peer);
        self.run_hook(Event::Frame(connection, frame.clone()), Some(peer), move |cell, outcome| {
            if let Err(error) = outcome {
                cell.frame_failed(&sender, &frame, error);
            }
        });
    }

    fn frame_failed(&self, peer: &Arc<Peer>, frame: &Frame, error: Error) {
        match self.class.frame_failed(frame, &error) {
            Some(message) => self.release(vec![crate::gate::Delivery::Send(Arc::clone(peer), message)]),
            None => self.answer_refusal(peer, &error.to_refusal(Code::Internal)),
        }
        self.report("a chat frame", error);
    }

    /// A message that is no protocol frame: the application's, or, if it takes none, a mistake that is answered.
    fn application(&self, peer: &Arc<Peer>, message: Message, fault: Option<FrameFault>) {
        let connection = Connection::new(Arc::clone(&peer.record), self.arc());
        let event = Event::Message(connection, message);
        if self.class.mode(&event).is_some() {
            return self.hook(event, Some(peer), "on_message");
        }
        match fault {
            Some(fault) => self.answer_fault(peer, &fault),
            None => self.answer_refusal(peer, &self.no_binary()),
        }
    }

    fn answer_fault(&self, peer: &Arc<Peer>, fault: &FrameFault) {
        let refusal = fault.refusal();
        if let Some(id) = &fault.call_id {
            self.note_refusal(peer, &refusal);
            let extra = (refusal.code.as_str(), refusal.fix.as_deref());
            return self.send(peer, server::rpc_error(id, &refusal.message, Some(extra)));
        }
        self.answer_refusal(peer, &refusal);
    }

    pub(super) fn answer_refusal(&self, peer: &Arc<Peer>, refusal: &Refusal) {
        self.note_refusal(peer, refusal);
        self.send(peer, refusal.to_error_frame());
    }

    fn note_refusal(&self, peer: &Arc<Peer>, refusal: &Refusal) {
        self.metrics.frames_refused.increment(1);
        tracing::warn!(
            agent = %self.id, connection = %peer.record.id.escape_debug(), code = refusal.code.as_str(),
            "a frame was refused: {}", OneLine(&refusal.message)
        );
    }

    fn no_binary(&self) -> Refusal {
        let class = &self.class.info().class;
        Refusal::new(Code::UnknownFrame, format!("{class} takes no binary messages: it has no on_message."))
            .with_fix(format!("add `on_message` to {class}, or send a text frame such as {{\"type\":\"rpc\", ..}}"))
    }

    /// Sends a frame that rests on no write, in its place among the others.
    pub(super) fn send(&self, peer: &Arc<Peer>, frame: String) {
        self.release(vec![crate::gate::Delivery::Send(Arc::clone(peer), frame.into())]);
    }

    pub(super) fn sql_now(&self, query: &str, params: &[hostel_core::SqlValue]) -> Result<hostel_core::Rows> {
        let masked = self.masked_params(query, params)?;
        let params = masked.as_deref().unwrap_or(params);
        let limit = self.node.options.turn_deadline;
        let deadline = *self.scratch.lock().sql_deadline.get_or_insert_with(|| std::time::Instant::now() + limit);
        let mut store = self.store.lock();
        let Some(db) = store.as_mut() else { return Err(super::turn::asleep(self)) };
        db.set_deadline(Some(deadline));
        db.sql(query, params).map_err(storage::error)
    }

    /// SQL on our own tables. What is in them is masked like everything an agent stores.
    pub(super) fn own_sql_now(&self, query: &str, params: &[hostel_core::SqlValue]) -> Result<hostel_core::Rows> {
        let masked = self.masked_params(query, params)?;
        let params = masked.as_deref().unwrap_or(params);
        let mut store = self.store.lock();
        let Some(db) = store.as_mut() else { return Err(super::turn::asleep(self)) };
        db.own_sql(query, params).map_err(storage::error)
    }
}

/// The arguments stay where they are, in the frame's own bytes.
fn args_in(frame: &ByteString, rpc: &RpcRequest<'_>) -> Args {
    match rpc.args.get() {
        "[]" => Args::none(),
        args => Args::from_json(frame.as_bytes().slice_ref(args.as_bytes())),
    }
}

fn no_chat(chat: &ChatFrame<'_>) -> Refusal {
    let message = format!("This agent does not chat: it cannot answer a {} frame.", chat.kind.as_str());
    Refusal::new(Code::ChatNotAvailable, message)
        .with_fix("call its methods with `agent.call`, or use an agent that chats")
}
