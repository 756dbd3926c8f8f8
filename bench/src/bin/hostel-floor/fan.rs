//! Every message goes to all other sockets, its bytes shared.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use futures_util::{Sink, Stream};
use yawc::{Frame, WebSocketError};

use crate::{echo::answer, socket::Socket};

/// All sockets.
#[derive(Default)]
pub(crate) struct Room {
    members: RefCell<BTreeMap<u64, Rc<Member>>>,
    next: Cell<u64>,
}

#[derive(Default)]
struct Member {
    queue: RefCell<Vec<Frame>>,
    waker: RefCell<Option<Waker>>,
}

impl Room {
    fn send(&self, from: u64, frame: &Frame) {
        for (_, member) in self.members.borrow().iter().filter(|(id, _)| **id != from) {
            member.queue.borrow_mut().push(frame.clone());
            if let Some(waker) = member.waker.borrow_mut().take() {
                waker.wake();
            }
        }
    }
}

/// Serves one socket until it ends.
pub(crate) async fn run(mut socket: Socket, room: &Room) {
    let id = room.next.replace(room.next.get() + 1);
    let me = Rc::new(Member::default());
    room.members.borrow_mut().insert(id, Rc::clone(&me));
    let _ended = poll_fn(|cx| poll_member(&mut socket, room, id, &me, cx)).await;
    room.members.borrow_mut().remove(&id);
}

fn poll_member(
    socket: &mut Socket,
    room: &Room,
    id: u64,
    me: &Member,
    cx: &mut Context<'_>,
) -> Poll<Result<(), WebSocketError>> {
    while let Poll::Ready(frame) = Pin::new(&mut *socket).poll_next(cx) {
        match frame {
            Some(frame) => answer(frame).iter().for_each(|frame| room.send(id, frame)),
            None => return Poll::Ready(Ok(())),
        }
    }
    *me.waker.borrow_mut() = Some(cx.waker().clone());
    for frame in me.queue.borrow_mut().drain(..) {
        Pin::new(&mut *socket).start_send(frame)?;
    }
    match Pin::new(socket).poll_flush(cx) {
        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        _ => Poll::Pending,
    }
}
