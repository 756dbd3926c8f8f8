//! The scanner behind `check_json`: one byte at a time, one bit per open level.

use super::{JsonFault, JsonLimits};

/// Which containers are open. The first 128 levels need no allocation.
#[derive(Default)]
struct Open {
    depth: usize,
    low: u128,
    high: Vec<bool>,
}

impl Open {
    fn push(&mut self, object: bool) {
        match u32::try_from(self.depth) {
            Ok(at) if at < u128::BITS => {
                self.low = self.low & !(1 << at) | u128::from(object) << at;
            }
            _ => self.high.push(object),
        }
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.high.pop();
        self.depth = self.depth.saturating_sub(1);
    }

    /// `None` at the top level, otherwise whether the innermost is an object.
    fn top(&self) -> Option<bool> {
        let at = u32::try_from(self.depth.checked_sub(1)?).unwrap_or(u32::MAX);
        if at < u128::BITS {
            return Some(self.low >> at & 1 == 1);
        }
        self.high.last().copied()
    }
}

/// One pass over the bytes of a text.
pub(super) struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    open: Open,
    values: usize,
    limits: &'a JsonLimits,
}

impl<'a> Scan<'a> {
    pub(super) fn new(bytes: &'a [u8], limits: &'a JsonLimits) -> Self {
        Self { bytes, at: 0, open: Open::default(), values: 0, limits }
    }

    pub(super) fn run(mut self) -> Result<(), JsonFault> {
        loop {
            // A value starts here; afterwards close what ends with it.
            if self.value()? {
                continue;
            }
            if !self.after_value()? {
                return self.end();
            }
        }
    }

    /// Reads a scalar or opens a container. `true`: another value must follow
    /// at once, because a container was opened and is not empty.
    fn value(&mut self) -> Result<bool, JsonFault> {
        self.skip_space();
        self.count()?;
        match self.peek() {
            Some(b'{') => self.enter(true),
            Some(b'[') => self.enter(false),
            Some(b'"') => self.string().map(|()| false),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| false),
            _ => self.expected("a value"),
        }
    }

    fn count(&mut self) -> Result<(), JsonFault> {
        self.values += 1;
        if self.values > self.limits.max_values {
            return Err(JsonFault::TooManyValues { offset: self.at, limit: self.limits.max_values });
        }
        Ok(())
    }

    fn enter(&mut self, object: bool) -> Result<bool, JsonFault> {
        if self.open.depth >= self.limits.max_depth {
            return Err(JsonFault::TooDeep { offset: self.at, limit: self.limits.max_depth });
        }
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(if object { b'}' } else { b']' }) {
            self.at += 1;
            return Ok(false);
        }
        self.open.push(object);
        if object {
            self.key()?;
        }
        Ok(true)
    }

    fn key(&mut self) -> Result<(), JsonFault> {
        self.skip_space();
        if self.peek() != Some(b'"') {
            return self.expected("a string as key");
        }
        self.string()?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return self.expected("':'");
        }
        self.at += 1;
        Ok(())
    }

    /// After a complete value: a comma (then `true`, a value follows), closing
    /// brackets, or the end of the root value (`false`).
    fn after_value(&mut self) -> Result<bool, JsonFault> {
        while let Some(object) = self.open.top() {
            self.skip_space();
            match (self.peek(), object) {
                (Some(b','), _) => {
                    self.at += 1;
                    if object {
                        self.key()?;
                    }
                    return Ok(true);
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.at += 1;
                    self.open.pop();
                }
                (_, true) => return self.expected("',' or '}'"),
                (_, false) => return self.expected("',' or ']'"),
            }
        }
        Ok(false)
    }

    fn end(&mut self) -> Result<(), JsonFault> {
        self.skip_space();
        if self.at == self.bytes.len() {
            return Ok(());
        }
        self.expected("the end of the text")
    }

    fn string(&mut self) -> Result<(), JsonFault> {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(0x20..) => self.at += 1,
                Some(_) => return self.expected("no raw control character in a string"),
                None => return self.expected("'\"'"),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), JsonFault> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|b| b.is_ascii_hexdigit()) {
                        return self.expected("four hex digits after \\u");
                    }
                    self.at += 1;
                }
            }
            _ => return self.expected("an escape"),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonFault> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonFault> {
        let from = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == from {
            return self.expected("a digit");
        }
        Ok(())
    }

    fn word(&mut self, word: &'static [u8]) -> Result<bool, JsonFault> {
        if !self.bytes[self.at..].starts_with(word) {
            return self.expected("true, false or null");
        }
        self.at += word.len();
        Ok(false)
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn expected<T>(&self, expected: &'static str) -> Result<T, JsonFault> {
        Err(JsonFault::Syntax { offset: self.at, expected })
    }
}
