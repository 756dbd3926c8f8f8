//! What a server changes in the chunks of a model before anybody sees them.

use serde_json::{Map, Value, json};

use super::chunk::Chunk;

/// Makes a chunk fit for clients: `start` gets the id of the message unless it has one, and loses it in a continuation
/// (`message_id` is `None`), where it would begin another message. `finishReason` of `finish` moves into the metadata,
/// since older clients refuse keys they do not know.
///
/// ```
/// use hostel_protocol::chat::{Chunk, stamp};
/// let mut chunk = Chunk::finish("stop");
/// stamp(&mut chunk, Some("m1"));
/// assert_eq!(chunk.to_json(), r#"{"type":"finish","messageMetadata":{"finishReason":"stop"}}"#);
/// ```
pub fn stamp(chunk: &mut Chunk, message_id: Option<&str>) {
    match (chunk.kind(), message_id) {
        ("start", Some(id)) if chunk.text("messageId").is_none() => chunk.set("messageId", id),
        ("start", None) => drop(chunk.remove("messageId")),
        ("finish", _) => stamp_finish(chunk),
        _ => {}
    }
}

fn stamp_finish(chunk: &mut Chunk) {
    let Some(reason) = chunk.remove("finishReason") else { return };
    let mut metadata = match chunk.remove("messageMetadata") {
        Some(Value::Object(metadata)) => metadata,
        _ => Map::new(),
    };
    metadata.insert("finishReason".to_owned(), reason);
    chunk.set("messageMetadata", json!(metadata));
}
