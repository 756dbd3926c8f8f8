//! Handles of agents by name: what decides about a request that the application hands over.

use hostel::{Code, Refusal, http::request::Parts, prelude::*};
use tower::ServiceExt as _;

#[derive(Default, Serialize, Deserialize)]
struct Diary {}

#[agent(allow = "owner")]
impl Diary {
    fn on_request(&self, cx: &Cx<Self>) -> Result<Response> {
        let who = cx.identity().map_or("nobody", |identity| identity.subject()).to_owned();
        Ok(Response::new(Body::from(who)))
    }
}

/// Under a diary; only who is an editor gets there, whoever may reach the diary.
#[derive(Default, Serialize, Deserialize)]
struct Draft {}

#[agent(allow = "role:editor")]
impl Draft {
    fn on_request(&self) -> Result<Response> {
        Ok(Response::new(Body::from("a draft")))
    }
}

fn badge(head: &mut Parts) -> std::result::Result<Option<Identity>, Refusal> {
    match head.headers.remove("x-badge").and_then(|badge| badge.to_str().map(str::to_owned).ok()) {
        None => Ok(None),
        Some(name) if name == "ada, editor" => Ok(Some(Identity::new("ada").with_roles(["editor"]))),
        Some(name) if name != "forged" => Ok(Some(Identity::new(name))),
        Some(_) => Err(Refusal::new(Code::Unauthorized, "This badge is not known.")),
    }
}

/// What ada's diary says to somebody with this badge, handed over at either door.
async fn asked(home: &hostel::Home, door: &str, badge: Option<&str>, origin: Option<&str>) -> (u16, String) {
    let mut request = hostel::http::Request::builder().uri(door).header("host", "localhost");
    for (name, value) in [("x-badge", badge), ("origin", origin)] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    let response = home.service().oneshot(request.body(hostel::axum::body::Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = hostel::axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn home() -> hostel::Home {
    let app = App::new().agent::<Diary>().sub_agent::<Draft>().in_memory().authenticator(badge);
    let routes = |edge: &hostel::Edge| {
        let (trusting, asking) = (edge.clone(), edge.clone());
        hostel::axum::Router::new()
            .route(
                "/trusting",
                hostel::axum::routing::any(async move |request| {
                    trusting.get_agent_by_name::<Diary>("ada").await.unwrap().fetch(request).await
                }),
            )
            .route(
                "/asking",
                hostel::axum::routing::any(async move |request| {
                    asking.get_agent_by_name::<Diary>("ada").await.unwrap().answer(request).await
                }),
            )
    };
    app.routes(routes).start().await.unwrap()
}

#[tokio::test]
async fn a_request_that_is_fetched_is_decided_about_by_whoever_hands_it_over() {
    let home = home().await;
    for badge in [None, Some("forged"), Some("bob")] {
        assert_eq!(asked(&home, "/trusting", badge, None).await, (200, "nobody".to_owned()));
    }
}

#[tokio::test]
async fn threat_4_a_request_from_outside_that_is_answered_meets_the_decisions_of_the_router() {
    let home = home().await;
    assert_eq!(asked(&home, "/asking", Some("ada"), None).await, (200, "ada".to_owned()));
    for (badge, origin, status, code) in [
        (None, None, 401, "unauthorized"),
        (Some("forged"), None, 401, "unauthorized"),
        (Some("bob"), None, 403, "forbidden"),
        (Some("ada"), Some("https://evil.example"), 403, "origin_refused"),
    ] {
        let (got, body) = asked(&home, "/asking", badge, origin).await;
        assert!(got == status && body.contains(code), "{got} {body}");
    }
}

#[tokio::test]
async fn a_sub_agent_is_reached_by_who_may_reach_its_parent_and_its_own_class() {
    let home = home().await;
    let draft = "/agents/diary/ada/sub/draft/one";
    assert_eq!(asked(&home, draft, Some("ada, editor"), None).await, (200, "a draft".to_owned()));
    for (badge, status, code) in
        [(None, 401, "unauthorized"), (Some("ada"), 403, "forbidden"), (Some("bob"), 403, "forbidden")]
    {
        let (got, body) = asked(&home, draft, badge, None).await;
        assert!(got == status && body.contains(code), "{got} {body}");
    }
    assert_eq!(home.edge().node().agents("draft", 10, None).await.unwrap().len(), 1, "nobody else woke one");
}
