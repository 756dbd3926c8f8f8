//! Approvals from inside the process: for the agent's own methods, and for doors such as HTTP and the command line.

use hostel::{Result, host::Host, protocol::chat::ToolAnswer};

use super::{Answering, Approval, Decided, Rows, Standing, rows::ANY};
use crate::{agent::ChatAgent, room::Room, settings::Settings, settle};

impl<A: ChatAgent> Room<A> {
    /// Approvals that wait for an answer, newest first.
    ///
    /// # Errors
    /// A storage code.
    pub fn approvals(&self) -> Result<Vec<Approval>> {
        self.aside(|host| Rows::of(host).list(false))
    }

    /// All approvals that are kept, newest first: the last thousand, and those that wait.
    ///
    /// # Errors
    /// A storage code.
    pub fn approvals_so_far(&self) -> Result<Vec<Approval>> {
        self.aside(|host| Rows::of(host).list(true))
    }

    /// An approval by its id.
    ///
    /// # Errors
    /// A storage code.
    pub fn approval(&self, id: &str) -> Result<Option<Approval>> {
        self.aside(|host| Rows::of(host).get(id))
    }

    /// Answers an approval, tells all clients, and has the agent go on. The first answer counts, wherever it came from.
    ///
    /// ```
    /// use hostel::prelude::*;
    /// use hostel_chat::{Answering, ChatAgent, Room};
    ///
    /// # fn demo<A: ChatAgent>(cx: &Cx<A>, id: &str) -> Result<()> {
    /// let decided = Room::of(cx).decide(id, &Answering::yes().by("ada"))?;
    /// if !decided.accepted {
    ///     println!("it is {} already", decided.approval.state);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `approval_unknown`, or a storage code.
    pub fn decide(&self, id: &str, answer: &Answering) -> Result<Decided> {
        self.aside(|host| {
            let decided = Rows::of(host).answer(id, answer)?;
            let approval = &decided.approval;
            if answer.always && decided.accepted && answer.approve && !A::remember(&self.cx, approval)? {
                let (tool, by, pin) = (approval.tool.clone(), answer.by.clone(), approval.pin.clone());
                Rows::of(host).permit(&Standing { tool, since: host.now(), by, pin })?;
            }
            if decided.is_news {
                carry_over(host, &decided.approval)?;
            }
            Ok(decided)
        })
    }

    /// Tools that need no yes in this agent any more.
    ///
    /// # Errors
    /// A storage code.
    pub fn permissions(&self) -> Result<Vec<Standing>> {
        let mut all = self.aside(|host| Rows::of(host).standing())?;
        all.iter_mut().for_each(|standing| standing.pin = standing.pin.take().filter(|pin| pin != ANY));
        Ok(all)
    }

    /// From now on, this tool needs no yes in this agent. Of a tool that others describe, as MCP servers do, that holds for
    /// the tool as it is when it is next called.
    ///
    /// # Errors
    /// A storage code.
    pub fn permit(&self, tool: &str, by: Option<&str>) -> Result<()> {
        self.aside(|host| {
            let (tool, by) = (tool.to_owned(), by.map(str::to_owned));
            Rows::of(host).permit(&Standing { tool, since: host.now(), by, pin: Some(ANY.to_owned()) })
        })
    }

    /// Takes a permission back. `false` if there was none.
    ///
    /// # Errors
    /// A storage code.
    pub fn forbid(&self, tool: &str) -> Result<bool> {
        self.aside(|host| Rows::of(host).forbid(tool))
    }

    /// What is set for this conversation alone.
    ///
    /// # Errors
    /// A storage code.
    pub fn settings(&self) -> Result<Settings> {
        self.aside(Settings::of)
    }

    /// Sets it; it counts from the next turn on.
    ///
    /// # Errors
    /// A storage code.
    pub fn set_settings(&self, settings: &Settings) -> Result<()> {
        self.aside(|host| settings.keep(host))
    }
}

/// What was decided becomes part of the message, and the agent goes on.
fn carry_over(host: &dyn Host, approval: &Approval) -> Result<()> {
    let answer = said(approval);
    let answer = settle::Answer {
        call: &approval.tool_call_id,
        answer: &answer,
        go_on: true,
        client_tools: None,
        from: None,
        who: None,
    };
    settle::write(host, &answer).map(drop)
}

fn said(approval: &Approval) -> ToolAnswer {
    match approval.state {
        super::ApprovalState::Approved => ToolAnswer::Approved,
        _ => ToolAnswer::Denied(approval.reason.clone()),
    }
}

/// Its time has passed: it counts as a no, if nobody has answered.
pub(crate) fn expire(host: &dyn Host, id: &str) -> Result<()> {
    match Rows::of(host).expire(id)? {
        Some(approval) => carry_over(host, &approval),
        None => Ok(()),
    }
}

/// Whether this call has a question that is not settled.
pub(crate) fn is_open(host: &dyn Host, call: &str) -> Result<bool> {
    Ok(Rows::of(host).by_call(call)?.is_some_and(|approval| approval.settled_at.is_none()))
}

/// What an answer that came in a frame comes to: `None` if it is too late.
pub(crate) fn heard(host: &dyn Host, call: &str, answer: &ToolAnswer, who: Option<&str>) -> Result<Option<ToolAnswer>> {
    let rows = Rows::of(host);
    let Some(approval) = rows.by_call(call)?.filter(|approval| approval.settled_at.is_none()) else {
        return Ok(Some(answer.clone()));
    };
    let answering = match answer {
        ToolAnswer::Approved => Answering::yes(),
        ToolAnswer::Denied(reason) => Answering { reason: reason.clone(), ..Answering::no() },
        ToolAnswer::Output(output) if output == hostel::protocol::chat::YES => Answering::yes(),
        ToolAnswer::Output(output) if output == hostel::protocol::chat::NO => Answering::no(),
        _ if approval.is_waiting() => {
            rows.withdraw(&approval.id, "A page answered in place of the tool.")?;
            return Ok(Some(answer.clone()));
        }
        _ => return Ok(None),
    };
    let decided = rows.answer(&approval.id, &Answering { by: who.map(str::to_owned), ..answering })?;
    Ok(decided.is_news.then(|| said(&decided.approval)))
}
