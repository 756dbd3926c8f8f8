//! The side below: an agent above asks for a run, follows it, or stops it. The request comes from inside the process: what
//! makes it one of these is a type that no client can send.

mod feed;

use std::{pin::Pin, sync::Arc};

use futures_util::Stream;
use hostel::{Code, Cx, Error, Identity, Result, host::Host, protocol::chat::UiMessage};
use parking_lot::Mutex;
use serde_json::{Map, Value};

use self::feed::Feed;
use super::{asked, rows::AgentRunState};
use crate::{
    agent::ChatAgent,
    approval::{self, Answering},
    room::{Room, Say},
    store::turns,
    submit,
};

/// What an agent above wants.
#[derive(Debug, Clone)]
pub(crate) enum Knock {
    /// Do this, once, and let me follow it.
    Do(Arc<Told>),
    /// Stop it.
    Stop {
        /// The run.
        run: String,
    },
    /// What do you ask, you and those below?
    Asks,
    /// Answer to a question.
    Decide {
        /// The approval.
        id: String,
        answer: Answering,
    },
}

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Told {
    /// The run, which is also the turn's id.
    pub(super) run: String,
    pub(super) text: String,
    pub(super) body: Map<String, Value>,
    pub(super) who: Option<Identity>,
    /// What of it was shown already.
    pub(super) from: u64,
}

/// Something of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Line {
    /// A chunk, with its number in the log.
    Chunk(u64, String),
    /// What is being said, and not certain.
    Progress(String),
    /// It is over, with what was said in the end or what went wrong.
    End(AgentRunState, String),
}

/// What happens in a run, as it happens.
pub(super) type Lines = Pin<Box<dyn Stream<Item = Result<Line>> + Send>>;

/// Lines on their way within an answer.
#[derive(Clone)]
pub(super) struct Handed(pub(super) Arc<Mutex<Option<Lines>>>);

/// Answers an agent above.
pub(crate) async fn answer<A: ChatAgent>(cx: &Cx<A>, knock: Knock) -> Result<hostel::Response> {
    let mut response = hostel::Response::default();
    match knock {
        Knock::Stop { run } => Room::of(cx).aside(|host| halt(host, &run))?,
        Knock::Do(told) => {
            let lines = follow(cx, &told)?;
            response.extensions_mut().insert(Handed(Arc::new(Mutex::new(Some(lines)))));
        }
        Knock::Asks => drop(response.extensions_mut().insert(asked::all(cx).await?)),
        Knock::Decide { id, answer } => {
            drop(response.extensions_mut().insert(asked::settle(cx, &id, &answer).await?));
        }
    }
    Ok(response)
}

/// Stops whatever is done for a run.
fn halt(host: &dyn Host, run: &str) -> Result<()> {
    if !crate::store::is_begun(host)? {
        return Ok(());
    }
    let Some(turn) = turns::by_id(host, run)? else { return Ok(()) };
    for open in turns::open_briefly(host)?.iter().filter(|open| open.message == turn.message) {
        submit::cancel(host, &open.id)?;
    }
    approval::Rows::of(host).withdraw_in(&turn.message, "The run was stopped.")
}

/// Begins the run if it is not begun, and follows it.
fn follow<A: ChatAgent>(cx: &Cx<A>, told: &Told) -> Result<Lines> {
    let room = Room::of(cx);
    let input = UiMessage::user(format!("agent-tool-{}-input", told.run), told.text.as_str());
    let say = Say { id: Some(told.run.clone()), messages: vec![input], body: told.body.clone(), ..Say::default() };
    let said = room.say(say.by(told.who.clone()))?;
    if !said.is_taken {
        return Err(Error::coded(Code::RunBusy, "The agent takes nothing while it is busy."));
    }
    Feed::lines(room, told, said.seq)
}
