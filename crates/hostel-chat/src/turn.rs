//! One turn of the chat, as whoever answers it sees it.

use std::{fmt, sync::Arc};

use hostel::{
    Cx, Identity, Result,
    host::Host,
    protocol::chat::{Chunk, ClientTool, Trigger, UiMessage},
};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::{
    live,
    memory::{Inner, Live, Talk},
    store::{log, notes, transcript, turns::Turn},
};

/// One turn of the chat.
///
/// What it emits is written into the log, becomes part of the message, and goes to all clients, in this order: nobody sees
/// what a crash could take back. After a crash the turn is run again, on the same message: [`ChatTurn::logged`] is what it
/// has said before, and [`ChatTurn::message`] what that came to.
///
/// ```
/// use hostel::prelude::*;
/// use hostel::protocol::chat::Chunk;
/// use hostel_chat::{Chat, ChatAgent, ChatSetup, ChatTurn};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Echo;
///
/// #[agent(extend = Chat)]
/// impl Echo {}
///
/// impl ChatAgent for Echo {
///     fn chat(&self, _: &Cx<Self>) -> ChatSetup<Self> {
///         ChatSetup::new()
///     }
///
///     async fn answer(_: Cx<Self>, turn: ChatTurn<Self>) -> Result<()> {
///         if !turn.logged()?.is_empty() {
///             return Ok(()); // It was all said before the crash.
///         }
///         let said = turn.messages()?.last().map(|message| message.text()).unwrap_or_default();
///         turn.emit_all([
///             Chunk::new("start"),
///             Chunk::text_start("t"),
///             Chunk::text_delta("t", &format!("You said: {said}")),
///             Chunk::text_end("t"),
///             Chunk::finish("stop"),
///         ])
///     }
/// }
/// ```
pub struct ChatTurn<A> {
    cx: Cx<A>,
    talk: Arc<Talk>,
    turn: Arc<Turn>,
    attempt: u64,
    who: Option<Identity>,
    cancel: CancellationToken,
}

impl<A> Clone for ChatTurn<A> {
    fn clone(&self) -> Self {
        Self {
            cx: self.cx.clone(),
            talk: Arc::clone(&self.talk),
            turn: Arc::clone(&self.turn),
            attempt: self.attempt,
            who: self.who.clone(),
            cancel: self.cancel.clone(),
        }
    }
}

impl<A> ChatTurn<A> {
    pub(crate) fn new(cx: Cx<A>, talk: Arc<Talk>, turn: Turn, live: &Live) -> Self {
        let (attempt, who, cancel) = (live.attempt, live.who.clone(), live.cancel.clone());
        Self { cx, talk, turn: Arc::new(turn), attempt, who, cancel }
    }

    fn host(&self) -> &dyn Host {
        &**self.cx.host()
    }

    /// The request's id: what clients know the turn by.
    pub fn id(&self) -> &str {
        &self.turn.id
    }

    /// Why it was asked for.
    pub fn trigger(&self) -> Trigger {
        self.turn.ask.trigger()
    }

    /// Whether it goes on with the message of an earlier turn, whose tool calls have been answered meanwhile.
    pub fn is_continuation(&self) -> bool {
        self.turn.ask.continues.is_some()
    }

    /// How often it was begun before, and broken off.
    pub fn interruptions(&self) -> u64 {
        self.attempt.saturating_sub(1)
    }

    /// The conversation up to what is to be answered, oldest first. Of a continuation the last message is the one that
    /// goes on. What was said meanwhile is for the turns after this one.
    ///
    /// # Errors
    /// A storage code.
    pub fn messages(&self) -> Result<Vec<UiMessage>> {
        let mut messages = Vec::new();
        self.aside(|host, _| {
            messages = transcript::until(host, &self.turn.stamp)?;
            Ok(())
        })?;
        if let Some(last) = self.turn.ask.continues.as_deref()
            && let Some(at) = messages.iter().position(|message| message.id == last)
        {
            messages.truncate(at + 1);
        }
        Ok(messages)
    }

    /// What the client that asked can do itself.
    pub fn client_tools(&self) -> &[ClientTool] {
        &self.turn.ask.client_tools
    }

    /// What else the client sent along.
    pub fn body(&self) -> &Map<String, Value> {
        &self.turn.ask.body
    }

    /// Who asked, if that is known.
    pub fn who(&self) -> Option<&Identity> {
        self.who.as_ref()
    }

    /// Says one chunk; see [`ChatTurn::emit_all`].
    ///
    /// # Errors
    /// `turn_cancelled` once somebody has stopped the turn, or a storage code.
    pub fn emit(&self, chunk: Chunk) -> Result<()> {
        self.emit_all([chunk])
    }

    /// Says chunks that arrived together: written in one transaction, then seen by everybody. The cost is that of a
    /// transaction, so say together what comes together.
    ///
    /// `start` gets the id of the message. An `error` ends the turn as failed, once it ends.
    ///
    /// # Errors
    /// `turn_cancelled` once somebody has stopped the turn, or a storage code. Nothing was said then.
    pub fn emit_all(&self, chunks: impl IntoIterator<Item = Chunk>) -> Result<()> {
        let mut chunks: Vec<Chunk> = chunks.into_iter().collect();
        let said = self.own(|host, inner| live::push(host, &self.talk, inner, std::mem::take(&mut chunks)));
        said.inspect_err(|_| self.give_up())
    }

