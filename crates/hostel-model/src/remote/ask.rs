//! Sends a request, and has its answer begin.

use std::time::{Duration, SystemTime};

use reqwest::{
    Response,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
};
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::{Dialect, Inner, Remote, live::Live};
use crate::{FaultKind, Request, anthropic, decode::Decoder, failure::Failure, google, openai};

/// How much of an error's body is read.
const MOST_OF_AN_ERROR: usize = 64 << 10;
/// How long reading it may take.
const ERROR_TIME: Duration = Duration::from_secs(10);

impl Remote {
    /// Asks once. The answer has begun as far as HTTP is concerned, no more.
    pub(super) async fn ask(&self, request: &Request) -> Result<Live, Failure> {
        let inner = &*self.0;
        let deadline = Instant::now() + inner.settings.timeout;
        let url = inner.url().ok_or_else(|| Failure::new(FaultKind::NotConfigured, "its base_url takes no path"))?;
        let headers = inner.headers().await?;
        let body = serde_json::to_vec(&inner.body(request)).map_err(|error| bad_request(&error))?;
        let sent = inner.client()?.post(url).headers(headers).body(body).send();
        let response = match timeout_at(deadline, sent).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(unreachable(error)),
            Err(_) => return Err(Failure::new(FaultKind::TimedOut, "")),
        };
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        if is_json(&response) {
            return Err(not_a_stream(response).await);
        }
        Ok(Live::new(response, inner.decoder(), deadline, inner.settings.stall))
    }
}

impl Inner {
    fn dialect(&self) -> Dialect {
        Dialect::of(self.settings.provider)
    }

    fn url(&self) -> Option<Url> {
        let mut url = self.settings.base_url.clone();
        let model = self.settings.model();
        {
            let mut path = url.path_segments_mut().ok()?;
            path.pop_if_empty();
            match self.dialect() {
                Dialect::OpenAi => path.extend(["chat", "completions"]),
                Dialect::Anthropic => path.push("messages"),
                Dialect::Google => path.extend(["models", &format!("{model}:streamGenerateContent")]),
            };
        }
        if self.dialect() == Dialect::Google {
            url.query_pairs_mut().append_pair("alt", "sse");
        }
        Some(url)
    }

    /// What the model is asked, in the provider's words.
    fn body(&self, request: &Request) -> Map<String, Value> {
        let mut body = match self.dialect() {
            Dialect::OpenAi => openai::body(&self.settings, request),
            Dialect::Anthropic => anthropic::body(&self.settings, request),
            Dialect::Google => google::body(&self.settings, request),
        };
        body.extend(self.settings.extra.clone());
        body.extend(request.extra.clone());
        for field in &self.settings.omit {
            body.shift_remove(field);
        }
        body
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        match self.dialect() {
            Dialect::OpenAi => Box::new(openai::OpenAi::default()),
            Dialect::Anthropic => Box::new(anthropic::Anthropic::default()),
            Dialect::Google => Box::new(google::Google::default()),
        }
    }

    async fn headers(&self) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if self.dialect() == Dialect::Anthropic {
            headers.insert("anthropic-version", HeaderValue::from_static(anthropic::VERSION));
        }
        if let Some(key) = self.key().await? {
            let (name, value) = match self.dialect() {
                Dialect::OpenAi => (AUTHORIZATION, format!("Bearer {key}")),
                Dialect::Anthropic => (HeaderName::from_static("x-api-key"), key),
                Dialect::Google => (HeaderName::from_static("x-goog-api-key"), key),
            };
            headers.insert(name, sensitive(&value).map_err(|()| unusable("the key"))?);
        }
        for (name, setting) in &self.settings.headers {
            let name: HeaderName = name.parse().map_err(|_| unusable(&format!("the header {name:?}")))?;
            let value =
                setting.reveal(&*self.secrets).await.map_err(|why| Failure::new(FaultKind::NotConfigured, why))?;
            let value =
                value.ok_or_else(|| Failure::new(FaultKind::NotConfigured, format!("there is no {setting}")))?;
            headers.insert(name, sensitive(&value).map_err(|()| unusable("a header's value"))?);
        }
        Ok(headers)
    }

    /// The key; `None` where none is configured. One that is configured and not there is a failure.
    pub(super) async fn key(&self) -> Result<Option<String>, Failure> {
        let Some(setting) = &self.settings.key else { return Ok(None) };
        let found = setting.reveal(&*self.secrets).await;
        match found.map_err(|why| Failure::new(FaultKind::NotConfigured, why))? {
            Some(key) => Ok(Some(key.trim().to_owned())),
            None => Err(Failure::new(FaultKind::NotConfigured, format!("there is no {setting}"))),
        }
    }
}

fn sensitive(value: &str) -> Result<HeaderValue, ()> {
    let mut value = HeaderValue::from_str(value).map_err(drop)?;
    value.set_sensitive(true);
    Ok(value)
}

fn unusable(what: &str) -> Failure {
    Failure::new(FaultKind::NotConfigured, format!("{what} has letters that no header can have"))
}

fn bad_request(error: &serde_json::Error) -> Failure {
    Failure::new(FaultKind::BadRequest, error.to_string())
}

/// The chain of causes, without the address, which may hold a secret.
fn unreachable(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let mut detail = String::new();
    let mut next: Option<&dyn std::error::Error> = Some(&error);
    while let Some(cause) = next {
        let line = cause.to_string();
        if !detail.contains(&line) {
            detail = if detail.is_empty() { line } else { format!("{detail}: {line}") };
        }
        next = cause.source();
    }
    Failure::new(FaultKind::Unreachable, detail)
}

async fn refused(response: Response) -> Failure {
    let status = response.status().as_u16();
    let after = response.headers().get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?));
    Failure::answered(status, &beginning(response).await, after)
}

/// What came in place of a stream: an error with a status of success, or a whole answer.
async fn not_a_stream(response: Response) -> Failure {
    let body = beginning(response).await;
    match serde_json::from_str::<Value>(&body) {
        Ok(value) if value.get("error").is_some() => Failure::in_stream(&value["error"]),
        _ => Failure::new(FaultKind::Malformed, "it did not stream"),
    }
}

fn is_json(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/json"))
}

/// Seconds, or a date.
fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(value.trim()).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

async fn beginning(mut response: Response) -> String {
    let mut body = Vec::new();
    let deadline = Instant::now() + ERROR_TIME;
    while let Ok(Ok(Some(part))) = timeout_at(deadline, response.chunk()).await {
        body.extend_from_slice(&part);
        if body.len() >= MOST_OF_AN_ERROR {
            body.truncate(MOST_OF_AN_ERROR);
            break;
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}
