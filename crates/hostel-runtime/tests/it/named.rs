//! One type as several classes.

use std::sync::Arc;

use hostel::{Cx, erased::ClassOf};
use hostel_macros::agent;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::support::{Client, memory};

#[derive(Default, Serialize, Deserialize)]
struct Room {
    guests: i64,
}

#[agent]
impl Room {
    #[callable]
    fn enter(&mut self, cx: &Cx<Self>) -> String {
        self.guests += 1;
        format!("{} {}", cx.id().namespace(), self.guests)
    }
}

#[tokio::test]
async fn one_type_under_two_names_has_agents_of_its_own_in_each() {
    let named = |name: &str| Arc::new(ClassOf::<Room>::new().named(name).described("A room."));
    let node = memory().bind("Lobby", named("Lobby")).unwrap().bind("WineCellar", named("WineCellar")).unwrap();
    let node = node.start().await.unwrap();
    let mut lobby = Client::greeted(&node, "Lobby", "a").await;
    let mut cellar = Client::greeted(&node, "WineCellar", "a").await;
    assert_eq!(lobby.result("enter", json!([])).await, "lobby 1");
    assert_eq!(lobby.result("enter", json!([])).await, "lobby 2");
    assert_eq!(cellar.result("enter", json!([])).await, "wine-cellar 1");
    let classes: Vec<_> = node.overview().await.unwrap().into_iter().map(|class| class.class).collect();
    assert_eq!(classes, ["Lobby", "WineCellar"]);
}

#[tokio::test]
async fn two_types_cannot_share_a_name() {
    let first = memory().agent::<Room>().unwrap();
    let again = first.bind("ROOM", Arc::new(ClassOf::<Room>::new().named("Other")));
    assert!(again.is_err());
}
