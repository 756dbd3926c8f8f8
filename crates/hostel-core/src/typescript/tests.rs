//! What Rust types look like in TypeScript.

use std::collections::{BTreeMap, HashMap};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::*;

#[track_caller]
fn check<T: JsonSchema>(expected: &str) {
    assert_eq!(TypeBook::default().ts::<T>().text, expected);
}

#[track_caller]
fn check_declared<T: JsonSchema>(ty: &str, declarations: &str) {
    let mut book = TypeBook::default();
    assert_eq!(book.ts::<T>().text, ty);
    let printed = book.declarations();
    assert_eq!(printed.trim_end(), declarations, "\n{printed}");
}

#[test]
fn plain_values() {
    check::<bool>("boolean");
    check::<String>("string");
    check::<char>("string");
    check::<u8>("number");
    check::<i64>("number");
    check::<f64>("number");
    check::<()>("null");
    check::<Value>("unknown");
    check::<Box<i32>>("number");
}

#[test]
fn optional_values_may_be_null() {
    check::<Option<String>>("string | null");
    check::<Vec<Option<u32>>>("(number | null)[]");
    check::<Option<Vec<u32>>>("number[] | null");
}

#[test]
fn collections() {
    check::<Vec<Vec<String>>>("string[][]");
    check::<(i32, String)>("[number, string]");
    check::<[bool; 2]>("boolean[]");
    check::<HashMap<String, Vec<i32>>>("Record<string, number[]>");
    check::<BTreeMap<String, Value>>("Record<string, unknown>");
    check::<std::collections::BTreeSet<String>>("string[]");
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    ReadOnly,
    Full,
}

/// What happened.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Event {
    Joined { name: String },
    Moved(Position),
    Left,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Position {
    x: f64,
    #[serde(default)]
    y: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
enum Shape {
    Circle(f64),
    Named { name: String },
    Nothing,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Either {
    Text(String),
    Many(Vec<Either>),
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Tree {
    children: Vec<Tree>,
    #[serde(rename = "data-id")]
    id: u32,
    #[serde(flatten)]
    rest: HashMap<String, Value>,
}

#[test]
fn enums() {
    check_declared::<Mode>("Mode", r#"export type Mode = "read-only" | "full";"#);
    check_declared::<Shape>(
        "Shape",
        r#"export type Shape = "Nothing" | { Circle: number } | { Named: { name: string } };"#,
    );
    check_declared::<Either>("Either", "export type Either = string | Either[];");
}

#[test]
fn tagged_enums_with_named_content() {
    let event = r#"/** What happened. */
export type Event = { type: "joined"; name: string } | Position & { type: "moved" } | { type: "left" };

export interface Position {
  x: number;
  y: number;
  label?: string | null;
}"#;
    check_declared::<Event>("Event", event);
}

#[test]
fn recursive_types_with_odd_names() {
    check_declared::<Tree>(
        "Tree",
        r#"export type Tree = { children: Tree[]; "data-id": number; [key: string]: unknown };"#,
    );
}

#[test]
fn what_is_received_may_leave_out_what_has_a_default() {
    let mut book = TypeBook::default();
    assert_eq!(book.ts_input::<Position>().text, "Position");
    book.settle(&Default::default(), &Default::default());
    let printed = book.declarations();
    assert!(printed.contains("  y?: number;\n"), "{printed}");
}

#[test]
fn a_type_used_both_ways_is_printed_twice_only_where_it_differs() {
    let mut book = TypeBook::default();
    for _ in 0..2 {
        book.ts::<Vec<Event>>();
        book.ts_input::<Event>();
        book.ts_input::<Mode>();
        book.settle(&Default::default(), &["Mode".to_owned()].into());
    }
    assert_eq!(book.ts_input::<Event>().text, "EventInput");
    assert_eq!(book.ts_input::<Mode>().text, "Mode2", "`Mode` is taken");
    let printed = book.declarations();
    let names: Vec<&str> = printed.lines().filter_map(|line| line.strip_prefix("export ")?.split(' ').nth(1)).collect();
    assert_eq!(names, ["Event", "EventInput", "Mode2", "Position", "PositionInput"]);
}

#[test]
fn a_type_without_a_schema_says_what_is_missing() {
    struct Bare;
    let printed = TypeProbe::<Option<Bare>>::new().ts(&mut TypeBook::default());
    assert_eq!(printed.text, "unknown /* derive hostel::JsonSchema for Option<Bare> */");
}

#[test]
fn comments_cannot_be_left_early() {
    assert_eq!(render::doc("ends */ here", ""), "/** ends *\\/ here */\n");
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Account {
    name: String,
    /// Counted by the server.
    balance: i64,
    notes: Value,
    secret: Secret,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Secret {
    key: String,
}

#[test]
fn a_state_shows_what_clients_may_see_and_what_they_may_write() {
    let fields = [StateField::private("secret"), StateField::server("balance"), StateField::server("notes")];
    let mut book = TypeBook::default();
    assert_eq!(book.state::<Account>(&fields), "Account");
    assert_eq!(book.ts_input::<Account>().text, "Account");
    let printed = book.declarations();
    let expected = "export interface Account {\n  name: string;\n  /** Counted by the server. */\n  readonly balance: number;\n  readonly notes: unknown;\n}\n";
    assert_eq!(printed, expected, "\n{printed}");
}

#[test]
fn a_state_without_a_name_of_its_own_is_restricted_too() {
    let fields = [StateField::private("a")];
    let mut book = TypeBook::default();
    assert_eq!(book.state::<Inline>(&fields), "{ b: number }");
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
struct Inline {
    a: i32,
    b: i32,
}
