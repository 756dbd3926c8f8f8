//! Agents as MCP servers: tools from signatures, results, refusals, sessions, both revisions of the protocol.

use hostel::{
    App, Home,
    axum::body::{Body, to_bytes},
    http::{Request, Response},
    mcp::McpServer,
    prelude::*,
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hostel::schemars")]
#[serde(rename_all = "camelCase")]
struct Note {
    text: String,
    written_by: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize, State)]
struct Notebook {
    notes: Vec<Note>,
    #[state(private)]
    secret: String,
}

/// Notes that a team keeps.
#[agent]
impl Notebook {
    /// Adds a note, and tells how many there are.
    #[callable]
    fn add(&mut self, note: Note, place: Option<usize>) -> usize {
        self.secret = "hidden".to_owned();
        let place = place.unwrap_or(self.notes.len()).min(self.notes.len());
        self.notes.insert(place, note);
        self.notes.len()
    }

    #[callable]
    fn latest(&self) -> Result<Note> {
        let missing = || Error::msg("There is no note yet.").with_label("empty").with_fix("add one first");
        self.notes.last().cloned().ok_or_else(missing)
    }

    #[callable]
    fn clear(&mut self) {
        self.notes.clear();
    }

    #[callable(streaming)]
    async fn read_all(cx: &Cx<Self>, stream: Stream<String>) -> Result<()> {
        for note in cx.read(|me| me.notes.clone())? {
            stream.send(&note.text)?;
        }
        stream.end_with(&"that is all")
    }
}

/// Not offered to anybody over MCP.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Hidden;

#[agent]
impl Hidden {
    #[callable]
    fn open(&self) {}
}

async fn home() -> Home {
    let app = App::new().in_memory().agent::<Notebook>().agent::<Hidden>().mcp_server::<Notebook>();
    app.routes(|edge| McpServer::of::<Notebook>(edge, "shared").mount("/tools")).start().await.unwrap()
}

async fn post(home: &Home, path: &str, body: &Value, headers: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::post(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    home.service().oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap()
}

/// All messages of an answer, be it JSON or events.
async fn messages(response: Response<Body>) -> Vec<Value> {
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let text = std::str::from_utf8(&body).unwrap();
    if let Ok(json) = serde_json::from_str(text) {
        return vec![json];
    }
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    data.filter_map(|data| serde_json::from_str(data.trim()).ok()).collect()
}

/// A request in the revision without sessions.
pub(crate) async fn ask_at(home: &Home, path: &str, method: &str, mut params: Value) -> Vec<Value> {
    let progress = params["_meta"]["progressToken"].take();
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {}
    });
    if !progress.is_null() {
        params["_meta"]["progressToken"] = progress;
    }
    let name = params["name"].as_str().or(params["uri"].as_str()).unwrap_or_default().to_owned();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let mut headers = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
    if !name.is_empty() {
        headers.push(("mcp-name", &name));
    }
    messages(post(home, path, &body, &headers).await).await
}

async fn ask(home: &Home, method: &str, params: Value) -> Value {
    let answers = ask_at(home, "/agents/notebook/team/mcp", method, params).await;
    answers.last().unwrap_or_else(|| panic!("{method} was answered")).clone()
}

async fn call(home: &Home, tool: &str, arguments: Value) -> Value {
    ask(home, "tools/call", json!({"name": tool, "arguments": arguments})).await["result"].take()
}

#[tokio::test]
async fn callables_are_tools_with_the_schemas_of_their_signatures() {
    let home = home().await;
    let listed = ask(&home, "tools/list", json!({})).await;
    let tools = listed["result"]["tools"].as_array().unwrap_or_else(|| panic!("{listed}"));
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["add", "latest", "clear", "readAll"]);
    let add = &tools[0];
    assert_eq!(add["description"], "Adds a note, and tells how many there are.");
    assert_eq!(add["inputSchema"]["required"], json!(["note"]));
    assert_eq!(add["inputSchema"]["properties"]["note"], json!({"$ref": "#/$defs/Note"}));
    assert_eq!(add["inputSchema"]["$defs"]["Note"]["properties"]["writtenBy"]["type"], json!(["string", "null"]));
    assert_eq!(add["inputSchema"]["$defs"]["Note"]["required"], json!(["text"]));
    assert_eq!(add["outputSchema"]["properties"]["result"]["type"], "integer");
    assert_eq!(add.get("annotations"), None);
    let latest = &tools[1];
    assert_eq!(latest["annotations"]["readOnlyHint"], true);
    assert_eq!(latest["outputSchema"]["type"], "object");
    assert_eq!(latest["outputSchema"]["properties"]["text"]["type"], "string");
    assert_eq!(tools[2].get("outputSchema"), None);
}

#[tokio::test]
async fn results_are_structured_and_errors_say_what_to_do() {
    let home = home().await;
    let empty = call(&home, "latest", json!({})).await;
    assert_eq!(empty["isError"], true);
    assert_eq!(empty["content"][0]["text"], "There is no note yet.\nCode: empty\nFix: add one first");
    let added = call(&home, "add", json!({"note": {"text": "milk"}})).await;
    assert_eq!(added["structuredContent"], json!({"result": 1}), "{added}");
    let latest = call(&home, "latest", json!({})).await;
    assert_eq!(latest["structuredContent"], json!({"text": "milk", "writtenBy": null}));
    assert_eq!(call(&home, "clear", json!({})).await["content"], json!([]));
    let misspelt = call(&home, "add", json!({"note": {"text": "x"}, "plaace": 1})).await;
    assert_eq!(
        misspelt["content"][0]["text"],
        "add has no parameter `plaace`.\nCode: invalid_arguments\nFix: did you mean `place`?"
    );
    let wrong = call(&home, "add", json!({"note": {"text": 1}})).await;
    let said = wrong["content"][0]["text"].as_str().unwrap();
    assert!(wrong["isError"] == true && said.contains("Argument 1 (`note`) of add does not fit"), "{said}");
    let unknown = ask(&home, "tools/call", json!({"name": "missing", "arguments": {}})).await;
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
}

