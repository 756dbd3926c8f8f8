//! A coding agent on a real host, a scripted model, and a page that says yes or no.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use hostel::{
    App, Vault,
    mcp::McpSettings,
    vault::{Environment, KeySource, Options},
};
use hostel_chat::model::{Models, Scripted};
use hostel_coder::{CoderAgent, Conversations, Workspaces};
use hostel_testing::{Peer, TestHome};
use hostel_workspace::git::GitOptions;
use serde_json::{Value, json};

/// The sandbox's helper, which cargo built beside the tests.
pub(crate) const HELPER: &str = env!("CARGO_BIN_EXE_hostel-coder-helper");

/// A server with one coding agent.
pub(crate) struct Scene {
    pub(crate) home: TestHome,
    pub(crate) page: Peer,
    dir: tempfile::TempDir,
    running: String,
    asked: Vec<String>,
    /// The request that was made last.
    latest: String,
    /// How often there was an answer: the same words are another message after it.
    said: usize,
}

impl Scene {
    pub(crate) async fn new(script: &str) -> Self {
        Self::with_helper(script, HELPER).await
    }

    /// Without any model.
    pub(crate) async fn without_model() -> Self {
        Self::with_models(Models::default, HELPER, |workspaces| workspaces).await
    }

    /// With a program that is no helper, commands cannot be sandboxed.
    pub(crate) async fn with_helper(script: &str, helper: &str) -> Self {
        Self::with(script, helper, |workspaces| workspaces).await
    }

    /// With a GitHub of its own.
    pub(crate) async fn on_github(script: &str, fake: &hostel_fake_github::FakeGithub) -> Self {
        let options = hostel_coder::GithubOptions::enterprise(&fake.api_url()).unwrap();
        let script = script.to_owned();
        let models = move || Models::one(Scripted::new(&script).unwrap());
        Self::with_models(models, HELPER, move |workspaces| workspaces.github(options.clone())).await
    }

    /// With what an operator may set.
    pub(crate) async fn with(script: &str, helper: &str, set: fn(Workspaces) -> Workspaces) -> Self {
        let script = script.to_owned();
        Self::with_models(move || Models::one(Scripted::new(&script).unwrap()), helper, set).await
    }

    /// With an application that uses MCP servers.
    pub(crate) async fn with_mcp(script: &str) -> Self {
        let script = script.to_owned();
        let models = move || Models::one(Scripted::new(&script).unwrap());
        Self::with_app(models, HELPER, |workspaces| workspaces, |app| app.mcp(McpSettings::default())).await
    }

    /// With these models, and with what an operator may set.
    pub(crate) async fn with_models(
        models: impl Fn() -> Models + Send + Sync + 'static,
        helper: &str,
        set: impl Fn(Workspaces) -> Workspaces + Send + Sync + 'static,
    ) -> Self {
        Self::with_app(models, helper, set, |app| app).await
    }

    async fn with_app(
        models: impl Fn() -> Models + Send + Sync + 'static,
        helper: &str,
        set: impl Fn(Workspaces) -> Workspaces + Send + Sync + 'static,
        more: fn(App) -> App,
    ) -> Self {
        // Not below /tmp, which is another in the sandbox.
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let (data, helper) = (dir.path().to_owned(), helper.to_owned());
        std::fs::write(data.join("secret"), "SECRET").unwrap();
        let key = KeySource::File(data.join("vault.key"));
        Vault::create(&data.join("vault"), &key).unwrap();
        let home = TestHome::start(move || {
            let git = GitOptions { local: vec![data.join("elsewhere")], ..GitOptions::default() };
            let sandbox = hostel_sandbox::Sandbox::with_helper(&helper);
            let workspaces = Workspaces::new(data.join("workspaces")).hide(&data).git(git).sandbox(sandbox);
            let file = data.join("vault");
            let vault = Vault::open(Some((&file, Some(&key))), &Environment::default(), Options::default()).unwrap();
            let app = App::new().agent::<CoderAgent>().agent::<Conversations>().env(models());
            more(set(workspaces).shared_with(app).vault(vault))
        })
        .await;
        let page = home.connect("coder-agent/default").await;
        Self { home, page, dir, running: String::new(), asked: Vec::new(), latest: String::new(), said: 0 }
    }

