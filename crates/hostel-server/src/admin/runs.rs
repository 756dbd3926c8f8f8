//! The durable runs of an agent: looked at, answered, ended.

use hostel::{
    AgentId, Answer, Code, Edge, Error, Order, RunAnswer, RunAsk, RunId, RunQuery, Verdict,
    axum::{
        Json,
        body::Bytes,
        extract::{Path, State},
    },
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{Asked, Failed, Whose, agent, body, malformed, past::OrNear as _, query};

pub(super) async fn runs(
    State(edge): State<Edge>,
    Path((namespace, name)): Whose,
    meant: Asked<RunQuery>,
) -> Result<Json<Value>, Failed> {
    let (id, meant) = (agent(&edge, &namespace, &name)?, query(meant)?);
    asked(&edge, &id, RunAsk::List(meant)).await
}

pub(super) async fn run(
    State(edge): State<Edge>,
    Path((namespace, name, run)): Path<(String, String, String)>,
) -> Result<Json<Value>, Failed> {
    let id = agent(&edge, &namespace, &name)?;
    asked(&edge, &id, RunAsk::Get(RunId::new(run))).await
}

/// A run to be started.
#[derive(Debug, Deserialize)]
struct Wanted {
    task: String,
    #[serde(default)]
    args: Vec<Value>,
    key: Option<String>,
}

pub(super) async fn start(
    State(edge): State<Edge>,
    Path((namespace, name)): Whose,
    sent: Bytes,
) -> Result<Json<Value>, Failed> {
    let (id, wanted) = (agent(&edge, &namespace, &name)?, body::<Wanted>(&sent)?);
    let order = Order { key: wanted.key, ..Order::new(wanted.task, &wanted.args)? };
    asked(&edge, &id, RunAsk::Start(order)).await
}

pub(super) async fn act(
    State(edge): State<Edge>,
    Path((namespace, name, run, what)): Path<(String, String, String, String)>,
    sent: Bytes,
) -> Result<Json<Value>, Failed> {
    let id = agent(&edge, &namespace, &name)?;
    let sent: &[u8] = if sent.is_empty() { b"{}" } else { &sent };
    let ask = meant(RunId::new(run), &what, sent)?;
    asked(&edge, &id, ask).await
}

#[derive(Debug, Deserialize)]
struct Event {
    event: String,
    #[serde(default)]
    value: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
struct Answering {
    request: String,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
enum Resolving {
    Again,
    Done { value: Value },
    Fail { reason: String },
}

#[derive(Debug, Deserialize)]
struct Ending {
    reason: Option<String>,
}

fn meant(run: RunId, what: &str, sent: &[u8]) -> Result<RunAsk, Failed> {
    Ok(match what {
        "send" => {
            let Event { event, value } = body(sent)?;
            RunAsk::Send(run, event, value.map_or_else(|| "null".to_owned(), |value| value.get().to_owned()))
        }
        "answer" => {
            let Answering { request, answer } = body(sent)?;
            RunAsk::Answer(run, request, answer)
        }
        "resolve" => RunAsk::Resolve(run, verdict(body(sent)?)),
        "cancel" => RunAsk::Cancel(run, body::<Ending>(sent)?.reason),
        "pause" => RunAsk::Pause(run),
        "resume" => RunAsk::Resume(run),
        "restart" => RunAsk::Restart(run),
        "delete" => RunAsk::Delete(run),
        _ => return Err(malformed(&format!("Nothing like {what:?} can be done with a run."))),
    })
}

fn verdict(resolving: Resolving) -> Verdict {
    match resolving {
        Resolving::Again => Verdict::Again,
        Resolving::Done { value } => Verdict::Done(value.to_string()),
        Resolving::Fail { reason } => Verdict::Fail(reason),
    }
}

async fn asked(edge: &Edge, id: &AgentId, ask: RunAsk) -> Result<Json<Value>, Failed> {
    let deletes = matches!(ask, RunAsk::Delete(_));
    let answer = edge.node().runs(id, ask).await.or_near(edge, id).await?;
    Ok(Json(match answer {
        RunAnswer::Started(started) => json!(started),
        RunAnswer::Page(page) => json!(page),
        RunAnswer::Answered(answered) => json!(answered),
        RunAnswer::Run(Some(run)) => json!(run),
        RunAnswer::Run(None) if deletes => json!({"deleted": true}),
        RunAnswer::Run(None) => {
            let error = Error::coded(Code::RunUnknown, format!("{id} has no such run."));
            return Err(error.with_fix("`hostel runs` shows those there are").into());
        }
    }))
}
