//! Frames to clients: each is written once for everybody who speaks the same dialect.

use std::{collections::BTreeSet, sync::Arc};

use hostel::{
    Result,
    connection::{ConnectionKey, ConnectionRecord},
    host::{Effect, Host},
    protocol::chat::{Chunk, Dialect, Outcome, ResponseFrame, UiMessage, messages_frame_of, strict, to_strict, to_v4},
};

use crate::memory::Live;

/// What is kept of a connection, in the bits it has for us.
mod bit {
    pub(super) const V4: u8 = 1;
    pub(super) const STRICT: u8 = 2;
    pub(super) const ASKS: u8 = 4;
    pub(super) const GREETED: u8 = 8;
}

/// What this client understands, as far as it has shown.
pub(crate) fn dialect(record: &ConnectionRecord) -> Dialect {
    match record.extension_bits() & (bit::V4 | bit::STRICT) {
        bit::V4 => Dialect::V4,
        bit::STRICT => Dialect::Strict,
        _ => Dialect::Tolerant,
    }
}

/// Remembers what a client understands.
pub(crate) fn note_dialect(record: &ConnectionRecord, dialect: Dialect) {
    let set = match dialect {
        Dialect::V4 => bit::V4,
        Dialect::Strict => bit::STRICT,
        Dialect::Tolerant => 0,
    };
    record.set_extension_bits(set, bit::V4 | bit::STRICT);
}

/// Whether a client has asked for streams to resume: such a one acknowledges.
pub(crate) fn asks(record: &ConnectionRecord) -> bool {
    record.extension_bits() & bit::ASKS != 0
}

/// Remembers that it has. No client of old does.
pub(crate) fn note_asks(record: &ConnectionRecord) {
    record.set_extension_bits(bit::ASKS, bit::V4 | bit::STRICT);
}

/// Takes a client that has not shown what it understands for one like those who talk here.
pub(crate) fn presume(record: &ConnectionRecord, dialect: Dialect) {
    if record.extension_bits() & (bit::V4 | bit::STRICT | bit::ASKS) == 0 {
        note_dialect(record, dialect);
    }
}

/// Remembers that a client got the transcript when it connected. What it had sent before is not in it.
pub(crate) fn note_greeted(record: &ConnectionRecord) {
    record.set_extension_bits(bit::GREETED, 0);
}

/// Whether it did, asked once.
pub(crate) fn take_greeted(record: &ConnectionRecord) -> bool {
    let greeted = record.extension_bits() & bit::GREETED != 0;
    record.set_extension_bits(0, bit::GREETED);
    greeted
}

/// A transcript this long is not pushed: whoever reads slowly would be cut off by it, come back, get it again, and be cut off
/// again. Clients fetch it when they want it.
const MOST_PUSHED: usize = 2 << 20;

/// Whether a transcript is too long to be pushed.
pub(crate) fn is_too_long(texts: &[String]) -> bool {
    texts.iter().map(String::len).sum::<usize>() > MOST_PUSHED
}

/// Who gets something, by dialect.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    pub(crate) tolerant: Arc<[ConnectionKey]>,
    pub(crate) strict: Arc<[ConnectionKey]>,
    pub(crate) old: Arc<[ConnectionKey]>,
}

impl Audience {
    /// The live connections that `wanted` is true of.
    pub(crate) fn of(host: &dyn Host, wanted: impl Fn(ConnectionKey) -> bool) -> Self {
        let (mut tolerant, mut strict, mut old) = (Vec::new(), Vec::new(), Vec::new());
        for record in host.connections().iter().filter(|record| wanted(record.key)) {
            match dialect(record) {
                Dialect::Tolerant => tolerant.push(record.key),
                Dialect::Strict => strict.push(record.key),
                Dialect::V4 => old.push(record.key),
            }
        }
        Self { tolerant: tolerant.into(), strict: strict.into(), old: old.into() }
    }

    /// Everybody but these.
    pub(crate) fn without(host: &dyn Host, out: &BTreeSet<ConnectionKey>) -> Self {
        Self::of(host, |key| !out.contains(&key))
    }

