//! What agents offer over MCP beside tools: prompts, resources, completion, log messages; and questions to whoever calls.

use hostel::{
    App, Home,
    mcp::{Content, LogLevel, McpServed as _, Saying},
    prelude::*,
};
use serde_json::{Value, json};

use super::mcp::ask_at;

/// How a text is to sound.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hostel::schemars")]
#[serde(rename_all = "lowercase")]
enum Tone {
    Warm,
    Wry,
    Stern,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Library {
    shelves: Vec<String>,
}

#[agent]
impl Library {
    #[callable]
    fn put(&mut self, text: String) -> usize {
        self.shelves.push(text);
        self.shelves.len()
    }

    /// Has a text summed up.
    #[callable(prompt)]
    fn sum_up(&self, shelf: usize, tone: Tone, language: Option<String>) -> Result<Vec<Saying>> {
        let text = self.shelves.get(shelf).ok_or_else(|| Error::msg("There is no such shelf."))?;
        let asked = format!("Sum this up, {tone:?}, in {}: {text}", language.unwrap_or_else(|| "English".into()));
        Ok(vec![Saying::user(Content::text(asked)), Saying::assistant(Content::text("In short:"))])
    }

    #[callable(prompt, allow = "operator")]
    fn audit(&self) -> &str {
        "Look for mistakes."
    }

    /// All texts.
    #[callable(resource = "library://all", mime = "text/markdown")]
    fn all(&self) -> String {
        self.shelves.join("\n")
    }

    /// One text.
    #[callable(resource = "library://shelf/{shelf}")]
    fn shelf(&self, shelf: usize) -> Result<Value> {
        let text = self.shelves.get(shelf).ok_or_else(|| Error::msg("There is no such shelf."))?;
        Ok(json!({"shelf": shelf, "text": text}))
    }

    /// Logs, and asks somebody.
    #[callable]
    async fn ask(cx: &Cx<Self>) -> Result<String> {
        let Some(caller) = cx.mcp_caller() else { return Ok("nobody to ask".into()) };
        caller.log(LogLevel::Debug, "about to ask")?;
        caller.log(LogLevel::Error, &json!({"asked": true}))?;
        let answer =
            caller.elicit("How many?", json!({"type": "object", "properties": {"n": {"type": "integer"}}})).await;
        Ok(format!("{answer:?}"))
    }
}

async fn home() -> Home {
    App::new().in_memory().agent::<Library>().mcp_server::<Library>().start().await.unwrap()
}

async fn heard(home: &Home, method: &str, params: Value) -> Vec<Value> {
    ask_at(home, "/agents/library/main/mcp", method, params).await
}

async fn ask(home: &Home, method: &str, params: Value) -> Value {
    heard(home, method, params).await.pop().unwrap()
}

#[tokio::test]
async fn prompts_are_listed_with_their_arguments_and_filled_in_by_the_agent() {
    let home = home().await;
    ask(&home, "tools/call", json!({"name": "put", "arguments": {"text": "a long story"}})).await;
    let listed = ask(&home, "prompts/list", json!({})).await["result"]["prompts"].take();
    let arguments = json!([
        {"name": "shelf", "required": true}, {"name": "tone", "required": true}, {"name": "language", "required": false}
    ]);
    assert_eq!((&listed[0]["name"], &listed[0]["arguments"]), (&json!("sumUp"), &arguments), "{listed}");
    assert_eq!(listed[0]["description"], "Has a text summed up.");
    let got = ask(&home, "prompts/get", json!({"name": "sumUp", "arguments": {"shelf": "0", "tone": "wry"}})).await;
    let messages = &got["result"]["messages"];
    assert_eq!(messages[0]["role"], "user", "{got}");
    assert_eq!(messages[0]["content"]["text"], "Sum this up, Wry, in English: a long story");
    assert_eq!(messages[1]["role"], "assistant");
    for wrong in [
        json!({"name": "sumUp", "arguments": {"shelf": "9", "tone": "wry"}}),
        json!({"name": "sumUp", "arguments": {"shelf": "0", "tone": "loud"}}),
        json!({"name": "sumUp", "arguments": {"shelf": "0", "tone": "wry", "speed": "fast"}}),
        json!({"name": "put", "arguments": {"text": "x"}}),
        json!({"name": "audit"}),
    ] {
        let refused = ask(&home, "prompts/get", wrong.clone()).await;
        assert!(refused["error"]["message"].is_string(), "{wrong} {refused}");
    }
    let tools = ask(&home, "tools/list", json!({})).await;
    let names: Vec<_> = tools["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(names, ["put", "ask"], "a prompt or a resource is no tool");
}

#[tokio::test]
async fn resources_are_read_by_their_uri_and_families_by_theirs() {
    let home = home().await;
    for text in ["one", "two"] {
        ask(&home, "tools/call", json!({"name": "put", "arguments": {"text": text}})).await;
    }
    let listed = ask(&home, "resources/list", json!({})).await["result"]["resources"].take();
    let uris: Vec<_> = listed.as_array().unwrap().iter().map(|one| one["uri"].clone()).collect();
    assert_eq!(uris, ["agent://state", "library://all"]);
    let families = ask(&home, "resources/templates/list", json!({})).await["result"]["resourceTemplates"].take();
    assert_eq!(families[0]["uriTemplate"], "library://shelf/{shelf}", "{families}");
    let all = ask(&home, "resources/read", json!({"uri": "library://all"})).await["result"]["contents"].take();
    assert_eq!(all, json!([{"uri": "library://all", "mimeType": "text/markdown", "text": "one\ntwo"}]));
    let one = ask(&home, "resources/read", json!({"uri": "library://shelf/1"})).await["result"]["contents"].take();
    assert_eq!(one[0]["mimeType"], "application/json");
    assert_eq!(one[0]["text"], r#"{"shelf":1,"text":"two"}"#);
    for uri in
        ["library://shelf/9", "library://shelf/", "library://shelf/0/more", "library://alll", "file:///etc/passwd"]
    {
        let refused = ask(&home, "resources/read", json!({"uri": uri})).await;
        assert!(refused["error"]["code"].is_i64(), "{uri} {refused}");
    }
}

#[tokio::test]
async fn an_argument_of_few_values_is_completed() {
    let home = home().await;
    let complete = async |name: &str, value: &str| {
        let reference = json!({"type": "ref/prompt", "name": "sumUp"});
        let params = json!({"ref": reference, "argument": {"name": name, "value": value}});
        ask(&home, "completion/complete", params).await["result"]["completion"]["values"].take()
    };
    assert_eq!(complete("tone", "w").await, json!(["warm", "wry"]));
    assert_eq!(complete("tone", "").await, json!(["warm", "wry", "stern"]));
    assert_eq!(complete("language", "e").await, json!([]));
}

/// Over the revision without sessions servers ask nothing, and log only what a request wants to hear.
#[tokio::test]
async fn a_client_that_cannot_be_asked_is_not_and_hears_only_the_log_it_wants() {
    let home = home().await;
    let call = json!({"name": "ask", "arguments": {}});
    let quiet = heard(&home, "tools/call", call.clone()).await;
    assert_eq!(quiet.len(), 1, "{quiet:?}");
    let said = quiet[0]["result"]["content"][0]["text"].as_str().unwrap();
    assert!(said.contains("mcp_caller_cannot") || said.contains("shows no forms"), "{said}");
    let stub = home.edge().get_agent_by_name::<Library>("main").await.unwrap();
    assert_eq!(stub.ask().await.unwrap(), "nobody to ask");
}
