//! Every unambiguous spelling of a class reaches it, and what is no name is answered with a reason.

use hostel::{Agent, App, StartError, prelude::*};

use super::{
    agents::CoderAgent,
    support::{Server, in_development},
};

#[tokio::test]
async fn every_unambiguous_spelling_of_a_class_reaches_it() {
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory()).await;
    let spellings = [
        "CoderAgent",
        "coderagent",
        "coder-agent",
        "coder_agent",
        "CODER_AGENT",
        "Coder-Agent",
        "coderAgent",
        "CODERAGENT",
    ];
    for spelling in spellings {
        let path = format!("/agents/{spelling}/default");
        let seen = server.get(&path).await;
        assert_eq!((seen.status, &seen.json()["name"]), (200, &"default".into()), "{spelling}");
        assert_eq!(seen.json()["headers"]["x-partykit-namespace"], "coder-agent", "{spelling}");
        let identity = server.socket(&path).await.greeted().await;
        assert_eq!((&identity["agent"], &identity["name"]), (&"coder-agent".into(), &"default".into()), "{spelling}");
    }
    // They are one agent, not eight.
    let mut client = server.socket("/agents/coderagent/one").await;
    client.greeted().await;
    client.call("setProjectContext", serde_json::json!([{"branch": "main"}])).await;
    let mut other = server.socket("/agents/CODER_AGENT/one").await;
    assert_eq!(other.call("getBranch", serde_json::json!([])).await["result"], "main");
}

/// A class that some spelling cannot tell from `CoderAgent`.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Coderagent;

#[agent]
impl Coderagent {}

#[tokio::test]
async fn colliding_classes_refuse_to_start_together() {
    let refused = App::new().agent::<CoderAgent>().agent::<Coderagent>().in_memory().start().await;
    let Err(StartError::Collision(collision)) = refused else { panic!("it started: {refused:?}") };
    let sentence = collision.to_string();
    for part in [CoderAgent::CLASS, Coderagent::CLASS, "coderagent", "name ="] {
        assert!(sentence.contains(part), "{part} is missing: {sentence}");
    }
    assert!(App::new().agent::<Coderagent>().in_memory().start().await.is_ok());
}

#[tokio::test]
async fn an_unknown_agent_is_answered_with_its_code_and_without_the_list_of_agents() {
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory()).await;
    let answer = server.get("/agents/codeagent/default").await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "unknown_agent"));
    assert!(!answer.body.contains("coder-agent"), "{}", answer.body);
    assert_eq!(server.socket("/agents/codeagent/default").await.refusal().await, ("unknown_agent".into(), 4404));
}

#[tokio::test]
async fn in_development_an_unknown_agent_is_told_the_nearest_name_and_the_list() {
    let server = Server::start(in_development(App::new().agent::<CoderAgent>().in_memory())).await;
    let answer = server.get("/agents/codeagent/default").await;
    assert!(answer.json()["fix"].as_str().unwrap().contains("did you mean \"coder-agent\"?"), "{}", answer.body);
    let answer = server.get("/agents").await;
    assert!(answer.json()["fix"].as_str().unwrap().contains("coder-agent"), "{}", answer.body);
}

#[tokio::test]
async fn a_missing_name_and_a_foreign_path_are_answered_with_their_codes() {
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory()).await;
    for (path, code) in [
        ("/agents/coder-agent", "missing_name"),
        ("/agents/coder-agent/", "missing_name"),
        ("/agents", "no_route"),
        ("/", "no_route"),
        ("/Agents/coder-agent/default", "no_route"),
        ("/x/agents/coder-agent/default", "no_route"),
    ] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, code), "{path}");
        assert_eq!(server.socket(path).await.refusal().await, (code.to_owned(), 4404), "{path}");
    }
}

#[tokio::test]
async fn a_prefix_of_several_segments_is_the_only_one_served() {
    let app = App::new().agent::<CoderAgent>().in_memory().routing(|router| router.prefix("/api/v1/"));
    let server = Server::start(app).await;
    assert_eq!(server.get("/api/v1/coder-agent/a").await.json()["name"], "a");
    assert_eq!(server.get("/agents/coder-agent/a").await.code(), "no_route");
}
