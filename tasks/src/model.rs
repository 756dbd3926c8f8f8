//! Which model answers: the one of an environment with a key, or the scripted one.

use std::{collections::BTreeMap, fmt, sync::Arc};

use anyhow::anyhow;
use futures_util::{FutureExt as _, future::BoxFuture};
use hostel_chat::model::{
    BoxStream, Event, Fault, FinishReason, MAIN, Message, Model, ModelInfo, Models, Piece, Request, Secrets, Usage,
    Zeroizing,
};
use serde_json::{Value, json};

/// Which model answers.
#[derive(Clone)]
pub enum Choice {
    /// The scripted one, which has the solution of each task.
    Scripted,
    /// A scripted one that says something and does nothing: what it is given is failed, or the tests are worth nothing.
    Idle,
    /// This one, for all of them.
    Real(Arc<dyn Model>),
}

/// Keys in the environment, by their names.
struct Environment;

impl Secrets for Environment {
    fn has(&self, name: &str) -> bool {
        std::env::var_os(name).is_some_and(|value| !value.is_empty())
    }

    fn reveal(&self, name: &str) -> BoxFuture<'static, Result<Option<Zeroizing<String>>, String>> {
        let value = std::env::var(name).ok().map(Zeroizing::new);
        async move { Ok(value) }.boxed()
    }
}

/// The model of this name: `scripted`; `main`, which is of whichever provider there is a key for in the environment; or
/// `provider/model`.
///
/// # Errors
/// When there is none.
pub fn chosen(name: &str) -> anyhow::Result<Choice> {
    match name {
        "scripted" => return Ok(Choice::Scripted),
        "idle" => return Ok(Choice::Idle),
        _ => {}
    }
    let secrets: Arc<dyn Secrets> = Arc::new(Environment);
    let models = Models::from_settings(BTreeMap::new(), &secrets).map_err(|(name, why)| anyhow!("{name}: {why}"))?;
    let models = if name == MAIN { models } else { models.with_main(name).map_err(|why| anyhow!("{why}"))? };
    let main = models
        .find(MAIN)
        .ok_or_else(|| anyhow!("there is no model: set the key of a provider, such as OPENAI_API_KEY"))?;
    Ok(Choice::Real(main))
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Choice").field(&self.name()).finish()
    }
}

impl Choice {
    /// The models of an agent that is to solve a task with this solution.
    pub(crate) fn models(&self, solution: &str) -> Models {
        match self {
            Self::Scripted => Models::one(Patcher::new(solution)),
            Self::Idle => Models::one(Patcher { rounds: Vec::new() }),
            Self::Real(model) => Models::of([(MAIN, Arc::clone(model))]),
        }
    }

    /// What reports call it.
    pub fn name(&self) -> String {
        match self {
            Self::Scripted => "scripted".to_owned(),
            Self::Idle => "idle".to_owned(),
            Self::Real(model) => model.describe().model,
        }
    }
}

/// A model that solves a task by its patch: it looks, changes, checks, commits, and says so. Which of these comes next is told by how
/// often it has called tools since it was asked, so that it says the same when it is asked again.
#[derive(Debug, Clone)]
pub(crate) struct Patcher {
    rounds: Vec<Vec<(&'static str, Value)>>,
}

impl Patcher {
    pub(crate) fn new(patch: &str) -> Self {
        let look = vec![("list_files", json!({})), ("git_log", json!({}))];
        let change = vec![("apply_patch", json!({"patch": patch}))];
        let check = vec![("run_command", json!({"command": "ls"})), ("git_diff", json!({}))];
        let commit = vec![("git_commit", json!({"message": "Do what was asked for"}))];
        Self { rounds: vec![look, change, check, commit] }
    }

    fn events(&self, request: &Request) -> Vec<Event> {
        let asked = request.messages.iter().rposition(|message| matches!(message, Message::User(_))).unwrap_or(0);
        let calls = |message: &&Message| matches!(message, Message::Assistant(pieces) if pieces.iter().any(is_call));
        let round = request.messages[asked..].iter().filter(calls).count();
        let mut events = Vec::new();
        let reason = match self.rounds.get(round) {
            Some(calls) => {
                for (at, (name, input)) in calls.iter().enumerate() {
                    let (id, name) = (format!("call_{round}_{at}"), (*name).to_owned());
                    events.push(Event::ToolInputStart { id: id.clone(), name: name.clone() });
                    events.push(Event::ToolCall { id, name, input: Ok(input.clone()), signature: None });
                }
                FinishReason::ToolCalls
            }
            None => {
                let id = "done".to_owned();
                events.push(Event::TextStart { id: id.clone() });
                events.push(Event::TextDelta { id: id.clone(), delta: "Done.".to_owned() });
                events.push(Event::TextEnd { id });
                FinishReason::Stop
            }
        };
        events.push(Event::Finish { reason, usage: Usage::default() });
        events
    }
}

fn is_call(piece: &Piece) -> bool {
    matches!(piece, Piece::ToolCall { .. })
}

impl Model for Patcher {
    fn stream(&self, request: Request) -> BoxStream<'static, Result<Event, Fault>> {
        Box::pin(futures_util::stream::iter(self.events(&request).into_iter().map(Ok)))
    }

    fn describe(&self) -> ModelInfo {
        ModelInfo::new("scripted", "scripted", "scripted")
    }
}
