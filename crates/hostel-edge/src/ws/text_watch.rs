//! Finds text that is not UTF-8 while its frame is still arriving.
//!
//! The library checks a frame when it is whole; a peer that sends a bad byte
//! and then waits would wait for ever. This follows the frames as they come
//! off the network and looks only into text that comes in pieces.

/// How a client's frames have been understood so far.
#[derive(Debug, Default)]
pub(super) struct TextWatch {
    state: State,
    /// The current message is text, and not compressed.
    text: bool,
    /// The beginning of a character that has not come whole.
    carry: [u8; 3],
    carried: usize,
}

#[derive(Debug)]
enum State {
    /// Bytes of a frame's head.
    Head { bytes: [u8; MAX_HEAD], have: usize },
    /// Inside a payload.
    Payload { left: u64, mask: [u8; 4], look: bool },
    /// Not masked, or otherwise for the library to refuse.
    Off,
}

const MAX_HEAD: usize = 14;
/// Bytes unmasked at a time.
const PIECE: usize = 512;

impl Default for State {
    fn default() -> Self {
        Self::Head { bytes: [0; MAX_HEAD], have: 0 }
    }
}

impl TextWatch {
    /// Takes the next bytes from the network; `false` when text in them can
    /// not become valid any more.
    pub(super) fn accepts(&mut self, mut bytes: &[u8]) -> bool {
        while let Some((&first, rest)) = bytes.split_first() {
            match &mut self.state {
                State::Off => return true,
                State::Head { bytes: head, have } => {
                    head[*have] = first;
                    *have += 1;
                    bytes = rest;
                    if *have == head_length(&head[..*have]) {
                        let head = *head;
                        self.begin(&head, bytes.len());
                    }
                }
                State::Payload { left, mask, look } => {
                    let take = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    let (now, later) = bytes.split_at(take);
                    let (key, look) = (*mask, *look);
                    *left -= take as u64;
                    mask.rotate_left(take % 4);
                    if *left == 0 {
                        self.state = State::default();
                    }
                    if look && !self.is_text(now, key) {
                        self.state = State::Off;
                        return false;
                    }
                    bytes = later;
                }
            }
        }
        true
    }

    fn begin(&mut self, head: &[u8; MAX_HEAD], here: usize) {
        let Some((left, mask)) = measure(head) else {
            self.state = State::Off;
            return;
        };
        let (last, compressed, opcode) = (head[0] & 0x80 != 0, head[0] & 0x40 != 0, head[0] & 0x0f);
        if matches!(opcode, TEXT | BINARY) {
            self.text = opcode == TEXT && !compressed;
            self.carried = 0;
        }
        // The library is about to look at a whole message itself.
        let whole = opcode == TEXT && last && left <= here as u64;
        let look = self.text && matches!(opcode, TEXT | CONTINUATION) && !whole;
        self.state = match left {
            0 => State::default(),
            left => State::Payload { left, mask, look },
        };
    }

    fn is_text(&mut self, payload: &[u8], mask: [u8; 4]) -> bool {
        // A multiple of four: each piece begins with the same byte of the mask.
        payload.chunks(PIECE).all(|piece| self.is_text_piece(piece, mask))
    }

    fn is_text_piece(&mut self, piece: &[u8], mask: [u8; 4]) -> bool {
        let mut plain = [0; PIECE + 3];
        plain[..self.carried].copy_from_slice(&self.carry[..self.carried]);
        let length = self.carried + piece.len();
        for (index, (plain, byte)) in plain[self.carried..].iter_mut().zip(piece).enumerate() {
            *plain = byte ^ mask[index % 4];
        }
        let rest = match str::from_utf8(&plain[..length]) {
            Ok(_) => &[],
            Err(error) if error.error_len().is_some() => return false,
            Err(error) => &plain[error.valid_up_to()..length],
        };
        self.carried = rest.len();
        self.carry[..rest.len()].copy_from_slice(rest);
        true
    }
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// How long the head is that begins so; more than `head` has while that is open.
fn head_length(head: &[u8]) -> usize {
    match head.get(1).map(|second| (second & 0x7f, second & 0x80)) {
        None => 2,
        Some((_, 0)) => head.len(),
        Some((126, _)) => 8,
        Some((127, _)) => 14,
        Some(_) => 6,
    }
}

/// Payload length and mask; `None` for a frame without a mask.
fn measure(head: &[u8; MAX_HEAD]) -> Option<(u64, [u8; 4])> {
    let [_, second, rest @ ..] = head;
    let length = second & 0x7f;
    (second & 0x80 != 0).then(|| {
        let (length, at) = match length {
            126 => (u64::from(u16::from_be_bytes([rest[0], rest[1]])), 2),
            127 => (u64::from_be_bytes(rest[..8].try_into().expect("eight bytes")), 8),
            short => (u64::from(short), 0),
        };
        (length, rest[at..at + 4].try_into().expect("four bytes"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match u16::try_from(payload.len()).unwrap() {
            short @ 0..126 => frame.push(0x80 | u8::try_from(short).unwrap()),
            long => {
                frame.push(0x80 | 126);
                frame.extend(long.to_be_bytes());
            }
        }
        frame.extend(MASK);
        frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
        frame
    }

    /// The number of bytes taken when the fault shows, fed in steps of `step`.
    fn fault_at(bytes: &[u8], step: usize) -> Option<usize> {
        let mut watch = TextWatch::default();
        let mut taken = 0;
        bytes.chunks(step).find_map(|chunk| {
            taken += chunk.len();
            (!watch.accepts(chunk)).then_some(taken)
        })
    }

    #[test]
    fn valid_traffic_is_never_refused_however_it_is_cut() {
        let text = "κόσμε 𝄞 ".repeat(200);
        let traffic = [
            frame(0x81, text.as_bytes()),
            frame(0x82, &[0xff; 300]),
            frame(0x01, &text.as_bytes()[..401]),
            frame(0x89, &[0xff; 10]),
            frame(0x00, b""),
            frame(0x00, &text.as_bytes()[401..402]),
            frame(0x80, &text.as_bytes()[402..]),
            frame(0xC1, &[0xff; 200]),
            frame(0x81, b""),
            frame(0x88, b"\x03\xe8"),
        ]
        .concat();
        for step in 1..=traffic.len() {
            assert_eq!(fault_at(&traffic, step), None, "{step}");
        }
    }

    #[test]
    fn a_bad_byte_is_noticed_when_it_arrives() {
        let bad = frame(0x81, b"\xce\xba\xf4\x90\x80\x80\x65");
        // Six bytes of head, two good letters' bytes, then F4 90: beyond U+10FFFF.
        assert_eq!(fault_at(&bad, 1), Some(10));
        let in_two = [frame(0x01, b"\xf4"), frame(0x80, b"\x90rest")].concat();
        assert_eq!(fault_at(&in_two, 1), Some(7 + 7));
        let long = frame(0x81, &[&[b'x'; 1000][..], b"\xff", &[b'x'; 1000]].concat());
        assert_eq!(fault_at(&long, 500), Some(1500));
    }

    #[test]
    fn arbitrary_bytes_never_panic() {
        let mut seed = 1_u64;
        for _ in 0..2_000 {
            let noise: Vec<u8> = (0..64)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (seed >> 56) as u8
                })
                .collect();
            fault_at(&noise, 1 + (seed >> 60) as usize);
        }
    }
}
