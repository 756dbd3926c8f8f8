//! Whom a request is for: a fact that travels in its extensions, where no client can put anything.

use std::sync::Arc;

use hostel_core::AgentId;
use http::Request;
use serde_json::Value;

use crate::headers::{self, NAMESPACE, ROOM};

/// The agent a request was routed to.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) id: AgentId,
    pub(crate) props: Option<Arc<Value>>,
}

impl Address {
    /// Writes the address on a request: the fact itself, and the two headers that show it (agents-protocol, 1.7).
    pub(crate) fn write<B>(self, request: &mut Request<B>) {
        let headers = request.headers_mut();
        headers::drop_reserved(headers);
        for (name, text) in [(NAMESPACE, self.id.namespace()), (ROOM, self.id.name())] {
            if let Some(value) = headers::value(text) {
                headers.insert(name, value);
            }
        }
        request.extensions_mut().insert(self);
    }

    pub(crate) fn read<B>(request: &mut Request<B>) -> Option<Self> {
        request.extensions_mut().remove()
    }
}