    /// What was said may be ahead of what is written: it is read again when it is next needed.
    fn give_up(&self) {
        let mut inner = self.talk.lock();
        if inner.live.as_ref().is_some_and(|live| self.is(live)) {
            inner.live = None;
        }
        inner.run = inner.run.take().filter(|run| !run.is(self.turn.n, self.attempt));
    }

    /// Resolves when everything said so far is durable, and on its way to clients. Chunks that arrive meanwhile are best
    /// said together.
    ///
    /// # Errors
    /// A storage code.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn settled(&self) -> Result<()> {
        self.cx.durable().await
    }

    /// What this turn has said before it was interrupted, and since.
    ///
    /// # Errors
    /// A storage code.
    pub fn logged(&self) -> Result<Vec<Chunk>> {
        let mut chunks = Vec::new();
        self.aside(|host, _| {
            chunks = log::read_chunks(host, self.turn.n)?;
            Ok(())
        })?;
        Ok(chunks)
    }

    /// The message as it is now; of a continuation with everything that stood there before.
    ///
    /// # Errors
    /// `turn_cancelled` once somebody has stopped the turn.
    pub fn message(&self) -> Result<UiMessage> {
        let mut message = self.live(&mut self.talk.lock()).map(|live| live.fold.message().clone());
        if message.is_none() {
            // It may have to be read again.
            self.own(|_, inner| {
                message = self.live(inner).map(|live| live.fold.message().clone());
                Ok(())
            })?;
        }
        message.ok_or_else(live::cancelled)
    }

    /// This turn, as long as it is the one under way.
    fn live<'a>(&self, inner: &'a mut Inner) -> Option<&'a mut Live> {
        inner.live.as_mut().filter(|live| self.is(live))
    }

    /// Resolves when somebody has stopped the turn.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    /// Whether somebody has stopped the turn.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Writes something down for this turn and those that go on with it. Nobody is sent it.
    ///
    /// # Errors
    /// `turn_cancelled` once somebody has stopped the turn, or a storage code.
    pub fn note(&self, kind: &str, body: &Value) -> Result<()> {
        self.own(|host, _| notes::add(host, self.turn.root(), kind, body))
    }

    /// [`ChatTurn::note`] and [`ChatTurn::emit_all`] in one transaction: both are kept, or neither.
    ///
    /// # Errors
    /// As [`ChatTurn::emit_all`].
    pub fn note_and_emit(&self, kind: &str, body: &Value, chunks: impl IntoIterator<Item = Chunk>) -> Result<()> {
        let mut chunks: Vec<Chunk> = chunks.into_iter().collect();
        let said = self.own(|host, inner| {
            notes::add(host, self.turn.root(), kind, body)?;
            live::push(host, &self.talk, inner, std::mem::take(&mut chunks))
        });
        said.inspect_err(|_| self.give_up())
    }

    /// What was written down for this turn and those it goes on with, in order: kind and content.
    ///
    /// # Errors
    /// A storage code.
    pub fn notes(&self) -> Result<Vec<(String, Value)>> {
        let mut all = Vec::new();
        self.aside(|host, _| {
            all = notes::all(host, self.turn.root())?;
            Ok(())
        })?;
        Ok(all)
    }

    /// The turn waits for somebody: an approval, or the result of a tool in a page. It ends when the answer returns, and a
    /// continuation begins when everything was answered. Meanwhile it costs no memory.
    pub fn suspend(&self) {
        let suspend = |inner: &mut Inner| self.live(inner).map(|live| live.suspended = true);
        if suspend(&mut self.talk.lock()).is_some() {
            return;
        }
        let suspended = self.own(|_, inner| {
            suspend(inner);
            Ok(())
        });
        if let Err(error) = suspended {
            tracing::debug!(error = ?error, "a turn of a chat that is over was to wait");
        }
    }

    fn is(&self, live: &Live) -> bool {
        live.n == self.turn.n && live.attempt == self.attempt
    }

    /// Does something to this turn, as long as it is the one under way.
    fn own(&self, mut work: impl FnMut(&dyn Host, &mut Inner) -> Result<()>) -> Result<()> {
        self.aside(|host, inner| {
            live::ensure(host, inner)?;
            if !inner.live.as_ref().is_some_and(|live| self.is(live)) {
                return Err(live::cancelled());
            }
            work(host, inner)
        })
    }

    fn aside(&self, mut work: impl FnMut(&dyn Host, &mut Inner) -> Result<()>) -> Result<()> {
        let host = self.host();
        host.aside(&mut || work(host, &mut self.talk.lock()))
    }
}

impl<A> fmt::Debug for ChatTurn<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatTurn").field("id", &self.turn.id).field("attempt", &self.attempt).finish_non_exhaustive()
    }
}
