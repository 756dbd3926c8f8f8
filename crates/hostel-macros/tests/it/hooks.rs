//! Hooks: every one by its name, in its forms, with parameters left out or taken by reference.

#![allow(clippy::needless_pass_by_value, reason = "hooks are handed values, and these tests take them as such")]

use std::sync::Arc;

use hostel::{
    Body, CloseEvent, ConnectRequest, Connection, Cx, Error, Message, Request, Response, Result, Source,
    erased::ClassOf, event::Event, host::Effect,
};
use hostel_macros::agent;
use serde::{Deserialize, Serialize};

use crate::second_host::{SecondHost, World};

#[derive(Debug, Default, Serialize, Deserialize)]
struct Everything {
    log: Vec<String>,
}

#[agent]
impl Everything {
    async fn on_start(cx: &Cx<Self>) -> Result<()> {
        cx.update(|me| me.log.push("start".into()))
    }

    async fn get_connection_tags(_: Cx<Self>, request: Arc<ConnectRequest>) -> Vec<String> {
        request.query("tag").into_iter().collect()
    }

    fn should_connection_be_readonly(&self, _: &Connection, request: &ConnectRequest) -> bool {
        request.query("readonly").is_some()
    }

    fn should_send_protocol_messages(&self, connection: Connection) -> Result<bool> {
        Ok(connection.id() != "quiet")
    }

    fn on_connect(&mut self, cx: &Cx<Self>, connection: &Connection) {
        self.log.push(format!("connect {}", connection.id()));
        cx.broadcast_except("somebody came", &[connection.id()]);
    }

    fn on_message(&self, connection: Connection, message: &Message) -> Result<()> {
        connection.send(message.clone());
        Ok(())
    }

    fn on_close(&mut self, connection: &Connection, close: CloseEvent) {
        self.log.push(format!("close {} {}", connection.id(), close.code));
    }

    fn on_error(&mut self, error: &Error) {
        self.log.push(error.message().to_owned());
    }

    async fn on_request(_cx: &Cx<Self>, request: Request) -> Result<Response> {
        let path = request.uri().path().to_owned();
        request.into_body().bytes(10).await?;
        Ok(Response::new(Body::from(path)))
    }

    fn validate_state_change(&self, source: &Source) -> Result<()> {
        let Source::Server = source else { return Ok(()) };
        if self.log.iter().any(|line| line == "bad") { Err(Error::msg("no bad lines")) } else { Ok(()) }
    }

    fn on_state_changed(&self, cx: &Cx<Self>) {
        cx.broadcast("changed");
    }

    fn on_alarm(&mut self, cx: Cx<Self>) -> Result<()> {
        self.log.push(format!("alarm {}", cx.now().as_second()));
        Ok(())
    }
}

fn everything() -> Arc<SecondHost> {
    World::new(vec![Box::new(ClassOf::<Everything>::new())]).agent("Everything", "x").expect("it starts")
}

#[test]
fn on_start_runs_before_anything_else() {
    assert_eq!(everything().state(), r#"{"log":["start"]}"#);
}

#[test]
fn connection_hooks_decide_about_a_connection() {
    let host = everything();
    let plain = host.connect("a", "/?tag=blue").unwrap();
    assert_eq!(plain.tags().collect::<Vec<_>>(), ["a", "blue"]);
    assert!(!plain.is_readonly() && !plain.record().no_protocol());
    let other = host.connect("quiet", "/?readonly").err().unwrap();
    assert_eq!(other.code().map(|code| code.as_str()), Some("connection_readonly"));
}

#[test]
fn hooks_change_the_state_and_the_outside() {
    let host = everything();
    host.take_effects();
    let connection = host.connect("a", "/").unwrap();
    assert_eq!(host.state(), r#"{"log":["start","connect a"]}"#);
    assert!(matches!(&host.take_effects()[0], Effect::Broadcast { except, .. } if *except == ["a"]));
    host.message(&connection, "hello").unwrap();
    assert_eq!(host.take_texts(), ["hello"]);
    let close = CloseEvent { code: 1001, reason: String::new(), was_clean: true };
    host.event(None, Event::Close(connection, close)).unwrap();
    assert_eq!(host.state(), r#"{"log":["start","connect a","close a 1001"]}"#);
}

#[test]
fn an_error_or_an_alarm_reaches_its_hook() {
    let host = everything();
    host.event(None, Event::Error(Error::msg("oh"))).unwrap();
    host.event(None, Event::Alarm).unwrap();
    assert_eq!(host.state(), r#"{"log":["start","oh","alarm 0"]}"#);
    assert_eq!(host.take_texts().last().map(String::as_str), Some("changed"));
}

#[test]
fn validation_vetoes_a_turn() {
    let host = everything();
    let error = host.event(None, Event::Error(Error::msg("bad"))).unwrap_err();
    assert_eq!(error.message(), "no bad lines");
    assert_eq!(host.state(), r#"{"log":["start"]}"#);
}

#[test]
fn requests_are_answered() {
    let request = http::Request::get("/agents/everything/x/page").body(Body::empty()).unwrap();
    let response = everything().request(request).unwrap();
    assert_eq!(response.status(), 200);
}
