//! What one request may ask for at most.

use hostel::{Code, Error, Result, protocol::chat::ChatRequest};

/// Turns that may be open at a time.
const MOST_OPEN: usize = 64;
/// How large what comes along with a message may be, in bytes of JSON.
const MOST_BODY: usize = 64 << 10;
/// The same of the tools of a page.
const MOST_TOOLS: usize = 256 << 10;
/// How many bytes the ids of the messages of a request may have.
const MOST_IDS: usize = 1 << 20;

/// What waits is kept, and read again and again: there is an end to it.
pub(super) fn bounded(request: &ChatRequest, open: usize) -> Result<()> {
    if open >= MOST_OPEN {
        let message = format!("{open} messages of this chat wait for their answers already.");
        return Err(Error::coded(Code::QueueFull, message).with_fix("say it again when some are answered"));
    }
    let body = if request.body.is_empty() { 0 } else { serde_json::to_string(&request.body)?.len() };
    let tools = if request.client_tools.is_empty() { 0 } else { serde_json::to_string(&request.client_tools)?.len() };
    let ids = request.messages.iter().map(|message| message.id.len()).sum();
    at_most(
        body,
        MOST_BODY,
        "What comes along with a message of a chat",
        "store it with the agent first, and send what it is called",
    )?;
    at_most(tools, MOST_TOOLS, "What a page says of its tools", "offer fewer tools, or shorter schemas")?;
    at_most(
        ids,
        MOST_IDS,
        "The ids of the messages of a request",
        "give messages shorter ids, or begin another conversation",
    )
}

fn at_most(bytes: usize, most: usize, what: &str, fix: &str) -> Result<()> {
    if bytes > most {
        return Err(Error::coded(Code::BodyTooLarge, format!("{what} may have {most} bytes.")).with_fix(fix));
    }
    Ok(())
}
