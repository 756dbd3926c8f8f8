//! What a model is shown of a conversation: messages of the wire become messages of `hostel-model`.

use hostel::protocol::chat::{Role, UiMessage};
use hostel_model::{Abilities, Content, Data, Message, Piece, ToolOutput};
use serde_json::{Map, Value, json};

use super::{compact, shorten::shorten};

/// How a conversation is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    /// What the model takes besides text.
    pub(crate) abilities: Abilities,
    /// How many bytes of a tool's output it sees.
    pub(crate) output_limit: usize,
}

/// The conversation as a model sees it: without what a summary stands for.
pub(crate) fn to_model(messages: &[UiMessage], view: View) -> Vec<Message> {
    let (summary, rest) = compact::in_force(messages);
    let mut out = Vec::new();
    if let Some(summary) = summary {
        out.push(Message::user(summary));
    }
    for message in rest {
        match message.role {
            Role::User => user(message, view, &mut out),
            Role::Assistant => assistant(message, view, &mut out),
            // Those are for the system prompt.
            Role::System | Role::Other(_) => {}
        }
    }
    out
}

/// What messages with the role `system` say.
pub(crate) fn instructions(messages: &[UiMessage]) -> impl Iterator<Item = String> {
    messages.iter().filter(|message| message.role == Role::System).map(UiMessage::text)
}

fn user(message: &UiMessage, view: View, out: &mut Vec<Message>) {
    let mut contents: Vec<Content> = message.parts.iter().filter_map(|part| content(part, view)).collect();
    if contents.is_empty() {
        return;
    }
    // Providers want the roles to take turns.
    match out.last_mut() {
        Some(Message::User(before)) => before.append(&mut contents),
        _ => out.push(Message::User(contents)),
    }
}

fn content(part: &Value, view: View) -> Option<Content> {
    match part["type"].as_str()? {
        "text" => text_of(part).map(Content::Text),
        "file" => Some(file(part, view)),
        _ => None,
    }
}

fn text_of(part: &Value) -> Option<String> {
    part["text"].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn file(part: &Value, view: View) -> Content {
    let media_type = part["mediaType"].as_str().unwrap_or("application/octet-stream").to_owned();
    let name = part["filename"].as_str().map(str::to_owned);
    let url = part["url"].as_str().unwrap_or_default();
    let is_image = media_type.starts_with("image/");
    if let Some(text) = plain_text(&media_type, url) {
        return Content::Text(format!("[file {}]\n{text}", name.as_deref().unwrap_or("without a name")));
    }
    let data = Data::from_url(url);
    match (is_image, view.abilities) {
        (true, Abilities { images: true, .. }) => Content::Image { media_type, data },
        (false, Abilities { files: true, .. }) => Content::File { media_type, name, data },
        _ => {
            let name = name.as_deref().unwrap_or("without a name");
            Content::Text(format!("[a file {name} ({media_type}), which this model cannot read]"))
        }
    }
}

/// The text of a text file that is in its URL.
fn plain_text(media_type: &str, url: &str) -> Option<String> {
    if !media_type.starts_with("text/") && media_type != "application/json" {
        return None;
    }
    let bytes = url.strip_prefix("data:")?.split_once(";base64,")?.1;
    let bytes = data_encoding::BASE64.decode(bytes.as_bytes()).ok()?;
    String::from_utf8(bytes).ok()
}

/// One answer is a row of steps, each what the model said and then what its tools answered.
fn assistant(message: &UiMessage, view: View, out: &mut Vec<Message>) {
    let mut step = Step::default();
    for part in &message.parts {
        let kind = part["type"].as_str().unwrap_or_default();
        match kind {
            "step-start" => step.end(out),
            "text" => {
                // What is said after tools is said knowing their results.
                if !step.outputs.is_empty() && text_of(part).is_some() {
                    step.end(out);
                }
                step.pieces.extend(text_of(part).map(Piece::Text));
            }
            "reasoning" => step.pieces.extend(reasoning(part)),
            _ if is_tool(kind) => step.call(part, kind, view),
            _ => {}
        }
    }
    step.end(out);
}

#[derive(Default)]
struct Step {
    pieces: Vec<Piece>,
    outputs: Vec<ToolOutput>,
}

impl Step {
    fn call(&mut self, part: &Value, kind: &str, view: View) {
        let Some(id) = part["toolCallId"].as_str() else { return };
        let name = tool_name(part, kind).to_owned();
        let input = match &part["input"] {
            Value::Object(input) => Value::Object(input.clone()),
            _ => Value::Object(Map::new()),
        };
        let signature = part.pointer("/callProviderMetadata/hostel/signature").and_then(Value::as_str);
        let signature = signature.map(str::to_owned);
        let (output, is_error) = output(part, view);
        self.pieces.push(Piece::ToolCall { id: id.to_owned(), name: name.clone(), input, signature });
        self.outputs.push(ToolOutput { call_id: id.to_owned(), name, output, is_error });
    }

    fn end(&mut self, out: &mut Vec<Message>) {
        // A thought alone is no answer, and providers refuse it.
        let says = self.pieces.iter().any(|piece| !matches!(piece, Piece::Reasoning { .. }));
        let pieces = std::mem::take(&mut self.pieces);
        let outputs = std::mem::take(&mut self.outputs);
        if !says {
            return;
        }
        match out.last_mut() {
            Some(Message::Assistant(before)) => before.extend(pieces),
            _ => out.push(Message::Assistant(pieces)),
        }
        if !outputs.is_empty() {
            out.push(Message::Tool(outputs));
        }
    }
}

fn reasoning(part: &Value) -> Option<Piece> {
    let text = part["text"].as_str().unwrap_or_default().to_owned();
    let signature = part.pointer("/providerMetadata/hostel/signature").and_then(Value::as_str).map(str::to_owned);
    (!text.is_empty() || signature.is_some()).then_some(Piece::Reasoning { text, signature })
}

/// Whether a part is a call of a tool.
pub(crate) fn is_tool(kind: &str) -> bool {
    kind == "dynamic-tool" || kind.starts_with("tool-")
}

/// The tool that a part calls.
pub(crate) fn tool_name<'a>(part: &'a Value, kind: &'a str) -> &'a str {
    part["toolName"].as_str().or_else(|| kind.strip_prefix("tool-")).unwrap_or("tool")
}

/// What the model is told about a call: each has to have an answer, or providers refuse the conversation.
fn output(part: &Value, view: View) -> (String, bool) {
    match part["state"].as_str().unwrap_or_default() {
        "output-available" if part["preliminary"] != json!(true) => {
            let text = match &part["output"] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            (shorten(text, view.output_limit), false)
        }
        "output-error" => {
            let text = part["errorText"].as_str().unwrap_or("It failed.").to_owned();
            (shorten(text, view.output_limit), true)
        }
        "output-denied" => (denied(part), true),
        "approval-requested" => ("It was not run: nobody has said yes or no.".to_owned(), true),
        "approval-responded" => ("It was allowed, but has not been run.".to_owned(), true),
        _ => ("It was broken off, and may or may not have happened.".to_owned(), true),
    }
}

fn denied(part: &Value) -> String {
    let reason = part.pointer("/approval/reason").and_then(Value::as_str).filter(|reason| !reason.is_empty());
    match reason {
        Some(reason) => format!("The user did not allow this. It was not run. The reason given: {reason}"),
        None => "The user did not allow this. It was not run; do not try it again without being asked to.".to_owned(),
    }
}
