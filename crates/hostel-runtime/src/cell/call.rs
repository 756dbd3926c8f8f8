//! Calls of methods, as frames or from inside the process.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, ready},
};

use hostel_core::{
    Args, Connection, Error, Reply, Result, allow,
    erased::{MethodInfo, Origin},
    event::{Event, Output},
    handler::Mode,
    stream::StreamHandle,
};
use hostel_protocol::{name::nearest, refusal::Code};
use parking_lot::Mutex;

use super::{
    Cell,
    cause::Why,
    keyed::Key,
    turn::{Awake, Turn},
};
use crate::reply::{ReplyTo, share};

/// Properties every JavaScript agent has: they exist, and are not callable (agents-protocol, 4.3).
const BUILT_IN: &[&str] = &[
    "toString",
    "constructor",
    "setState",
    "getCallableMethods",
    "valueOf",
    "hasOwnProperty",
    "isPrototypeOf",
    "toLocaleString",
    "propertyIsEnumerable",
    "broadcast",
    "schedule",
    "destroy",
    "sql",
    "onStart",
    "onConnect",
    "onMessage",
    "onClose",
    "onError",
    "onRequest",
    "onStateChanged",
    "onStateUpdate",
    "validateStateChange",
    "onAlarm",
];

impl Cell {
    /// Calls `method` and sees to it that `reply` is answered exactly once.
    pub(super) fn call(&self, method: &str, args: Args, key: Option<String>, cancel: bool, reply: ReplyTo) {
        self.metrics.calls.increment(1);
        let key = key.map(|key| Key::new(key, method, &args, reply.client()));
        match self.callable(method, &reply) {
            Ok((_, info)) if info.streaming && key.is_some() => {
                self.release(vec![reply.deliver(Err(streams_are_not_kept(method)))]);
            }
            Ok((index, info)) => {
                let stream = if info.streaming { self.stream(&reply) } else { None };
                let cancel = cancel || info.cancel_on_disconnect;
                if cancel && reply.is_abandoned() {
                    return;
                }
                let why = Why::call(info.name, reply.by());
                self.call_handler(
                    why,
                    Event::Call { method: index, args, stream: stream.clone() },
                    key,
                    reply,
                    stream,
                    cancel,
                );
            }
            Err(error) => self.release(vec![reply.deliver(Err(error))]),
        }
    }

    fn callable(&self, method: &str, reply: &ReplyTo) -> Result<(usize, &MethodInfo)> {
        let info = self.class.info();
        let found = info.method(method).map(|index| (index, &info.methods[index]));
        match found {
            Some((_, info)) if info.callable && info.streaming && !reply.takes_streams() => Err(needs_socket(method)),
            Some((index, info)) if info.callable => {
                self.check_allowed(info, reply)?;
                Ok((index, info))
            }
            Some(_) => Err(self.not_callable(method)),
            None if BUILT_IN.contains(&method) => Err(self.not_callable(method)),
            None => Err(self.no_method(method)),
        }
    }

    /// Asks the method's rules, if it has any and a client calls.
    fn check_allowed(&self, info: &MethodInfo, reply: &ReplyTo) -> Result<()> {
        match reply.client() {
            Some(client) if !info.allow.is_empty() && !allow::permits(info.allow, client, self.id.name()) => {
                Err(Error::from_refusal(allow::denied(client)))
            }
            _ => Ok(()),
        }
    }

    fn not_callable(&self, method: &str) -> Error {
        let class = &self.class.info().class;
        Error::coded(Code::MethodNotCallable, format!("Method {method} is not callable")).with_fix(format!(
            "mark it #[callable] in {class} to open it to clients; callable now: {}",
            self.callables()
        ))
    }

