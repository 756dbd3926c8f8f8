//! One client socket on an agent, and what arrives on it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use bytes::Bytes;
pub use bytestring::ByteString;
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    error::Result,
    host::{Effect, Host},
    identity::Identity,
};

/// A message on a socket. Cloning shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A text message.
    Text(ByteString),
    /// A binary message.
    Binary(Bytes),
}

impl Message {
    /// The text, or `None` for a binary message.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

macro_rules! into_message {
    ($($from:ty => |$value:ident| $into:expr),+ $(,)?) => {$(
        impl From<$from> for Message {
            fn from($value: $from) -> Self {
                $into
            }
        }
    )+};
}

into_message! {
    String => |text| Self::Text(text.into()),
    &str => |text| Self::Text(text.into()),
    ByteString => |text| Self::Text(text),
    Bytes => |bytes| Self::Binary(bytes),
    Vec<u8> => |bytes| Self::Binary(bytes.into()),
}

/// The upgrade request of a connection: what hooks may base decisions on.
#[derive(Debug, Clone, Default)]
pub struct ConnectRequest {
    /// The full URL, as the client sent it.
    pub uri: String,
    /// The request's headers, without those that only the router may set.
    pub headers: http::HeaderMap,
    /// Who is behind it, where somebody asked.
    pub identity: Option<Identity>,
}

impl ConnectRequest {
    /// The first value of a query parameter, percent-decoded; `+` is a space.
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.uri.split_once('?')?;
        let query = query.split('#').next().unwrap_or_default();
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key) == name).then(|| decode(value))
        })
    }
}

/// Form-decoding (WHATWG URL, 5.1): `+` is a space, `%xx` a byte, malformed escapes stay as they are.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = |at: usize| tail.get(at).and_then(|b| (*b as char).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            (b'+', ..) => {
                bytes.push(b' ');
                rest = tail;
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// How a connection ended (RFC 6455, section 7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseEvent {
    /// The close code; 1005 when the frame had none, 1006 when the connection was lost.
    pub code: u16,
    /// The reason, possibly empty.
    pub reason: String,
    /// Whether a close frame was received.
    pub was_clean: bool,
}

/// Names one socket for as long as the process runs. Unlike the client-chosen id it is unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionKey(pub u64);

const READONLY: u8 = 1;
const NO_PROTOCOL: u8 = 2;
const STATE_VERSIONS: u8 = 4;
/// Where the bits of an extension begin.
const EXTENSION_SHIFT: u8 = 4;

/// What the host keeps of a connection while its agent is out of memory.
#[derive(Debug)]
pub struct ConnectionRecord {
    /// Unique within the process.
    pub key: ConnectionKey,
    /// `_pk`, or generated. A label, not an authority: two sockets may carry the same.
    pub id: Box<str>,
    /// The user's tags; the id itself is not repeated here.
    pub tags: Box<[String]>,
    /// The upgrade's full URL.
    pub uri: Box<str>,
    identity: Option<Identity>,
    flags: AtomicU8,
    attachment: Mutex<Option<Arc<str>>>,
}

impl ConnectionRecord {
    /// A record without tags, flags and state.
    pub fn new(key: ConnectionKey, id: &str, uri: &str) -> Self {
        Self {
            key,
            id: id.into(),
            tags: Box::default(),
            uri: uri.into(),
            identity: None,
            flags: AtomicU8::new(0),
            attachment: Mutex::new(None),
        }
    }

    /// The same record, with who is behind the connection. For hosts, before anybody sees it.
    #[must_use]
    pub fn with_identity(mut self, identity: Option<Identity>) -> Self {
        self.identity = identity;
        self
    }

    /// Who is behind the connection.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    fn flag(&self, flag: u8) -> bool {
        self.flags.load(Ordering::Relaxed) & flag != 0
    }

    fn set_flag(&self, flag: u8, on: bool) {
        if on {
            self.flags.fetch_or(flag, Ordering::Relaxed);
        } else {
            self.flags.fetch_and(!flag, Ordering::Relaxed);
        }
    }

    /// Whether the client may not change state.
    pub fn readonly(&self) -> bool {
        self.flag(READONLY)
    }

    /// Sets or clears the read-only flag.
    pub fn set_readonly(&self, on: bool) {
        self.set_flag(READONLY, on);
    }

    /// Whether identity, state and MCP frames are kept from this client.
    pub fn no_protocol(&self) -> bool {
        self.flag(NO_PROTOCOL)
    }

    /// Sets or clears the suppression of protocol frames.
    pub fn set_no_protocol(&self, on: bool) {
        self.set_flag(NO_PROTOCOL, on);
    }

    /// Whether the client asked for versions of the state.
    pub fn state_versions(&self) -> bool {
        self.flag(STATE_VERSIONS)
    }

    /// Whether state frames of this connection carry a version.
    pub fn set_state_versions(&self, on: bool) {
        self.set_flag(STATE_VERSIONS, on);
    }

    /// Four bits that the class's extension keeps of this connection. They outlive hibernation.
    pub fn extension_bits(&self) -> u8 {
        self.flags.load(Ordering::Relaxed) >> EXTENSION_SHIFT
    }

    /// Sets those of the lower four bits that are set in `bits`, and clears those in `clear`.
    pub fn set_extension_bits(&self, bits: u8, clear: u8) {
        self.set_flag((clear & !bits) << EXTENSION_SHIFT, false);
        self.set_flag(bits << EXTENSION_SHIFT, true);
    }

    /// The connection's own state as JSON text.
    pub fn attachment(&self) -> Option<Arc<str>> {
        self.attachment.lock().clone()
    }

    /// Replaces the connection's own state, returning the one before.
    pub fn set_attachment(&self, json: Option<Arc<str>>) -> Option<Arc<str>> {
        std::mem::replace(&mut self.attachment.lock(), json)
    }
}

