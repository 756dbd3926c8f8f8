//! Declared fields of agents that the macros made.

use hostel::{Agent, StateField, erased::ClassOf, typescript};
use hostel_macros::{State, agent};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A game in which not everything is shown.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema, State)]
#[serde(rename_all = "camelCase", default)]
struct Game {
    board: Vec<u8>,
    /// Counted by the server.
    #[state(server)]
    high_score: u32,
    #[state(private)]
    #[serde(alias = "answer", alias = "key")]
    the_solution: Vec<u8>,
    #[serde(rename = "seed", skip_serializing_if = "Option::is_none", default)]
    #[state(private)]
    r#random: Option<u64>,
    #[state(server)]
    #[serde(rename(serialize = "kind", deserialize = "kind"), default = "String::new")]
    r#type: String,
}

#[agent(crate = "crate::hostel_core")]
impl Game {
    #[callable]
    fn play(&mut self, at: u8) {
        self.board.push(at);
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Open {
    count: u32,
}

#[agent]
impl Open {}

#[derive(Debug, Default, Serialize, Deserialize, State)]
#[state(crate = "crate::hostel_core")]
struct Undeclared {
    count: u32,
}

#[agent]
impl Undeclared {}

#[test]
fn fields_are_declared_under_the_names_that_serde_gives_them() {
    let expected = [
        StateField::server("highScore"),
        StateField::private("theSolution").aliases(&["answer", "key"]),
        StateField::private("seed"),
        StateField::server("kind"),
    ];
    assert_eq!(Game::FIELDS, expected);
    let game = Game { random: Some(1), ..Game::default() };
    let json = serde_json::to_value(game).unwrap();
    assert!(expected.iter().all(|field| json.get(field.name()).is_some()), "{json}");
}

#[test]
fn whoever_declares_nothing_has_no_declared_fields() {
    assert!(Open::FIELDS.is_empty());
    assert!(Undeclared::FIELDS.is_empty());
}

#[test]
fn generated_types_have_no_private_fields() {
    let printed = typescript::declaration(&ClassOf::<Game>::new());
    assert!(printed.contains("  /** Counted by the server. */\n  readonly highScore"), "{printed}");
    assert!(!printed.contains("olution") && !printed.contains("seed"), "{printed}");
}
