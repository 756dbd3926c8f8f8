//! What a library adds to an agent class beside the class's own code: its part of the wire and of HTTP, tasks of its own,
//! and what it keeps in memory.
//!
//! A class has at most one, by `#[agent(extend = path)]`. A class without one pays nothing.

use std::{any::Any, fmt, sync::Arc};

use bytestring::ByteString;
use hostel_protocol::client::ChatKind;

use crate::{
    Cx,
    body::{Request, Response},
    connection::{Connection, Message},
    error::{Error, Result},
    handler::Handler,
    task::Task,
};

/// A hook of an extension that looks at the agent, within a turn: rows and effects are allowed, the state is not its to
/// change.
pub type Look<A, In, Out = ()> = fn(&A, &Cx<A>, In) -> Result<Out>;

/// A frame of the chat protocol, recognised but not taken apart.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Which one.
    pub kind: ChatKind,
    /// All of it.
    pub text: ByteString,
}

/// What a library adds to the agent class `A`.
///
/// ```
/// use hostel_core::extension::{Extends, Extension, Greeting};
///
/// /// Greets every connection before it hears whom it has reached.
/// struct Polite;
///
/// impl<A: hostel_core::Agent> Extends<A> for Polite {
///     const EXTENSION: Extension<A> = Extension {
///         on_greet: Some(|_, cx, _| {
///             let first = vec![format!("this is {}", cx.name()).into()];
///             Ok(Greeting { first, ..Greeting::default() })
///         }),
///         ..Extension::NONE
///     };
/// }
/// ```
pub struct Extension<A: 'static> {
    /// A frame of the chat protocol has come. Without this hook it is refused.
    pub on_frame: Option<Look<A, (Connection, Frame)>>,
    /// What a client is told when `on_frame` has failed, or the turn it made could not be kept; `None`: the error as any
    /// other.
    pub frame_failed: fn(&Frame, &Error) -> Option<Message>,
    /// What a new connection is told besides what every agent says. It is on the list of connections already.
    pub on_greet: Option<Look<A, Connection, Greeting>>,
    /// HTTP requests that are the extension's, before the class sees them.
    pub on_request: Option<RequestHook<A>>,
    /// Tasks of its own, behind those of the class. Their names have a colon, which no other task's name has.
    pub tasks: &'static [Task<A>],
}

impl<A> Extension<A> {
    /// Nothing.
    pub const NONE: Self =
        Self { on_frame: None, frame_failed: |_, _| None, on_greet: None, on_request: None, tasks: &[] };

    /// The handler of a request, if it is the extension's.
    pub(crate) fn handler_of(&self, request: &Request) -> Option<Handler<A, Request, Response>> {
        let hook = self.on_request.as_ref()?;
        (hook.wants)(request).then_some(hook.handler)
    }
}

/// What an extension tells a new connection.
#[derive(Debug, Clone, Default)]
pub struct Greeting {
    /// Before anything else.
    pub first: Vec<Message>,
    /// Behind identity, state and MCP servers, before what `on_connect` sends.
    pub last: Vec<Message>,
}

/// How an extension answers HTTP requests.
pub struct RequestHook<A> {
    /// Whether a request is the extension's.
    pub wants: fn(&Request) -> bool,
    /// Answers it.
    pub handler: Handler<A, Request, Response>,
}

/// What `#[agent(extend = path)]` names: something that extends agent classes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot extend the agent class `{A}`",
    note = "an extension says which trait its classes implement, as `hostel_chat::Chat` asks for `ChatAgent`"
)]
pub trait Extends<A: 'static> {
    /// What it adds.
    const EXTENSION: Extension<A>;
}

/// What an extension keeps of an agent while that is in memory.
pub type Memory = Arc<dyn Any + Send + Sync>;

/// What is known of a class's extension without its type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExtensionInfo {
    /// It takes frames.
    pub frames: bool,
    /// It greets connections.
    pub greets: bool,
    /// How many of the class's tasks, the last ones, are its own.
    pub tasks: usize,
}

impl ExtensionInfo {
    pub(crate) fn of<A>(extension: &Extension<A>) -> Self {
        Self {
            frames: extension.on_frame.is_some(),
            greets: extension.on_greet.is_some(),
            tasks: extension.tasks.len(),
        }
    }

    /// Whether there is one.
    pub fn is_some(&self) -> bool {
        *self != Self::default()
    }
}

impl<A> fmt::Debug for Extension<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extension").field("tasks", &self.tasks).finish_non_exhaustive()
    }
}

impl<A> fmt::Debug for RequestHook<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHook").field("handler", &self.handler).finish_non_exhaustive()
    }
}
