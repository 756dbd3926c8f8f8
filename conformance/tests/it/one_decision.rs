//! One decision for requests and sockets: whoever is refused one way is refused the other way, for the same reason.

use hostel::{App, Cors, axum};

use super::{
    agents::{CoderAgent, broken},
    support::{Client, Server, exchange},
};

/// What came of a request: the agent, or the code of a refusal.
type Decision = Result<(), String>;

async fn over_http(server: &Server, stranger: u16, path: &str, headers: &[(&str, &str)]) -> Decision {
    let stream = server.connect_from(stranger).await;
    let answer = exchange(stream, &server.head(path, headers, "Connection: close\r\n")).await;
    match answer.header("x-hostel-code") {
        "" if answer.status == 200 => Ok(()),
        "" => panic!("neither the agent nor a refusal answered {path} {headers:?}: {answer:?}"),
        code => Err(code.to_owned()),
    }
}

async fn over_socket(server: &Server, stranger: u16, path: &str, headers: &[(&str, &str)]) -> Decision {
    let stream = server.connect_from(stranger).await;
    let mut client = Client::open(stream, server.upgrade(path, headers)).await;
    let first = client.json().await;
    match first["type"].as_str() {
        Some("cf_agent_identity") => Ok(()),
        Some("hostel_error") => Err(first["code"].as_str().unwrap().to_owned()),
        _ => panic!("{path} {headers:?}: {first}"),
    }
}

fn paths() -> Vec<String> {
    let named = |name: &str| format!("/agents/coder-agent/{name}");
    let long = named(&"n".repeat(1025));
    let mut paths = vec![named("a"), named("a/more?x=1"), named("..%2f"), named("%00"), named(&"n".repeat(1024)), long];
    let others = [
        "/agents/CODER_AGENT/a",
        "/agents//coderagent//a",
        "/agents/nope/a",
        "/agents/coder-agent",
        "/agents",
        "/",
        "/elsewhere",
        "/api/v1/coder-agent/a",
        "/api/v1/nope/a",
        "/api/v1/coder-agent",
        "/direct",
    ];
    paths.extend(others.map(str::to_owned));
    paths
}

fn routes(edge: &hostel::Edge) -> axum::Router {
    let versioned = edge.route_agent_request().prefix("api/v1").cors(Cors::permissive());
    axum::Router::new()
        .route_service("/api/v1/{*path}", versioned)
        .route_service("/direct", edge.host::<CoderAgent>().unwrap())
}

#[tokio::test]
async fn threat_2_requests_and_sockets_get_the_same_decision_on_every_route() {
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory().routes(routes)).await;
    let same = format!("http://{}", server.address);
    let rebound = format!("evil.test:{}", server.address.port());
    let origins = [None, Some(same.as_str()), Some("https://evil.test"), Some("null")];
    let hosts = [None, Some(rebound.as_str())];
    let beliefs = [None, Some("agents"), Some("parties")];
    let (mut stranger, mut refused) = (0, 0);
    for path in paths() {
        for (origin, host, belief) in combinations(&origins, &hosts, &beliefs) {
            let named = [("Origin", origin), ("Host", host), ("X-Agents-Namespace", belief)];
            let headers: Vec<_> = named.iter().filter_map(|(name, value)| value.map(|value| (*name, value))).collect();
            let http = over_http(&server, stranger, &path, &headers).await;
            let socket = over_socket(&server, stranger, &path, &headers).await;
            assert_eq!(http, socket, "{path} {headers:?}");
            refused += usize::from(http.is_err());
            stranger += 1;
        }
    }
    assert!(refused > 200 && refused < usize::from(stranger), "{refused} of {stranger} were refused");
}

fn combinations<'a>(
    origins: &'a [Option<&'a str>],
    hosts: &'a [Option<&'a str>],
    beliefs: &'a [Option<&'a str>],
) -> impl Iterator<Item = (Option<&'a str>, Option<&'a str>, Option<&'a str>)> {
    let pairs =
        move |origin| hosts.iter().flat_map(move |host| beliefs.iter().map(move |belief| (origin, *host, *belief)));
    origins.iter().flat_map(move |origin| pairs(*origin))
}

#[tokio::test]
async fn threat_2_an_agent_that_cannot_start_is_refused_alike() {
    let server = Server::start(App::new().agent::<broken::CoderAgent>().in_memory()).await;
    let path = "/agents/coder-agent/a";
    let http = over_http(&server, 0, path, &[]).await;
    assert_eq!(http, over_socket(&server, 0, path, &[]).await);
    assert_eq!(http, Err("agent_start_failed".to_owned()));
}