    /// Everybody but this one, if it is anybody.
    pub(crate) fn others(host: &dyn Host, me: Option<ConnectionKey>) -> Self {
        Self::of(host, |key| Some(key) != me)
    }

    /// This one.
    pub(crate) fn one(record: &ConnectionRecord) -> Self {
        let key: Arc<[_]> = [record.key].into();
        match dialect(record) {
            Dialect::Tolerant => Self { tolerant: key, ..Self::default() },
            Dialect::Strict => Self { strict: key, ..Self::default() },
            Dialect::V4 => Self { old: key, ..Self::default() },
        }
    }

    /// Those of them who are of the AI SDK 5.
    pub(crate) fn strict_alone(&self) -> Self {
        Self { strict: Arc::clone(&self.strict), ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tolerant.is_empty() && self.strict.is_empty() && self.old.is_empty()
    }

    /// The same text to all of them.
    pub(crate) fn send(&self, host: &dyn Host, frame: &str) {
        for to in [&self.tolerant, &self.strict, &self.old] {
            send(host, to, || frame.to_owned());
        }
    }

    /// The transcript, in messages that each of them can show. It is read only if there is anybody.
    pub(crate) fn send_transcript(&self, host: &dyn Host, texts: impl FnOnce() -> Result<Vec<String>>) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let texts = texts()?;
        if is_too_long(&texts) {
            return Ok(());
        }
        let parsed = || texts.iter().filter_map(|text| UiMessage::parse(text).ok());
        send(host, &self.tolerant, || messages_frame_of(texts.iter().map(String::as_str)));
        send(host, &self.strict, || messages_frame_of(parsed().map(|message| to_strict(&message).to_json())));
        send(host, &self.old, || messages_frame_of(parsed().map(|message| to_v4(&message).to_string())));
        Ok(())
    }

    /// A chunk of a turn, the one with this number.
    pub(crate) fn send_chunk(&self, host: &dyn Host, live: &mut Live, chunk: &Chunk, body: &str, seq: u64) {
        let frame = ResponseFrame { continuation: live.continuation, ..ResponseFrame::chunk(&live.id, body, seq) };
        send(host, &self.tolerant, || frame.to_json());
        if !self.strict.is_empty()
            && let Some(chunk) = strict(chunk)
        {
            let body = chunk.to_json();
            send(host, &self.strict, || ResponseFrame { body: &body, ..frame }.to_json());
        }
        if !self.old.is_empty()
            && let Some(lines) = live.old.encode(chunk)
        {
            send(host, &self.old, || ResponseFrame { body: &lines, seq: None, ..frame }.to_json());
        }
    }

    /// A turn could not be answered.
    pub(crate) fn send_failed(&self, host: &dyn Host, end: ResponseFrame<'_>, reason: &str) {
        let failed = ResponseFrame { body: reason, error: true, outcome: Some(Outcome::Error), ..end };
        for to in [&self.tolerant, &self.strict] {
            send(host, to, || failed.to_json());
        }
        Self { old: Arc::clone(&self.old), ..Self::default() }.send_end(host, end, Some(reason));
    }

    /// How a turn ended, with the reason if it failed.
    pub(crate) fn send_end(&self, host: &dyn Host, end: ResponseFrame<'_>, error: Option<&str>) {
        if let Some(error) = error {
            let told = ResponseFrame { body: error, error: true, done: false, outcome: None, ..end };
            for to in [&self.tolerant, &self.strict] {
                send(host, to, || told.to_json());
            }
            let line = format!("3:{}\n", serde_json::Value::from(error));
            send(host, &self.old, || ResponseFrame { body: &line, error: false, ..told }.to_json());
        }
        for to in [&self.tolerant, &self.strict, &self.old] {
            send(host, to, || end.to_json());
        }
    }
}

fn send(host: &dyn Host, to: &Arc<[ConnectionKey]>, frame: impl FnOnce() -> String) {
    if !to.is_empty() {
        host.emit(Effect::Multicast { to: Arc::clone(to), message: frame().into() });
    }
}
