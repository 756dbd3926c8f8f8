//! What the recorded chat agents say.

use hostel_chat::{ChatTurn, wire::Chunk};
use serde_json::{Value, json};

/// All chunks of an answer.
pub(super) fn of<A>(turn: &ChatTurn<A>, said: &str) -> Vec<Chunk> {
    match said {
        "plain" => text(turn.id(), ["plain text answer"]).collect(),
        _ if turn.is_continuation() => step(text("c1", ["continued"]), None),
        "errchunk" => failing(),
        "tool" => step(tool(), Some("tool-calls")),
        "approval" => step(approval(), Some("tool-calls")),
        _ => {
            let words = words(turn, said);
            step(text("t1", words.iter().map(String::as_str)), Some("stop"))
        }
    }
}

/// An answer of one step.
fn step(content: impl IntoIterator<Item = Chunk>, reason: Option<&str>) -> Vec<Chunk> {
    let mut chunks = vec![Chunk::new("start"), Chunk::start_step()];
    chunks.extend(content);
    chunks.push(Chunk::finish_step());
    chunks.push(reason.map_or_else(|| Chunk::new("finish"), Chunk::finish));
    chunks
}

fn text<'a>(id: &'a str, pieces: impl IntoIterator<Item = &'a str> + 'a) -> impl Iterator<Item = Chunk> + 'a {
    let deltas = pieces.into_iter().map(move |piece| Chunk::text_delta(id, piece));
    [Chunk::text_start(id)].into_iter().chain(deltas).chain([Chunk::text_end(id)])
}

fn failing() -> Vec<Chunk> {
    let failed = Chunk::error("ERR:mid stream");
    vec![Chunk::new("start"), Chunk::text_start("t1"), Chunk::text_delta("t1", "partial"), failed]
}

fn tool() -> Vec<Chunk> {
    vec![
        Chunk::tool_input_start("tc1", "getLocation"),
        Chunk::tool_input_delta("tc1", r#"{"q":1}"#),
        Chunk::tool_input_available("tc1", "getLocation", json!({"q": 1})),
    ]
}

fn approval() -> Vec<Chunk> {
    vec![Chunk::tool_input_available("ap1", "danger", json!({"x": 1})), Chunk::tool_approval_request("appr-1", "ap1")]
}

/// Repeats what was said and what came with it, word by word.
fn words<A>(turn: &ChatTurn<A>, said: &str) -> Vec<String> {
    let body = Some(turn.body()).filter(|body| !body.is_empty()).map_or(Value::Null, |body| json!(body));
    let tools = Some(turn.client_tools()).filter(|tools| !tools.is_empty()).map_or(Value::Null, |tools| json!(tools));
    let whole = format!("You said: {said} body={body} tools={tools}");
    whole.split(' ').map(|word| format!("{word} ")).collect()
}
