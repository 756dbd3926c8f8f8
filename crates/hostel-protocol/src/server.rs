//! Frames to a client, written and read.
//!
//! Writers put keys in the order of the reference server, byte for byte.
//! Arguments named `*_json` must be valid JSON: they are copied as they are.

mod read;
mod write;

pub use read::{RpcOutcome, RpcResponse, ServerFrame, parse_server};
pub use write::{
    MCP_SERVERS_EMPTY, identity, rpc_chunk, rpc_end, rpc_error, rpc_request, rpc_result, session_error, state,
    state_accepted, state_conflict, state_error, state_initial, state_initial_versioned, state_update, state_update_if,
    state_versioned,
};

#[cfg(test)]
mod tests;
