//! Whatever a server sends is read without panic, and nothing is lost: text
//! that is no frame is kept as it came.
#![no_main]

use hostel_protocol::server::{RpcOutcome, ServerFrame, parse_server, rpc_chunk, rpc_result};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| match parse_server(text) {
    ServerFrame::Text(kept) => assert_eq!(kept, text),
    ServerFrame::Other(raw) => assert!(text.contains(raw.get())),
    ServerFrame::Rpc(answer) => {
        let again = match &answer.outcome {
            RpcOutcome::Done(value) => rpc_result(&answer.id, value.as_ref().map(|v| v.get())),
            RpcOutcome::Chunk(Some(value)) => rpc_chunk(&answer.id, value.get()),
            _ => return,
        };
        assert!(matches!(parse_server(&again), ServerFrame::Rpc(read) if read.id == answer.id));
    }
    _ => {}
});
