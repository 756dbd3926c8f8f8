//! Puts fragments together: any number of them, a bounded number of bytes, and
//! text checked as it arrives.

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use yawc::{Frame, OpCode};

use super::{Incoming, WsError};

/// Payloads up to this size are copied out of the read buffer, so that a
/// message kept by its receiver does not keep the buffer.
const COPY_BELOW: usize = 4 << 10;

/// A message of which the last fragment has not come yet.
pub(super) struct Assembly {
    text: bool,
    bytes: BytesMut,
    /// Of a text: how many bytes are known to be whole, valid characters.
    checked: usize,
}

impl Assembly {
    /// Takes a data frame; gives a message when it is complete.
    pub(super) fn push(slot: &mut Option<Box<Self>>, frame: Frame, limit: usize) -> Result<Option<Incoming>, WsError> {
        let (opcode, last, payload) = frame.into_parts();
        let text = opcode == OpCode::Text;
        match (slot.as_mut(), opcode == OpCode::Continuation) {
            (None, true) => Err(WsError::Protocol("a continuation of nothing")),
            (Some(_), false) => Err(WsError::Protocol("a new message inside another")),
            (None, false) if last => whole(text, payload).map(Some),
            (None, false) => {
                let mut assembly = Box::new(Self { text, bytes: BytesMut::new(), checked: 0 });
                assembly.append(&payload, limit)?;
                *slot = Some(assembly);
                Ok(None)
            }
            (Some(assembly), true) => {
                assembly.append(&payload, limit)?;
                match slot.take_if(|_| last) {
                    Some(assembly) => assembly.finish().map(Some),
                    None => Ok(None),
                }
            }
        }
    }

    fn append(&mut self, payload: &[u8], limit: usize) -> Result<(), WsError> {
        if payload.len() > limit - self.bytes.len() {
            return Err(WsError::TooBig { limit });
        }
        self.bytes.extend_from_slice(payload);
        if self.text {
            self.check()?;
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), WsError> {
        match str::from_utf8(&self.bytes[self.checked..]) {
            Ok(valid) => self.checked += valid.len(),
            Err(error) if error.error_len().is_some() => return Err(WsError::NotUtf8),
            Err(error) => self.checked += error.valid_up_to(),
        }
        Ok(())
    }

    fn finish(self) -> Result<Incoming, WsError> {
        whole(self.text, self.bytes.freeze())
    }
}

fn whole(text: bool, payload: Bytes) -> Result<Incoming, WsError> {
    let payload = if payload.len() < COPY_BELOW { Bytes::copy_from_slice(&payload) } else { payload };
    if !text {
        return Ok(Incoming::Binary(payload));
    }
    match ByteString::try_from(payload) {
        Ok(text) => Ok(Incoming::Text(text)),
        Err(_) => Err(WsError::NotUtf8),
    }
}
