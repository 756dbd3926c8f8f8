//! Any path leads somewhere or nowhere without panic, and what it leads to is
//! made of pieces of it.
#![no_main]

use hostel_protocol::name::{Route, check_name, route};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| {
    let (path, prefix) = input;
    for prefix in [prefix, "agents", ""] {
        match route(path, prefix) {
            Route::Agent(found) => {
                for piece in [found.agent, found.name] {
                    assert!(path.contains(piece) && !piece.is_empty() && !piece.contains('/'));
                }
                assert!(path.contains(found.rest) && !found.rest.starts_with('/'));
                assert_eq!(check_name(found.name).is_ok(), found.name.len() <= 1024);
            }
            Route::NoMatch(why) => {
                assert!(why.refusal(path, prefix).close_reason().len() <= 123);
            }
        }
    }
});
