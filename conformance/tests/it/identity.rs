//! Who may come in: found out before an agent wakes, the same for requests and sockets, and told to the agent as a fact.

use hostel::{App, Code, Permissions, Refusal, allow, http::request::Parts, prelude::*};
use serde_json::json;

use super::support::Server;

/// Says who asks.
#[derive(Default, Serialize, Deserialize)]
struct Mirror {
    seen: u32,
}

fn name_of(cx: &Cx<Mirror>) -> String {
    cx.identity().map_or_else(|| "nobody".to_owned(), |identity| identity.subject().to_owned())
}

#[agent]
impl Mirror {
    async fn on_request(cx: &Cx<Self>, request: Request) -> Result<Response> {
        let carried = request.extensions().get::<Identity>().map_or("nobody", Identity::subject);
        let text = format!("{} {} {carried} {}", cx.name(), name_of(cx), request.uri());
        Ok(Response::new(text.into()))
    }

    #[callable]
    fn who(&self, cx: &Cx<Self>) -> String {
        name_of(cx)
    }

    #[callable]
    async fn who_later(cx: &Cx<Self>) -> Result<String> {
        cx.sleep(std::time::Duration::from_millis(1)).await;
        cx.update(|me| me.seen += 1)?;
        Ok(name_of(cx))
    }

    /// Another agent asks: it is not its caller.
    #[callable]
    async fn ask(cx: &Cx<Self>, other: &str) -> Result<String> {
        cx.agent::<Mirror>(other).who().await
    }
}

/// Knows whoever says their name.
fn by_name(head: &mut Parts) -> Result<Option<Identity>, Refusal> {
    match head.headers.remove("x-name") {
        None => Ok(None),
        Some(name) if name == "mallory" => Err(Refusal::new(Code::Unauthorized, "Not you.").with_fix("go away")),
        Some(name) => Ok(Some(Identity::new(name.to_str().unwrap()))),
    }
}

fn app() -> App {
    App::new().agent::<Mirror>().in_memory().authenticator(by_name)
}

/// How many agents have a file.
pub(crate) fn files(data: &std::path::Path) -> usize {
    let entries =
        |path: &std::path::Path| std::fs::read_dir(path).into_iter().flatten().flatten().map(|e| e.path()).collect();
    let mut open: Vec<std::path::PathBuf> = entries(&data.join("agents"));
    let mut count = 0;
    while let Some(path) = open.pop() {
        count += usize::from(path.extension().is_some_and(|kind| kind == "db"));
        open.extend::<Vec<_>>(entries(&path));
    }
    count
}

#[tokio::test]
async fn an_agent_knows_who_asks_over_http_and_sockets_and_for_whom_async_work_goes_on() {
    let server = Server::start(app()).await;
    let ada = [("X-Name", "ada")];
    let answer = server.get_with("/agents/mirror/a", &ada).await;
    assert!(answer.body.starts_with("a ada ada http://"), "{}", answer.body);
    let mut client = server.socket_with("/agents/mirror/a", &ada).await;
    client.greeted().await;
    for method in ["who", "whoLater"] {
        assert_eq!(client.call(method, json!([])).await["result"], "ada", "{method}");
    }
    assert_eq!(client.call("ask", json!(["b"])).await["result"], "nobody");
}

#[tokio::test]
async fn me_is_the_agent_that_has_its_callers_name() {
    let server = Server::start(app()).await;
    let answer = server.get_with("/agents/mirror/me", &[("X-Name", "ada")]).await;
    assert!(answer.body.starts_with("ada ada "), "{}", answer.body);
    let mut client = server.socket_with("/agents/mirror/me", &[("X-Name", "bob")]).await;
    assert_eq!(client.greeted().await["name"], "bob");
    assert_eq!(server.get("/agents/mirror/me").await.code(), "unauthorized");
}

#[tokio::test]
async fn who_is_unknown_refused_or_not_allowed_is_told_so_before_any_agent_wakes() {
    let data = tempfile::tempdir().unwrap();
    let rules = allow::parse("owner").unwrap();
    let app = app().data(data.path()).permissions(Permissions::default().allow("Mirror", rules));
    let server = Server::start(app).await;
    for path in ["/agents/mirror/ada", "/agents/mirror/x", "/agents/nope/x"] {
        assert_eq!(server.get(path).await.code(), "unauthorized", "{path}");
        assert_eq!(server.socket(path).await.refusal().await, ("unauthorized".into(), 4401), "{path}");
        let mallory = [("X-Name", "mallory")];
        assert_eq!(server.get_with(path, &mallory).await.code(), "unauthorized", "{path}");
    }
    let bob = [("X-Name", "bob")];
    assert_eq!(server.get_with("/agents/mirror/ada", &bob).await.code(), "forbidden");
    assert_eq!(server.socket_with("/agents/mirror/ada", &bob).await.refusal().await, ("forbidden".into(), 4403));
    assert_eq!(files(data.path()), 0, "an agent was made");
    assert_eq!(server.get_with("/agents/mirror/bob", &bob).await.status, 200);
    let mut client = server.socket_with("/agents/mirror/bob", &bob).await;
    client.greeted().await;
    assert_eq!(client.call("whoLater", json!([])).await["result"], "bob");
    drop(client);
    server.stop().await;
    assert_eq!(files(data.path()), 1, "files of agents are not counted");
}
