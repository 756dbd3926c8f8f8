//! The JSON check judges as `serde_json` does when nothing is limited, and
//! never accepts under limits what it refuses without.
#![no_main]

use hostel_protocol::json::{JsonFault, JsonLimits, check_json};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

fuzz_target!(|input: (u8, u8, &str)| {
    let (max_depth, max_values, text) = input;
    let unlimited = JsonLimits { max_depth: usize::MAX, max_values: usize::MAX };
    let verdict = check_json(text, &unlimited);
    let theirs = serde_json::from_str::<IgnoredAny>(text);
    assert_eq!(verdict.is_ok(), theirs.is_ok(), "{verdict:?} {theirs:?}");
    let limits = JsonLimits { max_depth: max_depth.into(), max_values: max_values.into() };
    match check_json(text, &limits) {
        Ok(()) => assert!(verdict.is_ok()),
        Err(JsonFault::Syntax { offset, .. }) => assert!(verdict.is_err() && offset <= text.len()),
        Err(_) => {}
    }
});
