//! What of a message was not shown yet. Pure.
//!
//! Messages grow, are replaced by the transcript's, and come again after a reconnect. What is shown depends only on how much
//! of each part was shown before, so nothing is shown twice whichever way it comes.

use std::collections::HashMap;

use hostel_protocol::chat::{Role, UiMessage};
use serde_json::Value;

/// How much of which messages was shown.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    messages: HashMap<String, Vec<Mark>>,
}

/// How much of a part was shown.
#[derive(Debug, Clone, Default)]
struct Mark {
    /// Bytes of a text.
    bytes: usize,
    /// The output of a command, as far as it was shown while it ran.
    live: String,
    /// Stage of a tool call, or 1 for what is shown once.
    stage: u8,
}

/// Something to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    /// Which part it is of: pieces of one part follow each other without a break.
    pub(crate) part: (String, usize),
}

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A person's words.
    Asked,
    /// The agent's words.
    Said,
    /// What the model thought.
    Thought,
    /// A tool is called, with what.
    Called,
    /// What it answered.
    Returned,
    /// It failed, or was denied.
    Failed,
    /// What a command says.
    Output,
    /// What differs, or would.
    Diff,
    /// Something else: a file, a source, instructions.
    Aside,
}

/// A tool that waits for somebody's yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) tool_call: String,
    pub(crate) approval: String,
    pub(crate) tool: String,
    pub(crate) input: String,
    /// Whether "always" is forgotten: it is asked each time.
    pub(crate) each_time: bool,
}

impl Question {
    /// What tells it from every other: models number their calls as they please.
    pub(crate) fn id(&self) -> String {
        format!("{} {}", self.approval, self.tool_call)
    }
}

/// The stages of a tool call, as far as they are shown.
const CALLED: u8 = 1;
const SETTLED: u8 = 2;

impl Shown {
    /// Takes a message as shown.
    pub(crate) fn skip(&mut self, message: &UiMessage) {
        self.rest(message);
    }

    /// What of the message was not shown yet; from now on it was.
    pub(crate) fn rest(&mut self, message: &UiMessage) -> Vec<Piece> {
        let marks = self.messages.entry(message.id.clone()).or_default();
        if marks.len() < message.parts.len() {
            marks.resize(message.parts.len(), Mark::default());
        }
        let mut pieces = Vec::new();
        for (index, (part, mark)) in message.parts.iter().zip(marks).enumerate() {
            let found = mark.advance(part, &message.role);
            let place = |(kind, text)| Piece { kind, text, part: (message.id.clone(), index) };
            pieces.extend(found.into_iter().map(place));
        }
        pieces
    }
}

impl Mark {
    fn advance(&mut self, part: &Value, role: &Role) -> Vec<(Kind, String)> {
        let kind = part["type"].as_str().unwrap_or_default();
        match kind {
            "text" => self.text(part, words_of(role)),
            "reasoning" => self.text(part, Kind::Thought),
            "data-preview" => self.preview(part),
            "dynamic-tool" => self.tool(part, part["toolName"].as_str().unwrap_or("a tool")),
            _ => match kind.strip_prefix("tool-") {
                Some(name) => self.tool(part, name),
                None => self.once(aside(kind, part)),
            },
        }
    }

    fn text(&mut self, part: &Value, kind: Kind) -> Vec<(Kind, String)> {
        let text = part["text"].as_str().unwrap_or_default();
        let rest = text.get(self.bytes..).unwrap_or_default();
        self.bytes = self.bytes.max(text.len());
        if rest.is_empty() { Vec::new() } else { vec![(kind, rest.to_owned())] }
    }

    fn tool(&mut self, part: &Value, name: &str) -> Vec<(Kind, String)> {
        let mut found = Vec::new();
        let state = part["state"].as_str().unwrap_or_default();
        if self.stage < CALLED && state != "input-streaming" {
            self.stage = CALLED;
            found.push((Kind::Called, format!("{name} {}", input_of(part))));
        }
        if self.stage < SETTLED && state == "output-available" {
            found.extend(self.output(part["output"]["output"].as_str()));
        }
        if self.stage < SETTLED
            && let Some(settled) = settled(part, state)
        {
            self.stage = SETTLED;
            found.extend(settled);
        }
        found
    }

    /// What a command has said since the last time: of what runs the end is told, and in the end all of it.
    fn output(&mut self, output: Option<&str>) -> Option<(Kind, String)> {
        let output = output?;
        let seen = tail(&self.live);
        let at = if seen.is_empty() { None } else { output.rfind(seen) };
        let news = at.map_or(output, |at| &output[at + seen.len()..]).to_owned();
        output.clone_into(&mut self.live);
        (!news.is_empty()).then_some((Kind::Output, news))
    }

    /// What a call would do, for whoever is asked.
    fn preview(&mut self, part: &Value) -> Vec<(Kind, String)> {
        if std::mem::replace(&mut self.stage, SETTLED) > 0 {
            return Vec::new();
        }
        let text = |name: &str| part["data"][name].as_str().map(|text| text.trim_end().to_owned());
        let told = [("text", Kind::Aside), ("command", Kind::Output), ("diff", Kind::Diff)];
        told.into_iter().filter_map(|(name, kind)| Some((kind, text(name)?))).collect()
    }

