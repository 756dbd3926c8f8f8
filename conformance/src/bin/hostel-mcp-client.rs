//! The binary `hostel-mcp-client`: an agent as the client of one MCP server, for the official conformance suite.
//!
//! It is given a URL, and how it is spoken to where that is not to be found out, or a command; has an agent register it, signs in like a browser where it is asked to, and calls every tool
//! once.

use std::{collections::BTreeMap, io::Write as _};

use anyhow::{Context as _, bail, ensure};
use hostel::{
    App, Edge, Stub,
    mcp::{McpClient as _, McpSettings, McpTool, Program, Reach, Server, ServerId, ServerState, Transport},
    prelude::*,
    vault::{Environment, Options, Vault},
};
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

/// How often somebody signs in before they have had enough.
const SIGN_INS: usize = 3;
const REDIRECTS: usize = 10;
/// The name of a server that is a command.
const PROGRAM: &str = "theirs";

/// What is told beside the URL; the rest by the suite.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Told {
    #[serde(default)]
    transport: Transport,
    client_id: Option<String>,
    client_secret: Option<String>,
}

/// Uses one MCP server.
#[derive(Debug, Default, Serialize, Deserialize)]
struct User {}

#[agent]
impl User {
    #[callable]
    fn register(&mut self, cx: &Cx<Self>, place: String, told: Told) -> Result<ServerId> {
        let is_url = place.starts_with("http");
        let server = if is_url { Server::http(place).transport(told.transport) } else { Server::program(PROGRAM) };
        let server = server.forms("agree").lends_model("echo");
        let has_secret = told.client_secret.is_some();
        cx.mcp().add(
            PROGRAM,
            match told.client_id {
                Some(id) => server.client(id, has_secret.then_some("CLIENT_SECRET")),
                None => server,
            },
        )
    }

    /// Takes every form as it is.
    #[callable(allow = "internal")]
    fn agree(&self, _message: String, _form: Value) -> Option<Value> {
        Some(json!({}))
    }

    /// Answers every question to a model.
    #[callable(allow = "internal")]
    fn echo(&self, asked: &Value) -> String {
        asked["messages"][0]["content"]["text"].as_str().unwrap_or("well").to_owned()
    }

    /// How it stands: its state, what went wrong, and where to sign in.
    #[callable]
    async fn stands(cx: &Cx<Self>) -> Result<(ServerState, Option<String>, Option<String>)> {
        let servers = cx.mcp().ready().await?;
        let server = servers.into_iter().next().ok_or_else(|| Error::msg("no server is registered"))?;
        Ok((server.state, server.error, server.auth_url))
    }

    #[callable]
    async fn tools(cx: &Cx<Self>) -> Result<Vec<McpTool>> {
        cx.mcp().tools().await
    }

