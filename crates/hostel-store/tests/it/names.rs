//! Row 9 of the threat table: no name escapes, collides or overflows.

use std::collections::HashMap;
use std::path::Component;

use hostel_store::{Options, Store};
use proptest::prelude::*;

use super::{Disk, files, keep};

/// The path that the store uses for a name, found by writing to it.
fn path_of(disk: &Disk, name: &str) -> String {
    let mut agent = disk.agent(name);
    keep(&mut agent, "1");
    agent.close().unwrap();
    let entries = files(&disk.dir.path().join("agents"));
    let [file] = entries.as_slice() else { panic!("one file, not {entries:?}") };
    let relative = file.strip_prefix(disk.dir.path()).unwrap();
    assert!(relative.components().all(|c| matches!(c, Component::Normal(_))));
    let path = relative.to_str().unwrap().to_owned();
    disk.agent(name).destroy().unwrap();
    path
}

fn assert_sound(path: &str) {
    let file = path.rsplit('/').next().unwrap();
    assert!(path.starts_with("agents/counter/") && path.matches('/').count() == 3, "{path}");
    assert!(path.len() + "-wal".len() <= 200, "{path}");
    assert!(path.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-/.".contains(&b)), "{path}");
    assert!(!file.starts_with(['.', '-']) && file.matches('.').count() == 1, "{path}");
}

#[test]
fn hostile_names_get_sound_distinct_files() {
    let disk = Disk::new();
    let hostile = [
        "",
        ".",
        "..",
        "../../etc/passwd",
        "%2e%2e%2f",
        "/",
        "\\",
        "a\0b",
        "a",
        "A",
        "con",
        "CON",
        "nul.db",
        "é",
        "e\u{301}",
        "\u{212A}",
        "k",
        "K",
        "ſ",
        "s",
        "ﬁ",
        "fi",
        " ",
        "\n",
        "\u{202E}gnp",
        "-wal",
        "x",
        "😀",
    ];
    let mut seen = HashMap::new();
    for name in hostile {
        let path = path_of(&disk, name);
        assert_sound(&path);
        assert_eq!(seen.insert(path, name), None, "{name:?}");
    }
}

#[test]
fn a_name_of_64_kb_is_refused_and_shown_short() {
    let store = Store::in_memory(Options::default()).unwrap();
    let refused = store.agent("counter", &"n".repeat(64 * 1024)).unwrap_err();
    assert_eq!(refused.code(), "name_too_long");
    assert!(refused.to_string().len() < 400);
    let longest = "n".repeat(1024);
    keep(&mut store.agent("counter", &longest).unwrap(), "1");
}

#[test]
fn a_namespace_that_is_not_kebab_case_is_refused() {
    let store = Store::in_memory(Options::default()).unwrap();
    for namespace in ["", "..", "a/b", "Counter", "a\0", "é", &"a".repeat(65)] {
        assert_eq!(store.agent(namespace, "x").unwrap_err().code(), "name_invalid", "{namespace:?}");
    }
}

#[test]
fn messages_show_a_hostile_name_on_one_line() {
    let disk = Disk::new();
    let name = "evil\n\u{1b}[31m";
    let mut first = disk.agent(name);
    keep(&mut first, "1");
    let message = disk.agent(name).state().unwrap_err().to_string();
    assert!(!message.contains('\n') && !message.contains('\u{1b}'), "{message:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_two_names_get_sound_distinct_files(a in any::<String>(), b in any::<String>()) {
        prop_assume!(a.len() <= 1024 && b.len() <= 1024);
        let store = DISK.with(|disk| (path_of(disk, &a), path_of(disk, &b)));
        assert_sound(&store.0);
        assert_sound(&store.1);
        prop_assert_eq!(a == b, store.0 == store.1);
    }
}

thread_local! {
    static DISK: Disk = Disk::new();
}
