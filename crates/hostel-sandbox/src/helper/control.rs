//! The control socket, from the helper's side: it is standard input.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::io::{read, write};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::stdio::stdin;

use super::failed;
use crate::order::{Order, Word};

/// Says a word to the server. That it is gone is found out elsewhere.
pub(super) fn say(word: &Word) {
    let Ok(mut line) = serde_json::to_vec(word) else { return };
    line.push(b'\n');
    let mut rest = &line[..];
    while !rest.is_empty() {
        match write(stdin(), rest) {
            Ok(written) => rest = &rest[written..],
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// The order, and the command's input, output and errors.
pub(super) fn receive() -> Result<(Order, [OwnedFd; 3]), String> {
    let fds = descriptors()?;
    let mut length = [0; 4];
    read_exact(&mut length)?;
    let mut text = vec![0; u32::from_le_bytes(length) as usize];
    read_exact(&mut text)?;
    let order = serde_json::from_slice(&text).map_err(failed("the order cannot be read"))?;
    Ok((order, fds))
}

fn descriptors() -> Result<[OwnedFd; 3], String> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut first = [0; 1];
    recvmsg(stdin(), &mut [IoSliceMut::new(&mut first)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)
        .map_err(failed("the server said nothing"))?;
    let fds: Vec<OwnedFd> = ancillary
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        })
        .flatten()
        .collect();
    fds.try_into().map_err(|_| "the server gave no input and output".to_owned())
}

fn read_exact(buffer: &mut [u8]) -> Result<(), String> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read(stdin(), &mut buffer[filled..]) {
            Ok(0) => return Err("the server left".to_owned()),
            Ok(got) => filled += got,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}
