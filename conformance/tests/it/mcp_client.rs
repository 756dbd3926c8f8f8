//! Agents as MCP clients: servers added at run time, over HTTP and as programs, and what clients are told of them.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use futures_util::StreamExt as _;
use hostel::{
    App, Home,
    mcp::{McpClient as _, McpSettings, McpTool, Program, Reach, Server, ServerId, ServerState, Transport},
    prelude::*,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_util::sync::CancellationToken;

/// Offers tools over MCP.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Adder {
    sum: i64,
}

#[agent]
impl Adder {
    /// Adds to the sum.
    #[callable]
    fn add(&mut self, by: i64) -> i64 {
        self.sum += by;
        self.sum
    }

    #[callable]
    fn fails(&self) -> Result<()> {
        Err(Error::msg("on purpose"))
    }
}

/// Uses them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct User {
    added: Vec<String>,
}

#[agent]
impl User {
    /// In a turn: the registration belongs to it.
    #[callable]
    fn add_server(&mut self, cx: &Cx<Self>, name: &str, url: String) -> Result<String> {
        self.added.push(name.to_owned());
        Ok(cx.mcp().add(name, Server::http(url))?.to_string())
    }

    #[callable]
    fn add_old_server(&mut self, cx: &Cx<Self>, name: &str, url: String) -> Result<String> {
        Ok(cx.mcp().add(name, Server::http(url).transport(Transport::Sse).header("x-key", "k"))?.to_string())
    }

    #[callable]
    fn add_program(&mut self, cx: &Cx<Self>, name: &str) -> Result<String> {
        Ok(cx.mcp().add(name, Server::program(name))?.to_string())
    }

    #[callable]
    fn add_and_fail(&mut self, cx: &Cx<Self>, url: String) -> Result<()> {
        cx.mcp().add("undone", Server::http(url))?;
        Err(Error::msg("undone with the turn"))
    }

    #[callable]
    fn remove_all(&mut self, cx: &Cx<Self>) -> Result<usize> {
        let all = cx.mcp().list()?;
        all.iter().try_for_each(|server| cx.mcp().remove(&server.id).map(drop))?;
        Ok(all.len())
    }

    #[callable]
    async fn states(cx: &Cx<Self>) -> Result<BTreeMap<String, (ServerState, Option<String>)>> {
        Ok(cx.mcp().ready().await?.into_iter().map(|one| (one.name, (one.state, one.error))).collect())
    }

    #[callable]
    async fn now(cx: &Cx<Self>) -> Result<BTreeMap<String, ServerState>> {
        Ok(cx.mcp().list()?.into_iter().map(|one| (one.name, one.state)).collect())
    }

    #[callable]
    async fn now_with_errors(cx: &Cx<Self>) -> Result<BTreeMap<String, (ServerState, Option<String>)>> {
        Ok(cx.mcp().list()?.into_iter().map(|one| (one.name, (one.state, one.error))).collect())
    }

    /// Where somebody signs in.
    #[callable]
    async fn links(cx: &Cx<Self>) -> Result<BTreeMap<String, Option<String>>> {
        Ok(cx.mcp().list()?.into_iter().map(|one| (one.name, one.auth_url)).collect())
    }

    #[callable]
    async fn tools(cx: &Cx<Self>) -> Result<Vec<(String, String)>> {
        Ok(cx.mcp().tools().await?.into_iter().map(|tool| (tool.name.clone(), tool.fingerprint())).collect())
    }

    #[callable]
    async fn use_tool(cx: &Cx<Self>, server: ServerId, tool: String, arguments: Value) -> Result<Value> {
        Ok(serde_json::to_value(cx.mcp().call(&server, &tool, arguments).await?)?)
    }
}

pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    home_edge: hostel::Edge,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

impl Served {
    pub(crate) async fn start(app: App, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let home: Home = app.start().await.unwrap();
        let home_edge = home.edge().clone();
        let stopping = stop.clone();
        let serving = tokio::spawn(async move { home.serve(listener, stopping).await.unwrap() });
        Self { address, home_edge, stop, serving }
    }

    async fn tools(address: SocketAddr) -> Self {
        Self::start(App::new().in_memory().agent::<Adder>().mcp_server::<Adder>(), address).await
    }