    fn no_method(&self, method: &str) -> Error {
        let callables = self.class.info().methods.iter().filter(|m| m.callable).map(|m| m.name);
        let fix = match nearest(method, callables) {
            Some(near) => format!("did you mean \"{near}\"? Callable: {}", self.callables()),
            None => format!("callable: {}", self.callables()),
        };
        Error::coded(Code::MethodNotFound, format!("Method {method} does not exist")).with_fix(fix)
    }

    fn callables(&self) -> String {
        let names: Vec<_> = self.class.info().methods.iter().filter(|m| m.callable).map(|m| m.name).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }

    fn origin_of(&self, reply: &ReplyTo) -> Origin {
        match reply.peer() {
            Some(peer) => self.origin(Some(peer)),
            None => Origin {
                call: reply.incoming().cloned(),
                identity: reply.client().flatten().cloned(),
                back: reply.way_back().cloned(),
                ..self.origin(None)
            },
        }
    }

    fn stream(&self, reply: &ReplyTo) -> Option<StreamHandle> {
        match reply {
            ReplyTo::Frame { peer, id } => {
                Some(StreamHandle::new(Connection::new(Arc::clone(&peer.record), self.arc()), id))
            }
            ReplyTo::Waiting(.., ways) => Some(StreamHandle::to_tap(self.arc(), ways.as_ref()?.tap.clone()?, "")),
        }
    }

    fn call_handler(
        &self,
        why: Why,
        event: Event,
        key: Option<Key>,
        reply: ReplyTo,
        stream: Option<StreamHandle>,
        cancel: bool,
    ) {
        match self.class.mode(&event) {
            Some(Mode::Task) => self.call_task(why, event, key, reply, stream, cancel),
            Some(mode) => self.call_turn(&why, mode, event, key.as_ref(), reply, stream.as_ref()),
            None => self.release(vec![reply.deliver(Err(needs_socket("this method")))]),
        }
    }

    /// A call that is one turn: its result is stored in the very transaction that made it.
    fn call_turn(
        &self,
        why: &Why,
        mode: Mode,
        event: Event,
        key: Option<&Key>,
        reply: ReplyTo,
        stream: Option<&StreamHandle>,
    ) {
        let peer = reply.peer().cloned();
        let origin = self.origin_of(&reply);
        let turn = Turn { caller: peer.as_ref().map(|peer| &peer.record), cause: why.cause(), ..Turn::own(mode) };
        let work = |awake: &mut Awake| {
            if let Some(stored) = self.stored(key)? {
                return Ok(stored);
            }
            let answer = as_reply(awake.instance.run(&origin, event)?);
            let answer = if key.is_some() { self.masked_answer(Ok(answer))? } else { answer };
            self.store(key, &answer)?;
            if let Some(stream) = stream {
                stream.finish(Ok(Reply::undefined()));
            }
            Ok(answer)
        };
        self.turn(&turn, work, |answer, deliveries| match (answer, stream, peer.as_ref()) {
            // The stream's last frame is an effect of the turn.
            (Ok(_), Some(_), Some(peer)) => peer.end_call(),
            (answer, ..) => deliveries.push(self.deliver(reply, answer)),
        });
    }

    /// A call that waits. With a key, a repetition under way joins the first.
    fn call_task(
        &self,
        why: Why,
        event: Event,
        key: Option<Key>,
        reply: ReplyTo,
        stream: Option<StreamHandle>,
        cancel: bool,
    ) {
        let peer = reply.peer().cloned();
        let origin = self.origin_of(&reply);
        let Some(reply) = self.begin_keyed(key.as_ref(), reply) else { return };
        let mut pending = Pending { cell: self.arc(), why: why.clone(), rest: Some((key, reply, stream)) };
        match peer {
            None if cancel => self.call_until_abandoned(why, origin, event, pending),
            peer => {
                let task = self.start_task(why, origin, event, move |_, outcome| pending.end(outcome.map(as_reply)));
                if let (true, Some(task), Some(peer)) = (cancel, task, peer) {
                    peer.cancel_with_me(task);
                }
            }
        }
    }