/// A handle to one client socket of this agent.
///
/// Sends are effects of the turn they are made in: they leave when its writes are durable, and not at all if it fails.
/// A handle may outlive its socket; sending then does nothing.
#[derive(Clone)]
pub struct Connection {
    record: Arc<ConnectionRecord>,
    host: Arc<dyn Host>,
}

impl Connection {
    /// Made by hosts; agents receive it.
    pub fn new(record: Arc<ConnectionRecord>, host: Arc<dyn Host>) -> Self {
        Self { record, host }
    }

    /// The client-chosen id (`_pk`), or one made up by the server.
    pub fn id(&self) -> &str {
        &self.record.id
    }

    /// Names this very socket, even among several with one id.
    pub fn key(&self) -> ConnectionKey {
        self.record.key
    }

    /// The id, then the tags given at connect.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.id()).chain(self.record.tags.iter().map(String::as_str))
    }

    /// The full URL of the upgrade request.
    pub fn uri(&self) -> &str {
        &self.record.uri
    }

    /// Who is behind it, as the edge found out before this agent heard of it; `None` for somebody unknown.
    pub fn identity(&self) -> Option<&Identity> {
        self.record.identity()
    }

    /// Sends one message to this client.
    pub fn send(&self, message: impl Into<Message>) {
        self.host.emit(Effect::Send { to: self.record.key, message: message.into() });
    }

    /// Sends `value` as JSON text.
    ///
    /// # Errors
    /// When serde refuses the value.
    pub fn send_json<T: Serialize + ?Sized>(&self, value: &T) -> Result<()> {
        self.send(serde_json::to_string(value)?);
        Ok(())
    }

    /// Closes the socket. Codes 1008 and 4000 to 4999 tell current clients not to come back.
    ///
    /// # Errors
    /// When the code may not be sent (RFC 6455, 7.4) or the reason is longer than 123 bytes.
    pub fn close(&self, code: u16, reason: &str) -> Result<()> {
        crate::host::check_close(code, reason)?;
        self.host.emit(Effect::Close { to: self.record.key, code, reason: reason.to_owned() });
        Ok(())
    }

    /// This connection's own state, or `None` until set.
    ///
    /// # Errors
    /// When the stored value does not have the shape of `T`.
    pub fn state<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        match self.record.attachment() {
            Some(json) => Ok(Some(serde_json::from_str(&json)?)),
            None => Ok(None),
        }
    }

    /// Replaces this connection's own state. It outlives hibernation, and is rolled back with a failing turn.
    ///
    /// # Errors
    /// When serde refuses the value.
    pub fn set_state<T: Serialize + ?Sized>(&self, value: &T) -> Result<()> {
        let json: Arc<str> = serde_json::to_string(value)?.into();
        self.host.change_connection(&self.record, ConnectionChange::State(Some(json)));
        Ok(())
    }

    /// Whether this client may not change the agent's state.
    pub fn is_readonly(&self) -> bool {
        self.record.readonly()
    }

    /// Allows or forbids this client to change the agent's state.
    pub fn set_readonly(&self, readonly: bool) {
        self.host.change_connection(&self.record, ConnectionChange::Readonly(readonly));
    }

    /// Whether the socket is still there.
    pub fn is_open(&self) -> bool {
        self.host.is_connected(self.record.key)
    }

    /// What the host keeps of this connection.
    pub fn record(&self) -> &Arc<ConnectionRecord> {
        &self.record
    }

    /// The connection as JSON: `id`, `uri`, `tags`, `state`.
    pub fn to_json(&self) -> Value {
        let state: Option<Value> = self.state().unwrap_or_default();
        let tags: Vec<&str> = self.tags().collect();
        serde_json::json!({"id": self.id(), "uri": self.uri(), "tags": tags, "state": state})
    }
}

/// A change to a connection's record, undone when the turn that made it fails.
#[derive(Debug, Clone)]
pub enum ConnectionChange {
    /// New own state.
    State(Option<Arc<str>>),
    /// New read-only flag.
    Readonly(bool),
}

impl ConnectionChange {
    /// Applies the change and returns the one that undoes it.
    #[must_use]
    pub fn apply(self, record: &ConnectionRecord) -> Self {
        match self {
            Self::State(json) => Self::State(record.set_attachment(json)),
            Self::Readonly(on) => {
                let before = record.readonly();
                record.set_readonly(on);
                Self::Readonly(before)
            }
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("id", &self.id()).field("key", &self.key().0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_decodes_like_a_form() {
        let request = ConnectRequest { uri: "http://x/a?tags=x%2Cy&b=1+2&bad=%zz&e".into(), ..Default::default() };
        let query = |name| request.query(name);
        assert_eq!(query("tags").as_deref(), Some("x,y"));
        assert_eq!(query("b").as_deref(), Some("1 2"));
        assert_eq!(query("bad").as_deref(), Some("%zz"));
        assert_eq!(query("e").as_deref(), Some(""));
        assert_eq!(query("missing"), None);
    }
}
