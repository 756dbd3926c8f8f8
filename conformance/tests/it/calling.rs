//! Calls that cannot be made are answered with a code, a sentence and a fix.

use hostel::App;
use serde_json::{Value, json};

use super::{agents::CoderAgent, support::Server};

async fn refused(method: &str, args: Value) -> (String, String, String) {
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory()).await;
    let mut client = server.socket("/agents/coder-agent/default").await;
    let answer = client.call(method, args).await;
    assert_eq!((&answer["type"], &answer["success"]), (&"rpc".into(), &false.into()), "{answer}");
    assert_eq!(client.call("getBranch", json!([])).await["success"], true, "the connection stays usable");
    let text =
        |field: &str| answer[field].as_str().unwrap_or_else(|| panic!("{field} is missing: {answer}")).to_owned();
    (text("code"), text("error"), text("fix"))
}

#[tokio::test]
async fn an_unknown_method_is_answered_with_the_nearest_one() {
    let (code, error, fix) = refused("setProjctContext", json!([])).await;
    assert_eq!((code.as_str(), error.as_str()), ("method_not_found", "Method setProjctContext does not exist"));
    assert!(fix.starts_with("did you mean \"setProjectContext\"?"), "{fix}");
}

#[tokio::test]
async fn a_method_that_exists_but_is_not_callable_is_answered_so() {
    let (code, error, fix) = refused("secret", json!([])).await;
    assert_eq!((code.as_str(), error.as_str()), ("method_not_callable", "Method secret is not callable"));
    assert!(fix.contains("#[callable]"), "{fix}");
}

#[tokio::test]
async fn wrong_arguments_are_answered_with_position_name_and_field() {
    let (code, error, _) = refused("setProjectContext", json!([{"branch": 5}])).await;
    assert_eq!(code, "invalid_arguments");
    assert!(error.starts_with("Argument 1 (`context`) of setProjectContext does not fit: branch:"), "{error}");
    let (code, error, _) = refused("setProjectContext", json!([])).await;
    assert_eq!(code, "invalid_arguments");
    assert_eq!(error, "Argument 1 (`context`) of setProjectContext is missing");
}
