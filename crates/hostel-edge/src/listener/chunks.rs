//! Follows a chunked body as strictly as the head is read, to know where the
//! next request begins.

use super::Fault;

/// Bytes of extensions and trailers of one body.
const MAX_EXTRAS: usize = 8 << 10;

#[derive(Debug)]
pub(super) struct Chunks {
    state: State,
    extras: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size { value: u64, digits: u8 },
    Extension { value: u64 },
    SizeEnd { value: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    LineStart,
    Trailer,
    TrailerEnd,
    LastLf,
    Done,
}

const FRESH: State = State::Size { value: 0, digits: 0 };
const BROKEN: Fault = Fault::Malformed("The chunked body is malformed.");

impl Chunks {
    pub(super) fn new() -> Self {
        Self { state: FRESH, extras: 0 }
    }

    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// How many of `bytes` belong to the body.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let mut at = 0;
        while at < bytes.len() && !self.is_done() {
            if let State::Data { left } = self.state {
                let room = usize::try_from(left).unwrap_or(usize::MAX);
                let now = room.min(bytes.len() - at);
                at += now;
                let left = left - now as u64;
                self.state = if left == 0 { State::DataCr } else { State::Data { left } };
            } else {
                self.step(bytes[at])?;
                at += 1;
            }
        }
        Ok(at)
    }

    fn step(&mut self, byte: u8) -> Result<(), Fault> {
        use State as S;
        self.state = match (self.state, byte) {
            (S::Size { value, digits }, b';') if digits > 0 => S::Extension { value },
            (S::Size { value, digits }, b'\r') if digits > 0 => S::SizeEnd { value },
            (S::Size { value, digits }, _) => size(value, digits, byte)?,
            (S::Extension { value }, b'\r') => S::SizeEnd { value },
            (S::SizeEnd { value: 0 }, b'\n') => S::LineStart,
            (S::SizeEnd { value }, b'\n') => S::Data { left: value },
            (S::DataCr, b'\r') => S::DataLf,
            (S::DataLf, b'\n') => FRESH,
            (S::LineStart, b'\r') => S::LastLf,
            (S::Trailer, b'\r') => S::TrailerEnd,
            (S::TrailerEnd, b'\n') => S::LineStart,
            (S::LastLf, b'\n') => S::Done,
            (state @ (S::Extension { .. } | S::LineStart | S::Trailer), _) => self.extra(state, byte)?,
            _ => return Err(BROKEN),
        };
        Ok(())
    }

    fn extra(&mut self, state: State, byte: u8) -> Result<State, Fault> {
        self.extras += 1;
        if self.extras > MAX_EXTRAS || (byte.is_ascii_control() && byte != b'\t') {
            return Err(BROKEN);
        }
        match state {
            State::LineStart if matches!(byte, b' ' | b'\t') => Err(BROKEN),
            State::LineStart => Ok(State::Trailer),
            same => Ok(same),
        }
    }
}

fn size(value: u64, digits: u8, byte: u8) -> Result<State, Fault> {
    let digit = char::from(byte).to_digit(16).ok_or(BROKEN)?;
    if digits == 15 {
        return Err(BROKEN);
    }
    Ok(State::Size { value: value * 16 + u64::from(digit), digits: digits + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let mut chunks = Chunks::new();
        let taken = chunks.take(bytes)?;
        Ok(chunks.is_done().then_some(taken))
    }

    #[test]
    fn a_body_ends_where_it_says() {
        let simple = b"5\r\nhello\r\n0\r\n\r\nGET /";
        assert_eq!(body(simple), Ok(Some(simple.len() - 5)));
        let rich = b"A;name=v\r\n0123456789\r\n000\r\nT: x\r\nU: y\r\n\r\n";
        assert_eq!(body(rich), Ok(Some(rich.len())));
        assert_eq!(body(b"5\r\nhel"), Ok(None));
    }

    #[test]
    fn a_body_may_arrive_byte_by_byte() {
        let bytes = b"3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n";
        let mut chunks = Chunks::new();
        for byte in bytes {
            assert_eq!(chunks.take(&[*byte]), Ok(1));
        }
        assert!(chunks.is_done());
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for bytes in [
            &b"5\nhello\r\n0\r\n\r\n"[..],
            b"\r\n",
            b";x\r\n",
            b"+5\r\nhello",
            b"0x5\r\nhello",
            b"5 \r\nhello",
            b"5\r\nhelloX\n",
            b"5\r\nhello\n",
            b"5;a\nb\r\nhello",
            b"5;a\0\r\nhello",
            b"0\r\n folded\r\n\r\n",
            b"0\r\nT: x\n\r\n",
            b"1000000000000000\r\n",
        ] {
            assert_eq!(body(bytes), Err(BROKEN), "{}", bytes.escape_ascii());
        }
    }
}
