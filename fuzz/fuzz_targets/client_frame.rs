//! Whatever a client sends is parsed without panic, and a frame that was
//! understood says the same after it is written again.
#![no_main]

use hostel_protocol::client::{ClientFrame, FaultKind, parse};
use hostel_protocol::server::{rpc_request, state_update};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

fuzz_target!(|text: &str| {
    match parse(text) {
        ClientFrame::Rpc(call) => {
            let key = call.idempotency_key.as_deref();
            let again = rpc_request(&call.id, &call.method, call.args.get(), key);
            let ClientFrame::Rpc(read) = parse(&again) else {
                panic!("a written call is no call: {again}");
            };
            assert_eq!((&read.id, &read.method), (&call.id, &call.method));
            assert_eq!(read.args.get(), call.args.get());
            assert_eq!(read.idempotency_key, call.idempotency_key);
        }
        ClientFrame::State(update) => {
            let again = state_update(update.state.get());
            let ClientFrame::State(read) = parse(&again) else {
                panic!("a written state is no state: {again}");
            };
            assert_eq!(read.state.get(), update.state.get());
        }
        ClientFrame::Chat(chat) => assert!(text.contains(chat.kind.as_str()) || text.contains('\\')),
        ClientFrame::Unknown(fault) => {
            let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
            assert!(!is_json || fault.kind != FaultKind::NotJson);
            let refusal = fault.refusal();
            assert!(refusal.close_reason().len() <= 123);
            let frame = refusal.to_error_frame();
            assert!(serde_json::from_str::<IgnoredAny>(&frame).is_ok(), "{frame}");
        }
    }
});
