//! Where browsers come back to after signing in at an MCP server: `GET {agent}/callback`.

use std::fmt;

use axum::body::Body;
use futures_util::future::BoxFuture;
use hostel_edge::{Annex, Plot};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};

use crate::hub::McpHub;

/// Answers browsers that come back from signing in. They need not say who they are: that somebody is expected with exactly
/// this state at exactly this agent is what lets them in, once.
#[derive(Clone)]
pub struct McpCallback(McpHub);

impl McpCallback {
    /// For those whom this hub has sent to sign in.
    pub fn new(hub: &McpHub) -> Self {
        Self(hub.clone())
    }
}

impl Annex for McpCallback {
    fn wants(&self, _: &Request<Body>, _: &Plot) -> bool {
        false
    }

    fn answer(&self, _: Request<Body>, _: Plot) -> BoxFuture<'static, Response<Body>> {
        Box::pin(async { plain(StatusCode::NOT_FOUND) })
    }

    fn wants_unasked(&self, request: &Request<Body>) -> bool {
        let path = request.uri().path();
        path.ends_with("/callback")
            && *request.method() == Method::GET
            && request.uri().query().is_some_and(|query| self.0.expects_back(path, query))
    }

    fn answer_unasked(&self, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let hub = self.0.clone();
        Box::pin(async move {
            let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
            match hub.back(path, query).await {
                Some(place) => redirect(&place),
                None => plain(StatusCode::NOT_FOUND),
            }
        })
    }
}

fn redirect(place: &str) -> Response<Body> {
    let mut response = plain(StatusCode::FOUND);
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::from_str(place).unwrap_or(HeaderValue::from_static("/")));
    // The code in the address is used up; it is nobody's business all the same.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

impl fmt::Debug for McpCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the way back from signing in")
    }
}
