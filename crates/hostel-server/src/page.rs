//! The page at `/` and `/c/{name}`, for browsers. Whoever does not ask for a page hears there what they always did.

use std::sync::Arc;

use hostel::{
    AgentRouter,
    axum::{
        Router,
        body::Body,
        extract::{Path, Request, State},
        http::{HeaderMap, Method, Response},
        routing::{any, get},
    },
};
use hostel_model::{MAIN, Models};
use hostel_page::{Page, Settings, wants_page};

/// The provider of a model that is not there.
const NONE: &str = "none";

#[derive(Clone)]
struct Served {
    prefix: Arc<str>,
    models: Models,
    agents: AgentRouter,
}

/// Routes for browsers. `agents` answers everybody else, and what is no page.
pub(crate) fn routes(prefix: &str, models: Models, agents: AgentRouter) -> Router {
    let served = Served { prefix: prefix.into(), models, agents };
    let mut routes = Router::new().route("/", any(document));
    // Agents may be served under any path, and have it first.
    let first = prefix.trim_matches('/').split('/').next().unwrap_or_default();
    if first != "c" {
        routes = routes.route("/c/{name}", any(document)).route("/c/{name}/", any(document));
    }
    if first != "assets" {
        routes = routes.route("/assets/{name}", get(asset));
    }
    routes.with_state(served)
}

async fn document(State(served): State<Served>, request: Request) -> Response<Body> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    match is_read && wants_page(request.headers()) {
        true => Page::new(&served.settings()).document(request.method()).map(Body::from),
        false => served.agents.answer(request).await,
    }
}

impl Served {
    /// A key may be set while the server runs, so this is asked each time.
    fn settings(&self) -> Settings {
        Settings {
            prefix: self.prefix.trim_matches('/').to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model: self.models.find(MAIN).is_some_and(|model| model.describe().provider != NONE),
        }
    }
}

async fn asset(Path(name): Path<String>, method: Method, headers: HeaderMap) -> Response<Body> {
    Page::asset(&method, &name, &headers).map(Body::from)
}
