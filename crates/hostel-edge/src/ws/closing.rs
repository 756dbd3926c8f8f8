//! The goodbye: our close frame, the peer's, and a prompt end of the stream.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::time::{Sleep, sleep};

use super::wire::Wire;

/// How long a peer has to take part before the stream is simply dropped.
const GRACE: Duration = Duration::from_secs(2);
/// Of a control frame.
const MAX_PAYLOAD: usize = 125;

/// Whose turn it is once our close frame is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Await {
    /// We closed first: the peer answers with a close frame.
    CloseFrame,
    /// Both have said goodbye, or the peer cannot be understood any more.
    End,
}

pub(super) struct Closing {
    frame: Bytes,
    pub(super) wait: Await,
    deadline: Pin<Box<Sleep>>,
    shut: bool,
}

impl Closing {
    pub(super) fn new(code: Option<u16>, reason: &str, wait: Await) -> Self {
        Self { frame: close_frame(code, reason), wait, deadline: Box::pin(sleep(GRACE)), shut: false }
    }

    pub(super) fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        self.deadline.as_mut().poll(cx).is_ready()
    }

    /// Writes our close frame; an error counts as written, there is nobody to tell.
    pub(super) fn poll_write(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> Poll<()> {
        while !self.frame.is_empty() {
            match ready!(Pin::new(&mut *wire).poll_write(cx, &self.frame)) {
                Ok(written) if written > 0 => drop(self.frame.split_to(written)),
                _ => self.give_up(),
            }
        }
        if ready!(Pin::new(wire).poll_flush(cx)).is_err() {
            self.give_up();
        }
        Poll::Ready(())
    }

    /// Ends our direction, then waits until the peer has ended its own.
    pub(super) fn poll_end(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> Poll<()> {
        if !self.shut {
            let _ended = ready!(Pin::new(&mut *wire).poll_shutdown(cx));
            self.shut = true;
        }
        wire.poll_drain(cx)
    }

    fn give_up(&mut self) {
        self.frame = Bytes::new();
        self.wait = Await::End;
    }
}

fn close_frame(code: Option<u16>, reason: &str) -> Bytes {
    let Some(code) = code.filter(|&code| may_be_sent(code)) else {
        return Bytes::from_static(&[0x88, 0]);
    };
    let reason = &reason[..reason.floor_char_boundary(MAX_PAYLOAD - 2)];
    let length = u8::try_from(2 + reason.len()).expect("at most 125");
    let mut frame = Vec::with_capacity(4 + reason.len());
    frame.extend([0x88, length]);
    frame.extend(code.to_be_bytes());
    frame.extend(reason.as_bytes());
    frame.into()
}

fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_two_characters() {
        let frame = close_frame(Some(4404), &"ä".repeat(100));
        assert_eq!(frame.len(), 4 + 122);
        assert_eq!(frame[1], 124);
        assert!(str::from_utf8(&frame[4..]).is_ok());
    }

    #[test]
    fn codes_that_may_not_be_sent_leave_the_frame_empty() {
        for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            assert_eq!(close_frame(Some(code), "x"), [0x88, 0][..], "{code}");
        }
        assert_eq!(close_frame(None, ""), [0x88, 0][..]);
    }
}
