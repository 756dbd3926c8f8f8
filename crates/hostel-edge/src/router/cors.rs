//! CORS headers of matched requests (agents-protocol, 1.8).

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};

/// The headers added to answers, and sent alone to a preflight request.
#[derive(Debug, Clone, Default)]
pub struct Cors(HeaderMap);

impl Cors {
    /// The four headers of `cors: true`: any origin, any header, the usual methods, for a day.
    pub fn permissive() -> Self {
        let any = HeaderValue::from_static("*");
        let methods = HeaderValue::from_static("GET, POST, HEAD, OPTIONS");
        Self(HeaderMap::from_iter([
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, any.clone()),
            (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, any),
            (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400")),
        ]))
    }

    /// Exactly these headers, nothing added.
    pub fn headers(headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>) -> Self {
        Self(headers.into_iter().collect())
    }

    pub(super) fn preflight(&self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        self.add(response.headers_mut());
        response
    }

    pub(super) fn add(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.0 {
            headers.insert(name, value.clone());
        }
    }
}