    pub(crate) fn data(&self) -> &Path {
        self.dir.path()
    }

    /// The one workspace.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.workspace_of("default")
    }

    /// That of the agent with this name.
    pub(crate) fn workspace_of(&self, name: &str) -> PathBuf {
        let mut all = std::fs::read_dir(self.data().join("workspaces")).unwrap().flatten().map(|entry| entry.path());
        let is_its = |path: &PathBuf| {
            let found = path.file_name().unwrap().to_str().unwrap();
            found.starts_with(&format!("{name}-")) && !found.contains('.')
        };
        all.find(is_its).unwrap()
    }

    /// Says something.
    pub(crate) async fn ask(&mut self, text: &str) {
        let message =
            json!({"id": format!("u-{}-{text}", self.said), "role": "user", "parts": [{"type": "text", "text": text}]});
        let body = json!({"messages": [message], "trigger": "submit-message"}).to_string();
        let id = format!("r-{}-{text}", self.said);
        self.latest.clone_from(&id);
        let ask = json!({"id": id, "init": {"method": "POST", "body": body}, "type": "cf_agent_use_chat_request"});
        self.page.send(ask.to_string()).await;
    }

    /// Says something, answers every question the same way, and reads to the end: the parts of what the agent said.
    pub(crate) async fn say(&mut self, text: &str, yes: bool) -> Vec<Value> {
        self.ask(text).await;
        self.said += 1;
        self.answering(yes, || ()).await
    }

    /// Reads on until somebody is asked: what is shown with the question.
    pub(crate) async fn until_asked(&mut self) -> Value {
        let (mut shown, mut call) = (Value::Null, None);
        loop {
            let frame = self.frame().await;
            let chunk = chunk(&frame);
            if chunk["type"] == "data-preview" {
                shown = chunk["data"].clone();
            }
            call = question(&frame).or(call);
            if frame["done"] == true && call.is_some() {
                self.asked.extend(call);
                return shown;
            }
        }
    }

    /// Answers what [`Self::until_asked`] was asked, unless somebody has, and reads to the end.
    pub(crate) async fn answering_now(&mut self, yes: bool) -> Vec<Value> {
        for call in std::mem::take(&mut self.asked) {
            self.answer(&call, yes).await;
        }
        self.said += 1;
        self.answering(yes, || ()).await
    }

    /// Answers every question the same way, after `before`, and reads to the end.
    pub(crate) async fn answering(&mut self, yes: bool, before: impl Fn()) -> Vec<Value> {
        let mut asked: Vec<String> = Vec::new();
        loop {
            let frame = self.frame().await;
            asked.extend(question(&frame));
            if frame["done"] != true {
                continue;
            }
            if asked.is_empty() {
                return self.parts().await;
            }
            before();
            for call in asked.drain(..) {
                self.answer(&call, yes).await;
            }
        }
    }

    /// Says something, and that each tool it is asked about is allowed from then on.
    pub(crate) async fn say_always(&mut self, text: &str) -> Vec<Value> {
        self.ask(text).await;
        self.said += 1;
        let mut asked = false;
        loop {
            let frame = self.frame().await;
            asked |= question(&frame).is_some();
            if frame["done"] != true {
                continue;
            }
            if !std::mem::take(&mut asked) {
                return self.parts().await;
            }
            self.always().await;
            self.home.advance(Duration::from_secs(1)).await;
        }
    }

    /// Says to everything that waits for a yes that it is allowed from then on.
    pub(crate) async fn always(&self) {
        for approval in self.http("GET", "/approvals", "").await["approvals"].as_array().unwrap() {
            let path = format!("/approvals/{}", approval["id"].as_str().unwrap());
            self.http("POST", &path, r#"{"approve":true,"always":true}"#).await;
        }
    }

    /// A request to the agent, and the answer's JSON.
    pub(crate) async fn http(&self, method: &str, path: &str, body: &str) -> Value {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let url = self.home.url();
        let host = url.strip_prefix("http://").unwrap();
        let mut socket = tokio::net::TcpStream::connect(host).await.unwrap();
        let head = format!("{method} /agents/coder-agent/default{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close");
        let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let (from, to) = (body.find('{').unwrap(), body.rfind('}').unwrap());
        serde_json::from_str(&body[from..=to]).unwrap_or_else(|_| panic!("{answer}"))
    }

    /// Reads until the answer is over, or the host is gone; whether it is.
    pub(crate) async fn until_crashed_or_done(&mut self) -> bool {
        while let Some(text) = self.page.next_text().await {
            let frame: Value = serde_json::from_str(&text).unwrap_or_default();
            if frame["done"] == true && frame["type"] == "cf_agent_use_chat_response" {
                return false;
            }
        }
        true
    }

    /// After a crash: a new page, which waits until the agent has said this, or says what was lost again.
    pub(crate) async fn until_done(&mut self, said: &str, last: &str) {
        self.page = self.home.connect("coder-agent/default").await;
        self.home.settle().await;
        self.ask(said).await;
        let (began, mut passed) = (std::time::Instant::now(), Duration::ZERO);
        loop {
            assert!(began.elapsed() < Duration::from_secs(120), "the answer does not end: {:#?}", self.parts().await);
            let parts = self.parts().await;
            if text(&parts) == last && parts.last().unwrap()["state"] != "streaming" {
                return;
            }
            // Programs take real time, and must not be late by the clock that is turned.
            if passed < began.elapsed() * 20 {
                passed += Duration::from_secs(1);
                self.home.advance(Duration::from_secs(1)).await;
            }
        }
    }

    /// Reads until a turn waits for a yes; the call.
    pub(crate) async fn asked(&mut self) -> String {
        let mut asked = None;
        loop {
            let frame = self.frame().await;
            asked = asked.or(question(&frame));
            if let Some(call) = asked.take_if(|_| frame["done"] == true) {
                return call;
            }
        }
    }

    /// Reads to the end of the answer under way: the parts of what the agent said.
    pub(crate) async fn until_the_end(&mut self) -> Vec<Value> {
        while self.frame().await["done"] != true {}
        self.parts().await
    }

    /// Says yes to every question until the agent shows this; the chunk.
    pub(crate) async fn until_shown(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame = self.frame().await;
            if let Some(call) = question(&frame) {
                self.answer(&call, true).await;
            }
            let chunk = chunk(&frame);
            if wanted(&chunk) {
                self.running = frame["id"].as_str().unwrap().to_owned();
                return chunk;
            }
        }
    }

    /// Stops the answer that showed something last.
    pub(crate) async fn stop(&mut self) {
        let cancel = json!({"type": "cf_agent_chat_request_cancel", "id": self.running});
        self.page.send(cancel.to_string()).await;
    }

    /// Reads until the answer under way is over.
    pub(crate) async fn until_over(&mut self) {
        while self.frame().await["done"] != true {}
    }

    /// Reads until clients see a state like this; that state.
    pub(crate) async fn until_state(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut state = self.page.state().await;
        while !wanted(&state) {
            let text =
                self.page.until(|text| text.contains("cf_agent_state") || text.contains("stream_resuming")).await;
            let frame: Value = serde_json::from_str(&text).unwrap();
            if frame["type"] == "cf_agent_state" {
                state = frame["state"].clone();
            }
        }
        state
    }

    /// Answers whatever waits.
    pub(crate) async fn answer_pending(&mut self, yes: bool) {
        let messages = self.page.call("getMessages", json!([])).await;
        let parts = messages.as_array().unwrap().iter().flat_map(|message| message["parts"].as_array().unwrap());
        let waits = |part: &&Value| part["state"] == "approval-requested";
        let calls: Vec<_> = parts.filter(waits).map(|part| part["toolCallId"].as_str().unwrap().to_owned()).collect();
        assert!(!calls.is_empty(), "{messages}");
        for call in calls {
            self.answer(&call, yes).await;
        }
        self.page.until(|text| text.contains("cf_agent_message_updated")).await;
        self.home.advance(Duration::from_secs(1)).await;
    }

    /// The server stops and starts again, and the page comes back.
    pub(crate) async fn restart(&mut self) {
        self.home.restart(Duration::from_secs(5)).await;
        self.page = self.home.connect("coder-agent/default").await;
    }

    /// Answers a question.
    pub(crate) async fn answer(&mut self, call: &str, yes: bool) {
        let answer =
            json!({"type": "cf_agent_tool_approval", "toolCallId": call, "approved": yes, "autoContinue": true});
        self.page.send(answer.to_string()).await;
    }

    /// The next frame of the chat; what a page does of itself about it is done.
    async fn frame(&mut self) -> Value {
        let is_chat = |text: &str| {
            text.contains("_chat_") || text.contains("cf_agent_message_updated") || text.contains("stream_resum")
        };
        let mut frame: Value = serde_json::from_str(&self.page.until(is_chat).await).unwrap();
        // Whoever comes back hears of the answer before that it has ended.
        while frame["replay"] == true && frame["done"] == true && frame["id"].as_str() != Some(&self.latest) {
            frame = serde_json::from_str(&self.page.until(is_chat).await).unwrap();
        }
        match frame["type"].as_str().unwrap_or_default() {
            // More answers are waited for, for a moment.
            "cf_agent_message_updated" => self.home.advance(Duration::from_secs(1)).await,
            "cf_agent_stream_resuming" => {
                let ack = json!({"type": "cf_agent_stream_resume_ack", "id": frame["id"]});
                self.page.send(ack.to_string()).await;
            }
            _ => {}
        }
        frame
    }

    /// The parts of the last message.
    pub(crate) async fn parts(&mut self) -> Vec<Value> {
        let messages = self.page.call("getMessages", json!([])).await;
        messages.as_array().unwrap().last().unwrap()["parts"].as_array().unwrap().clone()
    }
}

