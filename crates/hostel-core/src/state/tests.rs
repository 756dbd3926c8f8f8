//! What declared fields make of JSON texts.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

const FIELDS: &[StateField] =
    &[StateField::private("secret"), StateField::server("total").aliases(&["sum"]), StateField::private("k\"ey")];

const COMMITTED: &str = r#"{"count":1,"secret":[1, 2],"total":3.0,"k\"ey":null}"#;

fn merged(incoming: &str) -> (String, Vec<String>, bool) {
    let Merged { json, kept, differs } = merge(incoming, COMMITTED, FIELDS).unwrap();
    (json, kept, differs)
}

#[test]
fn private_fields_are_not_visible_and_the_rest_stays_as_it_is() {
    assert_eq!(visible(COMMITTED, FIELDS), r#"{"count":1,"total":3.0}"#);
    assert_eq!(visible(r#"{"s\u0065cret":1,"a" : {"secret":2}}"#, FIELDS), r#"{"a":{"secret":2}}"#);
    assert_eq!(visible(r#"{"secret":1}"#, FIELDS), "{}");
    assert_eq!(visible("[1]", FIELDS), "[1]");
    assert!(matches!(visible(COMMITTED, &FIELDS[1..2]), Cow::Borrowed(_)), "nothing to leave out, nothing copied");
}

#[test]
fn a_clients_state_gets_the_servers_values_of_declared_fields() {
    let ours = r#""secret":[1, 2],"total":3.0,"k\"ey":null}"#;
    let expected = |theirs: &str| format!("{{{theirs}{ours}");
    assert_eq!(merged(r#"{"count":2,"total":3}"#), (expected(r#""count":2,"#), vec![], false));
    assert_eq!(merged(r#"{"count":2}"#), (expected(r#""count":2,"#), vec![], true));
    assert_eq!(merged("{}"), (expected(""), vec![], true));
    let kept = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(merged(r#"{"total":4,"new":0}"#), (expected(r#""new":0,"#), kept(&["total"]), true));
    assert_eq!(merged(r#"{"total":3,"t\u006ftal":9,"sum":7}"#), (expected(""), kept(&["total", "sum"]), true));
    assert_eq!(merge("[]", COMMITTED, FIELDS), None);
    assert_eq!(merge("null", COMMITTED, FIELDS), None);
}

#[test]
fn a_right_guess_of_a_private_value_is_answered_like_a_wrong_one() {
    let kept = vec!["secret".to_owned()];
    assert_eq!(merged(r#"{"total":3,"secret":[1,2]}"#).1, kept);
    assert_eq!(merged(r#"{"total":3,"secret":"wrong"}"#).1, kept);
}

#[test]
fn what_was_never_stored_is_not_made_up() {
    let merged = merge(r#"{"count":2,"secret":1,"total":2}"#, "null", FIELDS).unwrap();
    assert_eq!(merged.json, r#"{"count":2}"#);
    assert_eq!(merged.kept, ["secret", "total"]);
}

#[test]
fn dropped_keys_are_those_of_the_top_level_that_clients_see_and_write() {
    let before = r#"{"count":1,"title":"a","deep":{"x":1,"y":2},"secret":1,"total":2}"#;
    assert_eq!(dropped(before, r#"{"count":2,"deep":{}}"#, FIELDS), ["title"]);
    assert_eq!(dropped(before, r#"{"count":2,"t\u0069tle":"","deep":1}"#, FIELDS), Vec::<String>::new());
    assert_eq!(dropped(before, "{}", FIELDS), ["count", "title", "deep"]);
    assert_eq!(dropped(before, "null", FIELDS), Vec::<String>::new());
    assert_eq!(dropped("null", "{}", FIELDS), Vec::<String>::new());
}

#[test]
fn what_is_missing_is_filled_from_the_initial_state() {
    let keys = ["title".to_owned(), "other".to_owned()];
    let filled = filled(r#"{"count":2}"#, r#"{"count":0,"title":"new"}"#, &keys);
    assert_eq!(filled.as_deref(), Some(r#"{"count":2,"title":"new"}"#));
    assert!(has_any(r#"{"title":1}"#, &keys));
    assert!(!has_any(r#"{"count":1}"#, &keys));
}

#[test]
fn versions_are_sixteen_hexadecimal_digits_of_the_text() {
    assert_eq!(version("null"), "74234e98afe7498f");
    assert_ne!(version(r#"{"a":1}"#), version(r#"{"a":2}"#));
}

#[test]
fn numbers_are_alike_however_they_are_written() {
    for (ours, theirs, expected) in [
        ("3.0", "3", true),
        ("[1.0,{\"a\":2.0}]", "[1,{\"a\":2}]", true),
        ("{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true),
        ("3", "4", false),
        ("[1]", "[1,1]", false),
        ("{\"a\":1}", "{\"b\":1}", false),
        ("9007199254740993", "9007199254740993", true),
        ("\"3\"", "3", false),
    ] {
        assert_eq!(same(ours, theirs), expected, "{ours} {theirs}");
    }
}

#[derive(Debug, Deserialize)]
struct Typed {
    #[serde(alias = "sum")]
    total: f64,
    secret: Vec<i32>,
}

fn member() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "count",
        "total",
        "sum",
        "secret",
        "s\\u0065cret",
        "\\u0074otal",
        "k\\\"ey",
        "\\ud800",
        "Secret",
        "",
    ]);
    let value = prop::sample::select(vec!["1", "[]", "[9]", "null", "\"x\"", "{\"secret\":1}", "3", "[1, 2]"]);
    let space = prop::sample::select(vec!["", " ", "\n\t"]);
    (key, value, space).prop_map(|(key, value, space)| format!("{space}\"{key}\"{space}:{space}{value}{space}"))
}

proptest! {
    #[test]
    fn nothing_a_client_writes_changes_a_declared_field(members in prop::collection::vec(member(), 0..8)) {
        let incoming = format!("{{{}}}", members.join(","));
        let merged = merge(&incoming, COMMITTED, FIELDS).unwrap().json;
        let typed: Typed = serde_json::from_str(&merged).unwrap();
        prop_assert_eq!((typed.total, typed.secret), (3.0, vec![1, 2]));
        let seen: Value = serde_json::from_str(&visible(&merged, FIELDS)).unwrap();
        prop_assert!(seen.get("secret").is_none() && seen.get("k\"ey").is_none());
        prop_assert_eq!(&seen["total"], 3.0);
    }
}
