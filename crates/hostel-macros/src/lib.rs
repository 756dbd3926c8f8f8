//! `#[agent]` and `#[callable]`: they turn an `impl` block into an agent class. `#[derive(State)]` declares fields of it.
//!
//! Nothing of the user's code is rewritten. The block stays as it is, minus our marker attributes; beside it appear an
//! `impl Agent` whose methods table forwards to the block's own functions, and a stub for callers. What a handler *is*
//! lives in `hostel-core`; here is only the reading of signatures and the sentences for those that do not fit.
//!
//! Start with `agent.rs`, the road from tokens to tokens. `function.rs` reads one signature, `hook.rs` knows the hooks,
//! `method.rs`, `stub.rs` and `expand.rs` write; `state.rs` is the road of the derive.

mod agent;
mod allow;
mod doc;
mod expand;
mod faults;
mod function;
mod hook;
mod method;
mod naming;
mod options;
mod serde_names;
mod state;
mod stub;
mod task;
#[cfg(test)]
mod tests;
mod types;

use proc_macro::TokenStream;

/// Makes a type an agent class. Put it on the type's `impl` block.
///
/// The type itself is the state that clients see; it derives `Default`, `Serialize` and `Deserialize`.
///
/// Options, as in `#[agent(name = "CoderAgent")]`:
///
/// | option | meaning |
/// | --- | --- |
/// | `name = ".."` | class name, by default the type's; its kebab case is the namespace in URLs |
/// | `send_identity_on_connect = false` | a new connection is not told whom it reached |
/// | `allow = "role:editor \| owner"` | who may reach its agents: `public`, `user`, `owner`, `role:NAME`, `subject:NAME`, `operator` or `internal` |
/// | `state_write = "owner"` | which of them may write the state by themselves |
/// | `extend = path` | what a library adds to the class, such as `hostel_chat::Chat`; see `hostel::extension` |
/// | `crate = "path"` | where to find `hostel`, by default `::hostel` |
///
/// Functions in the block:
///
/// - `#[callable]` opens a method to clients and other agents.
/// - `#[task]` lets the agent have a method run later: `cx.tasks()` has a method for each.
/// - Hooks are known by their names: `on_start`, `on_connect`, `on_message`, `on_close`, `on_error`, `on_request`,
///   `on_before_sub_agent`, `on_alarm`, `on_state_changed`, `validate_state_change`, `get_connection_tags`, `should_connection_be_readonly`,
///   `should_send_protocol_messages`. Parameters may be left out from the right, and taken by value or by reference.
/// - Everything else stays a private helper.
///
/// A method or hook is `fn(&self, ..)`, `fn(&mut self, ..)`, either with `cx: &Cx<Self>` second if it wants it, or
/// `async fn(cx: &Cx<Self>, ..)`. The first two are turns: what they change is committed together, or not at all. An
/// async one waits between turns and changes the state with `cx.update(|me| ..)`.
#[proc_macro_attribute]
pub fn agent(options: TokenStream, item: TokenStream) -> TokenStream {
    agent::expand(options.into(), &item.into()).into()
}

/// Declares fields of an agent's state that clients may not see, or not write.
///
/// ```text
/// #[derive(Default, Serialize, Deserialize, State)]
/// struct Game {
///     board: Vec<u8>,                         // clients see and write it
///     #[state(server)] score: u32,            // they see it; only the server writes it
///     #[state(private)] solution: Vec<u8>,    // stored, and never sent to them
/// }
/// ```
///
/// A client that sends a whole new state never changes declared fields: the server's values stay. Names in JSON are those
/// that serde gives (`rename`, `rename_all`, `alias`). `#[state(crate = "path")]` on the type says where to find `hostel`.
#[proc_macro_derive(State, attributes(state))]
pub fn state(item: TokenStream) -> TokenStream {
    state::expand(item.into()).into()
}

/// Opens a method of an `#[agent]` block to clients and other agents.
///
/// Its wire name is the camelCase of its own: `set_branch` is called as `setBranch`.
///
/// Options, as in `#[callable(name = "setBranch", streaming)]`:
///
/// | option | meaning |
/// | --- | --- |
/// | `name = ".."` | the wire name |
/// | `streaming` | `async fn(cx: &Cx<Self>, stream: Stream<Chunk>, ..)` sends chunks before it ends |
/// | `cancel_on_disconnect` | the call ends when its caller leaves; by default it goes on |
/// | `allow = "role:editor"` | which clients may call it, of those who may reach the agent |
/// | `prompt`, `resource = "notes://{id}"`, `mime = ".."` | what it is to MCP clients, in place of a tool; others call it as any |
#[proc_macro_attribute]
pub fn callable(_options: TokenStream, item: TokenStream) -> TokenStream {
    agent::mark_alone("callable", &item.into()).into()
}

/// Lets the agent itself have a method of its `#[agent]` block run later: `cx.tasks().send_reminder(to).after(delay)`.
/// Clients cannot call it, unless it is `#[callable]` as well.
///
/// Options, as in `#[task(cron = "0 9 * * MON-FRI", zone = "Europe/Berlin")]`:
///
/// | option | meaning |
/// | --- | --- |
/// | `every = "5m"` | every agent of the class runs it again and again, this long after the end of the run before |
/// | `cron = ".."` | every agent of the class runs it by this expression |
/// | `zone = ".."` | the time zone of `cron`, by its IANA name; UTC without |
/// | `missed = ".."` | what becomes of missed runs: `"skip"`, `"once"` (the default) or `"all"` |
/// | `timeout = "10m"` | how long an async run may take before it counts as failed; 15 minutes without |
///
/// What is declared is kept in step whenever the agent starts: never twice, and gone when the declaration is.
#[proc_macro_attribute]
pub fn task(_options: TokenStream, item: TokenStream) -> TokenStream {
    agent::mark_alone("task", &item.into()).into()
}