    fn once(&mut self, aside: Option<String>) -> Vec<(Kind, String)> {
        let Some(text) = aside.filter(|_| self.stage == 0) else { return Vec::new() };
        self.stage = 1;
        vec![(Kind::Aside, text)]
    }
}

fn words_of(role: &Role) -> Kind {
    match role {
        Role::User => Kind::Asked,
        Role::Assistant => Kind::Said,
        _ => Kind::Aside,
    }
}

fn settled(part: &Value, state: &str) -> Option<Vec<(Kind, String)>> {
    match state {
        "output-available" if part["preliminary"] == true => None,
        "output-available" => Some(returned(&part["output"])),
        "output-error" => Some(vec![(Kind::Failed, part["errorText"].as_str().unwrap_or("it failed").to_owned())]),
        "output-denied" => Some(vec![(Kind::Failed, "denied".to_owned())]),
        _ => None,
    }
}

/// An answer of a tool: of a change its diff, of a command its end, of what was looked at as much as people read.
fn returned(output: &Value) -> Vec<(Kind, String)> {
    if let (Some(changed), Some(diff)) = (output["changed"].as_str(), output["diff"].as_str()) {
        return vec![(Kind::Returned, changed.to_owned()), (Kind::Diff, diff.trim_end().to_owned())];
    }
    match (output["ended"].as_str(), output.as_str()) {
        (Some(ended), _) if output["success"] == true => vec![(Kind::Returned, ended.to_owned())],
        (Some(ended), _) => vec![(Kind::Failed, ended.to_owned())],
        (None, Some(text)) if text.starts_with("diff --git ") => vec![(Kind::Diff, text.trim_end().to_owned())],
        (None, Some(text)) if text.contains('\n') => vec![(Kind::Output, cut(text))],
        _ => vec![(Kind::Returned, short(&plain(output)))],
    }
}

/// The end of what was shown, long enough to be found again.
fn tail(shown: &str) -> &str {
    const LONG: usize = 200;
    &shown[shown.ceil_char_boundary(shown.len().saturating_sub(LONG))..]
}

/// The first lines of a long text.
fn cut(text: &str) -> String {
    const LINES: usize = 60;
    let all = text.lines().count();
    let shown = text.lines().take(LINES).collect::<Vec<_>>().join("\n");
    if all > LINES { format!("{shown}\n… ({all} lines)") } else { shown }
}

fn aside(kind: &str, part: &Value) -> Option<String> {
    let text = |key: &str| part[key].as_str().unwrap_or_default();
    match kind {
        "file" => Some(format!("file {} {}", text("filename"), short(text("url")))),
        "source-url" => Some(format!("source {} {}", text("title"), text("url"))),
        "source-document" => Some(format!("source {}", text("title"))),
        _ => None,
    }
}

/// The tools of a transcript that wait for somebody's yes, oldest first.
pub(crate) fn questions<'a>(messages: impl IntoIterator<Item = &'a UiMessage>) -> Vec<Question> {
    let of = |message: &'a UiMessage| message.parts.iter().filter_map(|part| question(part, &message.parts));
    messages.into_iter().flat_map(of).collect()
}

/// The same of the answer to one message alone, the one with this id. Of what others said nothing is among them.
pub(crate) fn questions_about<'a>(messages: impl IntoIterator<Item = &'a UiMessage>, said: &str) -> Vec<Question> {
    questions(answers_to(messages, said))
}

/// Whether the agent, after this message, was told yes or no to a call of which nothing has come yet.
pub(crate) fn has_open_answers<'a>(messages: impl IntoIterator<Item = &'a UiMessage>, said: &str) -> bool {
    let mut parts = answers_to(messages, said).flat_map(|message| &message.parts);
    parts.any(|part| part["state"] == "approval-responded")
}

fn answers_to<'a>(
    messages: impl IntoIterator<Item = &'a UiMessage>,
    said: &str,
) -> impl Iterator<Item = &'a UiMessage> {
    let behind = messages.into_iter().skip_while(move |message| message.id != said).skip(1);
    behind.take_while(|message| message.role != Role::User)
}

fn question(part: &Value, all: &[Value]) -> Option<Question> {
    if part["state"] != "approval-requested" {
        return None;
    }
    let kind = part["type"].as_str()?;
    let name = part["toolName"].as_str().or_else(|| kind.strip_prefix("tool-"))?;
    let is_its = |other: &&Value| other["type"] == "data-preview" && other["data"]["toolCallId"] == part["toolCallId"];
    Some(Question {
        each_time: all.iter().rfind(is_its).is_some_and(|shown| shown["data"]["eachTime"] == true),
        tool_call: part["toolCallId"].as_str()?.to_owned(),
        approval: part["approval"]["id"].as_str().unwrap_or_default().to_owned(),
        tool: name.to_owned(),
        input: input_of(part),
    })
}

/// The input whole: who is asked for a yes has to see what to.
fn input_of(part: &Value) -> String {
    match &part["input"] {
        Value::Null => String::new(),
        input => input.to_string(),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The beginning of a long text.
fn short(text: &str) -> String {
    const MOST: usize = 400;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
