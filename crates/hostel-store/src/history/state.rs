//! What is different between two states, as JSON.

use serde_json::{Map, Value};

use super::StateChange;

/// Stands for a state that is not an object, where keys are asked for.
const WHOLE: &str = "*";

/// The keys at the top that were added, removed or changed.
pub(super) fn changed_keys(before: Option<&str>, after: Option<&str>) -> Vec<String> {
    if before == after {
        return Vec::new();
    }
    let (before, after) = (before.map(read), after.map(read));
    match (object(before.as_ref()), object(after.as_ref())) {
        (Some(old), Some(new)) => {
            let gone_or_changed = old.iter().filter(|(key, value)| new.get(*key) != Some(*value));
            let added = new.iter().filter(|(key, _)| !old.contains_key(*key));
            gone_or_changed.chain(added).map(|(key, _)| key.clone()).collect()
        }
        _ if before == after => Vec::new(),
        _ => vec![WHOLE.to_owned()],
    }
}

/// Every place that is different.
pub(super) fn difference(before: Option<&str>, after: Option<&str>) -> Vec<StateChange> {
    let mut found = Vec::new();
    if before != after {
        let (before, after) = (before.map(read), after.map(read));
        compare(&mut String::new(), before.as_ref(), after.as_ref(), &mut found);
    }
    found
}

/// A text that is not JSON stands for itself.
fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Nothing counts as an object without keys: a first state sets every key.
fn object(value: Option<&Value>) -> Option<Map<String, Value>> {
    match value {
        None => Some(Map::new()),
        Some(Value::Object(object)) => Some(object.clone()),
        Some(_) => None,
    }
}

/// As deep as JSON that could be read.
fn compare(path: &mut String, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<StateChange>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let added = new.keys().filter(|key| !old.contains_key(*key));
            for key in old.keys().chain(added) {
                below(path, &escape(key), old.get(key), new.get(key), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => compare_arrays(path, old, new, found),
        (before, after) => {
            found.push(StateChange { path: path.clone(), before: before.cloned(), after: after.cloned() });
        }
    }
}

/// What both have at the beginning and at the end is left out, so that one entry more or less is one change. Removed entries
/// are named by where they were, added ones by where they are.
fn compare_arrays(path: &mut String, old: &[Value], new: &[Value], found: &mut Vec<StateChange>) {
    let start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[start..], &new[start..]);
    let end = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old_middle, new_middle) = (&old_rest[..old_rest.len() - end], &new_rest[..new_rest.len() - end]);
    for at in 0..old_middle.len().max(new_middle.len()) {
        below(path, &(start + at).to_string(), old_middle.get(at), new_middle.get(at), found);
    }
}

fn below(path: &mut String, step: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<StateChange>) {
    let length = path.len();
    path.push('/');
    path.push_str(step);
    compare(path, before, after, found);
    path.truncate(length);
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(before: &str, after: &str) -> Vec<(String, Option<Value>, Option<Value>)> {
        let changes = difference(Some(before), Some(after));
        changes.into_iter().map(|change| (change.path, change.before, change.after)).collect()
    }

    #[test]
    fn only_the_places_that_differ_are_named() {
        let (old, new) = (r#"{"a":{"b":1,"c":[1,2]},"d":null}"#, r#"{"d":null,"a":{"c":[1,3],"b":1},"e/~":true}"#);
        let expected =
            [("/a/c/1".to_owned(), Some(json!(2)), Some(json!(3))), ("/e~1~0".to_owned(), None, Some(json!(true)))];
        assert_eq!(shown(old, new), expected);
        assert_eq!(changed_keys(Some(old), Some(new)), ["a", "e/~"]);
    }

    #[test]
    fn one_entry_more_or_less_in_a_list_is_one_change() {
        assert_eq!(shown("[1,2,3]", "[2,3]"), [("/0".to_owned(), Some(json!(1)), None)]);
        assert_eq!(shown("[1,2]", "[1,2,3]"), [("/2".to_owned(), None, Some(json!(3)))]);
        assert_eq!(shown("[1,3]", "[1,2,3]"), [("/1".to_owned(), None, Some(json!(2)))]);
    }

    #[test]
    fn a_null_that_goes_is_a_change_and_a_state_of_another_kind_is_one_as_a_whole() {
        assert_eq!(shown(r#"{"a":null}"#, "{}"), [("/a".to_owned(), Some(Value::Null), None)]);
        assert_eq!(shown("1", r#"{"a":1}"#), [(String::new(), Some(json!(1)), Some(json!({"a": 1})))]);
        assert_eq!(changed_keys(Some("1"), Some("2")), ["*"]);
        assert_eq!(changed_keys(None, Some(r#"{"a":1}"#)), ["a"]);
        assert_eq!(changed_keys(Some("{}"), Some("{ }")), Vec::<String>::new());
        assert_eq!(shown("not json", "{}")[0].1, Some(json!("not json")));
    }

    #[test]
    fn nothing_and_null_are_told_apart_in_writing() {
        let change = StateChange { path: "/a".to_owned(), before: Some(Value::Null), after: None };
        let text = serde_json::to_string(&change).unwrap();
        assert_eq!(text, r#"{"path":"/a","before":null}"#);
        assert_eq!(serde_json::from_str::<StateChange>(&text).unwrap(), change);
    }
}
