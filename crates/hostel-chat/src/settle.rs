//! What people and pages say about tool calls: the first answer counts, and everybody sees it.

mod go_on;

use hostel::{
    Identity, Result,
    connection::ConnectionKey,
    host::Host,
    protocol::chat::{
        Chunk, ClientTool, NO, ToolAnswer, ToolState, UiMessage, YES, apply_approval, apply_tool_result,
        message_updated, to_strict, to_v4,
    },
};
use serde_json::{Value, json};

pub(crate) use self::go_on::{
    CONTINUE, call_at_end, can_tell_gone_on, drop_turn, is_wanted, look_again, moment_passed,
};
use crate::{
    approval, live,
    memory::{Inner, Talk},
    out::Audience,
    store::{
        self,
        log::{self, Kind},
        transcript, turns,
    },
};

/// Messages that are looked through for a call.
const LOOKED_AT: u32 = 50;

/// An answer to a tool call.
#[derive(Debug, Clone)]
pub(crate) struct Answer<'a> {
    /// The call, or the approval that was asked for.
    pub(crate) call: &'a str,
    pub(crate) answer: &'a ToolAnswer,
    pub(crate) go_on: bool,
    pub(crate) client_tools: Option<Vec<ClientTool>>,
    pub(crate) from: Option<ConnectionKey>,
    pub(crate) who: Option<&'a Identity>,
}

/// Writes an answer into its message, tells everybody, and has the agent go on if that is wanted. The first answer counts;
/// `None` if there is no such call, or it was answered before.
pub(crate) fn answer(host: &dyn Host, answer: &Answer<'_>) -> Result<Option<UiMessage>> {
    if !transcript_or_turn(host)? {
        return Ok(None);
    }
    let who = answer.who.map(Identity::subject);
    match approval::heard(host, answer.call, answer.answer, who)? {
        Some(counts) => write(host, &Answer { answer: &counts, ..answer.clone() }),
        None => Ok(None),
    }
}

/// [`answer`], once it is known that this answer counts.
pub(crate) fn write(host: &dyn Host, answer: &Answer<'_>) -> Result<Option<UiMessage>> {
    if !transcript_or_turn(host)? {
        return Ok(None);
    }
    store::make(host)?;
    let talk = Talk::of(host);
    let mut inner = talk.lock();
    live::ensure(host, &mut inner)?;
    let updated = match in_live(host, &talk, &mut inner, answer)? {
        Some(updated) => updated,
        None => match in_transcript(host, &talk, answer)? {
            Some(updated) => updated,
            None => return Ok(None),
        },
    };
    tell(host, &updated);
    if answer.go_on {
        go_on::go_on(host, &mut inner, &updated, answer)?;
    }
    Ok(Some(updated))
}

/// The call that a page has a result for, if that is not for a page to say: the tool is the server's own. An answer to a
/// question about it is no result.
pub(crate) fn is_for_server(
    host: &dyn Host,
    call: &str,
    answer: &ToolAnswer,
    is_own: impl FnOnce(&str, &[ClientTool]) -> bool,
) -> Result<bool> {
    let is_result = match answer {
        ToolAnswer::Approved | ToolAnswer::Denied(_) => false,
        ToolAnswer::Output(output) if *output == YES || *output == NO => !approval::is_open(host, call)?,
        _ => true,
    };
    if !is_result || !transcript_or_turn(host)? {
        return Ok(false);
    }
    // What is asked of the agent's own code is asked with nothing locked.
    let Some((tool, tools)) = tool_of(host, call)? else { return Ok(false) };
    Ok(is_own(&tool, &tools))
}

/// The tool of a call, and what the client that asked for its answer can do itself.
fn tool_of(host: &dyn Host, call: &str) -> Result<Option<(String, Vec<ClientTool>)>> {
    store::make(host)?;
    let live = {
        let talk = Talk::of(host);
        let mut inner = talk.lock();
        live::ensure(host, &mut inner)?;
        inner.live.as_ref().map(|live| live.fold.message().clone())
    };
    for message in live.into_iter().chain(transcript::newest(host, LOOKED_AT)?) {
        let Some(call) = call_of(&message, call) else { continue };
        let Some(tool) = message.pending_tools().find(|(id, _, _)| *id == call).map(|(_, tool, _)| tool.to_owned())
        else {
            return Ok(None);
        };
        let turn = turns::of_message(host, &message.id)?;
        return Ok(Some((tool, turn.map(|turn| turn.ask.client_tools).unwrap_or_default())));
    }
    Ok(None)
}

