//! Agents under an agent: each with storage, connections and turns of its own, reached through its parent.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    agent::Agent,
    body::{Request, Response},
    call::Stub,
    cx::Cx,
    error::{Error, Result},
    id::AgentId,
};

/// One agent under another, as its parent sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubAgent {
    /// The name of its class, e.g. `ScoutAgent`; the slug if no such class is served any more.
    pub class_name: String,
    /// Its name, among its class under this parent.
    pub name: String,
    /// When it was first there; `None` in [`Hooks::on_before_sub_agent`](crate::Hooks::on_before_sub_agent) for one that is
    /// not there yet.
    pub created_at: Option<Timestamp>,
}

/// What becomes of a request for an agent under this one: the verdict of `on_before_sub_agent`.
#[derive(Debug)]
pub enum BeforeSubAgent {
    /// It goes on to the sub-agent, which is made if it is not there. Headers, body, method and query of the request may be
    /// changed; its path is the rest behind the sub-agent's, whatever it says here.
    Continue(Request),
    /// It is answered with this, and the sub-agent hears nothing of it. A WebSocket is closed: with 4000 and the status if that
    /// is a 4xx, which clients take as final, else with 1011.
    Respond(Response),
}

impl<A> Cx<A> {
    /// A handle to the agent `name` of the class `B` under this one, which is made if it is not there. It belongs to this
    /// agent: it has a database of its own, and it is deleted with this one.
    ///
    /// Its calls are those of [`Cx::agent`]: callable methods, typed.
    ///
    /// ```
    /// # use hostel_core::{Agent, Cx, Result};
    /// # async fn demo<Lobby, Room: Agent>(cx: &Cx<Lobby>) -> Result<()> {
    /// let room = cx.sub_agent::<Room>("north east")?;
    /// # let _ = room;
    /// assert!(cx.has_sub_agent::<Room>("north east")?);
    /// cx.delete_sub_agent::<Room>("north east")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `name_invalid` and `name_too_long` as for [`AgentId::sub_agent`], `unknown_agent` if no such class is served, or a
    /// storage code.
    pub fn sub_agent<B: Agent>(&self, name: &str) -> Result<B::Stub> {
        let child = self.id().sub_agent(B::CLASS, name)?;
        self.host.add_sub_agent(&child)?;
        Ok(self.stub(child).into())
    }

    /// Whether there is an agent of this class and name under this one.
    ///
    /// # Errors
    /// A storage code.
    pub fn has_sub_agent<B: Agent>(&self, name: &str) -> Result<bool> {
        match self.id().sub_agent(B::CLASS, name) {
            Ok(child) => self.host.has_sub_agent(&child),
            Err(_) => Ok(false),
        }
    }

    /// The agents under this one, by class and name.
    ///
    /// # Errors
    /// A storage code.
    pub fn list_sub_agents(&self) -> Result<Vec<SubAgent>> {
        self.host.sub_agents()
    }

    /// Deletes an agent under this one, with everything under it, once the turn has committed, and closes their sockets with
    /// 1001. From then on there is none of this name, or a new one. A crash in between does not save it. `false` if there was
    /// none.
    ///
    /// # Errors
    /// A storage code.
    pub fn delete_sub_agent<B: Agent>(&self, name: &str) -> Result<bool> {
        match self.id().sub_agent(B::CLASS, name) {
            Ok(child) => self.host.delete_sub_agent(&child),
            Err(_) => Ok(false),
        }
    }

    /// Puts an agent under this one out of memory once the turn has committed: its async work is broken off at its next wait.
    /// What it has committed and its connections stay; the next event starts it again. `false` if there is none.
    ///
    /// # Errors
    /// A storage code.
    pub fn abort_sub_agent<B: Agent>(&self, name: &str) -> Result<bool> {
        match self.id().sub_agent(B::CLASS, name) {
            Ok(child) => self.host.abort_sub_agent(&child),
            Err(_) => Ok(false),
        }
    }

    /// A handle to the agent that this one is under.
    ///
    /// # Errors
    /// If it is under none, or under one of another class.
    pub fn parent<P: Agent>(&self) -> Result<P::Stub> {
        let none = || Error::msg(format!("{} is not under another agent", self.id()));
        let parent = self.id().parent().ok_or_else(none)?;
        if parent.namespace() != AgentId::new(P::CLASS, "").namespace() {
            return Err(Error::msg(format!("{} is under {parent}, which is no {}", self.id(), P::CLASS)));
        }
        Ok(self.stub(parent).into())
    }

    /// The agent that this one is under; `None` at the top.
    pub fn parent_id(&self) -> Option<AgentId> {
        self.id().parent()
    }

    /// The agents that this one is under, the one at the top first.
    pub fn parent_path(&self) -> Vec<AgentId> {
        self.id().parents()
    }

    /// [`Cx::parent_path`], and this agent.
    pub fn self_path(&self) -> Vec<AgentId> {
        let mut path = self.parent_path();
        path.push(self.id().clone());
        path
    }

    fn stub(&self, target: AgentId) -> Stub {
        Stub::new(target, self.host.caller(self.call.clone()))
    }
}
