//! CORS headers of matched requests (agents-protocol, 1.8).

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::admission::Admission;

/// The headers added to answers, and sent alone to a preflight request.
#[derive(Debug, Clone, Default)]
pub struct Cors {
    headers: HeaderMap,
    /// The page's own origin is allowed, if it was let in.
    admitted: bool,
}

impl Cors {
    /// The four headers of `cors: true`: any origin, any header, the usual methods, for a day.
    pub fn permissive() -> Self {
        let any = HeaderValue::from_static("*");
        let methods = HeaderValue::from_static("GET, POST, HEAD, OPTIONS");
        Self::headers([
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, any.clone()),
            (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, any),
            (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400")),
        ])
    }

    /// Like [`Cors::permissive`], for the pages that [`Admission`] lets in alone.
    pub fn admitted() -> Self {
        let mut headers = Self::permissive().headers;
        headers.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
        Self { headers, admitted: true }
    }

    /// Exactly these headers, nothing added.
    pub fn headers(headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>) -> Self {
        Self { headers: headers.into_iter().collect(), admitted: false }
    }

    /// The headers of the answer to a request with these headers.
    pub(super) fn for_request(&self, admission: &Admission, request: &HeaderMap) -> HeaderMap {
        let mut headers = self.headers.clone();
        if self.admitted
            && let Some(page) = request.get(header::ORIGIN)
            && admission.check(request).is_ok()
        {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, page.clone());
        }
        headers
    }
}
