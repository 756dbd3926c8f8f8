//! What every answer carries, refusals included: the id under which it is found in the log, and CORS headers.

use hostel::{Admission, App, Cors};

use super::{agents::CoderAgent, support::Server};

#[tokio::test]
async fn every_answer_carries_the_id_of_its_request() {
    let server = Server::start(App::new().agent::<CoderAgent>().in_memory()).await;
    for path in ["/agents/coder-agent/default", "/agents/nope/default", "/agents/coder-agent", "/elsewhere"] {
        let answer = server.get(path).await;
        let id = answer.header("x-request-id");
        assert_eq!(id.len(), 12, "{answer:?}");
        if answer.status != 200 {
            assert_eq!(answer.json()["request_id"], id, "{path}");
        }
    }
}

#[tokio::test]
async fn a_page_that_cors_lets_in_may_read_why_it_is_refused() {
    let agents = App::new().agent::<CoderAgent>().in_memory().routing(|agents| agents.cors(Cors::permissive()));
    let server = Server::start(agents).await;
    for path in ["/agents/coder-agent/default", "/agents/nope/default", "/agents/coder-agent", "/elsewhere"] {
        let answer = server.get(path).await;
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn only_pages_that_are_let_in_may_read_answers() {
    let page = "https://app.example";
    let agents = App::new().agent::<CoderAgent>().in_memory().admission(Admission::default().allow_origin(page));
    let server = Server::start(agents.routing(|agents| agents.cors(Cors::admitted()))).await;
    for (origin, allowed) in [(page, page), ("https://evil.test", ""), ("null", "")] {
        let answer = server.get_with("/agents/coder-agent/default", &[("Origin", origin)]).await;
        assert_eq!(answer.header("access-control-allow-origin"), allowed, "{answer:?}");
        assert_eq!(answer.header("vary"), "origin");
    }
}
