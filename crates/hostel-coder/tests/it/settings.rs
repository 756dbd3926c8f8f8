//! What is set for one conversation: its model and GitHub's token; and that every front end hears of what changes.

use std::sync::Arc;

use hostel_chat::model::{Model, Models, Scripted};
use hostel_fake_github::{FakeGithub, Scope};
use serde_json::json;

use super::scene::{HELPER, Scene, text};

fn two() -> Models {
    let says = |text: &str| -> Arc<dyn Model> { Arc::new(Scripted::new(&format!("on *\n  say {text}")).unwrap()) };
    Models::of([("main", says("I am main.")), ("other", says("I am other."))])
}

async fn with_two_models() -> Scene {
    Scene::with_models(two, HELPER, |workspaces| workspaces).await
}

#[tokio::test]
async fn the_model_that_was_chosen_answers_and_another_front_end_hears_of_it() {
    let mut scene = with_two_models().await;
    assert_eq!(text(&scene.say("hello", true).await), "I am main.");
    let mut other = scene.home.connect("coder-agent/default").await;
    let view = scene.page.call("setModel", json!(["other"])).await;
    assert_eq!((&view["chosen"], &view["answers"]["name"]), (&json!("other"), &json!("other")));
    assert_eq!(view["models"].as_array().unwrap().len(), 2);
    assert_eq!(other.until_frame("hostel_changed").await, json!({"type": "hostel_changed", "what": "models"}));
    assert_eq!(other.call("getModels", json!([])).await, view);
    assert_eq!(text(&scene.say("hello again", true).await), "I am other.");
    assert!(scene.page.call("setModel", json!([null])).await.get("chosen").is_none());
    assert_eq!(text(&scene.say("and again", true).await), "I am main.");
}

#[tokio::test]
async fn a_model_that_nobody_configured_is_refused_and_without_any_none_answers() {
    let mut scene = with_two_models().await;
    let refused = scene.page.try_call("setModel", json!(["huge"])).await.unwrap_err().to_string();
    assert!(refused.contains("no model \"huge\"; there are: main, other."), "{refused}");
    let mut without = Scene::without_model().await;
    assert_eq!(without.page.call("getModels", json!([])).await, json!({"models": []}));
}

#[tokio::test]
async fn whoever_shows_terminals_or_the_policy_hears_that_they_changed() {
    let mut scene = Scene::new("on *\n  say hello").await;
    let mut other = scene.home.connect("coder-agent/default").await;
    let opened = scene.page.call("terminalOpen", json!([{"rows": 24, "columns": 80}])).await;
    assert_eq!(other.until_frame("hostel_changed").await["what"], "terminals");
    assert_eq!(other.call("terminals", json!([])).await[0]["id"], opened["id"]);
    scene.page.call("terminalClose", json!([{"id": opened["id"]}])).await;
    assert_eq!(other.until_frame("hostel_changed").await["what"], "terminals");
    scene.page.call("setPolicy", json!([{"mode": "plan"}])).await;
    assert_eq!(other.until_frame("hostel_changed").await["what"], "policy");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_said_in_whose_name_github_is_asked_and_with_which_token_is_not() {
    let fake = FakeGithub::start().await.unwrap();
    let mut scene = Scene::on_github("on *\n  say hello", &fake).await;
    let account = scene.page.call("githubAccount", json!([])).await;
    assert_eq!(account, json!({"host": "127.0.0.1", "vault": true}));
    let token = fake.token("ada", Scope::Write);
    scene.page.call("setGithubToken", json!([{"token": token}])).await;
    let account = scene.page.call("githubAccount", json!([])).await;
    assert_eq!(account, json!({"host": "127.0.0.1", "token": "agent", "login": "ada", "vault": true}));
}
