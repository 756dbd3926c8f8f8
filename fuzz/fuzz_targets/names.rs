//! Names of any text become slugs, keys, wire names and near misses without
//! panic.
#![no_main]

use hostel_protocol::connection::validate_tags;
use hostel_protocol::name::{camel, kebab, loose_key, nearest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, Vec<&str>)| {
    let (name, known) = input;
    assert!(!kebab(name).contains('_'));
    assert!(!loose_key(name).contains(['-', '_']));
    assert_eq!(loose_key(&loose_key(name)), loose_key(name));
    let _ = camel(name);
    if let Some(found) = nearest(name, known.iter().copied()) {
        assert!(known.contains(&found));
    }
    if let Ok(tags) = validate_tags(name, &known) {
        assert!(tags[0] == name && tags.len() <= 10);
    }
});