fn transcript_or_turn(host: &dyn Host) -> Result<bool> {
    Ok(store::is_begun(host)? || store::exists(host, transcript::TABLE)?)
}

/// The call is part of the answer under way: what was said of it becomes part of its stream.
fn in_live(host: &dyn Host, talk: &Talk, inner: &mut Inner, answer: &Answer<'_>) -> Result<Option<UiMessage>> {
    let Some(live) = inner.live.as_mut() else { return Ok(None) };
    let mut changed = live.fold.message().clone();
    let Some(call) = call_of(&changed, answer.call).map(str::to_owned) else { return Ok(None) };
    if !apply(&mut changed, &call, answer.answer) {
        return Ok(None);
    }
    let chunks = said(&changed, &call).into_iter().collect();
    Talk::undoable(host, || {});
    live::push(host, talk, inner, chunks)?;
    Ok(inner.live.as_ref().map(|live| live.fold.message().clone()))
}

fn in_transcript(host: &dyn Host, talk: &Talk, answer: &Answer<'_>) -> Result<Option<UiMessage>> {
    for mut message in transcript::newest(host, LOOKED_AT)? {
        let Some(call) = call_of(&message, answer.call).map(str::to_owned) else { continue };
        if !apply(&mut message, &call, answer.answer) {
            return Ok(None);
        }
        transcript::put(host, &message, "")?;
        let who = answer.who.map(Identity::subject);
        let body = json!({"message": message.id, "call": call, "who": who, "part": message.tool_part(&call)});
        let turn = turns::of_message(host, &message.id)?.map_or(0, |turn| turn.n);
        talk.grew(log::add(host, turn, Kind::Settled, 1, body.to_string())?);
        return Ok(Some(message));
    }
    Ok(None)
}

/// The call with this id, or the one whose approval has it.
fn call_of<'a>(message: &'a UiMessage, id: &str) -> Option<&'a str> {
    let asked = |part: &&Value| {
        let is_call = part["toolCallId"] == id && ToolState::of(part).is_some();
        is_call || part["approval"]["id"] == id
    };
    message.parts.iter().rfind(asked)?["toolCallId"].as_str()
}

fn apply(message: &mut UiMessage, call: &str, answer: &ToolAnswer) -> bool {
    match answer {
        ToolAnswer::Approved => apply_approval(message, call, true, None),
        ToolAnswer::Denied(reason) => apply_approval(message, call, false, reason.as_deref()),
        result => apply_tool_result(message, call, result),
    }
}

/// The chunk that says what has become of a call.
fn said(message: &UiMessage, call: &str) -> Option<Chunk> {
    let part = message.tool_part(call)?;
    let field = |name: &str| part.get(name).cloned().unwrap_or_default();
    Some(match message.tool_state(call)? {
        ToolState::OutputAvailable => Chunk::tool_output_available(call, field("output")).with("preliminary", false),
        ToolState::OutputError => Chunk::tool_output_error(call, field("errorText").as_str().unwrap_or_default()),
        _ => {
            let approval = field("approval");
            let chunk = Chunk::new("tool-approval-response").with("toolCallId", call);
            let chunk = chunk.with("approvalId", approval["id"].clone()).with("approved", approval["approved"] == true);
            match approval.get("reason") {
                Some(reason) => chunk.with("reason", reason.clone()),
                None => chunk,
            }
        }
    })
}

/// A message has changed: everybody sees it.
pub(crate) fn tell(host: &dyn Host, message: &UiMessage) {
    let all = Audience::others(host, None);
    let Audience { tolerant, strict, old } = all;
    Audience { tolerant, ..Audience::default() }.send(host, &message_updated(message));
    if !strict.is_empty() {
        Audience { strict, ..Audience::default() }.send(host, &message_updated(&to_strict(message)));
    }
    if !old.is_empty() {
        let frame = json!({"type": "cf_agent_message_updated", "message": to_v4(message)});
        Audience { old, ..Audience::default() }.send(host, &frame.to_string());
    }
}
