//! The trait of agent classes that chat.

use hostel::{Agent, Cx, Request, Result};

use crate::{approval::Approval, engine, room::TurnInfo, setup::ChatSetup, turn::ChatTurn};

/// An agent class that chats. Its `#[agent]` block names [`Chat`](crate::Chat) as what extends it.
///
/// Every turn of the chat is durable: what was accepted is answered, even if the process is killed in the middle, and what
/// was said once is not said again. See [`ChatTurn`] for what an [`answer`](ChatAgent::answer) of your own has to know.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not chat",
    label = "`hostel_chat::Chat` extends classes that implement `ChatAgent`",
    note = "add `impl hostel_chat::ChatAgent for {Self} {{ .. }}`"
)]
pub trait ChatAgent: Agent {
    /// Model, system prompt, tools, limits: asked at the start of each turn, and when a message comes while another is
    /// being answered.
    fn chat(&self, cx: &Cx<Self>) -> ChatSetup<Self>;

    /// Answers one turn. By default the model does, with its tools; see [`ChatAgent::chat`].
    ///
    /// It is run at least once: after a crash again, with [`ChatTurn::logged`] holding what was said already. An error it
    /// returns ends the turn, and clients show its message. It is dropped when somebody stops the turn.
    fn answer(cx: Cx<Self>, turn: ChatTurn<Self>) -> impl Future<Output = Result<()>> + Send {
        engine::answer(cx, turn)
    }

    /// Whether whoever sends this request over HTTP may say something, answer what is asked, and change settings; everybody who
    /// reaches the agent may read. A class with read-only connections (`should_connection_be_readonly`) decides the same here.
    fn may_speak(&self, _cx: &Cx<Self>, _request: &Request) -> bool {
        true
    }

    /// Somebody said yes to a call, and "always". Answer `true` if the agent keeps in mind what it has to by itself, with
    /// [`ApprovalPolicy::ruled_by`](crate::ApprovalPolicy::ruled_by) to go by it; otherwise the tool needs no yes in this agent any more.
    ///
    /// # Errors
    /// With one, the answer is not taken.
    fn remember(_cx: &Cx<Self>, _approval: &Approval) -> Result<bool> {
        Ok(false)
    }

    /// A turn is over, or waits for somebody (`suspended`): told once for each end, in the transaction that writes it, so that
    /// what is ordered or kept here is there exactly when the end is. It hears of stopped turns as well. It is not for long work:
    /// order a task for that.
    ///
    /// # Errors
    /// With one, the turn does not end, and the same is tried again.
    fn on_turn_over(_cx: &Cx<Self>, _turn: &TurnInfo) -> Result<()> {
        Ok(())
    }
}
