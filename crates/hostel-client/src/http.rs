//! Plain HTTP requests, one connection each.

use ::http::header::{HOST, ORIGIN};
use ::http::{HeaderMap, Method, Request};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::Value;

use crate::dial::{self, Stream};
use crate::{Error, Options, Target};

/// How much of an answer's body is read.
const MAX_BODY_BYTES: usize = 4 << 20;

/// A whole HTTP answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, up to 4 MiB; empty if it was longer or broke off.
    pub body: Bytes,
}

/// The parts of a problem document (RFC 9457) that Hostel fills.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// The stable code.
    pub code: Option<String>,
    /// The sentence.
    pub detail: Option<String>,
    /// What to change.
    pub fix: Option<String>,
    /// The number under which the server logged it.
    pub request_id: Option<String>,
}

impl Answer {
    /// A header as text; empty if it is missing or no text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The problem document, if the answer is one.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        if !self.header("content-type").starts_with("application/problem+json") {
            return None;
        }
        serde_json::from_slice(&self.body).ok()
    }

    /// Status and first line in one sentence.
    #[must_use]
    pub fn summary(&self) -> String {
        if let Some(Problem { detail: Some(detail), .. }) = self.problem() {
            return detail;
        }
        let text = self.text();
        let line: String = text.lines().next().unwrap_or_default().chars().take(200).collect();
        match line.trim() {
            "" => format!("HTTP {}", self.status),
            line => format!("HTTP {}: {line}", self.status),
        }
    }
}

/// `GET` of the target.
///
/// # Errors
///
/// Every error of connecting; an answer of any status is no error.
pub async fn get(target: &Target, options: &Options) -> Result<Answer, Error> {
    request(target, options, Method::GET, None).await
}

/// [`get`] of an answer whose body may be as large as `most` bytes.
///
/// # Errors
///
/// As [`get`].
pub async fn get_up_to(target: &Target, options: &Options, most: usize) -> Result<Answer, Error> {
    let stream = dial::open(target, options).await?;
    let request = head(target, options).uri(target.path_and_query()).body(Full::default())?;
    send_up_to(stream, request, options, most).await
}

/// `POST` of a JSON value to the target.
///
/// # Errors
///
/// As [`get`].
pub async fn post_json(target: &Target, body: &Value, options: &Options) -> Result<Answer, Error> {
    request(target, options, Method::POST, Some(body)).await
}

/// Any request to the target on a connection of its own.
///
/// # Errors
///
/// As [`get`].
pub async fn request(
    target: &Target,
    options: &Options,
    method: Method,
    body: Option<&Value>,
) -> Result<Answer, Error> {
    let stream = dial::open(target, options).await?;
    let mut request = head(target, options).method(method).uri(target.path_and_query());
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = body.map(Value::to_string).unwrap_or_default();
    send(stream, request.body(Full::from(body))?, options).await
}

/// Sends a request on an open connection and reads the whole answer.
///
/// # Errors
///
/// [`Error::Http`] if no HTTP comes back, [`Error::Timeout`].
pub async fn send(stream: Stream, request: Request<Full<Bytes>>, options: &Options) -> Result<Answer, Error> {
    send_up_to(stream, request, options, MAX_BODY_BYTES).await
}

async fn send_up_to(
    stream: Stream,
    request: Request<Full<Bytes>>,
    options: &Options,
    most: usize,
) -> Result<Answer, Error> {
    dial::within("the answer of the server", options.connect_timeout, async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Error::Http)?;
        let driver = tokio::spawn(connection);
        let answer = sender.send_request(request).await.map_err(Error::Http)?;
        let answer = read_up_to(answer, most).await;
        driver.abort();
        Ok(answer)
    })
    .await
}

/// The head of a request with the headers that every request has.
#[must_use]
pub fn head(target: &Target, options: &Options) -> ::http::request::Builder {
    let mut head = Request::builder();
    if !options.headers.iter().any(|(name, _)| name == HOST) {
        head = head.header(HOST, target.authority());
    }
    if let Some(origin) = &options.origin {
        head = head.header(ORIGIN, origin);
    }
    for (name, value) in &options.headers {
        head = head.header(name, value);
    }
    head
}

/// Reads the body; one that is too long or breaks off counts as empty.
pub(crate) async fn read(answer: ::http::Response<hyper::body::Incoming>) -> Answer {
    read_up_to(answer, MAX_BODY_BYTES).await
}

async fn read_up_to(answer: ::http::Response<hyper::body::Incoming>, most: usize) -> Answer {
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, most).collect().await;
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: body.map(http_body_util::Collected::to_bytes).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: &str, body: &'static str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", kind.parse().unwrap());
        Answer { status: 400, headers, body: Bytes::from_static(body.as_bytes()) }
    }

    #[test]
    fn a_problem_document_gives_its_code_sentence_and_fix() {
        let body = r#"{"status":400,"code":"unknown_agent","detail":"No.","fix":"Yes."}"#;
        let problem = answer("application/problem+json; charset=utf-8", body).problem().unwrap();
        assert_eq!(problem.code.as_deref(), Some("unknown_agent"));
        assert_eq!(problem.fix.as_deref(), Some("Yes."));
        assert_eq!(answer("application/problem+json", body).summary(), "No.");
        assert_eq!(answer("application/json", body).problem(), None);
    }

    #[test]
    fn other_answers_are_summed_up_by_status_and_first_line() {
        assert_eq!(answer("text/plain", "Invalid request\nx").summary(), "HTTP 400: Invalid request");
        assert_eq!(answer("text/plain", "").summary(), "HTTP 400");
    }
}