    fn url(&self) -> String {
        format!("http://{}/agents/adder/one/mcp", self.address)
    }

    pub(crate) async fn call(&self, name: &str, method: &str, args: Value) -> Result<Value> {
        let user = self.home_edge.get_agent_by_name::<User>(name).await?;
        let user: &hostel::Stub = user.stub();
        user.call(method, &args).await
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap();
    }
}

pub(crate) fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

pub(crate) fn settings() -> McpSettings {
    let reach = Reach::public().allow("127.0.0.0/8").unwrap();
    McpSettings { reach, deadline: Duration::from_secs(10), ..McpSettings::default() }
}

pub(crate) fn user(data: PathBuf) -> App {
    App::new().data(data).agent::<User>().mcp(settings())
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_of_a_server_added_at_run_time_are_there_for_the_first_use() {
    let (tools, directory) = (Served::tools(any()).await, tempfile::tempdir().unwrap());
    let home = Served::start(user(directory.path().into()), any()).await;
    let id = home.call("a", "addServer", json!(["adder", tools.url()])).await.unwrap();
    let listed = home.call("a", "tools", json!([])).await.unwrap();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|tool| tool[0].as_str().unwrap()).collect();
    assert_eq!(names, ["add", "fails"]);
    let sum = home.call("a", "useTool", json!([id, "add", {"by": 5}])).await.unwrap();
    assert_eq!(sum["structuredContent"], json!({"result": 5}), "{sum}");
    let failed = home.call("a", "useTool", json!([id, "fails", null])).await.unwrap();
    assert_eq!(failed["isError"], true);
    let again = home.call("a", "addServer", json!(["adder", tools.url()])).await.unwrap();
    assert_eq!(again, id, "a server is registered once");
    assert_eq!(home.call("b", "tools", json!([])).await.unwrap(), json!([]), "another agent has none");
    assert_eq!(home.call("a", "removeAll", json!([])).await.unwrap(), 1);
    let gone = home.call("a", "useTool", json!([id, "add", {"by": 1}])).await.unwrap_err();
    assert_eq!(gone.label(), Some("mcp_server_unknown"));
    home.stop().await;
    tools.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_survives_a_restart_of_either_side_and_goes_with_a_failed_turn() {
    let (tools, directory) = (Served::tools(any()).await, tempfile::tempdir().unwrap());
    let home = Served::start(user(directory.path().into()), any()).await;
    let id = home.call("a", "addServer", json!(["adder", tools.url()])).await.unwrap();
    assert!(home.call("a", "addAndFail", json!([tools.url()])).await.is_err());
    assert_eq!(home.call("a", "states", json!([])).await.unwrap(), json!({"adder": ["ready", null]}));
    home.stop().await;
    let home = Served::start(user(directory.path().into()), any()).await;
    assert_eq!(home.call("a", "now", json!([])).await.unwrap(), json!({"adder": "not-connected"}));
    assert_eq!(
        home.call("a", "useTool", json!([id, "add", {"by": 2}])).await.unwrap()["structuredContent"]["result"],
        2
    );
    let address = tools.address;
    tools.stop().await;
    let lost = home.call("a", "useTool", json!([id, "add", {"by": 2}])).await.unwrap_err();
    assert!(matches!(lost.label(), Some("mcp_call_failed" | "mcp_unavailable")), "{lost:?}");
    let tools = Served::tools(address).await;
    let mut answer = home.call("a", "useTool", json!([id, "add", {"by": 3}])).await;
    while answer.is_err() {
        answer = home.call("a", "useTool", json!([id, "add", {"by": 3}])).await;
    }
    assert_eq!(answer.unwrap()["structuredContent"]["result"], 3);
    home.stop().await;
    tools.stop().await;
}

/// Threats 26 and 27: where a client may lead us, and what it may start.
#[tokio::test(flavor = "multi_thread")]
async fn threat_27_neither_our_own_networks_nor_commands_can_be_named_from_outside() {
    let app = App::new().in_memory().agent::<User>().mcp(McpSettings::default());
    let home = Served::start(app, any()).await;
    for url in [
        "http://127.0.0.1:1/mcp",
        "http://2130706433/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/",
        "file:///x",
    ] {
        let refused = home.call("a", "addServer", json!(["x", url])).await.unwrap_err();
        assert_eq!(refused.label(), Some("address_refused"), "{url}");
    }
    for program in ["sh", "/bin/sh", "npx"] {
        let refused = home.call("a", "addProgram", json!([program])).await.unwrap_err();
        assert_eq!(refused.label(), Some("mcp_server_unknown"), "{program}");
    }
    assert_eq!(home.call("a", "now", json!([])).await.unwrap(), json!({}));
    home.stop().await;
}

#[test]
fn threat_27_a_changed_description_has_another_fingerprint_and_a_reordered_schema_the_same() {
    let tool = |description: &str, schema: &str| -> McpTool {
        serde_json::from_value(json!({"server": "s", "name": "t", "description": description,
            "inputSchema": serde_json::from_str::<Value>(schema).unwrap(), "rest": {}}))
        .unwrap()
    };
    let approved = tool("Reads.", r#"{"type":"object","properties":{"a":{},"b":{}}}"#).fingerprint();
    assert_eq!(approved, tool("Reads.", r#"{"properties":{"b":{},"a":{}},"type":"object"}"#).fingerprint());
    assert_ne!(
        approved,
        tool("Reads, and sends it on.", r#"{"type":"object","properties":{"a":{},"b":{}}}"#).fingerprint()
    );
    assert_ne!(approved, tool("Reads.", r#"{"type":"object","properties":{"a":{}}}"#).fingerprint());
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_told_honestly_of_every_change() {
    let (tools, directory) = (Served::tools(any()).await, tempfile::tempdir().unwrap());
    let home = Served::start(user(directory.path().into()), any()).await;
    let url = format!("ws://{}/agents/user/a", home.address);
    let (mut socket, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
    let mut heard = async || loop {
        let frame = socket.next().await.expect("the socket is open").unwrap();
        let Frame::Text(text) = frame else { continue };
        let frame: Value = serde_json::from_str(&text).unwrap();
        if frame["type"] == "cf_agent_mcp_servers" {
            return frame["mcp"].clone();
        }
    };
    assert_eq!(heard().await, json!({"prompts": [], "resources": [], "servers": {}, "tools": []}));
    let id = home.call("a", "addServer", json!(["adder", tools.url()])).await.unwrap();
    let id = id.as_str().unwrap();
    let mut states = Vec::new();
    let ready = loop {
        let mcp = heard().await;
        states.push(mcp["servers"][id]["state"].as_str().unwrap().to_owned());
        if mcp["servers"][id]["state"] == "ready" {
            break mcp;
        }
    };
    states.dedup();
    assert_eq!(states, ["not-connected", "connecting", "connected", "discovering", "ready"]);
    let server = &ready["servers"][id];
    assert_eq!((&server["name"], &server["error"], &server["auth_url"]), (&json!("adder"), &Value::Null, &Value::Null));
    assert_eq!(server["server_url"], tools.url());
    assert_eq!(ready["tools"][0]["serverId"], id);
    assert_eq!(ready["tools"][0]["inputSchema"]["required"], json!(["by"]));
    home.call("a", "removeAll", json!([])).await.unwrap();
    while heard().await["servers"] != json!({}) {}
    drop(socket);
    home.stop().await;
    tools.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_reached_says_so_and_a_program_that_dies_does_too() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = settings();
    let dead = Program { command: "/bin/false".into(), ..Program::default() };
    settings.programs.insert("dead".to_owned(), dead);
    let app = App::new().data(directory.path()).agent::<User>().mcp(settings);
    let home = Served::start(app, any()).await;
    let unused = TcpListener::bind(any()).await.unwrap().local_addr().unwrap();
    home.call("a", "addServer", json!(["nobody", format!("http://{unused}/mcp?token=s3cret")])).await.unwrap();
    home.call("a", "addProgram", json!(["dead"])).await.unwrap();
    let states = home.call("a", "states", json!([])).await.unwrap();
    assert_eq!((&states["nobody"][0], &states["dead"][0]), (&json!("failed"), &json!("failed")), "{states}");
    let said = states["nobody"][1].as_str().unwrap();
    assert!(!said.is_empty() && said.len() <= 500 && !said.contains("s3cret"), "{said}");
    home.stop().await;
}
