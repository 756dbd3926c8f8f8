//! The page of CoderAgent: built from `page/`, embedded in the binary, and how a browser gets it.
//!
//! It knows nothing of servers: it is asked with the head of a request, and answers with a response.

mod accept;
mod embedded;
mod plain;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use serde::Serialize;

use crate::{
    accept::{Coding, coding},
    embedded::{ASSETS, Asset, INDEX, WHY_NOT},
};

pub use accept::wants_page;

/// What the page is told of the server it came from. Everybody may read it.
#[derive(Debug, Clone, Serialize)]
pub struct Settings {
    /// First part of an agent's path.
    pub prefix: String,
    /// The server's version.
    pub version: String,
    /// Whether a model is configured.
    pub model: bool,
}

/// The page, as a server has it.
///
/// ```
/// use hostel_page::{Page, Settings};
/// use http::{HeaderMap, Method};
///
/// let page = Page::new(&Settings { prefix: "agents".into(), version: "1.0.0".into(), model: true });
/// let response = page.document(&Method::GET);
/// assert!(response.headers()["content-security-policy"].to_str().is_ok_and(|policy| policy.contains("default-src 'none'")));
/// assert_eq!(Page::asset(&Method::GET, "nothing.js", &HeaderMap::new()).status(), 404);
/// ```
#[derive(Debug, Clone)]
pub struct Page {
    document: Bytes,
}

/// Nothing from elsewhere, nothing inline, in no frame. Sockets of the same host are among `'self'`.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                      font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// The names of assets change with what they are.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

impl Page {
    /// The page for a server.
    pub fn new(settings: &Settings) -> Self {
        let document = match WHY_NOT {
            None => {
                let told = serde_json::to_string(settings).unwrap_or_default();
                INDEX.replace("{{settings}}", &plain::escaped(&told))
            }
            Some(why) => plain::page(why, settings),
        };
        Self { document: document.into() }
    }

    /// Whether the full page is in this binary; if not, why.
    ///
    /// # Errors
    /// Why it is not.
    pub fn built() -> Result<(), &'static str> {
        WHY_NOT.map_or(Ok(()), Err)
    }

    /// The document, the same for `/` and for every conversation.
    pub fn document(&self, method: &Method) -> Response<Bytes> {
        let mut response = answer(method, self.document.clone(), "text/html; charset=utf-8");
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(header::VARY, HeaderValue::from_static("accept"));
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
        headers.insert(
            "permissions-policy",
            HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        );
        response
    }

    /// An asset by its name, in the smallest form that the client takes.
    pub fn asset(method: &Method, name: &str, headers: &HeaderMap) -> Response<Bytes> {
        let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else { return missing() };
        let (bytes, coding) = asset.form(headers);
        let mut response = answer(method, Bytes::from_static(bytes), content_type(name));
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(FOR_EVER));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Some(coding) = coding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        response
    }
}

impl Asset {
    fn form(&self, headers: &HeaderMap) -> (&'static [u8], Option<&'static str>) {
        match (coding(headers), self.brotli, self.gzip) {
            (Coding::Brotli, Some(bytes), _) => (bytes, Some("br")),
            (Coding::Brotli | Coding::Gzip, _, Some(bytes)) => (bytes, Some("gzip")),
            _ => (self.plain, None),
        }
    }
}

fn answer(method: &Method, body: Bytes, content_type: &'static str) -> Response<Bytes> {
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(if *method == Method::HEAD { Bytes::new() } else { body });
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CONTENT_LENGTH, length);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}

/// A page that was loaded before an update asks for assets that are gone; it is not to keep that answer.
fn missing() -> Response<Bytes> {
    let text = Bytes::from_static(b"There is no such file. The page is loaded anew after an update of the server.\n");
    let mut response = answer(&Method::GET, text, "text/plain; charset=utf-8");
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
