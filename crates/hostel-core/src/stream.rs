//! The sending half of a streaming call.

use std::{
    fmt,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use hostel_protocol::{refusal::Code, server};
use serde::Serialize;

use crate::{
    connection::{Connection, Message},
    error::{Error, Result},
    host::{Effect, Host},
    reply::Reply,
};

/// Chunks of type `T` to the caller of a streaming method.
///
/// The stream ends with [`Stream::end`], with [`Stream::end_with`], or by itself when the method returns; an error the
/// method returns ends it too. After the end, sending fails and reaches nobody.
#[derive(Debug, Clone)]
pub struct Stream<T> {
    handle: StreamHandle,
    _chunks: PhantomData<fn(T)>,
}

impl<T: Serialize> Stream<T> {
    /// Sends one chunk.
    ///
    /// # Errors
    /// When the stream has ended, or serde refuses the chunk.
    pub fn send(&self, chunk: &T) -> Result<()> {
        self.handle.send(&serde_json::to_string(chunk)?)
    }

    /// Ends the stream without a final value.
    pub fn end(&self) {
        self.handle.finish(Ok(Reply::undefined()));
    }

    /// Ends the stream with a final value.
    ///
    /// # Errors
    /// When serde refuses the value.
    pub fn end_with<V: Serialize + ?Sized>(&self, value: &V) -> Result<()> {
        self.handle.finish(Ok(Reply::json(value)?));
        Ok(())
    }

    /// Ends the stream with an error.
    pub fn error(&self, message: &str) {
        self.handle.finish(Err(Error::msg(message)));
    }

    /// Whether nobody listens any more: the stream has ended or its caller has left.
    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }
}

impl<T> From<StreamHandle> for Stream<T> {
    fn from(handle: StreamHandle) -> Self {
        Self { handle, _chunks: PhantomData }
    }
}

/// The untyped half behind [`Stream`]: which call, and whom it answers.
#[derive(Clone)]
pub struct StreamHandle {
    to: Listener,
    id: Arc<str>,
    ended: Arc<AtomicBool>,
}

/// Who made a streaming call.
#[derive(Clone)]
enum Listener {
    Connection(Connection),
    Tap(Arc<dyn Host>, Tap),
}

/// Takes the frames of a streaming call in place of a connection: for callers inside the process. It is handed each frame
/// when the turns before it are durable.
#[derive(Clone)]
pub struct Tap(Arc<dyn Fn(Message) + Send + Sync>);

impl Tap {
    /// Hands the frames to `take`, which must not wait.
    pub fn new(take: impl Fn(Message) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    /// Hands over one frame.
    pub fn take(&self, frame: Message) {
        (self.0)(frame);
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}

impl StreamHandle {
    /// The stream of the call `id` on `connection`.
    pub fn new(connection: Connection, id: &str) -> Self {
        Self { to: Listener::Connection(connection), id: id.into(), ended: Arc::default() }
    }

    /// The stream of the call `id` to somebody inside the process.
    pub fn to_tap(host: Arc<dyn Host>, tap: Tap, id: &str) -> Self {
        Self { to: Listener::Tap(host, tap), id: id.into(), ended: Arc::default() }
    }

    fn put(&self, frame: String) {
        match &self.to {
            Listener::Connection(connection) => connection.send(frame),
            Listener::Tap(host, tap) => host.emit(Effect::Tap { to: tap.clone(), frame: frame.into() }),
        }
    }

    fn send(&self, chunk: &str) -> Result<()> {
        if self.ended.load(Ordering::Acquire) {
            return Err(Error::coded(Code::CallFailed, "The stream has ended; this chunk reached nobody.")
                .with_fix("send every chunk before `end`"));
        }
        self.put(server::rpc_chunk(&self.id, chunk));
        Ok(())
    }

    /// Sends the final frame, unless one was sent.
    pub fn finish(&self, end: Result<Reply>) {
        if self.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        self.put(match end {
            Ok(reply) => server::rpc_result(&self.id, reply.as_json()),
            Err(error) => error_frame(&self.id, &error),
        });
    }

    fn is_closed(&self) -> bool {
        let left = matches!(&self.to, Listener::Connection(connection) if !connection.is_open());
        self.ended.load(Ordering::Acquire) || left
    }
}

/// The failure frame of a call (agents-protocol, 4.2); code and fix are ours, and absent for the agent's own errors.
pub fn error_frame(id: &str, error: &Error) -> String {
    server::rpc_error(id, error.message(), error.label().map(|code| (code, error.fix())))
}

impl fmt::Debug for StreamHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamHandle").field("id", &self.id).finish_non_exhaustive()
    }
}
