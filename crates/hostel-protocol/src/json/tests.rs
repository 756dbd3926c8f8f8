//! Tests of the JSON check: agreement with `serde_json`, hostile input.

use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;

const ANY: JsonLimits = JsonLimits { max_depth: usize::MAX, max_values: usize::MAX };

fn check(text: &str) -> Result<(), JsonFault> {
    check_json(text, &JsonLimits::default())
}

/// A reader that is neither recursive nor ours.
fn serde_accepts(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec((any::<String>(), inner), 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Texts made of JSON's own characters: most are nearly right.
const NEARLY_JSON: &str = "[\\[\\]{}:,\"\\\\ u0-9eE.+\\-truefalsn\n\u{1}]{0,24}";

proptest! {
    #[test]
    fn what_serde_json_writes_is_accepted(value in any_json()) {
        prop_assert_eq!(check_json(&value.to_string(), &ANY), Ok(()));
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(check_json(&pretty, &ANY), Ok(()));
    }

    #[test]
    fn nearly_json_is_judged_as_serde_json_judges_it(text in NEARLY_JSON) {
        prop_assert_eq!(check_json(&text, &ANY).is_ok(), serde_accepts(&text), "{}", text);
    }

    #[test]
    fn broken_json_is_judged_as_serde_json_judges_it(
        value in any_json(), at in any::<prop::sample::Index>(), put in NEARLY_JSON, cut in 0usize..3,
    ) {
        let mut chars: Vec<char> = value.to_string().chars().collect();
        let from = at.index(chars.len());
        let to = (from + cut).min(chars.len());
        chars.splice(from..to, put.chars());
        let text: String = chars.into_iter().collect();
        prop_assert_eq!(check_json(&text, &ANY).is_ok(), serde_accepts(&text), "{}", text);
    }

    #[test]
    fn any_text_gets_a_verdict_inside_it(text in any::<String>()) {
        if let Err(JsonFault::Syntax { offset, .. }) = check(&text) {
            prop_assert!(offset <= text.len());
        }
    }
}

#[test]
fn threat_13_a_million_open_arrays_are_too_deep() {
    let fault = JsonFault::TooDeep { offset: 128, limit: 128 };
    assert_eq!(check(&"[".repeat(1_000_000)), Err(fault));
}

#[test]
fn threat_13_a_million_open_objects_are_too_deep() {
    let fault = JsonFault::TooDeep { offset: 128 * 5, limit: 128 };
    assert_eq!(check(&r#"{"a":"#.repeat(1_000_000)), Err(fault));
}

#[test]
fn threat_13_a_million_levels_cost_no_stack_when_they_are_allowed() {
    let text = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    assert_eq!(check_json(&text, &ANY), Ok(()));
    let text = r#"{"a":"#.repeat(1_000_000) + "1" + &"}".repeat(1_000_000);
    assert_eq!(check_json(&text, &ANY), Ok(()));
}

#[test]
fn threat_13_a_million_equal_keys_are_too_many_values() {
    let text = format!("{{{}\"a\":1}}", r#""a":1,"#.repeat(1_000_000));
    assert!(matches!(check(&text), Err(JsonFault::TooManyValues { limit: 1_000_000, .. })));
    assert_eq!(check_json(&text, &ANY), Ok(()));
}

#[test]
fn exactly_the_limits_are_allowed() {
    let limits = JsonLimits { max_depth: 2, max_values: 3 };
    assert_eq!(check_json("[[1]]", &limits), Ok(()));
    assert_eq!(check_json("[[],[]]", &limits), Ok(()));
    assert!(matches!(check_json("[[[]]]", &limits), Err(JsonFault::TooDeep { offset: 2, .. })));
    assert!(matches!(check_json("[1,2,3]", &limits), Err(JsonFault::TooManyValues { offset: 5, .. })));
}

#[test]
fn brackets_must_match_beyond_the_levels_held_in_one_word() {
    let open = "[".repeat(200) + &r#"{"a":"#.repeat(200);
    let right = format!("{open}1{}{}", "}".repeat(200), "]".repeat(200));
    assert_eq!(check_json(&right, &ANY), Ok(()));
    let wrong = format!("{open}1{}{}", "}".repeat(199), "]".repeat(201));
    assert!(matches!(check_json(&wrong, &ANY), Err(JsonFault::Syntax { .. })));
}

#[test]
fn numbers_of_any_size_and_lone_surrogates_are_json() {
    for text in ["1e999999", "-0", "0.1E+5", r#""\ud800""#, r#"{"\udc00":1,"\udc00":2}"#] {
        assert_eq!(check(text), Ok(()), "{text}");
    }
}

#[test]
fn a_syntax_fault_says_where_and_what() {
    let table = [
        ("", 0, "a value"),
        ("01", 1, "the end of the text"),
        ("[1,]", 3, "a value"),
        ("{,}", 1, "a string as key"),
        (r#"{"a" 1}"#, 5, "':'"),
        (r#"{"a":1"#, 6, "',' or '}'"),
        ("[1}", 2, "',' or ']'"),
        (r#""\x""#, 2, "an escape"),
        (r#""\u12g4""#, 5, "four hex digits after \\u"),
        ("\"\n\"", 1, "no raw control character in a string"),
        ("\"abc", 4, "'\"'"),
        ("tru", 0, "true, false or null"),
        ("-", 1, "a digit"),
        ("1.", 2, "a digit"),
        ("1e", 2, "a digit"),
        ("\u{feff}1", 0, "a value"),
    ];
    for (text, offset, expected) in table {
        assert_eq!(check(text), Err(JsonFault::Syntax { offset, expected }), "{text:?}");
    }
}
