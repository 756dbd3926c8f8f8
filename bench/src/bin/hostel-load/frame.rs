//! WebSocket frames as a client writes and reads them, and no more of the protocol than the load needs.

/// Masks are there to defeat caches; a fixed one costs the server the same.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;

/// A text message, masked.
pub(crate) fn text(payload: &str) -> Vec<u8> {
    encode(TEXT, payload.as_bytes())
}

/// A close frame without a reason.
pub(crate) fn close() -> Vec<u8> {
    encode(CLOSE, &1000_u16.to_be_bytes())
}

/// A pong that answers an empty ping.
pub(crate) fn pong() -> Vec<u8> {
    encode(0x8a, b"")
}

fn encode(head: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![head];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | short as u8),
        long => {
            frame.push(0x80 | 126);
            let long = u16::try_from(long).unwrap_or(u16::MAX);
            frame.extend(long.to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// What a server's frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Close,
    Ping,
    Other,
}

/// Where the first whole frame of `bytes` has its payload, and what it is.
pub(crate) fn decode(bytes: &[u8]) -> Option<(Kind, std::ops::Range<usize>)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (start, len) = match second & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        short => (2, usize::from(short)),
    };
    let kind = match first & 0x0f {
        1 => Kind::Text,
        8 => Kind::Close,
        9 => Kind::Ping,
        _ => Kind::Other,
    };
    (bytes.len() >= start + len).then_some((kind, start..start + len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_only_when_it_is_whole() {
        let mut bytes = vec![0x81, 3];
        bytes.extend(b"ab");
        assert_eq!(decode(&bytes), None);
        bytes.extend(b"c!");
        assert_eq!(decode(&bytes), Some((Kind::Text, 2..5)));
    }

    #[test]
    fn what_is_masked_twice_is_what_it_was() {
        let frame = text("hello");
        let unmasked: Vec<u8> = frame[6..].iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        assert_eq!(unmasked, b"hello");
        assert_eq!(text(&"x".repeat(300))[1..4], [0xfe, 1, 44]);
    }
}
