//! Whatever a client says about chat is read without panic, a refusal can be answered, and messages and chunks survive
//! being written and read again.
#![no_main]

use hostel_protocol::chat::{ChatIn, Chunk, DataStream, Fold, UiMessage, reconcile, strict, to_strict, to_v4};
use hostel_protocol::client::ChatKind;
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

fuzz_target!(|text: &str| {
    for kind in ChatKind::ALL {
        match ChatIn::parse(kind, text) {
            Ok(ChatIn::Request(request)) => messages(request.messages, true),
            Ok(ChatIn::Messages(list)) => messages(list.messages, false),
            Ok(_) => {}
            Err(fault) => assert!(serde_json::from_str::<IgnoredAny>(&fault.to_frame()).is_ok()),
        }
    }
    let mut fold = Fold::new("m");
    let mut stream = DataStream::default();
    for chunk in text.lines().filter_map(|line| Chunk::parse(line).ok()) {
        assert_eq!(Chunk::parse(&chunk.to_json()).as_ref(), Ok(&chunk));
        fold.apply(&chunk);
        stream.encode(&chunk);
        if let Some(shown) = strict(&chunk) {
            assert_eq!(strict(&shown).as_ref(), Some(&shown));
        }
    }
    messages(vec![fold.into_message()], false);
});

fn messages(list: Vec<UiMessage>, is_request: bool) {
    for message in &list {
        assert_eq!(UiMessage::parse(&message.to_json()).as_ref(), Ok(message));
        to_strict(message);
        let old = to_v4(message);
        assert!(UiMessage::from_value(old).is_ok());
    }
    let first = reconcile(&[], list.clone(), is_request);
    assert_eq!(reconcile(&first.upserts, list, false).upserts, []);
}
