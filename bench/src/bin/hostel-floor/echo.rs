//! Every message goes back.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use yawc::{Frame, OpCode, WebSocketError};

use crate::socket::Socket;

/// One flush a message.
pub(crate) async fn one_by_one(mut socket: Socket) {
    while let Some(frame) = socket.next().await {
        if let Some(frame) = answer(frame)
            && socket.send(frame).await.is_err()
        {
            return;
        }
    }
}

/// One flush for all that is ready.
pub(crate) async fn batched(mut socket: Socket) {
    let _ended = poll_fn(|cx| poll_batch(&mut socket, cx)).await;
}

fn poll_batch(socket: &mut Socket, cx: &mut Context<'_>) -> Poll<Result<(), WebSocketError>> {
    loop {
        match Pin::new(&mut *socket).poll_next(cx) {
            Poll::Ready(Some(frame)) => {
                if let Some(frame) = answer(frame) {
                    Pin::new(&mut *socket).start_send(frame)?;
                }
            }
            Poll::Ready(None) => return Poll::Ready(Ok(())),
            Poll::Pending => break,
        }
    }
    match Pin::new(socket).poll_flush(cx) {
        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        _ => Poll::Pending,
    }
}

/// The same bytes, without the client's mask. Controls the library answers itself.
pub(crate) fn answer(frame: Frame) -> Option<Frame> {
    let (opcode, _, payload) = frame.into_parts();
    match opcode {
        OpCode::Text => Some(Frame::text(payload)),
        OpCode::Binary => Some(Frame::binary(payload)),
        _ => None,
    }
}