    /// A call that ends at its next wait once nobody waits for its answer.
    fn call_until_abandoned(&self, why: Why, origin: Origin, event: Event, pending: Pending) {
        let pending = Arc::new(Mutex::new(Some(pending)));
        let watched = Arc::clone(&pending);
        let abandoned =
            poll_fn(move |cx| watched.lock().as_mut().map_or(Poll::Pending, |pending| pending.abandoned(cx)));
        self.start_task_until(abandoned, why, origin, event, move |_, outcome| {
            let pending = pending.lock().take();
            if let Some(mut pending) = pending {
                pending.end(outcome.map(as_reply));
            }
        });
    }

    /// The answer on its way. Frames are masked at the gate, with all others.
    fn deliver(&self, reply: ReplyTo, answer: Result<Reply>) -> crate::gate::Delivery {
        let answer = if reply.peer().is_none() { self.masked_answer(answer) } else { answer };
        reply.deliver(answer)
    }

    fn end_stream(&self, stream: &StreamHandle, reply: ReplyTo, answer: Result<Reply>) {
        if let Some(peer) = reply.peer() {
            peer.end_call();
            return stream.finish(answer.map(|_| Reply::undefined()));
        }
        // Whoever waits inside the process has the frames first, the last of them included.
        stream.finish(answer.as_ref().map(|_| Reply::undefined()).map_err(share));
        self.release(vec![self.deliver(reply, answer)]);
    }

    fn finish_call(&self, why: &Why, key: Option<Key>, reply: ReplyTo, answer: Result<Reply>) {
        let Some(key) = key else { return self.release(vec![self.deliver(reply, answer)]) };
        let answer = self.masked_answer(answer);
        let mut stored = Ok(());
        if let Ok(answer) = &answer {
            let turn = Turn { cause: why.cause(), ..Turn::own(Mode::Read) };
            self.turn(&turn, |_| self.store(Some(&key), answer), |result, _| stored = result);
        }
        let answer = stored.and(answer);
        let again = |other: ReplyTo| other.deliver(answer.as_ref().map(Clone::clone).map_err(share));
        let mut deliveries: Vec<_> = self.take_joined(&key).into_iter().map(again).collect();
        deliveries.push(reply.deliver(answer));
        self.release(deliveries);
    }
}

fn needs_socket(method: &str) -> Error {
    Error::coded(Code::MethodNotCallable, format!("Method {method} streams, and this caller cannot take a stream"))
        .with_fix("call it over a WebSocket")
}

fn streams_are_not_kept(method: &str) -> Error {
    let message = format!("Method {method} streams, and the result of a stream is not kept.");
    Error::coded(Code::InvalidArguments, message).with_fix("call it without an idempotency key")
}

fn as_reply(output: Output) -> Reply {
    match output {
        Output::Reply(answer) => answer,
        _ => Reply::undefined(),
    }
}

/// An async call under way. It is answered exactly once, even if its work is broken off.
struct Pending {
    cell: Arc<Cell>,
    why: Why,
    rest: Option<(Option<Key>, ReplyTo, Option<StreamHandle>)>,
}

impl Pending {
    fn end(&mut self, answer: Result<Reply>) {
        match self.rest.take() {
            Some((_, reply, Some(stream))) => self.cell.end_stream(&stream, reply, answer),
            Some((key, reply, None)) => self.cell.finish_call(&self.why, key, reply, answer),
            None => {}
        }
    }

    /// Ready once nobody waits for the answer, nor for that of the same call under its key.
    fn abandoned(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some((key, reply, _)) = &mut self.rest else { return Poll::Pending };
        ready!(reply.poll_abandoned(cx));
        if key.as_ref().is_some_and(|key| self.cell.is_joined(key)) { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let message = format!("The call was broken off: its caller left, or {} had to restart.", self.cell.id);
        self.end(Err(Error::coded(Code::AgentUnavailable, message).with_fix("call again")));
    }
}
