//! The loop against a turn in memory: no server, no clock, no database.

mod asking;
mod crashes;
mod models;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hostel::protocol::chat::{Chunk, Fold, UiMessage};
use hostel::{BoxFuture, Error, Result, Timestamp};
use hostel_model::{Scripted, ToolSpec};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::*;
use crate::{
    approval::{Always, Answering, Approval, ApprovalState, Question, Ruling, digest},
    tool::{Does, Preview},
};

/// A turn in memory. `crash_after` emits nothing more after that many chunks, as a process that died.
#[derive(Default)]
struct Fake {
    before: Vec<UiMessage>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    base: Option<UiMessage>,
    logged: Vec<Chunk>,
    notes: Vec<(String, Value)>,
    cuts: Vec<usize>,
    parked: usize,
    /// How many emits and notes are left before the process dies.
    left: Option<usize>,
    emits: usize,
}

impl State {
    fn live(&mut self) -> Result<()> {
        match &mut self.left {
            Some(0) => Err(Error::msg("dead")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Turn for Fake {
    fn id(&self) -> &str {
        "t1"
    }

    fn before(&self) -> Result<Vec<UiMessage>> {
        Ok(self.before.clone())
    }

    fn message(&self) -> Result<UiMessage> {
        let state = self.state.lock();
        let mut fold = match &state.base {
            Some(base) => Fold::continuing(base.clone()),
            None => Fold::new("m1"),
        };
        for chunk in &state.logged {
            fold.apply(chunk);
        }
        Ok(fold.into_message())
    }

    fn logged(&self) -> Result<Vec<Chunk>> {
        Ok(self.state.lock().logged.clone())
    }

    fn emit(&self, chunks: Vec<Chunk>) -> Result<()> {
        let mut state = self.state.lock();
        state.live()?;
        state.emits += 1;
        state.logged.extend(chunks);
        Ok(())
    }

    fn note(&self, kind: &str, value: Value) -> Result<()> {
        let mut state = self.state.lock();
        state.live()?;
        state.notes.push((kind.to_owned(), value));
        Ok(())
    }

    fn note_and_emit(&self, kind: &str, value: Value, chunks: Vec<Chunk>) -> Result<()> {
        let mut state = self.state.lock();
        state.live()?;
        state.emits += 1;
        state.notes.push((kind.to_owned(), value));
        state.logged.extend(chunks);
        Ok(())
    }

    fn notes(&self) -> Result<Vec<(String, Value)>> {
        Ok(self.state.lock().notes.clone())
    }

    fn durable(&self) -> BoxFuture<Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        match duration.is_zero() {
            true => Box::pin(std::future::ready(())),
            false => Box::pin(std::future::pending()),
        }
    }

    fn cancelled(&self) -> BoxFuture<()> {
        Box::pin(std::future::pending())
    }

    fn suspend(&self) -> Result<()> {
        self.state.lock().parked += 1;
        Ok(())
    }
}

/// A desk with a list, and what the rules say of everything once somebody has changed them.
#[derive(Default)]
struct List(Mutex<Vec<Approval>>, Mutex<Option<Ruling>>);

impl List {
    fn answer(&self, answer: &Answering) {
        for approval in self.0.lock().iter_mut().filter(|approval| approval.is_waiting()) {
            approval.state = if answer.approve { ApprovalState::Approved } else { ApprovalState::Denied };
        }
    }
}

impl Desk for List {
    fn rule(&self, _: &str, tool: &Bound, call: &Call) -> Result<Ruling> {
        if let Some(ruling) = &*self.1.lock() {
            return Ok(ruling.clone());
        }
        if call.input["forbidden"] == true {
            return Ok(Ruling::Refuse("It is forbidden.".to_owned()));
        }
        Ok(if tool.asks(&call.input) { Ruling::Ask } else { Ruling::Run })
    }

    fn always(&self, _: &str, _: &Bound, call: &Call) -> Always {
        match call.input["always"].as_str() {
            Some("never") => Always::Never,
            Some(what) => Always::This(what.to_owned()),
            None => Always::Tool,
        }
    }

    fn ask(&self, question: Question<'_>) -> Result<Approval> {
        let mut list = self.0.lock();
        let known = list.iter().find(|approval| approval.tool_call_id == question.call.id).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let approval = Approval {
            id: format!("a{}", list.len()),
            turn_id: question.turn.to_owned(),
            message_id: question.message.id.clone(),
            tool_call_id: question.call.id.clone(),
            tool: question.call.tool.clone(),
            input: question.call.input.clone(),
            input_sha256: digest(&question.call.input),
            pin: question.tool.pin.clone(),
            preview: question.preview.cloned(),
            asked_at: Timestamp::UNIX_EPOCH,
            asked_by: None,
            expires_at: None,
            state: ApprovalState::Waiting,
            answered_at: None,
            answered_by: None,
            reason: None,
            settled_at: None,
        };
        list.push(approval.clone());
        Ok(approval)
    }

    fn open_in(&self, message: &str) -> Result<Vec<Approval>> {
        let mut open = self.0.lock().clone();
        open.retain(|approval| approval.message_id == message && approval.settled_at.is_none());
        Ok(open)
    }

    fn adopt(&self, _: &str, approve: bool) -> Result<()> {
        self.answer(&if approve { Answering::yes() } else { Answering::no() });
        Ok(())
    }

    fn settle(&self, id: &str) -> Result<()> {
        for approval in self.0.lock().iter_mut().filter(|approval| approval.id == id) {
            approval.settled_at = Some(Timestamp::UNIX_EPOCH);
        }
        Ok(())
    }
}

/// A conversation with one question, its model, its tools and what they did.
struct Stage {
    turn: Arc<Fake>,
    desk: Arc<List>,
    model: Arc<dyn Model>,
    tools: Vec<Bound>,
    runs: Arc<AtomicUsize>,
    max_steps: usize,
    context: Context,
}

impl Stage {
    fn new(script: &str, question: &str) -> Self {
        let model = Scripted::new(script).unwrap();
        let before = vec![UiMessage::user("u1", question)];
        Self {
            turn: Arc::new(Fake { before, ..Fake::default() }),
            desk: Arc::default(),
            model: Arc::new(model),
            tools: Vec::new(),
            runs: Arc::default(),
            max_steps: 20,
            context: Context::new(),
        }
    }

    fn tool(mut self, name: &str, change: impl FnOnce(Bound) -> Bound) -> Self {
        let runs = Arc::clone(&self.runs);
        let run = move |_, input: Value| -> BoxFuture<Result<Value>> {
            let runs = Arc::clone(&runs);
            Box::pin(async move {
                runs.fetch_add(1, Ordering::SeqCst);
                Ok(json!({"did": input}))
            })
        };
        let mut tool = Bound::of_client(ToolSpec::new(name, "", json!({"type": "object", "properties": {}})));
        tool.does = Does::Run(Arc::new(run));
        self.tools.push(change(tool));
        self
    }

    fn engine(&self) -> Engine {
        let ready = Ready {
            model: Arc::clone(&self.model),
            small: None,
            system: String::new(),
            tools: self.tools.clone(),
            max_steps: self.max_steps,
            context: self.context.clone(),
            temperature: None,
            max_output_tokens: None,
            reasoning: None,
            meter: None,
            permit: None,
            extra: Map::new(),
        };
        Engine { turn: Arc::clone(&self.turn) as Arc<dyn Turn>, desk: Arc::clone(&self.desk) as Arc<dyn Desk>, ready }
    }

    /// What is taken back before an interrupted turn goes on.
    fn take_back(&self) {
        let mut state = self.turn.state.lock();
        if let Some(at) = place::unfinished("t1", &state.logged, &state.notes) {
            state.logged.truncate(at);
            state.cuts.push(at);
        }
    }

    async fn run(&self) {
        self.take_back();
        self.engine().run().await.unwrap();
    }

    fn message(&self) -> UiMessage {
        self.turn.message().unwrap()
    }

    /// The parts of the answer, each in a word or two.
    fn parts(&self) -> Vec<String> {
        let word = |part: &Value| match part["type"].as_str().unwrap() {
            "text" => part["text"].as_str().unwrap().to_owned(),
            kind if kind.starts_with("tool-") => format!("{kind} {}", part["state"].as_str().unwrap()),
            kind => kind.to_owned(),
        };
        self.message().parts.iter().map(word).collect()
    }

    fn last(&self) -> Chunk {
        self.turn.state.lock().logged.last().cloned().unwrap()
    }
}

const WEATHER: &str = "on *\n  call weather {\"town\": \"Rome\"}\nthen\n  say It is fine.";
const TWO: &str = "on *\n  call one {}\n  call two {}\nthen\n  say Done.";

#[tokio::test]
async fn an_answer_is_a_row_of_steps_with_one_beginning_and_one_end() {
    let stage = Stage::new(WEATHER, "weather?").tool("weather", |tool| tool);
    stage.run().await;
    assert_eq!(stage.parts(), ["step-start", "tool-weather output-available", "step-start", "It is fine."]);
    let logged = stage.turn.state.lock().logged.clone();
    let count = |kind: &str| logged.iter().filter(|chunk| chunk.kind() == kind).count();
    assert_eq!((count("start"), count("start-step"), count("finish-step"), count("finish")), (1, 2, 2, 1));
    assert_eq!(logged.first().unwrap().kind(), "start");
    assert_eq!(stage.last().text("finishReason"), Some("stop"));
}
