//! Calls between agents, and from the application.

use std::{fmt, sync::Arc};

use hostel_core::{
    AgentId, BoxFuture, Error, Identity, Reply, Request, Response, Result,
    host::{Caller, Host, Incoming, IncomingKind, OutgoingCall},
};
use hostel_protocol::refusal::Code;
use jiff::Timestamp;

use super::{Node, Shared};
use crate::cell::{Admission, By, Cell};

impl Caller for Node {
    fn call(&self, call: OutgoingCall) -> BoxFuture<Result<Reply>> {
        let node = self.clone();
        Box::pin(async move { Node::call(&node, call).await })
    }

    fn fetch(&self, target: AgentId, request: Request) -> BoxFuture<Result<Response>> {
        let node = self.clone();
        Box::pin(async move { node.request(&target, request, None).await })
    }
}

/// The application as a caller: it has no name, but it may have a deadline, or a key.
pub(super) fn application(node: &Shared, call: &OutgoingCall) -> By {
    if call.timeout.is_none() && call.idempotency_key.is_none() {
        return By::Application;
    }
    By::Caller(Arc::new(Incoming {
        caller: None,
        target: call.target.clone(),
        kind: kind(call),
        hops: 0,
        deadline: deadline(node, call),
        within: None,
    }))
}

fn deadline(node: &Shared, call: &OutgoingCall) -> Option<Timestamp> {
    call.timeout.and_then(|limit| node.clock.now().checked_add(limit).ok())
}

fn kind(call: &OutgoingCall) -> IncomingKind {
    call.idempotency_key.clone().map_or(IncomingKind::Call, IncomingKind::Keyed)
}

/// Calls that an agent makes: they leave when everything it has committed is durable.
pub(crate) struct GatedCaller {
    cell: Arc<Cell>,
    /// What the agent is answering when it calls.
    within: Option<Arc<Incoming>>,
}

impl GatedCaller {
    pub(crate) fn new(cell: Arc<Cell>, within: Option<Arc<Incoming>>) -> Self {
        Self { cell, within }
    }

    fn node(&self) -> Node {
        Node::inside(self.cell.shared())
    }

    /// What a call waits for before it leaves. To an agent under this one it leaves by the list of those.
    fn gate(&self, target: &AgentId) -> BoxFuture<Result<()>> {
        match target.is_sub_agent() && target.parent().as_ref() == Some(&self.cell.id) {
            true => self.cell.admit(target, Admission::Known),
            false => self.cell.durable(),
        }
    }

    /// What the other agent is told of this call.
    fn introduce(&self, target: &AgentId, kind: IncomingKind, deadline: Option<Timestamp>) -> Result<By> {
        let hops = self.within.as_ref().map_or(0, |call| call.hops) + 1;
        let limit = self.cell.shared().options.call_hops;
        if hops > limit {
            return Err(too_deep(target, limit));
        }
        Ok(By::Caller(Arc::new(Incoming {
            caller: Some((self.cell.id.clone(), self.cell.label())),
            target: target.clone(),
            kind,
            hops,
            deadline,
            within: self.within.clone(),
        })))
    }
}

impl Caller for GatedCaller {
    fn call(&self, call: OutgoingCall) -> BoxFuture<Result<Reply>> {
        let deadline = deadline(&self.cell.shared(), &call);
        let by = self.introduce(&call.target, kind(&call), deadline);
        let (node, gate) = (self.node(), self.gate(&call.target));
        Box::pin(async move {
            let by = by?;
            gate.await?;
            node.call_by(by, call).await
        })
    }

    fn fetch(&self, target: AgentId, mut request: Request) -> BoxFuture<Result<Response>> {
        let by = self.introduce(&target, IncomingKind::Call, None);
        let (node, gate) = (self.node(), self.gate(&target));
        // It is this agent that asks. Whoever it speaks for, it cannot lend their identity.
        request.extensions_mut().remove::<Identity>();
        Box::pin(async move {
            let by = by?;
            gate.await?;
            node.request_by(Some(by), &target, request, None).await
        })
    }
}

impl fmt::Debug for GatedCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GatedCaller").field(&self.cell.id).finish()
    }
}

fn too_deep(target: &AgentId, limit: u32) -> Error {
    let message = format!("This call of {target} is the end of a chain of {limit} agents that wait for each other.");
    Error::coded(Code::CallTooDeep, message)
        .with_fix("end the chain, or hand the work on without waiting for it: with a task, or with `cx.spawn`")
}
