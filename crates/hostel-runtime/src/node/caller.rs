//! Calls between agents, and from the application.

use std::{fmt, sync::Arc};

use hostel_core::{
    AgentId, BoxFuture, Reply, Request, Response, Result,
    host::{Caller, Host, OutgoingCall},
};

use super::Node;
use crate::cell::{By, Cell};

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

/// Calls that an agent makes: they leave when everything it has committed is durable.
pub(crate) struct GatedCaller(Arc<Cell>);

impl GatedCaller {
    pub(crate) fn new(cell: Arc<Cell>) -> Self {
        Self(cell)
    }

    fn node(&self) -> Node {
        Node::inside(self.0.shared())
    }

    fn by(&self) -> By {
        By::Caller(self.0.label())
    }
}

impl Caller for GatedCaller {
    fn call(&self, call: OutgoingCall) -> BoxFuture<Result<Reply>> {
        let (node, gate, by) = (self.node(), self.0.durable(), self.by());
        Box::pin(async move {
            gate.await?;
            node.call_by(by, call).await
        })
    }

    fn fetch(&self, target: AgentId, request: Request) -> BoxFuture<Result<Response>> {
        let (node, gate, by) = (self.node(), self.0.durable(), self.by());
        Box::pin(async move {
            gate.await?;
            node.request_by(Some(by), &target, request, None).await
        })
    }
}

impl fmt::Debug for GatedCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GatedCaller").field(&self.0.id).finish()
    }
}