/// A model that makes these calls, all in one step, when it hears the word before them, and then says ok. `!` is before what it is not
/// offered.
pub(crate) fn calling(cases: &[(&str, &[&str])]) -> String {
    let mut script = String::new();
    for (word, calls) in cases {
        script.push_str(&format!("on {word}\n"));
        for call in *calls {
            let (mark, call) = call.strip_prefix('!').map_or(("", *call), |call| ("!", call));
            script.push_str(&format!("  call{mark} {call}\n"));
        }
        script.push_str("then\n  say ok\n");
    }
    script
}

/// The chunk in a frame.
fn chunk(frame: &Value) -> Value {
    frame["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default()
}

/// The call that is asked about.
fn question(frame: &Value) -> Option<String> {
    let chunk = chunk(frame);
    (chunk["type"] == "tool-approval-request").then(|| chunk["toolCallId"].as_str().unwrap().to_owned())
}

/// What became of the calls of a tool: output or error.
pub(crate) fn results(parts: &[Value], tool: &str) -> Vec<String> {
    let kind = format!("tool-{tool}");
    let result = |part: &Value| match (&part["output"], &part["errorText"]) {
        (Value::String(text), _) | (Value::Null, Value::String(text)) => text.clone(),
        (Value::Null, _) => part["state"].as_str().unwrap().to_owned(),
        (output, _) => output.to_string(),
    };
    parts.iter().filter(|part| part["type"] == *kind).map(result).collect()
}

/// What was said last.
pub(crate) fn text(parts: &[Value]) -> &str {
    parts.iter().rev().find_map(|part| part["text"].as_str()).unwrap_or_default()
}