    #[callable]
    async fn try_tool(cx: &Cx<Self>, server: ServerId, name: String, arguments: Value) -> Result<Value> {
        Ok(serde_json::to_value(cx.mcp().call(&server, &name, arguments).await?)?)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let place = arguments.next().context("the URL or the command of an MCP server is missing")?;
    let args: Vec<String> = arguments.collect();
    let mut told: Told = match std::env::var("MCP_CONFORMANCE_CONTEXT") {
        Ok(text) => serde_json::from_str(&text)?,
        Err(_) => Told::default(),
    };
    if let Some(transport) = args.first().filter(|_| place.starts_with("http")) {
        told.transport = serde_json::from_value(json!(transport))?;
    }
    let program = Program { command: place.clone().into(), args, ..Program::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let home = app(&told, program)?.start().await?;
    let (edge, stop) = (home.edge().clone(), CancellationToken::new());
    let serving = tokio::spawn(home.serve(listener, stop.clone()));
    let used = use_server(&edge, &place, &told).await;
    stop.cancel();
    serving.await??;
    used
}

/// The suite's servers are on this machine.
fn app(told: &Told, program: Program) -> anyhow::Result<App> {
    let reach = Reach::public().allow("localhost")?.allow("127.0.0.0/8")?;
    let secret = told.client_secret.iter();
    let commands = secret
        .map(|secret| Ok(("CLIENT_SECRET".parse()?, vec!["printf".to_owned(), "%s".to_owned(), secret.clone()])))
        .collect::<anyhow::Result<BTreeMap<_, _>>>()?;
    let vault = Vault::open(None, &Environment::default(), Options { commands, ..Options::default() })?;
    let programs = [(PROGRAM.to_owned(), program)].into();
    let client_metadata_url = Some("https://conformance-test.local/client-metadata.json".to_owned());
    let settings = McpSettings { reach, programs, client_metadata_url, ..McpSettings::default() };
    Ok(App::new().in_memory().agent::<User>().vault(vault).mcp(settings))
}

async fn use_server(edge: &Edge, place: &str, told: &Told) -> anyhow::Result<()> {
    let user = edge.get_agent_by_name::<User>("one").await.map_err(|error| said(&error))?;
    let user: &Stub = user.stub();
    let registered = json!([place, told]);
    let server: ServerId = user.call("register", &registered).await.map_err(|error| said(&error))?;
    let mut sign_ins = 0;
    connected(user, &mut sign_ins).await?;
    let tools: Vec<McpTool> = user.call("tools", &json!([])).await.map_err(|error| said(&error))?;
    writeln!(std::io::stdout(), "{} tools", tools.len())?;
    for tool in tools {
        let asked = json!([server, tool.name, arguments(&tool.input_schema)]);
        loop {
            let answer: hostel::Result<Value> = user.call("tryTool", &asked).await;
            match answer {
                Ok(_) => break,
                // The server may want somebody to sign in again, for this tool.
                Err(_) if stands(user).await?.0 == ServerState::Authenticating => {
                    connected(user, &mut sign_ins).await?
                }
                Err(error) => bail!("{}: {error:?}", tool.name),
            }
        }
    }
    Ok(())
}

fn said(error: &hostel::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:?}")
}

async fn stands(user: &Stub) -> anyhow::Result<(ServerState, Option<String>, Option<String>)> {
    user.call("stands", &json!([])).await.map_err(|error| said(&error))
}

/// Waits for the connection, and signs in where that is asked for.
async fn connected(user: &Stub, sign_ins: &mut usize) -> anyhow::Result<()> {
    loop {
        match stands(user).await? {
            (ServerState::Ready, ..) => return Ok(()),
            (ServerState::Authenticating, _, Some(link)) => {
                *sign_ins += 1;
                ensure!(*sign_ins <= SIGN_INS, "the server asks for one sign-in after the other");
                browse(link).await?;
            }
            (ServerState::Failed, error, _) => bail!("{}", error.unwrap_or_default()),
            _ => {}
        }
    }
}

/// A value for each parameter that a tool must have.
fn arguments(schema: &Value) -> Value {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let value = |name: &str| match schema["properties"][name]["type"].as_str() {
        Some("number" | "integer") => json!(5),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => json!({}),
        _ => json!("text"),
    };
    required.map(|name| (name.to_owned(), value(name))).collect::<Map<_, _>>().into()
}

/// Opens a page and goes where it leads, like a browser whose user agrees to everything.
async fn browse(mut url: String) -> anyhow::Result<()> {
    for _ in 0..REDIRECTS {
        let rest = url.strip_prefix("http://").with_context(|| format!("no page of this machine: {url}"))?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let mut stream = TcpStream::connect(host).await?;
        let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let location = answer.lines().take_while(|line| !line.is_empty()).find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
        });
        match location {
            Some(next) if next.starts_with("http://") => url = next,
            // Back home, or nowhere else to go.
            _ => return Ok(()),
        }
    }
    bail!("the page redirects too often")
}
