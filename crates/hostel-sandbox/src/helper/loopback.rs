//! Switching on the loopback of the command's own network: servers that it tests listen there.

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};

/// The message "interface 1 is up", as the kernel wants it: a header, then what to change.
fn message() -> Vec<u8> {
    const NEW_LINK: u16 = 16;
    const REQUEST_AND_ACK: u16 = 0x1 | 0x4;
    const UP: u32 = 1;
    let mut out = Vec::with_capacity(32);
    out.extend(32u32.to_ne_bytes());
    out.extend(NEW_LINK.to_ne_bytes());
    out.extend(REQUEST_AND_ACK.to_ne_bytes());
    out.extend(1u32.to_ne_bytes());
    out.extend(0u32.to_ne_bytes());
    out.extend([0, 0]);
    out.extend(0u16.to_ne_bytes());
    out.extend(1i32.to_ne_bytes());
    out.extend(UP.to_ne_bytes());
    out.extend(UP.to_ne_bytes());
    out
}

pub(super) fn up() -> std::io::Result<()> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    sendto(&socket, &message(), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0u8; 256];
    let (got, _) = recv(&socket, &mut answer[..], RecvFlags::empty())?;
    // The answer to a wish is an error message with a number: 0 if it was granted.
    let number =
        answer.get(16..20).filter(|_| got >= 20).and_then(|bytes| bytes.try_into().ok()).map_or(0, i32::from_ne_bytes);
    if number == 0 { Ok(()) } else { Err(std::io::Error::from_raw_os_error(-number)) }
}
