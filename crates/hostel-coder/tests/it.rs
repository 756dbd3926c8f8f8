//! `CoderAgent` as its old clients use it, on the in-memory host.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

#[path = "../../hostel-core/tests/it/second_host.rs"]
mod second_host;

#[cfg(target_os = "linux")]
mod it {
    mod budgets;
    mod by_hand;
    mod conversations;
    mod crashes;
    mod delegate;
    mod github;
    mod kept_back;
    mod locks;
    mod policy;
    mod project_mcp;
    mod rewinding;
    mod runs;
    mod scene;
    mod settings;
    mod shell;
    mod views;
    mod wake;
    mod work;
    mod working;
}

use std::sync::Arc;

use hostel::{Code, Rows, SqlValue, erased::ClassOf, typescript};
use hostel_coder::CoderAgent;
use second_host::{SecondHost, World};

fn agent_with(answer: fn(&str) -> Rows) -> Arc<SecondHost> {
    let world = World::with_sql(vec![Box::new(ClassOf::<CoderAgent>::new())], Box::new(move |sql, _| Ok(answer(sql))));
    world.agent("CoderAgent", "default").expect("it starts")
}

fn agent() -> Arc<SecondHost> {
    agent_with(|_| Rows::default())
}

#[test]
fn set_project_context_merges_and_answers_the_context() {
    let agent = agent();
    agent.call("setProjectContext", r#"[{"repoOwner":"a","repoName":"b"}]"#).unwrap();
    let reply = agent.call("setProjectContext", r#"[{"branch":"main"}]"#).unwrap();
    let context = r#"{"repoOwner":"a","repoName":"b","branch":"main"}"#;
    assert_eq!(reply.as_json(), Some(format!(r#"{{"success":true,"context":{context}}}"#).as_str()));
    assert_eq!(agent.call("getProjectContext", "[]").unwrap().as_json(), Some(context));
    assert_eq!(agent.state(), context);
}

#[test]
fn an_empty_agent_has_an_empty_context() {
    assert_eq!(agent().call("getProjectContext", "[]").unwrap().as_json(), Some("{}"));
}

#[test]
fn a_field_of_the_wrong_type_is_refused_by_name() {
    let agent = agent();
    let error = agent.call("setProjectContext", r#"[{"repoOwner":5}]"#).unwrap_err();
    assert_eq!(error.code(), Some(Code::InvalidArguments));
    assert!(error.message().contains("repoOwner"), "{error}");
    assert_eq!(agent.state(), "{}");
}

#[test]
fn a_field_that_does_not_belong_is_refused_by_name() {
    let error = agent().call("setProjectContext", r#"[{"repo":"b"}]"#).unwrap_err();
    assert_eq!(error.code(), Some(Code::InvalidArguments));
    assert!(error.message().contains("`repo`") && error.message().contains("`repoName`"), "{error}");
}

#[test]
fn a_missing_context_is_refused() {
    let error = agent().call("setProjectContext", "[]").unwrap_err();
    assert_eq!(error.message(), "Argument 1 (`context`) of setProjectContext is missing");
}

#[test]
fn without_a_chat_there_are_no_messages() {
    assert_eq!(agent().call("getMessages", "[]").unwrap().as_json(), Some("[]"));
}

#[test]
fn stored_messages_come_back_as_they_are() {
    let agent = agent_with(|sql| {
        let (column, texts) = if sql.contains("sqlite_master") {
            ("1", vec!["1"])
        } else {
            ("message", vec![r#"{"id":"1","role":"user"}"#, r#"{"id":"2","role":"assistant"}"#])
        };
        let rows = texts.into_iter().map(|text| vec![SqlValue::Text(text.into())]).collect();
        Rows { columns: [column.to_owned()].into(), rows, changes: 0 }
    });
    let reply = agent.call("getMessages", "[]").unwrap();
    assert_eq!(reply.as_json(), Some(r#"[{"id":"1","role":"user"},{"id":"2","role":"assistant"}]"#));
}

#[test]
fn its_typescript_is_what_pages_need() {
    let printed = typescript::declaration(&ClassOf::<CoderAgent>::new());
    println!("{printed}");
    assert!(printed.contains("setProjectContext(context: ContextChange): Promise<ContextSet>;"), "{printed}");
    assert!(printed.contains("export interface CoderAgentState {") && printed.contains("repoOwner?: "), "{printed}");
    assert!(printed.contains("startContinuousRun(run: StartRun): Promise<RunView>;"), "{printed}");
}
