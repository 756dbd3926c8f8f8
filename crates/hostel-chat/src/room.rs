//! The chat of an agent from inside the process: for its own methods, and for doors other than the socket.

mod follow;
mod words;

use std::fmt;

use futures_util::Stream;
use hostel::{
    Cx, Error, Identity, Result,
    host::Host,
    protocol::chat::{ChatRequest, Dialect, ToolAnswer, Trigger, UiMessage},
};

pub(crate) use self::words::info;
pub use self::words::{Entry, Pending, Said, Say, TurnInfo};
use crate::{
    agent::ChatAgent,
    agents::{self, AgentRun, ApprovalBelow},
    approval::{Answering, Decided},
    cut, ids, live,
    memory::Talk,
    policy::Policy,
    run, settle,
    store::{self, log, transcript, turns},
    submit::{self, Accepted, From},
};

/// The chat of an agent, as its own code and the doors of the host use it.
///
/// ```
/// use hostel::prelude::*;
/// use hostel_chat::{ChatAgent, Room, Say};
///
/// # fn demo<A: ChatAgent>(cx: &Cx<A>) -> Result<()> {
/// let room = Room::of(cx);
/// let said = room.say(Say::text("What is the weather like?"))?;
/// println!("{} is answered from {} on", said.turn, said.seq);
/// # Ok(()) }
/// ```
pub struct Room<A> {
    pub(crate) cx: Cx<A>,
}

impl<A> Clone for Room<A> {
    fn clone(&self) -> Self {
        Self { cx: self.cx.clone() }
    }
}

impl<A: ChatAgent> Room<A> {
    /// The chat of the agent behind `cx`.
    pub fn of(cx: &Cx<A>) -> Self {
        Self { cx: cx.clone() }
    }

    /// The time, from the host's clock.
    pub(crate) fn now(&self) -> hostel::Timestamp {
        self.host().now()
    }

    fn host(&self) -> &dyn Host {
        &**self.cx.host()
    }

    /// Does `work` as one turn of the agent, or as part of the one under way.
    pub(crate) fn aside<R>(&self, mut work: impl FnMut(&dyn Host) -> Result<R>) -> Result<R> {
        let host = self.host();
        let mut result = None;
        host.aside(&mut || {
            result = Some(work(host)?);
            Ok(())
        })?;
        result.ok_or_else(|| Error::msg("nothing was done"))
    }

    /// Says something in the chat; it is answered as if a client had said it.
    ///
    /// # Errors
    /// A storage code.
    pub fn say(&self, say: Say) -> Result<Said> {
        self.say_once(say, None)
    }

    /// The same, refused if something else was said under this id.
    pub(crate) fn say_once(&self, say: Say, fingerprint: Option<&str>) -> Result<Said> {
        let policy = self.cx.read(|me| me.chat(&self.cx).policy()).unwrap_or(Policy::Queue);
        let host = self.host();
        let id = say.id.unwrap_or_else(|| ids::make(host, ids::TURN));
        let mut messages = say.messages;
        for message in messages.iter_mut().filter(|message| message.id.is_empty()) {
            message.id = ids::make(host, ids::MESSAGE);
        }
        let request = ChatRequest {
            id: id.clone(),
            messages,
            trigger: Trigger::Submit,
            client_tools: say.client_tools,
            body: say.body,
            dialect: Dialect::Tolerant,
        };
        let from = From { connection: None, who: say.who.as_ref(), fingerprint };
        self.aside(|host| {
            store::make(host)?;
            let before = log::head(host)?;
            let accepted = submit::take(host, request.clone(), from, || policy)?;
            let seq = match accepted {
                Accepted::Known(n) => log::beginning(host, n)?.unwrap_or(before),
                _ => before,
            };
            Ok(Said { turn: id.clone(), seq, is_taken: accepted != Accepted::Skipped })
        })
    }

    /// The conversation, oldest first, with what is being said as far as it is.
    ///
    /// # Errors
    /// A storage code.
    pub fn transcript(&self) -> Result<Vec<UiMessage>> {
        self.aside(|host| {
            if !store::is_begun(host)? {
                return transcript::all(host);
            }
            let talk = Talk::of(host);
            let mut inner = talk.lock();
            live::ensure(host, &mut inner)?;
            let texts = live::shown(host, &inner)?;
            Ok(texts.iter().filter_map(|text| UiMessage::parse(text).ok()).collect())
        })
    }

    /// A turn by its id.
    ///
    /// # Errors
    /// A storage code.
    pub fn turn(&self, id: &str) -> Result<Option<TurnInfo>> {
        self.aside(|host| {
            let found = if store::is_begun(host)? { turns::by_id(host, id)? } else { None };
            found.map(|turn| self::info(host, turn)).transpose()
        })
    }

