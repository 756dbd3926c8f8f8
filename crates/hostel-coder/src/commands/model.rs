//! A model that answers commands by calling tools, and hands everything else to the model behind it.

use std::sync::Arc;

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use hostel_chat::model::{
    Content, Event, Fault, FinishReason, Message, Model, ModelInfo, Request, ToolOutput, ToolSpec, Usage,
};

use super::{
    ended, said,
    table::{COMMANDS, Call, Command, Ending},
    usable,
};
use crate::tools::by_hand;

/// Answers what begins with a slash by itself.
///
/// It keeps nothing between requests: which command it is, and how far it got, is read from the conversation. So after a crash
/// it goes on where it was.
pub(crate) struct ByHand {
    behind: Arc<dyn Model>,
}

impl ByHand {
    /// In front of this model.
    pub(crate) fn before(behind: Arc<dyn Model>) -> Arc<dyn Model> {
        Arc::new(Self { behind })
    }
}

impl Model for ByHand {
    fn stream(&self, mut request: Request) -> BoxStream<'static, Result<Event, Fault>> {
        match answer(&request) {
            Some(answer) => stream::iter(events(answer).into_iter().map(Ok)).boxed(),
            None => {
                request.tools.retain(|tool| !by_hand::TOOLS.contains(&tool.name.as_str()));
                if !self.behind.describe().abilities.tools {
                    request.tools.clear();
                }
                self.behind.stream(request)
            }
        }
    }

    fn describe(&self) -> ModelInfo {
        let mut info = self.behind.describe();
        // Commands call tools whatever the model behind can do.
        info.abilities.tools = true;
        info
    }
}

/// What is done about a command.
#[derive(Debug, PartialEq)]
enum Answer {
    Call { id: String, call: Call },
    Say(String),
}

/// `None` if what was said last is no command.
fn answer(request: &Request) -> Option<Answer> {
    let at = request.messages.iter().rposition(|message| matches!(message, Message::User(_)))?;
    let text = last_text(&request.messages[at])?;
    let (name, rest) = said(text)?;
    let ended = endings(&request.messages[at + 1..]);
    Some(match usable_by_name(name, &request.tools) {
        Err(why) => Answer::Say(why),
        Ok(command) => match next(command, rest, &ended) {
            Some(call) => Answer::Call { id: format!("by-hand-{}-{}", at + 1, ended.len() + 1), call },
            None => Answer::Say(last_words(command, &ended, &request.tools)),
        },
    })
}

/// The last words of a message: a conversation may have several in a row.
fn last_text(message: &Message) -> Option<&str> {
    let Message::User(contents) = message else { return None };
    match contents.last()? {
        Content::Text(text) => Some(text),
        _ => None,
    }
}

/// How the calls since then ended, in their order.
fn endings(since: &[Message]) -> Vec<Ending<'_>> {
    let outputs = since.iter().filter_map(|message| match message {
        Message::Tool(outputs) => Some(outputs),
        _ => None,
    });
    outputs.flatten().map(|ToolOutput { output, is_error, .. }| Ending { output, failed: *is_error }).collect()
}

fn usable_by_name(name: &str, tools: &[ToolSpec]) -> Result<&'static Command, String> {
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        let unknown = if name.is_empty() { String::new() } else { format!("There is no command /{name}. ") };
        return Err(format!("{unknown}{}", help(tools)));
    };
    match command.tool {
        Some(tool) if !is_offered(tools, tool) => {
            let why = if GITHUB.contains(&tool) { NO_TOKEN } else { "" };
            Err(format!("/{name} cannot be used here: the tool {tool} is not offered.{why} {}", help(tools)))
        }
        _ => Ok(command),
    }
}

/// What needs a token, and why it is not there.
const GITHUB: [&str; 2] = ["git_push", "createPullRequest"];
const NO_TOKEN: &str = " It needs a token for GitHub, which is added with the method setGithubToken, or by the operator, and no plan mode.";

fn is_offered(tools: &[ToolSpec], name: &str) -> bool {
    tools.iter().any(|tool| tool.name == name)
}

fn next(command: &Command, rest: &str, ended: &[Ending<'_>]) -> Option<Call> {
    if ended.is_empty() { (command.call)(rest) } else { (command.next)(rest, ended) }
}

fn last_words(command: &Command, ended: &[Ending<'_>], tools: &[ToolSpec]) -> String {
    match ended.last() {
        Some(last) => ended::words(*last),
        None if command.tool.is_none() => help(tools),
        None => format!("Say it like this: `{}`. {}", command.usage(), command.about),
    }
}

fn help(tools: &[ToolSpec]) -> String {
    let line = |command: &Command| format!("- `{}`: {}", command.usage(), command.about);
    let lines: Vec<String> = usable(|name| is_offered(tools, name)).map(line).collect();
    format!(
        "These commands are there:\n\n{}\n\nEverything else is said to the model. Two slashes begin a text that is no command.",
        lines.join("\n")
    )
}

/// An answer as a model streams it.
fn events(answer: Answer) -> Vec<Event> {
    let finish = |reason| Event::Finish { reason, usage: Usage::default() };
    match answer {
        Answer::Call { id, call } => vec![
            Event::ToolInputStart { id: id.clone(), name: call.tool.to_owned() },
            Event::ToolCall { id, name: call.tool.to_owned(), input: Ok(call.input), signature: None },
            finish(FinishReason::ToolCalls),
        ],
        Answer::Say(text) => {
            let id = "words".to_owned();
            vec![
                Event::TextStart { id: id.clone() },
                Event::TextDelta { id: id.clone(), delta: text },
                Event::TextEnd { id },
                finish(FinishReason::Stop),
            ]
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(messages: Vec<Message>) -> Option<Answer> {
        let tools = ["read_file", "list_files", "git_log", "git_branch"];
        let tools = tools.map(|name| ToolSpec::new(name, "", json!({})));
        answer(&Request::new(messages).with_tools(tools.into()))
    }

    #[test]
    fn a_command_calls_its_tool_once_and_then_ends_in_words() {
        let first = asked(vec![Message::user("/open a.txt")]).unwrap();
        let Answer::Call { id, call } = first else { panic!("{first:?}") };
        assert_eq!((id.as_str(), call.tool), ("by-hand-1-1", "read_file"));
        let over = asked(vec![Message::user("/open a.txt"), Message::tool("c", "read_file", "1\tone\n2\ttwo")]);
        assert_eq!(over, Some(Answer::Say("2 lines.".to_owned())));
    }

    #[test]
    fn only_what_was_said_last_counts() {
        assert_eq!(asked(vec![Message::user("/open a"), Message::assistant("ok"), Message::user("thanks")]), None);
        let merged = Message::User(vec![Content::Text("hi".into()), Content::Text("/branch b".into())]);
        assert!(matches!(asked(vec![merged]), Some(Answer::Call { call, .. }) if call.tool == "git_log"));
    }

    #[test]
    fn what_cannot_be_done_is_said_with_what_can() {
        let text = |text: &str| match asked(vec![Message::user(text)]) {
            Some(Answer::Say(text)) => text,
            other => panic!("{other:?}"),
        };
        assert!(text("/nope").starts_with("There is no command /nope. These commands are there:"));
        assert!(text("/push").contains("the tool git_push is not offered. It needs a token for GitHub"));
        assert!(text("/run ls").starts_with("/run cannot be used here: the tool run_command is not offered."));
        assert_eq!(text("/open"), "Say it like this: `/open PATH [LINE]`. Shows a file, or what is in a directory.");
        let help = text("/help");
        assert!(help.contains("`/open PATH [LINE]`") && !help.contains("/run"), "{help}");
    }
}
