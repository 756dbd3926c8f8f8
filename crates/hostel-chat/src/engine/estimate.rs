//! About how many tokens something has: good enough to stay clear of a limit, and the same for all models.

use hostel_model::{Content, Data, Message, Piece, Request};

/// What a picture or a file counts, whose size says little.
const FILE: u64 = 1_500;

/// Four ASCII characters are a token, and any other character is one.
pub(crate) fn text(text: &str) -> u64 {
    let ascii = text.bytes().filter(u8::is_ascii).count() as u64;
    let other = text.chars().filter(|c| !c.is_ascii()).count() as u64;
    ascii.div_ceil(4) + other
}

/// A whole request.
pub(crate) fn request(request: &Request) -> u64 {
    let tools = request.tools.iter().map(|tool| text(&tool.description) + text(&tool.schema.to_string()) + 10);
    text(request.system.as_deref().unwrap_or_default()) + tools.sum::<u64>() + messages(&request.messages)
}

/// A conversation.
pub(crate) fn messages(messages: &[Message]) -> u64 {
    messages.iter().map(message).sum()
}

fn message(message: &Message) -> u64 {
    4 + match message {
        Message::User(contents) => contents.iter().map(content).sum::<u64>(),
        Message::Assistant(pieces) => pieces.iter().map(piece).sum::<u64>(),
        Message::Tool(outputs) => outputs.iter().map(|output| 8 + text(&output.output)).sum::<u64>(),
    }
}

fn content(content: &Content) -> u64 {
    match content {
        Content::Text(words) => text(words),
        Content::Image { .. } => FILE,
        Content::File { data: Data::Base64(bytes), .. } => FILE + bytes.len() as u64 / 8,
        Content::File { .. } => FILE,
    }
}

fn piece(piece: &Piece) -> u64 {
    match piece {
        Piece::Text(words) | Piece::Reasoning { text: words, .. } => text(words),
        Piece::ToolCall { name, input, .. } => 8 + text(name) + text(&input.to_string()),
    }
}
