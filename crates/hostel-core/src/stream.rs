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
    connection::Connection,
    error::{Error, Result},
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

/// The untyped half behind [`Stream`]: which call on which connection.
#[derive(Clone)]
pub struct StreamHandle {
    connection: Connection,
    id: Arc<str>,
    ended: Arc<AtomicBool>,
}

impl StreamHandle {
    /// The stream of the call `id` on `connection`.
    pub fn new(connection: Connection, id: &str) -> Self {
        Self { connection, id: id.into(), ended: Arc::default() }
    }

    fn send(&self, chunk: &str) -> Result<()> {
        if self.ended.load(Ordering::Acquire) {
            return Err(Error::coded(Code::CallFailed, "The stream has ended; this chunk reached nobody.")
                .with_fix("send every chunk before `end`"));
        }
        self.connection.send(server::rpc_chunk(&self.id, chunk));
        Ok(())
    }

    /// Sends the final frame, unless one was sent.
    pub fn finish(&self, end: Result<Reply>) {
        if self.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        self.connection.send(match end {
            Ok(reply) => server::rpc_result(&self.id, reply.as_json()),
            Err(error) => error_frame(&self.id, &error),
        });
    }

    fn is_closed(&self) -> bool {
        self.ended.load(Ordering::Acquire) || !self.connection.is_open()
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