    /// The turns that are not over, in their order.
    ///
    /// # Errors
    /// A storage code.
    pub fn open_turns(&self) -> Result<Vec<TurnInfo>> {
        self.aside(|host| {
            let open = if store::is_begun(host)? { turns::open_briefly(host)? } else { Vec::new() };
            open.into_iter().map(|turn| self::info(host, turn)).collect()
        })
    }

    /// The last turn, if there was one.
    ///
    /// # Errors
    /// A storage code.
    pub fn last_turn(&self) -> Result<Option<TurnInfo>> {
        self.aside(|host| {
            let last = if store::is_begun(host)? { turns::last(host)? } else { None };
            last.map(|turn| self::info(host, turn)).transpose()
        })
    }

    /// Stops a turn. `false` if there is none with this id that is not over.
    ///
    /// # Errors
    /// A storage code.
    pub fn cancel(&self, turn: &str) -> Result<bool> {
        self.aside(|host| {
            let is_stopped = submit::cancel(host, turn)?;
            if is_stopped {
                run::tell_over(&self.cx, turn)?;
            }
            Ok(is_stopped)
        })
    }

    /// Forgets the conversation, and stops whatever goes on in it.
    ///
    /// # Errors
    /// A storage code.
    pub fn clear(&self) -> Result<()> {
        self.aside(|host| submit::clear(host, None))
    }

    /// Takes away the message with this id and all that was said after it, and answers them. Every client is told at once. Refused
    /// while the agent answers.
    ///
    /// # Errors
    /// `conversation_busy`, `invalid_arguments` if there is no such message, or a storage code.
    pub fn cut(&self, from: &str) -> Result<Vec<UiMessage>> {
        self.aside(|host| cut::cut(host, from))
    }

    /// Puts messages behind the conversation as if they had been said in it; nothing is answered. Every client is told at once.
    ///
    /// # Errors
    /// `conversation_busy`, or a storage code.
    pub fn put(&self, messages: &[UiMessage]) -> Result<()> {
        self.aside(|host| cut::put(host, messages))
    }

    /// The tool calls that wait for somebody, in the order of the conversation.
    ///
    /// # Errors
    /// A storage code.
    pub fn pending(&self) -> Result<Vec<Pending>> {
        Ok(self.transcript()?.iter().flat_map(words::pending_of).collect())
    }

    /// Answers a tool call, by its id or that of its approval, and has the agent go on once all are answered. The first
    /// answer counts: `false` if there is no such call, or it was answered before.
    ///
    /// # Errors
    /// A storage code.
    pub fn answer(&self, call: &str, answer: &ToolAnswer, who: Option<&Identity>) -> Result<bool> {
        self.aside(|host| {
            let answer = settle::Answer { call, answer, go_on: true, client_tools: None, from: None, who };
            Ok(settle::answer(host, &answer)?.is_some())
        })
    }

    /// The runs of agents below, oldest first: the last hundred, and those under way.
    ///
    /// # Errors
    /// A storage code.
    pub fn agent_runs(&self) -> Result<Vec<AgentRun>> {
        self.aside(agents::runs)
    }

    /// What agents that work below this one ask, and nobody has answered.
    ///
    /// # Errors
    /// A storage code, or that one of them cannot be reached at the moment.
    pub async fn approvals_below(&self) -> Result<Vec<ApprovalBelow>> {
        agents::waiting(&self.cx).await
    }

    /// Answers what an agent that works below this one asks; `None` if none of them asks this.
    ///
    /// # Errors
    /// As [`Room::approvals_below`].
    pub async fn decide_below(&self, id: &str, answer: &Answering) -> Result<Option<Decided>> {
        agents::decide(&self.cx, id, answer).await
    }

    /// The number behind the last entry of the log.
    ///
    /// # Errors
    /// A storage code.
    pub fn head(&self) -> Result<u64> {
        self.aside(|host| if store::is_begun(host)? { log::head(host) } else { Ok(0) })
    }

    /// The log from `seq` on, each entry with its number: what is there, then what comes, once it is durable. It ends with
    /// an error when the agent leaves memory, which it does not while a turn is under way. What ended turns said is kept for a day at most; after that only the transcript has it.
    ///
    /// # Cancel safety
    /// Dropping the stream loses nothing: ask again from the number behind the last one seen.
    pub fn stream_from(&self, seq: u64) -> impl Stream<Item = Result<(u64, Entry)>> + Send + use<A> {
        follow::from(self, seq)
    }
}

impl<A> fmt::Debug for Room<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Room").field(self.cx.id()).finish()
    }
}