#[tokio::test]
async fn what_a_streaming_method_sends_is_progress_and_then_the_result() {
    let home = home().await;
    for text in ["one", "two"] {
        call(&home, "add", json!({"note": {"text": text}})).await;
    }
    let asked = json!({"name": "readAll", "arguments": {}, "_meta": {"progressToken": "t"}});
    let heard = ask_at(&home, "/agents/notebook/team/mcp", "tools/call", asked).await;
    let progress: Vec<_> = heard.iter().filter(|message| message["method"] == "notifications/progress").collect();
    let said: Vec<_> = progress.iter().map(|message| message["params"]["message"].as_str().unwrap()).collect();
    assert_eq!(said, ["one", "two"], "{heard:?}");
    let result = &heard.last().unwrap()["result"]["structuredContent"];
    assert_eq!(*result, json!({"chunks": ["one", "two"], "result": "that is all"}));
}

#[tokio::test]
async fn the_state_is_a_resource_without_its_private_fields() {
    let home = home().await;
    call(&home, "add", json!({"note": {"text": "milk"}})).await;
    let read = ask(&home, "resources/read", json!({"uri": "agent://state"})).await;
    let text = read["result"]["contents"][0]["text"].as_str().unwrap_or_else(|| panic!("{read}"));
    assert_eq!(text, r#"{"notes":[{"text":"milk","writtenBy":null}]}"#);
    let other = ask(&home, "resources/read", json!({"uri": "agent://secrets"})).await;
    assert!(other["error"]["code"].is_i64(), "{other}");
}

#[tokio::test]
async fn a_class_that_is_not_named_offers_nothing() {
    let home = home().await;
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
    let answer = post(&home, "/agents/hidden/a/mcp", &body, &[]).await;
    assert_eq!(answer.status(), 404);
    let below = post(&home, "/agents/notebook/team/mcp/more", &body, &[]).await;
    assert_eq!(below.status(), 404);
}

#[tokio::test]
async fn foreign_sites_are_refused_before_the_protocol_begins() {
    let home = home().await;
    for (name, value) in [("host", "evil.test"), ("origin", "https://evil.test")] {
        for path in ["/agents/notebook/team/mcp", "/tools"] {
            let mut request = Request::post(path).header("host", "localhost").body(Body::empty()).unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
            let answer = home.service().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), 403, "{path} {name}");
        }
    }
}

fn initialize(version: &str) -> Value {
    let client = json!({"name": "test", "version": "1"});
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": {"protocolVersion": version, "capabilities": {}, "clientInfo": client}})
}

#[tokio::test]
async fn a_session_belongs_to_the_agent_it_was_begun_at() {
    let home = home().await;
    let begun = post(&home, "/agents/notebook/team/mcp", &initialize("2025-11-25"), &[]).await;
    let id = begun.headers()["mcp-session-id"].to_str().unwrap().to_owned();
    let said = messages(begun).await;
    assert_eq!(said.last().unwrap()["result"]["protocolVersion"], "2025-11-25");
    assert_eq!(said.last().unwrap()["result"]["instructions"], "Notes that a team keeps.");
    let headers = [("mcp-session-id", &*id), ("mcp-protocol-version", "2025-11-25")];
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(post(&home, "/agents/notebook/team/mcp", &ready, &headers).await.status(), 202);
    let ask = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "add", "arguments": {"note": {"text": "in a session"}}}});
    let answered = messages(post(&home, "/agents/notebook/team/mcp", &ask, &headers).await).await;
    assert_eq!(answered.last().unwrap()["result"]["structuredContent"]["result"], 1);
    for elsewhere in ["/agents/notebook/other/mcp", "/tools"] {
        assert_eq!(post(&home, elsewhere, &ask, &headers).await.status(), 404, "{elsewhere}");
    }
    let none = [("mcp-session-id", "made-up"), ("mcp-protocol-version", "2025-11-25")];
    assert_eq!(post(&home, "/agents/notebook/team/mcp", &ask, &none).await.status(), 404);
}

#[tokio::test]
async fn older_revisions_are_answered_in_their_own_words() {
    let home = home().await;
    for version in ["2025-11-25", "2025-06-18", "2025-03-26"] {
        let begun = post(&home, "/tools", &initialize(version), &[]).await;
        assert_eq!(messages(begun).await.last().unwrap()["result"]["protocolVersion"], version);
    }
    let discovered = ask(&home, "server/discover", json!({})).await;
    let versions = discovered["result"]["supportedVersions"].as_array().unwrap_or_else(|| panic!("{discovered}"));
    assert!(versions.contains(&json!("2026-07-28")), "{discovered}");
}

#[tokio::test]
async fn an_agent_can_be_mounted_anywhere() {
    let home = home().await;
    let asked = json!({"name": "add", "arguments": {"note": {"text": "from afar"}}});
    let heard = ask_at(&home, "/tools", "tools/call", asked).await;
    assert_eq!(heard.last().unwrap()["result"]["structuredContent"]["result"], 1, "{heard:?}");
    let asked = json!({"name": "latest", "arguments": {}});
    let heard = ask_at(&home, "/agents/notebook/shared/mcp", "tools/call", asked).await;
    assert_eq!(heard.last().unwrap()["result"]["structuredContent"]["text"], "from afar");
}
